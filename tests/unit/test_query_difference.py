"""What an event changed, row by row."""

from __future__ import annotations

import json

import pytest

from collector.query.difference import Difference, differences


@pytest.mark.parametrize("changes", [None, "[]", "1", "{}", '{"a": 1}', '{"a": {"x": 1}}', '{"a": {"added": 1}}'])
def test_what_says_nothing_has_no_rows(changes: str | None) -> None:
    assert differences(changes) == []


def test_a_field_is_added_removed_or_changed() -> None:
    document = {
        "a": {"before": None, "after": "x"},
        "b": {"before": True, "after": None},
        "c": {"before": 1, "after": "1"},
        "d": {"before": [1], "after": [1, {"x": 2}]},
        "e": {"before": "same", "after": "same"},
        "f": {"after": ""},
    }
    assert differences(json.dumps(document)) == [
        Difference("a", "added", None, "x"),
        Difference("b", "removed", "true", None),
        Difference("c", "changed", "1", "1"),
        Difference("d", "changed", "[1]", '[1, {"x": 2}]'),
        Difference("f", "added", None, ""),
    ]


def test_nested_values_are_rows_of_their_own_by_path() -> None:
    document = {"spec": {"before": {"a": {"b": 1, "c": 2}}, "after": {"a": {"b": 1, "c": 3}, "d": 4}}}
    assert differences(json.dumps(document)) == [
        Difference("spec.a.c", "changed", "2", "3"),
        Difference("spec.d", "added", None, "4"),
    ]


def test_an_object_that_replaces_a_value_is_both_removed_and_added() -> None:
    assert differences('{"a": {"before": 1, "after": {"b": 2}}}') == [
        Difference("a", "removed", "1", None),
        Difference("a.b", "added", None, "2"),
    ]


def test_members_of_sets_are_rows_of_their_own() -> None:
    assert differences('{"g": {"added": ["x", "w"], "removed": ["y"]}}') == [
        Difference("g", "added", None, "w"),
        Difference("g", "added", None, "x"),
        Difference("g", "removed", "y", None),
    ]


def test_a_secret_is_a_row_without_values() -> None:
    assert differences('{"password": {"changed": true}}') == [Difference("password", "secret")]


def test_numbers_lose_no_digits_and_depth_is_no_limit() -> None:
    number = "123456789012345678901234567890.10"
    assert differences(f'{{"n": {{"before": 0, "after": {number}}}}}')[0].after == number
    deep = "{" + '"a": {' * 400 + '"b": 1' + "}" * 401
    [row] = differences(f'{{"x": {{"before": null, "after": {deep}}}}}')
    assert row.field == "x" + ".a" * 400 + ".b"
