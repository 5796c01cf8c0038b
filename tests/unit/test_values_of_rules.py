"""What `fields`, `copy` and `fill` compute."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.document import loads
from exporter.errors import ConfigError
from exporter.mapping.rules import load_all
from exporter.redaction import Redaction
from exporter.redaction.redactor import Redactor
from tests.records import CLASSES, event, record

ATTRIBUTES: dict[str, Any] = {
    "arn": "arn:aws:iam::1:user/ops/Ada",
    "first": "Ada",
    "last": "Lovelace",
    "code": 403,
    "empty": "",
    "line": "user=ada did=left",
    "old": {"a": 1, "b": 2},
    "new": {"a": 1, "b": 3},
    "patch": [{"op": "replace", "path": "/a", "value": 2}],
}


def computed(column: str, value: str, *, effect: str = "copy", **attributes: Any) -> Any:
    rules = f"version: 1\nrules: [{{name: r, match: all, {effect}: {{{column}: {value}}}}}]"
    return event(record(ATTRIBUTES | attributes, time_unix_nano=0), rules=rules)[column]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("[missing, empty, first]", "Ada"),
        ("{from: first, lower: true}", "ada"),
        ("{from: first, upper: true}", "ADA"),
        ("{from: arn, split: /, take: -1}", "Ada"),
        ("{from: arn, split: ':'}", "arn"),
        ("{from: arn, split: ':', take: 9}", None),
        ("{from: arn, split: /, take: -1, lower: true}", "ada"),
        ("{from: line, extract: 'user=(\\w+)'}", "ada"),
        ("{from: line, extract: 'did=\\w+'}", "did=left"),
        ("{from: line, extract: nothing}", None),
        ("{from: code, map: {200: fine, 403: forbidden}}", "forbidden"),
        ("{from: code, map: {200: fine}}", None),
        ("{from: code, map: {200: fine}, otherwise: odd}", "odd"),
        ("{from: missing, map: {200: fine}, otherwise: odd}", None),
        ("{concat: [first, missing, last], separator: ' '}", "Ada Lovelace"),
        ("{concat: [missing, empty]}", None),
        ("{template: '{first} {last}'}", "Ada Lovelace"),
        ("{template: '{{{first}}}'}", "{Ada}"),
        ("{template: '{first} {missing}'}", None),
        ("[{template: '{missing}'}, {from: first, lower: true}, last]", "ada"),
        ("{from: [missing, {template: '{first}!'}], upper: true}", "ADA!"),
    ],
)
def test_a_value_is_computed(value: str, text: str | None) -> None:
    assert computed("actor_name", value) == text


def test_fill_leaves_what_is_there_and_goes_before_default() -> None:
    rules = """\
version: 1
rules:
  - {name: a, match: all, default: {actor_name: nobody, target_name: nothing}}
  - {name: b, match: all, fill: {actor_name: [missing, first], actor_id: last}}
"""
    made = event(record({**ATTRIBUTES, "user.id": "u-1"}), rules=rules)
    assert (made["actor_id"], made["actor_name"], made["target_name"]) == ("u-1", "Ada", "nothing")


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("t", "2026-09-20 08:30:00.250000+00"),
        ("{from: ms, as: milliseconds}", "2026-09-20 08:30:00.250000+00"),
        ("{from: s, as: seconds}", "2026-09-20 08:30:00.250000+00"),
        ("[missing, ms]", "2026-09-20 08:30:00.250000+00"),
        ("{from: local, timezone: Europe/Berlin}", "2026-09-20 06:30:00.000000+00"),
        ("{from: local}", "2026-09-20 08:30:00.000000+00"),
    ],
)
def test_a_time_is_read_from_whatever_writes_it(value: str, time: str) -> None:
    times = {
        "t": "2026-09-20T09:30:00.25+01:00",
        "ms": 1789893000250,
        "s": 1789893000.25,
        "local": "2026-09-20 08:30:00",
    }
    rules = f"version: 1\nrules: [{{name: r, match: all, copy: {{time: {value}}}}}]"
    assert event(record(times, time_unix_nano=0), rules=rules)["occurred_at"] == time


def test_a_rules_time_replaces_the_records_and_both_are_kept() -> None:
    rules = "version: 1\nrules: [{name: r, match: all, copy: {time: t}}]"
    made = event(record({"t": "2026-09-20T08:30:00Z"}, time_unix_nano=1789893199_000000000), rules=rules)
    assert made["occurred_at"] == "2026-09-20 08:30:00.000000+00"
    assert made["attributes"] == {"time_unix_nano": 1789893199_000000000}


def test_a_time_in_fields_is_for_records_without_one() -> None:
    rules = "version: 1\nfields: {time: [t]}"
    dated = event(record({"t": "2026-09-20T08:30:00Z"}, time_unix_nano=1789893199_000000000), rules=rules)
    assert dated["occurred_at"] == "2026-09-20 08:33:19.000000+00"
    assert dated["attributes"] == {"t": "2026-09-20T08:30:00Z"}
    undated = event(record({"t": "2026-09-20T08:30:00Z"}, time_unix_nano=0), rules=rules)
    assert undated["occurred_at"] == "2026-09-20 08:30:00.000000+00"
    assert undated["attributes"] == {}


def test_a_time_that_nobody_can_read_is_flagged_and_kept() -> None:
    rules = "version: 1\nrules: [{name: r, match: all, copy: {time: t}}]"
    made = event(record({"t": "half past eight"}), rules=rules)
    assert made["flags"] == {"bad_timestamp"}
    assert made["attributes"] == {"t": "half past eight"}


def test_changes_are_read_from_two_states_or_a_document_of_a_form() -> None:
    assert computed("changes", "{before: old, after: new}") == {"b": {"before": 2, "after": 3}}
    assert computed("changes", "{after: new}")["a"] == {"before": None, "after": 1}
    assert computed("changes", "{from: patch, form: json_patch}") == {"a": {"before": None, "after": 2}}
    assert computed("changes", "[missing, patch]") == {"a": {"before": None, "after": 2}}


@pytest.mark.parametrize(
    ("field", "name"),
    [("name", "name"), ("'{kind}'", "title"), ("'{kind}.text'", "title.text"), ("password", "password")],
)
def test_two_plain_values_are_those_of_the_field_that_a_rule_names(field: str, name: str) -> None:
    rules = f"""
version: 1
rules:
  - name: r
    match: all
    copy: {{changes: {{before: was, after: is, field: {field}}}}}
"""
    found = event(
        record({"was": "ada", "is": "bob", "kind": "title"}), rules=rules, redactor=Redactor(Redaction(), None)
    )["changes"]
    assert found == {name: {"changed": True} if name == "password" else {"before": "ada", "after": "bob"}}


def test_two_plain_values_whose_field_the_record_does_not_name_are_a_value() -> None:
    rules = "version: 1\nrules: [{name: r, match: all, copy: {changes: {before: was, after: is, field: '{kind}'}}}]"
    assert event(record({"was": "ada", "is": "bob"}), rules=rules)["changes"] == {
        "value": {"before": "ada", "after": "bob"}
    }


def test_pairs_of_attributes_say_what_changed() -> None:
    made = event(
        record({"email.before": "a@example.com", "email.after": "b@example.com", "n.old": 1, "n.new": 2, "x.after": 1})
    )
    assert made["changes"] == {
        "email": {"before": "a@example.com", "after": "b@example.com"},
        "n": {"before": 1, "after": 2},
    }
    assert made["attributes"] == {"x.after": 1}


def test_pairs_of_attributes_may_have_the_words_in_front() -> None:
    made = event(record({"previous_email": "a@example.com", "updated_email": "b@example.com", "old_n": 1, "new_n": 2}))
    assert made["changes"] == {
        "email": {"before": "a@example.com", "after": "b@example.com"},
        "n": {"before": 1, "after": 2},
    }
    assert made["attributes"] == {}


def test_a_pair_of_equal_values_stays_as_it_was_sent() -> None:
    made = event(record({"old_n": 1, "new_n": 1}))
    assert (made["changes"], made["attributes"]) == (None, {"old_n": 1, "new_n": 1})


def test_of_two_pairs_of_a_field_the_first_counts_and_nothing_is_lost() -> None:
    made = event(record({"n.before": 1, "n.after": 2, "old_n": 3, "new_n": 4}))
    assert made["changes"] == {"n": {"before": 1, "after": 2}}
    assert made["attributes"] == {"old_n": 3, "new_n": 4}


def test_changes_of_a_user_are_those_of_the_target_where_there_is_one() -> None:
    made = event(record({"user.roles": "a", "user.changes.roles": "b"}))
    assert made["changes"] == {"roles": {"before": "a", "after": "b"}}
    made = event(record({"user.roles": "a", "user.target.roles": "x", "user.changes.roles": "b"}))
    assert made["changes"] == {"roles": {"before": "x", "after": "b"}}
    made = event(record({"user.roles": "a", "user.target.id": "7", "user.changes.roles": "b"}))
    assert made["changes"] is None
    assert made["attributes"]["user.changes.roles"] == "b"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{from: a, lowr: true}", "did you mean lower?"),
        ("{lower: true}", "give it one of from, template, concat"),
        ("{from: a, template: b}", "not from and template"),
        ("{from: a, take: 1}", "needs split"),
        ("{from: a, otherwise: b}", "is for map only"),
        ("{from: a, lower: true, upper: true}", "keep one of them"),
        ("{from: a, extract: '('}", "no regular expression"),
        ("{template: no source}", "names no source"),
        ("{template: 'a { b'}", "write {{"),
        ("{concat: [a]}", "two values or more"),
        ("{from: a, separator: x}", "is for concat only"),
        ("{from: a, map: {}}", "must be a mapping of texts"),
        ("{from: a, map: {b: [c]}}", "put text in quotes"),
        ("[]", "an empty list"),
        ("[a, {from: b, split: 3}]", "must be the text to split at"),
        ("'a[1.b'", "after [ comes"),
        ("7", "put text in quotes"),
    ],
)
def test_a_wrong_value_says_what_is_wrong_in_its_place(value: str, words: str) -> None:
    rules = f"version: 1\nrules:\n  - name: r\n    match: all\n    copy:\n      actor_name: {value}\n"
    with pytest.raises(ConfigError, match=r"^rules\.yaml:6: rules\.0\.copy\.actor_name") as failure:
        load_all([loads(rules, "rules.yaml")], CLASSES)
    assert words in str(failure.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("time: {from: a, as: minutes}", "no form of a time"),
        ("time: {from: a, timezone: Mars/Crater}", "no time zone"),
        ("actor_name: {from: a, as: seconds}", "unknown key"),
        ("changes: {from: a, form: patch}", "did you mean"),
        ("changes: {before: a, from: b}", "can't stand beside"),
        ("changes: {from: a, field: b}", "is for before and after only"),
        ("changes: {before: a, field: '{b'}", "a single {"),
        ("service: {from: 'resource:a', lower: true}", "belongs to the resource"),
    ],
)
def test_steps_belong_to_their_columns(value: str, words: str) -> None:
    rules = f"version: 1\nrules: [{{name: r, match: all, copy: {{{value}}}}}]"
    with pytest.raises(ConfigError) as failure:
        load_all([loads(rules, "rules.yaml")], CLASSES)
    assert words in str(failure.value)


NAMED = {
    "before": {"name": "DB_PASSWORD", "value": "old-hunter2"},
    "after": {"name": "DB_PASSWORD", "value": "new-hunter2"},
}
KUBERNETES = {
    "before": {"kind": "Secret", "data": {"k": "old-hunter2"}, "n": 1},
    "after": {"kind": "Secret", "data": {"k": "new-hunter2"}, "n": 2},
}
SECRETIVE = Redactor(Redaction(keys=("salary*",)), None)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"audit.changes": NAMED}, {"value": {"changed": True}}),
        ({"audit.changes": KUBERNETES}, {"data.k": {"changed": True}, "n": {"before": 1, "after": 2}}),
        ({"salary.before": "old-hunter2", "salary.after": "new-hunter2"}, {"salary": {"changed": True}}),
        ({"note.before": "AKIAIOSFODNN7EXAMPLE", "note.after": "none"}, {"note": {"changed": True}}),
        ({"note.before": "a", "note.after": "b"}, {"note": {"before": "a", "after": "b"}}),
    ],
)  # fmt: skip
def test_what_redaction_hides_only_says_that_it_changed(attributes: dict[str, Any], expected: dict[str, Any]) -> None:
    assert event(record(attributes), redactor=SECRETIVE)["changes"] == expected


def test_an_order_to_redact_the_document_itself_leaves_the_names_of_its_fields() -> None:
    redactor = Redactor(Redaction(keys=("audit.changes",)), None)
    made = event(record({"audit.changes": {"limit": {"before": 5, "after": 9}}}), redactor=redactor)
    assert made["changes"] == {"limit": {"changed": True}}


@pytest.mark.parametrize(
    ("rules", "attributes"),
    [
        ("[{name: r, match: all, rename: {usr: login}}]", {"usr": "one", "login": "two"}),
        ("[{name: r, match: all, rename: {a: c}}, {name: s, match: all, rename: {b: c}}]", {"a": "one", "b": "two"}),
    ],
)
def test_a_rename_onto_a_name_that_is_taken_loses_nothing(rules: str, attributes: dict[str, Any]) -> None:
    made = event(record(attributes), rules=f"version: 1\nrules: {rules}")
    assert sorted(made["attributes"].values()) == ["one", "two"]


def test_a_renamed_attribute_and_a_field_of_the_record_do_not_meet_in_one_name() -> None:
    rules = "version: 1\nrules: [{name: r, match: all, rename: {txt: body}, set: {message: hi}}]"
    made = event(record({"txt": "one"}, body="two"), rules=rules)
    assert made["attributes"] == {"body": "one", "record.body": "two"}


@pytest.mark.parametrize("form", ["{regex: '^(?P<who>\\S+) (?P<password>\\S+) (?P<did>\\S+)$'}", "pairs"])
def test_a_secret_that_a_parsed_text_names_is_in_the_text_no_more(form: str) -> None:
    rules = f"version: 1\nparse: [{{name: p, match: all, as: {form}}}]"
    text = "who=alice password=hunter2 did=login" if form == "pairs" else "alice hunter2 login"
    made = event(record(body=text), rules=rules, redactor=SECRETIVE)
    assert made["message"] == text.replace("hunter2", "[redacted]")
    assert "hunter2" not in str(made)
