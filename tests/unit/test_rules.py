"""The rules file: what it may say, what is refused and how, and how several files become one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.document import Document, loads
from exporter.errors import ConfigError
from exporter.mapping.columns import COLUMNS, Source, parse_source
from exporter.mapping.conditions import AttributeCondition, Match
from exporter.mapping.rules import DEFAULTS, Rule, RuleFile, load_all, load_rules
from exporter.mapping.trace import described

MANUAL = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text(encoding="utf-8")
CLASSES = ("default", "log", "security")
EXAMPLE = """\
version: 1
fields:
  actor_id: [audit.actor.id, user.id]
  service: ["resource:service.name"]
rules:
  - name: privileged-actions
    match:
      event: {one_of: [role.granted, role.revoked]}
      service: {glob: "billing-*"}
      scope: {equals: shop.audit}
      severity: {at_least: 17}
      attributes:
        http.request.method: {one_of: [POST, PUT]}
        user.id: {exists: true}
        url.path: {regex: "^/admin/"}
      resource: {deployment.environment.name: prod}
      any: [{body: {glob: "*admin*"}}, {attributes: {team: payments}}]
      not: {attributes: {http.status_code: {at_least: 400}}}
    set: {action: admin.call, outcome: failure, latitude: 48, "attributes.team": payments}
    default: {actor_type: user}
    copy: {target_id: order.id, tenant: "resource:customer", message: "record:body"}
    rename: {old.key: new.key}
    drop: ["debug.*", internal.note]
    class: security
    audit: true
"""


def read(text: str) -> RuleFile:
    return load_rules(loads(text, "rules.yaml"), CLASSES)


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as failure:
        read(text)
    return str(failure.value)


def refused_rule(body: str) -> str:
    """The one error in a rule named r, written in flow style."""
    lines = refusal(f"version: 1\nrules:\n  - {{name: r, {body}}}").splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("rules.yaml:3: rules.0")
    return lines[0]


def test_everything_that_the_language_has_can_be_said() -> None:
    parsed = read(EXAMPLE)
    rule = parsed.rules[0]
    assert parsed.fields["actor_id"].options == (
        Source("attribute", "audit.actor.id"),
        Source("attribute", "user.id"),
    )
    assert parsed.fields["service"].options == (Source("resource", "service.name"),)
    assert rule.set_columns == {"action": "admin.call", "outcome": "failure", "latitude": 48.0}
    assert rule.set_attributes == {"team": "payments"}
    assert rule.defaults == {"actor_type": "user"}
    assert rule.copies["message"] == Source("record", "body")
    assert rule.renames == {"old.key": "new.key"}
    assert rule.drops == ("debug.*", "internal.note")
    assert (rule.retention_class, rule.audit) == ("security", True)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("user.id", Source("attribute", "user.id")),
        ("attribute:aws:region", Source("attribute", "aws:region")),
        ("resource:k8s.pod.name", Source("resource", "k8s.pod.name")),
        ("record:trace_id", Source("record", "trace_id")),
        ("scope:version", Source("scope", "version")),
    ],
)
def test_a_source_reads_back_as_it_was_written(text: str, source: Source) -> None:
    assert parse_source(text) == source
    assert str(source) == text


def test_all_errors_of_a_file_come_at_once_one_per_line_in_its_order() -> None:
    message = refusal(
        """\
version: 1
fields:
  actor_idd: [user.id]
rules:
  - name: a
    match: {event: {regex: "(?=a)", globb: x}, severity: {at_least: 30}}
    set: {actoin: x, outcome: bad}
  - name: a
    match: {}
    class: secret
  - match: {service: {one_of: []}}
    drop: ["[x"]
"""
    )
    lines = message.splitlines()
    assert [int(line.split(":")[1]) for line in lines] == [3, 6, 6, 6, 7, 7, 8, 9, 10, 11, 11, 12]
    assert "did you mean actor_id?" in message
    assert "did you mean glob?" in message
    assert "'a' is the name of the rule at rules.yaml:5 already" in message
    assert "no retention class 'secret'" in message
    assert "known are default, log, security" in message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("match: {event: a}", "the rule has no effect"),
        ("match: {event: a}, set: {}", "the rule has no effect"),
        ("match: {event: a}, sett: {}", "unknown key; did you mean set?"),
        ("audit: true", "match: this key is required"),
        ("match: {}, audit: true", "`match: all`"),
        ("match: every, audit: true", "must be a mapping with some of"),
        ("match: {any: []}, audit: true", "any: empty"),
        ("match: {event: {}}, audit: true", "an empty condition"),
        ("match: {event: null}, audit: true", "nothing to match"),
        ("match: {event: {glob: null}}, audit: true", "nothing given"),
        ("match: {event: {at_least: 3}}, audit: true", "unknown key"),
        ("match: {event: [a, b]}, audit: true", "write {one_of: [...]}"),
        ("match: {attributes: {a: null}}, audit: true", "{exists: false}"),
        ("match: {attributes: {a: 2024-05-01}}, audit: true", "put text in quotes"),
        ("match: {attributes: {a: .nan}}, audit: true", "put it in quotes"),
        ("match: {attributes: {a: 9223372036854775808}}, audit: true", "64 bits"),
        ("match: {attributes: {a: {at_least: high}}}, audit: true", "must be a number"),
        ("match: {attributes: {7: a}}, audit: true", "7 is no attribute's name"),
        ("match: {severity: 25}, audit: true", "from 0 to 24"),
        ("match: {severity: {glob: '1*'}}, audit: true", "unknown key"),
        ("match: {service: {glob: 'a['}}, audit: true", "the [ is never closed"),
        ("match: {service: {glob: '[z-a]'}}, audit: true", "runs backwards; write a-z"),
        ("match: {service: {regex: '(?<!a)b'}}, audit: true", "look-around"),
        ("match: {event: a}, audit: 'yes'", "must be true or false"),
        ("match: all, set: {actoin: x}", "did you mean action?"),
        ("match: all, set: {action: true}", "put it in quotes: 'true'"),
        ("match: all, set: {action: ''}", "must not be empty"),
        ("match: all, set: {outcome: denied}", "must be one of success, failure, unknown"),
        ("match: all, set: {actor_type: robot}", "must be one of user, service, system, anonymous"),
        ("match: all, set: {changes: x}", "copy it from an attribute"),
        ("match: all, set: {latitude: 90.5}", "from -90 to 90"),
        ("match: all, set: {asn: 1.5}", "whole number from 0 to 4294967295"),
        ("match: all, set: {country: Germany}", "two capitals"),
        ("match: all, set: {attributes.: x}", "no column that rules can fill"),
        ("match: all, set: {attributes.x: [1]}", "not a list"),
        ("match: all, default: {attributes.x: 1}", "no column that rules can fill"),
        ("match: all, set: {action: a}, copy: {action: b}", "set of this rule fills action already"),
        ("match: all, set: {action: a}, default: {action: b}", "set of this rule fills action already"),
        ("match: all, copy: {action: 'env:HOME'}", "unknown prefix 'env'"),
        ("match: all, copy: {action: 'record:tiem'}", "a record has no field 'tiem'"),
        ("match: all, copy: {tenant: customer}", "write resource:customer"),
        ("match: all, copy: {attributes.x: y}", "renamed with rename:"),
        ("match: all, rename: {a: a}", "renamed onto itself"),
        ("match: all, rename: {a: x, b: x}", "a is renamed to x too"),
        ("match: all, rename: {a.b: x}, drop: ['a.*']", "nothing left to rename"),
        ("match: all, drop: debug", "must be a list"),
        ("match: all, class: secret", "known are default, log, security"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_remedy(body: str, words: str) -> None:
    assert words in refused_rule(body)


@pytest.mark.parametrize(
    "match",
    [
        "{event: {equals: a, glob: 'b*'}}",
        "{event: {equals: a, exists: false}}",
        "{event: a, not: {event: a}}",
        "{event: {exists: true}, not: {event: {exists: true}}}",
        "{all: [{event: a}, {event: b}]}",
        "{service: {one_of: [a, b]}, all: [{all: [{service: {regex: '^c'}}]}]}",
        "{event: a, any: [{service: s}, {event: b}]}",
        "{severity: {at_least: 9, at_most: 8}}",
        "{severity: {one_of: [1, 2], at_least: 3}}",
        "{attributes: {code: {at_least: 5.5, at_most: 5}}}",
        "{attributes: {code: {at_least: 5}}, all: [{attributes: {code: {at_most: 4}}}]}",
        "{attributes: {code: {equals: 404, at_least: 500}}}",
        "{resource: {zone: {exists: false, glob: 'eu-*'}}}",
        "{event: a, not: {all: [{service: a}, {service: b}]}}",
    ],
)
def test_a_match_that_no_record_can_satisfy_is_refused(match: str) -> None:
    assert "no record can match" in refused_rule(f"match: {match}, audit: true")


@pytest.mark.parametrize(
    "match",
    [
        "{event: {one_of: [a, b]}, not: {event: a}}",
        "{severity: {at_least: 9, at_most: 9}}",
        "{all: [{event: a}, {event: {glob: '*'}}]}",
        "{any: [{event: a}, {event: b}]}",
        "{attributes: {code: {equals: 404, at_least: 400}}, not: {attributes: {code: {at_least: 500}}}}",
        "{attributes: {a: x, b: y}, resource: {a: z}}",
        "all",
    ],
)
def test_a_match_that_some_record_can_satisfy_is_accepted(match: str) -> None:
    assert len(read(f"version: 1\nrules:\n  - {{name: r, match: {match}, audit: true}}").rules) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "version: this key is required"),
        ("version: 2", "write version: 1"),
        ("version: true", "write version: 1"),
        ("- version: 1", "must be a mapping"),
        ("version: 1\nfields: {actor_id: user.id}", "must be a list of sources"),
        ("version: 1\nfields: {actor_id: []}", "must be a list of sources"),
        ("version: 1\nfields: {environment: [env]}", "write resource:env"),
        ("version: 1\nrules: {name: a}", "must be a list"),
        ("version: 1\nrules: [{name: 'a b', match: all, audit: true}]", "no rule name"),
    ],
)
def test_a_file_that_is_none_says_why(text: str, words: str) -> None:
    assert words in refusal(text)


def test_every_bad_source_of_a_column_is_named() -> None:
    lines = refusal("version: 1\nfields:\n  actor_id:\n    - env:HOME\n    - user.id\n    - record:tiem").splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["rules.yaml:4", "rules.yaml:6"]


def test_nesting_beyond_what_can_be_followed_is_refused() -> None:
    assert "nested more than 16 deep" in refused_rule(
        "match: " + "{not: " * 40 + "{event: a}" + "}" * 40 + ", audit: true"
    )


def test_the_defaults_are_valid_and_name_only_columns() -> None:
    ruleset = load_all([], ["default"])
    assert set(ruleset.fields) <= set(COLUMNS)
    assert len(DEFAULTS) == 2
    assert {rule.name for rule in ruleset.rules} == {
        "semconv.named-event",
        "semconv.failure",
        "semconv.person",
        "audit.action",
        "audit.nobody",
        "audit.source-name",
    }


def test_the_audit_drafts_names_win_over_the_semantic_conventions() -> None:
    ruleset = load_all([], ["default"])
    actor = [str(source) for source in ruleset.fields["actor_id"]]
    assert actor[0] == "audit.actor.id"
    assert actor[-5:] == ["user.id", "enduser.id", "user.name", "user.email", "enduser.pseudo.id"]
    assert [described(value) for value in ruleset.fields["action"]] == [
        "audit.action",
        "record:event_name",
        "otel.event.name",
        "event.name",
        "event.action",
        "template {http.request.method} {http.route}",
        "template {http.method} {http.route}",
    ]


def test_the_manual_lists_every_column_with_its_default_sources() -> None:
    fields = load_all([], ["default"]).fields
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", MANUAL.partition("## Columns")[2], re.MULTILINE)
    listed = {column: re.findall(r"`([^`]+)`", sources) for column, sources in rows}
    assert listed == {column: [described(value) for value in fields.get(column, ())] for column in COLUMNS}


def test_the_manuals_example_is_a_valid_rules_file() -> None:
    examples = re.findall(r"```yaml\n(version: 1\n.*?)```", MANUAL, re.DOTALL)
    assert [len(read(example).rules) for example in examples] == [4]


def test_a_later_file_is_asked_first_and_its_rules_run_last(tmp_path: Path) -> None:
    first = write(tmp_path / "first.yaml", "a", "fields: {actor_id: [first.id, user.id]}")
    second = write(tmp_path / "second.yaml", "b", "fields: {actor_id: [second.id]}")
    ruleset = load_all([first, second], CLASSES)
    sources = [str(source) for source in ruleset.fields["actor_id"]]
    assert sources[:4] == ["second.id", "first.id", "user.id", "audit.actor.id"]
    assert len(sources) == len(set(sources))
    assert [rule.name for rule in ruleset.rules][-2:] == ["a", "b"]


def test_a_rule_name_used_in_two_files_names_both_places(tmp_path: Path) -> None:
    first, second = write(tmp_path / "first.yaml", "same"), write(tmp_path / "second.yaml", "same")
    with pytest.raises(ConfigError) as failure:
        load_all([first, second], CLASSES)
    assert f"{second}:4: rules.0.name: 'same' is the name of the rule at {first}:4 already" in str(failure.value)


def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    only = write(tmp_path / "only.yaml", "same")
    with pytest.raises(ConfigError, match="already"):
        load_all([only, only], CLASSES)


def test_errors_of_all_files_come_at_once(tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.yaml", "bad name")
    with pytest.raises(ConfigError) as failure:
        load_all([tmp_path / "missing.yaml", bad], CLASSES)
    assert "missing.yaml: can't be read" in str(failure.value)
    assert "bad.yaml:4" in str(failure.value)


def test_keys_that_conditions_and_copies_read_are_listed_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(EXAMPLE)
    ruleset = load_all([path], CLASSES)
    defaults = load_all([], CLASSES)
    own = {"http.request.method", "user.id", "url.path", "team", "order.id"}
    assert own <= ruleset.attribute_keys() <= own | defaults.attribute_keys()
    assert defaults.attribute_keys() >= {"http.status_code", "audit.action", "error.type"}
    assert "customer" not in ruleset.attribute_keys()


def write(path: Path, name: str, more: str = "") -> Path:
    path.write_text(f"version: 1\n{more}\nrules:\n  - {{name: {name}, match: all, audit: true}}\n")
    return path


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**62),
    st.floats(),
    st.dates(),
    st.binary(max_size=3),
    st.text(max_size=6),
    st.sampled_from(["all", "a*", "[", "(", "resource:x", "record:body", "attributes.x", "security", "\udc80"]),
)
RULE_KEYS = (
    "version",
    "fields",
    "rules",
    "name",
    *(field.alias or name for name, field in Rule.model_fields.items()),
)
MATCH_KEYS = tuple(field.alias or name for name, field in Match.model_fields.items())
CONDITION_KEYS = tuple(AttributeCondition.model_fields)
OTHER_KEYS = (*COLUMNS, "attributes.x", "user.id", "[key]", "{text}")
words = st.sampled_from((RULE_KEYS, MATCH_KEYS, CONDITION_KEYS, OTHER_KEYS)).flatmap(st.sampled_from)
keys = words | st.integers() | st.booleans() | st.none() | st.text(max_size=3)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=15,
)
matches = st.dictionaries(words, trees, max_size=3)
rules = st.dictionaries(words, trees, max_size=5) | st.builds(
    lambda match, more: {"name": "r", "match": match, "audit": True, **more},
    matches | trees,
    st.dictionaries(words, trees, max_size=2),
)


@given(trees | st.builds(lambda found, more: {"version": 1, "rules": found, **more}, st.lists(rules), matches))
def test_no_tree_raises_anything_but_a_config_error(tree: Any) -> None:
    try:
        parsed = load_rules(Document("rules.yaml", tree, {}), CLASSES)
    except ConfigError as failure:
        assert all(line.startswith("rules.yaml:1: ") for line in str(failure).splitlines())
    else:
        assert all(isinstance(rule, Rule) for rule in parsed.rules)
