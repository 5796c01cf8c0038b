"""A record's way from the wire to its row: every field kept, flagged where it had to be changed."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from tests.records import (
    NASTY,
    OCCURRED_NS,
    READ,
    event,
    events,
    filled,
    log_records,
    record,
    request,
    texts,
    transform,
)


def content(value: AnyValue) -> Any:  # noqa: PLR0911
    """A value as the specification's rule for other formats has it, written without looking at Auditgraf's way."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [content(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return pairs(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind == "double_value" and math.isnan(value.double_value):
        return "NaN"
    if kind == "double_value" and math.isinf(value.double_value):
        return "Infinity" if value.double_value > 0 else "-Infinity"
    if kind == "string_value":
        return value.string_value.replace("\0", "\ufffd")
    return None if kind is None else getattr(value, kind)


def pairs(attributes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for attribute in attributes:
        found[attribute.key.replace("\0", "\ufffd")] = content(attribute.value)
    return found


def beside(made: LogRecord) -> dict[str, Any]:
    """What a record says that has neither a column nor an attribute."""
    found: dict[str, Any] = {
        "otel.dropped_attributes_count": made.dropped_attributes_count,
        "trace_flags": made.flags & 0xFF,
        "severity_number": 0 if 0 <= made.severity_number < 2**15 else made.severity_number,
        "invalid_trace_id": "" if len(made.trace_id) == 16 else made.trace_id.hex(),
        "invalid_span_id": "" if len(made.span_id) == 8 else made.span_id.hex(),
        "observed_time_unix_nano": made.observed_time_unix_nano if made.observed_time_unix_nano >= 2**63 else 0,
    }
    return {key: value for key, value in found.items() if value}


def has_nul(message: Message) -> bool:
    return any(
        "\0" in value if isinstance(value, str) else isinstance(value, Message) and has_nul(value)
        for _, field in message.ListFields()
        for value in (field if isinstance(field, Sequence) and not isinstance(field, str | bytes) else [field])
    )


def typed(data: Any) -> str:
    """JSON in which 1, 1.0 and true differ."""
    return json.dumps(data, sort_keys=True)


@settings(max_examples=120, deadline=None)
@given(st.lists(log_records(), min_size=1, max_size=4))
def test_whatever_is_sent_is_all_in_the_row(records: list[LogRecord]) -> None:
    for serial, made in enumerate(records):
        made.time_unix_nano = OCCURRED_NS + serial
    for made, row in zip(records, events(request(*records)), strict=True):
        assert typed(row["attributes"]) == typed(pairs(made.attributes) | beside(made))
        body = content(made.body)
        if isinstance(body, str) or body is None:
            assert row["message"] == (body or None)
        else:
            assert typed(json.loads(row["message"])) == typed(body)
        assert row["action"] == (made.event_name.replace("\0", "\ufffd") or None)
        assert row["severity_text"] == (made.severity_text.replace("\0", "\ufffd") or None)
        assert row["occurred_ns"] == made.time_unix_nano
        flagged = "nul_replaced" in row["flags"]
        assert flagged or "\ufffd" not in repr(row)
        assert not flagged or has_nul(made)
        keys = [attribute.key for attribute in made.attributes]
        assert ("duplicate_keys" in row["flags"]) == (len(set(keys)) < len(keys))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(log_records(texts | st.sampled_from(READ)), min_size=1, max_size=4),
    st.lists(st.tuples(texts, texts), max_size=3),
)
def test_a_row_does_not_depend_on_its_neighbours(records: list[LogRecord], resource: Any) -> None:
    for serial, made in enumerate(records):
        made.time_unix_nano = OCCURRED_NS + serial
    together = events(request(*records, resource=resource))
    alone = [events(request(made, resource=resource))[0] for made in records]
    assert [filled(row) for row in together] == [filled(row) for row in alone]


@pytest.mark.parametrize("flags", [0, 1, 0x80, 0xFF])
def test_only_the_low_eight_bits_of_the_flags_are_trace_flags(flags: int) -> None:
    expected = {"trace_flags": flags} if flags else {}
    assert event(record(flags=flags))["attributes"] == expected
    assert event(record(flags=flags | 0xFFFFFF00))["attributes"] == expected


@pytest.mark.parametrize("severity", [*range(25), 99, 32767])
def test_a_severity_number_is_kept(severity: int) -> None:
    made = event(record(severity_number=severity, severity_text="LOUD"))
    assert (made["severity"], made["severity_text"], made["flags"]) == (severity, "LOUD", set())
    assert made["outcome"] == ("failure" if severity >= 17 else "unknown")


@pytest.mark.parametrize(("severity", "stored"), [(-1, 0), (-(2**31), 0), (32768, 32767), (2**31 - 1, 32767)])
def test_a_severity_number_beyond_the_column_is_flagged_and_kept_as_an_attribute(severity: int, stored: int) -> None:
    made = event(record(severity_number=severity))
    assert (made["severity"], made["flags"]) == (stored, {"bad_severity"})
    assert made["attributes"] == {"severity_number": severity}


@pytest.mark.parametrize(
    ("attributes", "event_name", "action"),
    [
        ({}, "login", "login"),
        ({"otel.event.name": "a", "event.name": "b"}, "login", "login"),
        ({"otel.event.name": "a", "event.name": "b"}, "", "a"),
        ({"event.name": "b", "event.action": "c"}, "", "b"),
        ({"event.domain": "shop"}, "", None),
        ({"event.name": ""}, "", None),
    ],
)
def test_an_event_has_its_name_from_the_field_or_from_the_older_attributes(
    attributes: dict[str, Any], event_name: str, action: str | None
) -> None:
    assert event(record(attributes, event_name=event_name))["action"] == action


@pytest.mark.parametrize("empty", [None, "", [], {}, 0, False, 0.0])
def test_empty_values_are_values(empty: Any) -> None:
    assert typed(event(record({"k": empty, "": empty}))["attributes"]) == typed({"k": empty, "": empty})
    message = event(record(body=empty))["message"]
    assert message == (None if empty in (None, "") and empty is not False else typed(empty))


def test_a_record_without_anything_is_stored() -> None:
    made = event(LogRecord())
    assert filled(made) == filled(made) | {"severity": 0, "outcome": "unknown", "attributes": {}}
    assert made["flags"] == {"no_timestamp"}


@pytest.mark.parametrize(
    "fields",
    [
        {"body": "\0"},
        {"body": {"\0": 1}},
        {"body": [["\0"]]},
        {"severity_text": "\0"},
        {"event_name": "\0"},
        {"attributes": {"\0": 1}},
        {"attributes": {"k": "\0"}},
        {"attributes": {"k": [{"k": "\0"}]}},
        {"attributes": {"user.id": "\0"}},
    ],
)
def test_a_nul_anywhere_in_a_record_is_replaced_and_flagged_there_only(fields: dict[str, Any]) -> None:
    flags = [row["flags"] for row in events(request(record(), record(**fields), record({"k": r"\u0000"})))]
    assert flags == [set(), {"nul_replaced"}, set()]
    assert "\0" not in repr(event(record(**fields))).encode().decode("unicode_escape")


def test_a_nul_in_a_resource_or_scope_is_replaced_and_flagged_for_its_records() -> None:
    clean, resource, scope = (
        request(record()),
        request(record(), resource={"service.name": "a\0b"}),
        request(record(), scope="\0"),
    )
    rows = events(clean, resource, scope, clean)
    assert [row["flags"] for row in rows] == [set(), {"nul_replaced"}, {"nul_replaced"}, set()]
    assert rows[1]["service"] == "a\ufffdb"


def test_the_count_of_dropped_attributes_is_kept() -> None:
    made = event(record({"k": 1}, dropped_attributes_count=2**32 - 1))
    assert made["attributes"] == {"k": 1, "otel.dropped_attributes_count": 2**32 - 1}


def test_a_record_without_a_resource_has_no_service() -> None:
    made = ExportLogsServiceRequest()
    made.resource_logs.add().scope_logs.add().log_records.append(record(event_name="login"))
    [row] = events(made)
    assert (row["action"], row["service"], row["environment"]) == ("login", None, None)


@pytest.mark.parametrize(
    ("trace_id", "span_id", "columns", "kept"),
    [
        (b"\x01" * 16, b"\x02" * 8, ("01" * 16, "02" * 8), {}),
        (bytes(16), bytes(8), (None, None), {}),
        (b"", b"", (None, None), {}),
        (
            b"\xab" * 15,
            b"\xcd" * 9,
            (None, None),
            {"invalid_trace_id": "ab" * 15, "invalid_span_id": "cd" * 9},
        ),
    ],
)
def test_an_id_of_another_length_is_none_and_kept_as_an_attribute(
    trace_id: bytes, span_id: bytes, columns: tuple[str | None, str | None], kept: dict[str, str]
) -> None:
    valid = record(trace_id=b"\x09" * 16, span_id=b"\x09" * 8)
    made = events(request(record(trace_id=trace_id, span_id=span_id), valid))
    assert (made[0]["trace_id"], made[0]["span_id"]) == columns
    assert made[0]["attributes"] == kept
    assert made[1]["trace_id"] == "09" * 16


def test_the_last_of_duplicate_keys_counts() -> None:
    made = event(record([("k", 1), ("user.id", "a"), ("k", None), ("user.id", "b")]))
    assert (made["flags"], made["actor_id"]) == ({"duplicate_keys"}, "b")
    assert made["attributes"]["k"] is None


@pytest.mark.parametrize("letter", ["x", "ä", "\U0001f512"])
@pytest.mark.parametrize(
    ("key", "column", "limit"),
    [
        ("user.id", "actor_id", 1024),
        ("url.path", "target_id", 1024),
        ("audit.target.type", "target_type", 256),
    ],
)
def test_an_indexed_column_is_cut_at_a_character_and_the_whole_value_kept(
    letter: str, key: str, column: str, limit: int
) -> None:
    fits = "y" + letter * ((limit - 1) // len(letter.encode()))
    whole, made = events(request(record({key: fits}), record({key: fits + letter})))
    assert (whole[column], whole["flags"], whole["attributes"]) == (fits, set(), {})
    assert (made[column], made["flags"], made["attributes"]) == (fits, {"truncated"}, {key: fits + letter})


def test_nasty_text_is_kept_in_every_column() -> None:
    columns = {"user.id": "actor_id", "user_agent.original": "user_agent", "session.id": "session_id"}
    for text in filter(None, NASTY):
        made = event(record(dict.fromkeys(columns, text), body=text, event_name=text, severity_text=text))
        expected = text.replace("\0", "\ufffd")
        assert {made[name] for name in (*columns.values(), "message", "action", "severity_text")} == {expected}
        assert made["attributes"] == {}


def test_unmatched_records_are_kept_dropped_or_their_request_refused() -> None:
    group = request(record(event_name="a"), record()), request(record(event_name="b"))
    kept = transform(*group, unmatched="keep")
    assert (len(kept.events), kept.dropped_by, kept.rejected.tolist()) == (3, {}, [])
    dropped = transform(*group, unmatched="drop")
    assert (dropped.events.frame["action"].to_list(), dropped.dropped_by) == (["a", "b"], {"unmatched": 1})
    assert dropped.rejected.tolist() == []
    rejected = transform(*group, unmatched="reject")
    assert (rejected.events.frame["action"].to_list(), rejected.dropped_by) == (["b"], {})
    assert rejected.rejected.tolist() == [0]


def test_a_record_that_is_left_out_takes_its_arrival_along() -> None:
    group = request(record(), record(event_name="a", time_unix_nano=0), record(), record(event_name="b"))
    events_left = transform(group, unmatched="drop").events
    assert events_left.arrivals is not None
    assert events_left.arrivals["row"].to_list() == [0]
    assert [json.loads(events_left.as_json(row))["action"] for row in range(2)] == ["a", "b"]
    assert np.array_equal(events_left.retention_class, [0, 0])
