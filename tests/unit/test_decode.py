"""Decoding: what is a request, what is none, and where each record of a group came from."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from exporter.errors import MalformedRequestError
from exporter.otlp.decode import decode
from tests.records import any_value, key_values, log_records, record, request

FULL = request(
    record(
        {"a": 1, "b": "text", "c": [1, "x", None, {"k": b"v"}], "d": {"e": 2.5}, "f": True, "g": b"\0"},
        body={"m": ["é", None]},
        event_name="login",
        severity_number=9,
        severity_text="INFO",
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        flags=1,
        dropped_attributes_count=3,
    ),
    record(body="x"),
    resource={"service.name": "shop", "list": [1]},
    scope="shop.audit",
)


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field as it is on the wire."""
    size, length = len(content), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def with_record(content: bytes) -> bytes:
    """A request whose only record has these bytes."""
    return field(1, field(2, field(2, content)))


def with_value(content: bytes) -> bytes:
    """A request whose only record has one attribute k with an AnyValue of these bytes."""
    return with_record(field(6, field(1, b"k") + field(2, content)))


def official(payload: bytes) -> ExportLogsServiceRequest | None:
    """The request as protobuf's own class reads it; None where it does not."""
    try:
        return ExportLogsServiceRequest.FromString(payload)
    except DecodeError:
        return None


def is_taken(payload: bytes) -> bool:
    try:
        decode([payload])
    except MalformedRequestError:
        return False
    return True


def nested_lists(depth: int) -> bytes:
    """An AnyValue of empty lists in lists."""
    value = b""
    for _ in range(depth):
        value = field(5, field(1, value))
    return value


NOT_UTF8 = b"\xff\xfe"


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff\xff\xff\xff",
        b"\x0a\x05abc",
        b'{"resourceLogs":[]}',
        with_record(field(12, NOT_UTF8)),
        with_record(field(3, NOT_UTF8)),
        with_record(field(5, field(1, NOT_UTF8))),
        with_record(field(6, field(1, NOT_UTF8))),
        with_record(b"\x09\x01"),
        with_value(field(1, NOT_UTF8)),
        with_value(field(5, field(1, field(1, NOT_UTF8)))),
        with_value(field(6, field(1, field(1, NOT_UTF8)))),
        with_value(field(5, b"\x0a")),
        with_value(nested_lists(1000)),
        field(1, field(1, field(1, field(1, NOT_UTF8))) + field(2, b"")),
        field(1, field(2, field(1, field(1, NOT_UTF8)))),
        field(1, field(3, NOT_UTF8)),
        field(1, field(2, field(3, NOT_UTF8))),
    ],
)
def test_a_payload_that_protobuf_refuses_is_malformed(payload: bytes) -> None:
    assert official(payload) is None
    with pytest.raises(MalformedRequestError, match=r"can't be decoded|not an ExportLogsServiceRequest"):
        decode([payload])


def test_a_malformed_request_makes_its_whole_group_malformed() -> None:
    good = FULL.SerializeToString()
    assert is_taken(good)
    with pytest.raises(MalformedRequestError):
        decode([good, b"\x0a\x05abc", good])


def test_a_request_cut_anywhere_is_taken_exactly_where_protobuf_takes_it() -> None:
    payload = FULL.SerializeToString()
    for end in range(len(payload)):
        assert is_taken(payload[:end]) == (official(payload[:end]) is not None), end


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40))
def test_arbitrary_bytes_are_taken_or_malformed_and_nothing_else(payload: bytes) -> None:
    is_taken(payload)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_damaged_request_is_taken_or_malformed_and_taken_where_it_is_still_valid(
    data: st.DataObject,
) -> None:
    payload = bytearray(FULL.SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(payload) - 1))
        payload[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    is_taken(bytes(payload))
    read = official(bytes(payload))
    if read is not None:
        # Without fields that nobody knows: among them may be groups, which protobuf gave up in 2008.
        read.DiscardUnknownFields()
        again = read.SerializeToString()
        records = [made for one in read.resource_logs for scope in one.scope_logs for made in scope.log_records]
        assert decode([again]).columns["event_name"].str.replace_all("\0", "\ufffd").to_list() == [
            made.event_name.replace("\0", "\ufffd") for made in records
        ]


@settings(max_examples=100, deadline=None)
@given(st.lists(log_records(), max_size=4))
def test_every_valid_record_is_decoded_field_by_field(records: Any) -> None:
    decoded = decode([request(*records).SerializeToString()])
    assert len(decoded) == len(records)
    plain = ("time_unix_nano", "observed_time_unix_nano", "severity_number", "trace_id", "span_id", "flags")
    for made, row in zip(records, decoded.columns.to_dicts(), strict=True):
        assert {name: row[name] for name in plain} == {name: getattr(made, name) for name in plain}
        assert row["event_name"] == made.event_name.replace("\0", "\ufffd")
        assert row["severity_text"] == made.severity_text.replace("\0", "\ufffd")
    assert [raw.as_py() for raw in decoded.raw] == [made.SerializeToString() for made in records]
    assert decoded.attributes.offsets.tolist()[1:] == [
        sum(len(made.attributes) for made in records[: index + 1]) for index in range(len(records))
    ]


def test_lists_nested_48_deep_are_taken() -> None:
    decoded = decode([with_value(nested_lists(48))])
    assert decoded.attributes.json.to_list() == ["[" * 48 + "null" + "]" * 48]


def test_each_record_knows_its_request_and_its_source() -> None:
    shop = request(record(), record(), resource={"service.name": "shop"}, scope="a")
    bank = request(record(), resource={"service.name": "bank"}, scope="a")
    both = ExportLogsServiceRequest()
    both.MergeFrom(bank)
    both.MergeFrom(shop)
    empty = ExportLogsServiceRequest()
    decoded = decode([each.SerializeToString() for each in (shop, empty, bank, both)])
    assert decoded.request.tolist() == [0, 0, 2, 3, 3, 3]
    services = [source.resource["service.name"] for source in decoded.sources]
    assert [services[source] for source in decoded.source] == ["shop", "shop", "bank", "bank", "shop", "shop"]
    assert len(services) == 2


def test_a_source_has_its_resource_scope_and_schema_urls() -> None:
    made = request(record(), resource={"service.name": "shop", "ports": [1, None]}, scope="shop.audit")
    resource_logs = made.resource_logs[0]
    resource_logs.schema_url = "https://example.org/resource"
    resource_logs.resource.dropped_attributes_count = 2
    scope_logs = resource_logs.scope_logs[0]
    scope_logs.schema_url = "https://example.org/scope"
    scope_logs.scope.version = "1.2"
    scope_logs.scope.dropped_attributes_count = 3
    scope_logs.scope.attributes.extend(key_values({"k": b"\0"}))
    [source] = decode([made.SerializeToString()]).sources
    assert source.resource == {"service.name": "shop", "ports": [1, None], "otel.dropped_attributes_count": 2}
    assert source.resource_schema_url == "https://example.org/resource"
    assert source.scope == {
        "name": "shop.audit",
        "version": "1.2",
        "attributes": {"k": "AA=="},
        "dropped_attributes_count": 3,
    }
    assert source.scope_schema_url == "https://example.org/scope"
    assert len(source.digest) == 32


def test_the_order_of_a_resources_attributes_makes_no_other_source() -> None:
    one = request(record(), resource=[("a", 1), ("b", {"x": 1, "y": 2})])
    other = request(record(), resource=[("b", {"y": 2, "x": 1}), ("a", 1)])
    first, second = decode([one.SerializeToString(), other.SerializeToString()]).sources
    assert first.digest == second.digest


def test_records_without_a_resource_or_a_scope_have_an_empty_source() -> None:
    [source] = decode([with_record(field(12, b"login"))]).sources
    assert source.resource == {}
    assert source.scope == {"name": "", "version": "", "attributes": {}}


def test_indices_into_a_table_that_logs_do_not_have_are_taken_as_absent() -> None:
    made = record({"flat": None, "list": [None], "map": {"k": None}})
    made.attributes[0].value.string_value_strindex = 3
    made.attributes[1].value.array_value.values[0].string_value_strindex = 3
    made.attributes[2].value.kvlist_value.values[0].value.string_value_strindex = 3
    made.attributes.add(key_strindex=5, value=any_value(1))
    whole = request(made)
    whole.resource_logs[0].resource.attributes.add(key="r").value.string_value_strindex = 3
    decoded = decode([whole.SerializeToString()])
    assert decoded.attributes.json.to_list() == ["null", "[null]", '{"k":null}', "1"]
    assert decoded.attributes.keys == ["flat", "list", "map", ""]
    assert decoded.sources[0].resource == {"r": None}


def test_records_that_name_a_key_twice_are_flagged_and_no_others() -> None:
    twice = record([("a", 1), ("b", 2), ("a", 3)])
    once = record([("a", 1), ("b", 2)])
    flags = decode([request(once, twice, once).SerializeToString()]).flags
    assert {name: where.tolist() for name, where in flags.items()} == {"duplicate_keys": [False, True, False]}


def test_a_key_twice_in_a_group_of_many_distinct_keys_is_found() -> None:
    wide = [record({f"{index}.{key}": 1 for key in range(50)}) for index in range(600)]
    flags = decode([request(*wide, record([("a", 1), ("a", 2)])).SerializeToString()]).flags
    assert flags["duplicate_keys"].nonzero()[0].tolist() == [600]
