from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from exporter.errors import MalformedRequestError
from exporter.otlp.json import to_protobuf

IN_RECORD = "resourceLogs[0].scopeLogs[0].logRecords[0]"


def request_with(record: Any) -> bytes:
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()


def record_of(record: Any) -> LogRecord:
    request = ExportLogsServiceRequest.FromString(to_protobuf(request_with(record)))
    return request.resource_logs[0].scope_logs[0].log_records[0]


def refusal_of(body: bytes) -> str:
    with pytest.raises(MalformedRequestError) as caught:
        to_protobuf(body)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is no JSON"),
        (b"{", "the body is no JSON"),
        (b"NaN", "the body is no JSON"),
        (b'{"resourceLogs":[1e999]}', "the body is no JSON"),
        (b'"\xff"', "the body is no JSON"),
        (rb'{"resourceLogs":"\ud800"}', "the body is no JSON"),
        (b"[" * 10_000 + b"]" * 10_000, "the body is no JSON"),
        (b"[]", "the body: an array is no object"),
        (b"null", "the body: null is no object"),
        (b"true", "the body: true is no object"),
        (b"1", "the body: 1 is no object"),
        (b'{"resourceLogs":{}}', "resourceLogs: an object is no array"),
        (b'{"resourceLogs":[null]}', "resourceLogs[0]: null is no object"),
        (b'{"resourceLogs":[{},{"scopeLogs":[{},7]}]}', "resourceLogs[1].scopeLogs[1]: 7 is no object"),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, message: str) -> None:
    assert refusal_of(body).startswith(message)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"timeUnixNano": "abc"}, ".timeUnixNano: a text of 3 characters is no 64-bit unsigned integer"),
        ({"timeUnixNano": "-1"}, ".timeUnixNano: '-1' is no 64-bit unsigned integer"),
        ({"timeUnixNano": 1.5}, ".timeUnixNano: 1.5 is no 64-bit unsigned integer"),
        ({"timeUnixNano": str(1 << 64)}, f".timeUnixNano: '{1 << 64}' is no 64-bit unsigned integer"),
        ({"timeUnixNano": 1 << 64}, ".timeUnixNano: 1.8446744073709552e+19 is no 64-bit unsigned integer"),
        ({"timeUnixNano": "1_0"}, ".timeUnixNano: '1_0' is no 64-bit unsigned integer"),
        ({"timeUnixNano": " 10"}, ".timeUnixNano: ' 10' is no 64-bit unsigned integer"),
        ({"timeUnixNano": "\u0661"}, ".timeUnixNano: a text of 1 characters is no 64-bit unsigned integer"),
        ({"timeUnixNano": "9" * 5000}, ".timeUnixNano: a text of 5000 characters is no 64-bit unsigned integer"),
        ({"timeUnixNano": True}, ".timeUnixNano: true is no 64-bit unsigned integer"),
        # A key of a cloud provider, in capitals, is no number either.
        ({"timeUnixNano": "AKIA" + "Z" * 16}, ".timeUnixNano: a text of 20 characters is no 64-bit unsigned integer"),
        ({"severityNumber": "ghp_" + "a" * 36}, ".severityNumber: a text of 40 characters is no 32-bit integer"),
        ({"droppedAttributesCount": -1}, ".droppedAttributesCount: -1 is no 32-bit unsigned integer"),
        ({"flags": 1 << 32}, f".flags: {1 << 32} is no 32-bit unsigned integer"),
        ({"severityNumber": "9"}, ".severityNumber: '9' is no 32-bit integer; OTLP JSON has no names for enums"),
        ({"severityNumber": "SEVERITY_NUMBER_INFO"}, ".severityNumber: 'SEVERITY_NUMBER_INFO' is no 32-bit integer"),
        ({"severityNumber": 1 << 31}, f".severityNumber: {1 << 31} is no 32-bit integer"),
        ({"severityText": 1}, ".severityText: 1 is no string"),
        ({"traceId": 5}, ".traceId: 5 is no string"),
        ({"body": "text"}, ".body: a text of 4 characters is no object"),
        ({"body": {"boolValue": "true"}}, ".body.boolValue: 'true' is neither true nor false"),
        ({"body": {"boolValue": 0}}, ".body.boolValue: 0 is neither true nor false"),
        ({"body": {"doubleValue": "nan"}}, ".body.doubleValue: 'nan' is no double"),
        ({"body": {"doubleValue": "1e999"}}, ".body.doubleValue: '1e999' is no double"),
        ({"body": {"doubleValue": "0x1"}}, ".body.doubleValue: a text of 3 characters is no double"),
        ({"body": {"bytesValue": "a*b="}}, ".body.bytesValue: a text of 4 characters is no base64"),
        ({"body": {"bytesValue": "AAAAA"}}, ".body.bytesValue: a text of 5 characters is no base64"),
        ({"body": {"bytesValue": "é"}}, ".body.bytesValue: a text of 1 characters is no base64"),
        ({"body": {"arrayValue": []}}, ".body.arrayValue: an array is no object"),
        ({"body": {"arrayValue": {"values": [{}, None]}}}, ".body.arrayValue.values[1]: null is no object"),
        (
            {"body": {"intValue": 1, "stringValue": "1"}},
            ".body: an object is no AnyValue: it has intValue and stringValue where one is allowed",
        ),
        (
            {"attributes": [{}, {"key": "a", "value": {"intValue": "x"}}]},
            ".attributes[1].value.intValue: a text of 1 characters is no 64-bit integer",
        ),
        ({"attributes": [{"key": 1, "value": {"stringValue": "a"}}]}, ".attributes[0].key: 1 is no string"),
        ({"attributes": [{"key": "a", "value": "b"}]}, ".attributes[0].value: a text of 1 characters is no object"),
    ],
)
def test_a_wrong_value_is_refused_by_its_path(record: Any, message: str) -> None:
    assert refusal_of(request_with(record)).startswith(IN_RECORD + message)


@pytest.mark.parametrize("value", ["1544712660300000000", 1544712660300000000, 1.5447126603e18])
def test_64_bit_integers_are_texts_or_numbers(value: Any) -> None:
    """J3."""
    assert record_of({"timeUnixNano": value}).time_unix_nano == 1544712660300000000


@pytest.mark.parametrize("value", [-(1 << 63), 0, (1 << 53) + 1, (1 << 63) - 1])
def test_no_digit_of_an_integer_is_lost(value: int) -> None:
    """J3."""
    assert record_of({"body": {"intValue": value}}).body.int_value == value
    assert record_of({"body": {"intValue": str(value)}}).body.int_value == value


@pytest.mark.parametrize("number", [0, 9, 24, 99, -5])
def test_enums_are_integers_known_or_not(number: int) -> None:
    """J4."""
    assert record_of({"severityNumber": number}).severity_number == number


@pytest.mark.parametrize(
    ("value", "expected"),
    [("NaN", math.nan), ("Infinity", math.inf), ("-Infinity", -math.inf), ("2.5e-3", 0.0025), (3, 3.0), (-0.0, -0.0)],
)
def test_doubles_are_numbers_texts_or_names(value: Any, expected: float) -> None:
    """J7."""
    got = record_of({"body": {"doubleValue": value}}).body.double_value
    assert (repr(got), math.copysign(1, got)) == (repr(expected), math.copysign(1, expected))


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padded", [True, False])
def test_bytes_are_base64_of_either_alphabet(encode: Any, padded: bool) -> None:
    """J8."""
    for length in range(6):
        raw = bytes(range(250, 250 + length))
        text = encode(raw).decode()
        value = record_of({"body": {"bytesValue": text if padded else text.rstrip("=")}}).body
        assert (value.WhichOneof("value"), value.bytes_value) == ("bytes_value", raw)


@pytest.mark.parametrize(
    "text", ["5b8efff798038103d269b633813fc60c", "5B8EFFF798038103D269B633813FC60C", "W47/95gDgQPSabYzgT/GDA=="]
)
def test_trace_ids_are_hex_of_any_case_or_base64_by_mistake(text: str) -> None:
    """J1; swift and old JS senders write base64, as proto3's mapping has it."""
    record = record_of({"traceId": text})
    assert record.trace_id.hex() == "5b8efff798038103d269b633813fc60c"
    assert not record.attributes


@pytest.mark.parametrize("text", ["eee19b7ec3c1b174", "EEE19B7EC3C1B174", "7uGbfsPBsXQ=", "7uGbfsPBsXQ"])
def test_span_ids_are_hex_of_any_case_or_base64_by_mistake(text: str) -> None:
    """J1."""
    assert record_of({"spanId": text}).span_id.hex() == "eee19b7ec3c1b174"


@pytest.mark.parametrize("text", ["", "00", "0" * 32, "ab" * 20])
def test_an_id_of_any_length_is_passed_on_as_protobuf_senders_would(text: str) -> None:
    """J2; what it means is decided behind this, once for both encodings."""
    assert record_of({"traceId": text}).trace_id == bytes.fromhex(text)


@pytest.mark.parametrize(
    "text", ["5b8efff7-9803-8103-d269-b633813fc60c", "abc", "zz" * 16, "ab cd", "W47/95gDgQPSabYzgT/G", "ÿ"]
)
def test_a_text_that_is_no_id_is_kept_as_attribute(text: str) -> None:
    """J2: the record is not lost, nor what its sender wrote."""
    record = record_of({"traceId": text, "spanId": text, "attributes": [{"key": "a"}]})
    assert (record.trace_id, record.span_id) == (b"", b"")
    kept = {attribute.key: attribute.value.string_value for attribute in record.attributes}
    assert kept == {"a": "", "invalid_trace_id": text, "invalid_span_id": text}


def test_unknown_keys_are_ignored_at_every_level() -> None:
    """J5, J6: a key in snake_case is unknown."""
    new: dict[str, Any] = {"new": [{"deep": [1, None]}], "resource_logs": 1, "time_unix_nano": "x", "": {}}
    value = {"stringValue": "b", **new}
    record = {"attributes": [{"key": "a", "value": value, **new}], "body": {"arrayValue": {**new}}, **new}
    scope_logs = {"scope": {"name": "s", **new}, "logRecords": [record], **new}
    body = {"resourceLogs": [{"resource": {**new}, "scopeLogs": [scope_logs], **new}], **new}
    request = ExportLogsServiceRequest.FromString(to_protobuf(json.dumps(body).encode()))
    [attribute] = request.resource_logs[0].scope_logs[0].log_records[0].attributes
    assert (attribute.key, attribute.value.string_value) == ("a", "b")
    assert request.resource_logs[0].scope_logs[0].log_records[0].time_unix_nano == 0


def test_null_is_absent() -> None:
    """J9."""
    every_field = {field.json_name: None for field in LogRecord.DESCRIPTOR.fields}
    assert record_of(every_field) == LogRecord()
    assert record_of({"body": {"stringValue": None, "intValue": 0}}).body.WhichOneof("value") == "int_value"
    assert not record_of({"body": None}).HasField("body")
    assert to_protobuf(b'{"resourceLogs":null}') == b""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, None),
        ({"stringValue": ""}, "string_value"),
        ({"intValue": 0}, "int_value"),
        ({"boolValue": False}, "bool_value"),
        ({"arrayValue": {}}, "array_value"),
        ({"kvlistValue": {"values": []}}, "kvlist_value"),
        ({"bytesValue": ""}, "bytes_value"),
    ],
)
def test_empty_values_stay_what_they_are(value: Any, expected: str | None) -> None:
    """J10: empty, zero and false are values."""
    record = record_of({"body": value, "attributes": [{"key": "a", "value": value}]})
    assert record.HasField("body")
    assert record.body.WhichOneof("value") == expected
    assert record.attributes[0].HasField("value")
    assert record.attributes[0].value.WhichOneof("value") == expected


def test_keys_given_twice_are_both_kept() -> None:
    """J12."""
    pairs = [{"key": "a", "value": {"intValue": number}} for number in (1, 2)]
    record = record_of({"attributes": pairs, "body": {"kvlistValue": {"values": pairs}}})
    assert [attribute.value.int_value for attribute in record.attributes] == [1, 2]
    assert [pair.value.int_value for pair in record.body.kvlist_value.values] == [1, 2]


def nested(depth: int, kind: str) -> dict[str, Any]:
    value: dict[str, Any] = {"stringValue": "core"}
    for _ in range(depth):
        value = {kind: {"values": [value if kind == "arrayValue" else {"key": "k", "value": value}]}}
    return value


@pytest.mark.parametrize(
    ("kind", "as_attribute", "deepest"),
    [("arrayValue", False, 48), ("arrayValue", True, 47), ("kvlistValue", False, 32), ("kvlistValue", True, 31)],
)
def test_values_are_nested_as_deep_as_protobuf_can_read(kind: str, as_attribute: bool, deepest: int) -> None:
    """J10, J11: protobuf's own decoder reads these depths and not one more."""

    def body(depth: int) -> bytes:
        value = nested(depth, kind)
        return request_with({"attributes": [{"key": "a", "value": value}]} if as_attribute else {"body": value})

    ExportLogsServiceRequest.FromString(to_protobuf(body(deepest)))
    assert "nested deeper than the 100 messages" in refusal_of(body(deepest + 1))


@pytest.mark.parametrize("depth", [60, 200, 1000, 10_000, 100_000])
def test_a_depth_bomb_is_refused(depth: int) -> None:
    """J11."""
    opening, closing = b'{"arrayValue":{"values":[', b"]}}"
    value = opening * depth + b"{}" + closing * depth
    body = request_with({"body": "HERE"}).replace(b'"HERE"', value)
    message = refusal_of(body)
    assert len(message) < 1000
    assert "depth" in message or "deeper" in message


def test_a_byte_order_mark_is_ignored() -> None:
    assert to_protobuf(b"\xef\xbb\xbf{}") == b""
