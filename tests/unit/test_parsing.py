"""Texts that are documents."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.mapping.members import read_pairs
from exporter.mapping.rules import preset_names
from exporter.mapping.salvage import salvage
from tests.records import any_value, event, events, record, request

JSON = ("json",)


def least_cost(work: Callable[[], object]) -> float:
    """The least processor time (seconds) of several runs."""
    costs = []
    for _ in range(5):
        begun = time.process_time()
        work()
        costs.append(time.process_time() - begun)
    return min(costs)


def test_a_json_body_becomes_attributes_and_is_not_stored_twice() -> None:
    made = event(record(body='{"event_type": "door.opened", "door": {"id": 3}, "note": null}'), presets=JSON)
    assert made["action"] == "door.opened"
    assert made["message"] is None
    assert made["attributes"] == {"door": {"id": 3}, "note": None}


def test_a_body_that_is_a_map_is_such_a_document_too() -> None:
    made = event(record(body={"event_type": "door.opened", "door": {"id": 3}}), presets=JSON)
    assert (made["action"], made["attributes"]) == ("door.opened", {"door": {"id": 3}})


def test_without_the_preset_a_json_body_is_text() -> None:
    made = event(record(body='{"event_type": "door.opened"}'))
    assert (made["action"], made["message"]) == (None, '{"event_type": "door.opened"}')


def test_a_member_never_replaces_an_attribute_of_the_record() -> None:
    made = event(record({"door": "mine"}, body='{"door": "its", "room": 1}'), presets=JSON)
    assert made["attributes"] == {"door": "mine", "body.door": "its", "room": 1}


def test_a_document_behind_other_text_is_found_and_the_text_kept() -> None:
    rules = "version: 1\nparse: [{name: p, match: {body: {regex: '\\{'}}, as: json}]"
    made = event(record(body='Jan 1 host app: {"room": 1}'), rules=rules)
    assert made["attributes"] == {"room": 1}
    assert made["message"] == 'Jan 1 host app: {"room": 1}'


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ('{"a": 1, "b": {"c": 2, "d": "cut', {"a": 1, "b": {"c": 2}}),
        ('{"a": [1, 2, {"b": 3}, 4', {"a": [1, 2, {"b": 3}]}),
        ('{"a": "x, y", "b"', {"a": "x, y"}),
        ('{"a": "cut, off } here', {}),
        ("{not json at all}", {}),
    ],
)
def test_a_document_that_is_cut_off_gives_what_is_left_of_it(text: str, attributes: dict[str, Any]) -> None:
    made = event(record(body=text), presets=JSON)
    assert made["attributes"] == attributes
    assert made["flags"] == {"bad_json"}
    assert made["message"] == text


def test_numbers_that_a_double_cannot_hold_are_kept_in_the_text() -> None:
    text = '{"serial": 123456789012345678901234567890}'
    made = event(record(body=text), presets=JSON)
    assert made["message"] == text


def test_a_document_of_a_thousand_members_and_more_stays_whole_beside_the_first_of_them() -> None:
    text = json.dumps({f"m{index}": index for index in range(1500)})
    made = event(record(body=text), presets=JSON)
    assert len(made["attributes"]) == 1000
    assert made["message"] == text


@pytest.mark.parametrize("depth", [200, 253, 300, 1500])
def test_a_document_of_any_depth_is_no_trouble(depth: int) -> None:
    text = '{"a":' * depth + "1" + "}" * depth
    made = event(record(body=text), presets=JSON)
    assert ("a" in made["attributes"]) or made["message"] == text


def test_pairs_are_read_quoted_or_not() -> None:
    rules = "version: 1\nparse: [{name: p, match: {body: {glob: type=*}}, as: pairs, prefix: kc.}]"
    made = event(record(body='type="LOGIN", user=ada, note="a \\"b\\", c", empty=, error=\'x y\''), rules=rules)
    expected = {"kc.type": "LOGIN", "kc.user": "ada", "kc.note": 'a "b", c', "kc.empty": "", "kc.error": "x y"}
    assert made["attributes"] == expected


def test_of_equal_keys_in_pairs_the_first_counts() -> None:
    rules = "version: 1\nparse: [{name: p, match: all, as: pairs}]"
    made = event(record(body="type=LOGIN_ERROR, userId=null, username=x, userId=admin, type=LOGIN"), rules=rules)
    assert made["attributes"] == {"type": "LOGIN_ERROR", "userId": "null", "username": "x"}
    assert made["flags"] == {"duplicate_keys"}


def test_who_types_a_user_name_like_a_keycloak_line_stays_nobody() -> None:
    line = "type=LOGIN_ERROR, realmId=r, clientId=c, userId=null, ipAddress=198.51.100.7, error=user_not_found"
    made = event(record(body=f"{line}, username=x, userId=admin, type=LOGIN"), presets=("keycloak",))
    assert (made["action"], made["outcome"], made["actor_id"]) == ("LOGIN_ERROR", "failure", "x")
    assert made["flags"] == {"duplicate_keys"}


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('{"a": {"b": 1, "b": ":"}}', {"a": {"b": ":"}}),
        ('{"a" : "\\u003a\\u003A", "a" : "\\u003a"}', {"a": ":"}),
        ('{"a\\u0000": 1, "a\ufffd": 2}', {"a\ufffd": 2}),
    ],
)
def test_a_document_with_a_member_twice_is_kept_as_text_too(text: str, attributes: dict[str, Any]) -> None:
    made = event(record(body=text), presets=JSON)
    assert (made["attributes"], made["message"]) == (attributes, text)
    assert made["flags"] == {"duplicate_keys"}


@pytest.mark.parametrize("text", ['{"a": ":::", "b": [{"c": 1}, {"c": 1}]}', '{"a": "\\u003a", "b": "\\u0000"}'])
def test_a_document_with_each_member_once_is_not_taken_for_such_a_one(text: str) -> None:
    made = event(record(body=text), presets=JSON)
    assert ("duplicate_keys" in made["flags"], made["message"]) == (False, None)


def test_members_whose_names_are_taken_find_others() -> None:
    sent = {"x": 1, "body.body.x": 2, "y": 3}
    made = event(record(sent, body='{"x": 4, "body.x": 5, "body.y": 6, "y": 7, "z": 8}'), presets=JSON)
    found = {"body.body.body.x": 4, "body.x": 5, "body.y": 6, "body.body.y": 7, "z": 8}
    assert made["attributes"] == sent | found


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ('"n": NaN', {"n": "NaN"}),
        ('"n": [-Infinity, Infinity, 1e4]', {"n": ["-Infinity", "Infinity", 10000.0]}),
        ('"n": -1.5E+400', {"n": "-1.5E+400"}),
        ('"n": "NaN, \\ud800 \\ud83d\\ude00 \\\\ud800"', {"n": "NaN, \ufffd \U0001f600 \\ud800"}),
        ('"n": "two\nlines"', {"n": "two\nlines"}),
        ('"n": tru', {}),
        ('"n": {"m": 01}', {}),
    ],
)
def test_a_value_that_json_has_not_costs_no_other_member(member: str, value: dict[str, Any]) -> None:
    text = f'{{"event_type": "door.opened", {member}, "room": {{"id": 3}}}}'
    made = event(record(body=text), presets=JSON)
    assert made["action"] == "door.opened"
    assert made["attributes"] == value | {"room": {"id": 3}}
    assert (made["flags"], made["message"]) == ({"bad_json"}, text)


@pytest.mark.parametrize("read", [read_pairs, salvage])
@pytest.mark.parametrize("begin", ["", 'a="', '{"a":'])
@pytest.mark.parametrize("unit", ["a", "a-", 'a="', "a='x ", '"', "\\", "[1,", '{"a":[', "1.", '"a":NaN,'])
def test_a_long_text_costs_in_proportion_to_its_length(read: Callable[[str], object], begin: str, unit: str) -> None:
    short, long = (begin + unit * (length // len(unit)) for length in (10_000, 40_000))
    assert least_cost(lambda: read(long)) < 12 * least_cost(lambda: read(short))


def test_named_groups_become_attributes_where_the_expression_matches() -> None:
    rules = (
        "version: 1\nparse: [{name: p, match: all, as: {regex: '^(?P<who>\\w+) (left|came)(?: to (?P<where>\\w+))?$'}}]"
    )
    assert event(record(body="ada left"), rules=rules)["attributes"] == {"who": "ada"}
    assert event(record(body="ada came to tea"), rules=rules)["attributes"] == {"who": "ada", "where": "tea"}
    assert event(record(body="nobody"), rules=rules)["attributes"] == {}


@pytest.mark.parametrize(
    ("text", "attributes", "flags"),
    [
        ('1,"a ""b"", c", x ', {"n": "1", "said": 'a "b", c', "then": "x"}, set()),
        ('1,"two\nlines",', {"n": "1", "said": "two\nlines"}, set()),
        ('"",,z,beyond', {"then": "z"}, set()),
        ("1", {"n": "1"}, set()),
        ('1,"cut off, here', {"n": "1", "said": "cut off, here"}, {"bad_json"}),
        ('1,"a"b,c', {"n": "1", "said": "a", "then": "c"}, set()),
    ],
)
def test_comma_separated_values_become_the_attributes_that_the_step_names(
    text: str, attributes: dict[str, Any], flags: set[str]
) -> None:
    made = event(record(body=text), rules="version: 1\nparse: [{name: p, match: all, as: {csv: [n, said, then]}}]")
    assert made["attributes"] == attributes
    assert made["flags"] == flags
    assert made["message"] == text


def test_later_steps_see_what_earlier_ones_made() -> None:
    rules = """\
version: 1
parse:
  - {name: outer, match: {body: {glob: "{*"}}, as: json}
  - {name: inner, match: {attributes: {log: {glob: "{*"}}}, from: log, as: json, prefix: inner.}
rules:
  - {name: r, match: {parsed: inner}, copy: {action: inner.event}}
"""
    made = event(record(body='{"log": "{\\"event\\": \\"door.opened\\"}"}'), rules=rules)
    assert made["action"] == "door.opened"
    assert made["attributes"] == {"log": '{"event": "door.opened"}'}


def test_documents_leave_their_neighbours_alone() -> None:
    group = [record({"k": index}, body=f'{{"event_type": "e{index}"}}' if index % 2 else "plain") for index in range(6)]
    made = events(request(*group), presets=JSON)
    assert [row["action"] for row in made] == [None, "e1", None, "e3", None, "e5"]
    assert [row["attributes"] for row in made] == [{"k": index} for index in range(6)]


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)
NAMES = [
    "kind",
    "verb",
    "user",
    "event",
    "action",
    "actor",
    "eventName",
    "userIdentity",
    "type",
    "objectRef",
    "time",
    "diff",
]


# An example takes what all presets take.
@settings(max_examples=40, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(NAMES) | st.text(), documents, max_size=6), min_size=1, max_size=4))
def test_whatever_a_document_says_it_becomes_an_event(bodies: list[dict[str, Any]]) -> None:
    texts = [json.dumps(body) for body in bodies]
    cut = [text[: len(text) * 2 // 3] for text in texts]
    made = events(request(*(record(body=text) for text in (*texts, *cut))), presets=tuple(preset_names()))
    assert len(made) == 2 * len(bodies)


@given(
    st.text(max_size=60)
    | documents.map(json.dumps).flatmap(lambda text: st.integers(0, len(text)).map(lambda end: text[:end]))
)
def test_salvaging_never_fails(text: str) -> None:
    found = salvage(text)
    assert found is None or isinstance(found, dict | list)


def test_the_builders_make_the_values_that_they_say() -> None:
    assert any_value({"a": [1]}).kvlist_value.values[0].value.array_value.values[0].int_value == 1
