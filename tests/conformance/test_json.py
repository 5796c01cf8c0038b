"""OTLP JSON over HTTP; every rule of the mapping is in tests/unit/test_otlp_json.py."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.conformance.client import JSON, PROTOBUF, call
from tests.conformance.service import Service

TRACE_ID = "5b8efff798038103d269b633813fc60c"
SPAN_ID = "eee19b7ec3c1b174"


def sample() -> dict[str, Any]:
    """Every field of the envelope and of a record, and every kind of value."""
    attributes = [
        {"key": "text", "value": {"stringValue": "anna"}},
        {"key": "yes", "value": {"boolValue": True}},
        {"key": "count", "value": {"intValue": "-9223372036854775808"}},
        {"key": "ratio", "value": {"doubleValue": 637.704}},
        {"key": "not a number", "value": {"doubleValue": "NaN"}},
        {"key": "raw", "value": {"bytesValue": "AP8="}},
        {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}, {}]}}},
        {"key": "map", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": False}}]}}},
        {"key": "nothing", "value": {}},
        {"key": "text", "value": {"stringValue": "given twice"}},
    ]
    record = {
        "timeUnixNano": "1544712660300000000",
        "observedTimeUnixNano": "1544712660300000001",
        "severityNumber": 10,
        "severityText": "Information",
        "eventName": "user.login",
        "traceId": TRACE_ID.upper(),
        "spanId": SPAN_ID,
        "flags": 257,
        "droppedAttributesCount": 2,
        "body": {"kvlistValue": {"values": [{"key": "what", "value": {"stringValue": "signed in"}}]}},
        "attributes": attributes,
    }
    scope = {"name": "shop.audit", "version": "1.2", "attributes": attributes[:1], "droppedAttributesCount": 1}
    resource = {"attributes": attributes[:2], "droppedAttributesCount": 3}
    scope_logs = {"scope": scope, "logRecords": [record], "schemaUrl": "https://example.org/scope"}
    return {
        "resourceLogs": [{"resource": resource, "scopeLogs": [scope_logs], "schemaUrl": "https://example.org/resource"}]
    }


def add_values(target: Any) -> None:
    """The sample's attributes, written with protobuf's classes."""
    target.add(key="text").value.string_value = "anna"
    target.add(key="yes").value.bool_value = True
    target.add(key="count").value.int_value = -(1 << 63)
    target.add(key="ratio").value.double_value = 637.704
    target.add(key="not a number").value.double_value = float("nan")
    target.add(key="raw").value.bytes_value = b"\x00\xff"
    values = target.add(key="list").value.array_value.values
    values.add(string_value="a")
    values.add(int_value=1)
    values.add()
    target.add(key="map").value.kvlist_value.values.add(key="k").value.bool_value = False
    target.add(key="nothing").value.SetInParent()
    target.add(key="text").value.string_value = "given twice"


def sample_as_protobuf() -> bytes:
    request = ExportLogsServiceRequest()
    resource_logs = request.resource_logs.add(schema_url="https://example.org/resource")
    add_values(resource_logs.resource.attributes)
    del resource_logs.resource.attributes[2:]
    resource_logs.resource.dropped_attributes_count = 3
    scope_logs = resource_logs.scope_logs.add(schema_url="https://example.org/scope")
    scope_logs.scope.name, scope_logs.scope.version = "shop.audit", "1.2"
    add_values(scope_logs.scope.attributes)
    del scope_logs.scope.attributes[1:]
    scope_logs.scope.dropped_attributes_count = 1
    record = scope_logs.log_records.add(
        time_unix_nano=1544712660300000000,
        observed_time_unix_nano=1544712660300000001,
        severity_text="Information",
        event_name="user.login",
        trace_id=bytes.fromhex(TRACE_ID),
        span_id=bytes.fromhex(SPAN_ID),
        flags=257,
        dropped_attributes_count=2,
    )
    record.severity_number = 10  # type: ignore[assignment]
    record.body.kvlist_value.values.add(key="what").value.string_value = "signed in"
    add_values(record.attributes)
    return request.SerializeToString()


def test_json_and_protobuf_of_a_request_are_the_same_bytes_behind_the_receiver(service: Service) -> None:
    """J1, J3, J4, J7, J8, J10, J12, J13, J14."""
    assert call(service.http_port, json.dumps(sample()).encode(), JSON).code == 200
    assert call(service.http_port, sample_as_protobuf(), PROTOBUF).code == 200
    as_json, as_protobuf = service.sink.payloads
    assert as_json == as_protobuf == sample_as_protobuf()


def test_what_is_not_known_or_null_changes_nothing(service: Service) -> None:
    """J5, J6, J9."""

    def strange(value: Any) -> Any:
        if isinstance(value, list):
            return [strange(item) for item in value]
        if isinstance(value, dict):
            known = {key: strange(item) for key, item in value.items()}
            return {"newer": {"x": [1]}, "time_unix_nano": "7", "keyStrindex": None} | known
        return value

    assert call(service.http_port, json.dumps(strange(sample())).encode(), JSON).code == 200
    assert service.sink.payloads == [sample_as_protobuf()]


@pytest.mark.parametrize("trace_id", ["", "0" * 32, "abcd", "not hex"])
def test_an_invalid_id_does_not_cost_the_record(service: Service, trace_id: str) -> None:
    """J2."""
    body = json.dumps(sample()).replace(TRACE_ID.upper(), trace_id).encode()
    assert call(service.http_port, body, JSON).code == 200
    [request] = service.sink.requests
    [record] = request.resource_logs[0].scope_logs[0].log_records
    assert record.event_name == "user.login"


@pytest.mark.parametrize("depth", [100, 10_000, 1_000_000])
def test_a_depth_bomb_is_400(service: Service, depth: int) -> None:
    """J11."""
    value = '{"arrayValue":{"values":[' * depth + "{}" + "]}}" * depth
    body = json.dumps(sample()).replace('{"stringValue": "signed in"}', value).encode()
    reply = call(service.http_port, body, JSON)
    assert reply.code == 400
    assert reply.bad_request().field_violations
    assert service.sink.attempts == 0


def many(count: int) -> dict[str, Any]:
    request = sample()
    records = request["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    records[:] = records * count
    return request


def test_a_large_body_is_taken(service: Service) -> None:
    """J3: parsed in a thread."""
    body = json.dumps(many(1_000)).encode()
    assert len(body) > 1 << 19
    assert call(service.http_port, body, JSON).code == 200
    [request] = service.sink.requests
    assert len(request.resource_logs[0].scope_logs[0].log_records) == 1_000


def test_a_large_malformed_body_is_400_naming_the_record(service: Service) -> None:
    """H12: parsed in a thread."""
    request = many(1_000)
    request["resourceLogs"][0]["scopeLogs"][0]["logRecords"].append({"timeUnixNano": "abc"})
    reply = call(service.http_port, json.dumps(request).encode(), JSON)
    assert reply.code == 400
    [violation] = reply.bad_request().field_violations
    assert violation.field == "resourceLogs[0].scopeLogs[0].logRecords[1000].timeUnixNano"
