"""Conditions: what a match says in YAML, and which records its compiled expression holds for."""

from __future__ import annotations

import warnings
from fnmatch import fnmatchcase
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.document import Document
from exporter.mapping.conditions import Match
from exporter.mapping.patterns import check_regex, glob_regex
from exporter.mapping.predicates import compile_match
from exporter.mapping.rules import load_rules

FIELDS = {
    "event_name": pl.String,
    "service": pl.String,
    "scope": pl.String,
    "body": pl.String,
    "severity": pl.Int32,
}


def matched(match: Any, **columns: Any) -> bool:
    """Whether the match holds for one record, through a rule as a file has it."""
    tree = {"version": 1, "rules": [{"name": "r", "match": match, "audit": True}]}
    compiled = load_rules(Document("rules.yaml", tree, {}), ["default"]).rules[0].match
    return evaluate(compiled, [columns]) == [True]


def evaluate(match: Match, records: list[dict[str, Any]]) -> list[Any]:
    read = {column: FIELDS.get(column, pl.String) for column in (*FIELDS, *match.columns())}
    rows = [{column: record.get(column) for column in read} for record in records]
    frame = pl.DataFrame(rows, schema=read)
    return frame.with_columns(compile_match(match).alias("matched"))["matched"].to_list()


def test_a_plain_value_means_equals() -> None:
    assert matched({"event": "role.granted"}, event_name="role.granted")
    assert not matched({"event": "role.granted"}, event_name="role.granted.twice")


def test_all_keys_of_a_match_have_to_hold() -> None:
    match = {"service": "billing", "scope": "shop.audit", "severity": {"at_least": 17}}
    assert matched(match, service="billing", scope="shop.audit", severity=17)
    assert not matched(match, service="billing", scope="shop.audit", severity=16)
    assert not matched(match, service="billing", severity=17)


def test_all_keys_of_one_condition_have_to_hold() -> None:
    match = {"attributes": {"http.status_code": {"at_least": 400, "at_most": 499}}}
    assert [matched(match, **{"attr:http.status_code": code}) for code in ("399", "400", "499", "500")] == [
        False,
        True,
        True,
        False,
    ]


def test_one_of_any_all_and_not_combine() -> None:
    match = {
        "any": [{"event": {"one_of": ["a", "b"]}}, {"attributes": {"user.id": "root"}}],
        "all": [{"service": {"glob": "s*"}}, {"not": {"scope": "noisy"}}],
    }
    assert matched(match, event_name="b", service="shop")
    assert matched(match, service="shop", scope="calm", **{"attr:user.id": "root"})
    assert not matched(match, event_name="b", service="shop", scope="noisy")
    assert not matched(match, event_name="c", service="shop")
    assert not matched(match, event_name="b", service="billing")


def test_not_holds_for_a_record_that_lacks_the_attribute() -> None:
    match = {"not": {"attributes": {"user.id": {"regex": "^svc-"}}}}
    assert matched(match)
    assert not matched(match, **{"attr:user.id": "svc-7"})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (200, "200"),
        (200, "200.0"),
        (1.5, "1.5"),
        (2.0, "2"),
        (True, "true"),
        (False, "false"),
        ("200", "200"),
    ],
)
def test_numbers_and_booleans_compare_as_attributes_are_written(value: object, text: str) -> None:
    assert matched({"attributes": {"key": value}}, **{"attr:key": text})
    assert matched({"attributes": {"key": {"one_of": [value, "else"]}}}, **{"attr:key": text})


def test_text_in_quotes_is_no_number() -> None:
    assert not matched({"attributes": {"key": "200"}}, **{"attr:key": "200.0"})


@pytest.mark.parametrize("text", ["four hundred", "", "NaN", "true", None])
def test_bounds_hold_for_numbers_only(text: str | None) -> None:
    assert not matched({"attributes": {"code": {"at_least": 0}}}, **{"attr:code": text})
    assert not matched({"attributes": {"code": {"at_most": 1e9}}}, **{"attr:code": text})


def test_bounds_compare_numbers_by_value() -> None:
    assert matched({"attributes": {"took": {"at_least": 9.5}}}, **{"attr:took": "10"})
    assert matched({"attributes": {"took": {"at_most": 9.5}}}, **{"attr:took": "-1e3"})


def test_an_empty_attribute_exists_and_an_empty_event_name_does_not() -> None:
    assert matched({"attributes": {"user.id": {"exists": True}}}, **{"attr:user.id": ""})
    assert matched({"attributes": {"user.id": {"exists": False}}})
    assert not matched({"event": {"exists": True}}, event_name="")
    assert not matched({"event": {"exists": True}})
    assert matched({"event": {"exists": False}}, event_name="")


def test_a_regex_searches_and_a_glob_covers_everything() -> None:
    assert matched({"body": {"regex": "denied$"}}, body="access denied")
    assert not matched({"body": {"glob": "denied"}}, body="access denied")
    assert matched({"body": {"glob": "access*"}}, body="access\ndenied")


def test_resource_attributes_are_apart_from_log_attributes() -> None:
    match = {"resource": {"deployment.environment.name": "prod"}}
    assert matched(match, **{"res:deployment.environment.name": "prod"})
    assert not matched(match, **{"attr:deployment.environment.name": "prod"})


def test_match_all_holds_for_every_record_of_a_group() -> None:
    tree = {"version": 1, "rules": [{"name": "r", "match": "all", "audit": True}]}
    match = load_rules(Document("rules.yaml", tree, {}), []).rules[0].match
    assert evaluate(match, [{}, {"event_name": "a"}]) == [True, True]


texts = st.one_of(st.none(), st.sampled_from(["a", "b", "", "1", "17", "NaN"]), st.text(max_size=3))
text_conditions = st.one_of(
    st.sampled_from(["a", "b"]),
    st.fixed_dictionaries({"one_of": st.lists(st.sampled_from(["a", "b", "c"]), min_size=1)}),
    st.sampled_from([{"glob": "a*"}, {"regex": "[ab1]"}, {"exists": True}, {"exists": False}]),
)
attribute_conditions = text_conditions | st.sampled_from([{"at_least": 1}, {"at_most": 1}, 1, True])
leaves = st.one_of(
    st.fixed_dictionaries({"event": text_conditions}),
    st.fixed_dictionaries({"body": text_conditions}),
    st.fixed_dictionaries({"severity": st.sampled_from([17, {"one_of": [0, 9]}, {"at_least": 1, "at_most": 8}])}),
    st.fixed_dictionaries({"attributes": st.fixed_dictionaries({"k": attribute_conditions})}),
)
matches = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=6,
)
records = st.fixed_dictionaries(
    {"event_name": texts, "body": texts, "attr:k": texts, "severity": st.none() | st.integers(0, 99)}
)


@given(matches, st.lists(records, min_size=1, max_size=4))
def test_an_expression_is_never_null_and_not_is_its_opposite(tree: dict[str, Any], group: list[Any]) -> None:
    holds = evaluate(Match.model_validate(tree), group)
    opposite = evaluate(Match.model_validate({"not": tree}), group)
    assert None not in holds
    assert opposite == [not value for value in holds]


conjunctions = st.recursive(
    leaves | st.fixed_dictionaries({"not": leaves}),
    lambda inner: st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
    max_leaves=5,
)


@given(conjunctions, st.lists(records, min_size=1, max_size=4))
def test_a_match_that_some_record_satisfies_is_never_called_impossible(tree: dict[str, Any], group: list[Any]) -> None:
    rules = {"version": 1, "rules": [{"name": "r", "match": tree, "audit": True}]}
    if any(evaluate(Match.model_validate(tree), group)):
        assert load_rules(Document("rules.yaml", rules, {}), []).rules


@given(
    st.text(alphabet="ab-]![*?.^\\&~\n", max_size=6),
    st.lists(st.text(alphabet="ab-]![*.^\\&~\n", max_size=5), min_size=1),
)
def test_a_glob_matches_what_fnmatchcase_matches(glob: str, names: list[str]) -> None:
    try:
        pattern = glob_regex(glob)
    except ValueError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        expected = [fnmatchcase(name, glob) for name in names]
    assert pl.Series(names).str.contains(pattern).to_list() == expected


@pytest.mark.parametrize("glob", ["[", "a[", "[]", "[!]", "[!", "[a", "[b-a]", "[!z-a]"])
def test_a_glob_that_fnmatch_would_take_literally_or_for_nothing_is_refused(glob: str) -> None:
    with pytest.raises(ValueError, match=r"never closed|backwards"):
        glob_regex(glob)


@pytest.mark.parametrize(
    ("glob", "inside", "outside"),
    [
        ("billing-*", "billing-eu-1", "rebilling-1"),
        ("v?", "v1", "v12"),
        ("[a-c]x", "bx", "dx"),
        ("[!a-c]x", "dx", "bx"),
        ("[]a]", "]", "b"),
        ("[[]x]", "[x]", "x]"),
        ("a.b+(c)", "a.b+(c)", "aXb+(c)"),
        ("*é?", "caféß", "cafe"),
    ],
)
def test_globs_by_example(glob: str, inside: str, outside: str) -> None:
    assert pl.Series([inside, outside]).str.contains(glob_regex(glob)).to_list() == [True, False]


@given(st.text(alphabet="ab()[]{}?*+|^$\\-<>=!:P1,#&~.", min_size=1, max_size=12))
def test_a_pattern_that_is_accepted_runs_and_any_other_is_a_value_error(pattern: str) -> None:
    try:
        check_regex(pattern)
    except ValueError as failure:
        assert repr(pattern) in str(failure)
    else:
        assert pl.Series(["a", None, "b1"]).str.contains(pattern).len() == 3


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?=a)", "look-around"),
        (r"(a)\1", "backreferences are not supported"),
        ("(", "unclosed group"),
        ("a{1000}{1000}", "size limit"),
    ],
)
def test_a_refused_regex_says_what_the_engine_refuses(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_regex(pattern)


def test_a_thousand_matches_evaluate_in_one_pass_over_the_frame() -> None:
    compiled = [
        compile_match(Match.model_validate({"event": f"e{index}", "attributes": {"k": {"glob": f"{index}-*"}}}))
        for index in range(1000)
    ]
    frame = pl.DataFrame({"event_name": ["e0", "e999", None], "attr:k": ["0-x", "998-x", "1-x"]})
    result = frame.select(expression.alias(str(index)) for index, expression in enumerate(compiled))
    assert result.sum().sum_horizontal().item() == 1
    assert result["0"].to_list() == [True, False, False]
