"""What changed: the forms that are taken, and what becomes of others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.enrich.changes import parse
from tests.records import event, record, values


@pytest.mark.parametrize(
    "document",
    [
        {"email": {"before": "a@example.org", "after": "b@example.org"}},
        {"roles": {"added": ["admin"], "removed": []}},
        {"roles": {"removed": ["admin"]}},
        {"password": {"changed": True}},
        {"": {"before": None, "after": {"deep": [1, 2.5, "x"]}}},
        {"a": {"before": 1, "after": 2}, "b": {"changed": True}, "c": {"added": [1]}},
    ],
)
def test_a_document_of_the_known_forms_is_taken_as_it_is(document: dict[str, Any]) -> None:
    parsed = parse(json.dumps(document))
    assert parsed is not None
    assert (json.loads(parsed[0]), parsed[1]) == (document, False)


@pytest.mark.parametrize(
    ("given_", "stored"),
    [({"after": 1}, {"before": None, "after": 1}), ({"before": 1}, {"before": 1, "after": None})],
)
def test_the_missing_half_of_a_pair_is_null(given_: dict[str, Any], stored: dict[str, Any]) -> None:
    assert parse(json.dumps({"field": given_})) == (
        json.dumps({"field": stored}, separators=(",", ":")),
        False,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "1",
        "email",
        "{",
        '{"a": 1}',
        '{"a": {}}',
        '{"a": []}',
        '{"a": {"before": 1, "now": 2}}',
        '{"a": {"before": 1, "added": [2]}}',
        '{"a": {"before": 1}, "b": 2}',
        '{"a": {"after": NaN}}',
        '{"a": {"after": "\\ud800"}}',
        '{"a": {"after": 1e400}}',
        '{"a": {"after": ' + "[" * 300 + "]" * 300 + "}}",
        '{"a": {"after": ' + "[" * 5000 + "]" * 5000 + "}}",
    ],
)
def test_any_other_text_is_no_change_and_stays_an_attribute(text: str) -> None:
    assert parse(text) is None
    made = event(record({"audit.changes": text}))
    assert made["changes"] is None
    assert made["attributes"] == {"audit.changes": text}
    assert made["flags"] == ({"bad_changes"} if text else set())


def test_a_nul_in_a_change_is_replaced_and_flagged() -> None:
    made = event(record({"audit.changes": '{"a\\u0000": {"after": ["x\\u0000", "\\\\u0000"]}}'}))
    assert made["changes"] == {"a\ufffd": {"before": None, "after": ["x\ufffd", "\\u0000"]}}
    assert made["flags"] == {"nul_replaced"}


def test_changes_are_taken_from_a_map_as_well_as_from_text() -> None:
    document = {"roles": {"added": ["admin"], "removed": []}, "name": {"before": None, "after": b"\0"}}
    made = event(record({"audit.changes": document}))
    assert made["changes"] == document | {"name": {"before": None, "after": "AA=="}}
    assert (made["attributes"], made["flags"]) == ({}, set())


@settings(max_examples=50, deadline=None)
@given(values)
def test_whatever_is_sent_as_changes_ends_as_changes_or_as_an_attribute(value: Any) -> None:
    for sent in (value, {"field": {"before": value}}):
        made = event(record({"event.changes": sent}))
        assert (made["changes"] is None) != (made["attributes"] == {})


@given(st.text(max_size=20))
def test_no_text_breaks_the_parser(text: str) -> None:
    parsed = parse(text)
    assert parsed is None or isinstance(json.loads(parsed[0]), dict)
