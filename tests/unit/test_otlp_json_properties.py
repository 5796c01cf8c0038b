"""OTLP JSON against requests and rubbish that nobody thought of."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, EntityRef, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from exporter.errors import MalformedRequestError
from exporter.otlp.json import to_protobuf

TEXT = st.text(max_size=20)
UINT32 = st.integers(0, (1 << 32) - 1)
UINT64 = st.integers(0, (1 << 64) - 1)
SCALARS = st.one_of(
    st.just(AnyValue()),
    st.builds(AnyValue, string_value=TEXT),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=st.integers(-(1 << 63), (1 << 63) - 1)),
    st.builds(AnyValue, double_value=st.floats(allow_nan=False) | st.just(math.nan)),
    st.builds(AnyValue, bytes_value=st.binary(max_size=20)),
    st.builds(AnyValue, string_value_strindex=st.integers(-(1 << 31), (1 << 31) - 1)),
)


def containers(values: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    pairs = st.builds(KeyValue, key=TEXT, value=values)
    return st.one_of(
        st.builds(AnyValue, array_value=st.fixed_dictionaries({"values": st.lists(values, max_size=3)})),
        st.builds(AnyValue, kvlist_value=st.fixed_dictionaries({"values": st.lists(pairs, max_size=3)})),
    )


VALUES = st.recursive(SCALARS, containers, max_leaves=8)
ATTRIBUTES = st.lists(st.builds(KeyValue, key=TEXT, value=VALUES) | st.builds(KeyValue), max_size=4)
RECORDS = st.builds(
    LogRecord,
    time_unix_nano=UINT64,
    observed_time_unix_nano=UINT64,
    severity_number=st.integers(-(1 << 31), (1 << 31) - 1),
    severity_text=TEXT,
    body=st.none() | VALUES,
    attributes=ATTRIBUTES,
    dropped_attributes_count=UINT32,
    flags=UINT32,
    trace_id=st.binary(max_size=20),
    span_id=st.binary(max_size=20),
    event_name=TEXT,
)
RESOURCES = st.builds(
    Resource,
    attributes=ATTRIBUTES,
    dropped_attributes_count=UINT32,
    entity_refs=st.lists(st.builds(EntityRef, type=TEXT, id_keys=st.lists(TEXT, max_size=2)), max_size=2),
)
SCOPES = st.builds(InstrumentationScope, name=TEXT, version=TEXT, attributes=ATTRIBUTES)
SCOPE_LOGS = st.builds(ScopeLogs, scope=st.none() | SCOPES, log_records=st.lists(RECORDS, max_size=3), schema_url=TEXT)
RESOURCE_LOGS = st.builds(
    ResourceLogs, resource=st.none() | RESOURCES, scope_logs=st.lists(SCOPE_LOGS, max_size=2), schema_url=TEXT
)
REQUESTS = st.builds(ExportLogsServiceRequest, resource_logs=st.lists(RESOURCE_LOGS, max_size=2))


def rendered(message: Any, numbers: bool) -> dict[str, Any]:
    """A message in OTLP JSON, 64-bit integers as numbers or as texts."""
    members: dict[str, Any] = {}
    for field, value in message.ListFields():
        parts = value if field.is_repeated else [value]
        texts = [_rendered_part(field, part, numbers) for part in parts]
        members[field.json_name] = texts if field.is_repeated else texts[0]
    return members


def _rendered_part(field: FieldDescriptor, value: Any, numbers: bool) -> Any:
    if field.message_type:
        return rendered(value, numbers)
    if field.name in {"trace_id", "span_id"}:
        return value.hex() if numbers else value.hex().upper()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if field.type in {FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_FIXED64} and not numbers:
        return str(value)
    return value


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(request=REQUESTS, numbers=st.booleans())
def test_every_request_comes_back_byte_for_byte(request: ExportLogsServiceRequest, numbers: bool) -> None:
    """J10, J14."""
    body = json.dumps(rendered(request, numbers)).encode()
    assert to_protobuf(body) == request.SerializeToString()


KEYS = st.sampled_from(
    sorted(
        {
            field.json_name
            for message in (ExportLogsServiceRequest, ResourceLogs, ScopeLogs, LogRecord, KeyValue, AnyValue)
            for field in message.DESCRIPTOR.fields
        }
        | {"values", "attributes"}
    )
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def assert_taken_or_malformed(body: bytes) -> None:
    try:
        payload = to_protobuf(body)
    except MalformedRequestError as refused:
        assert str(refused)
    else:
        ExportLogsServiceRequest.FromString(payload)


@settings(max_examples=300, deadline=None)
@given(value=ANY_JSON)
def test_any_json_is_taken_or_malformed(value: Any) -> None:
    assert_taken_or_malformed(json.dumps(value).encode())
    in_record = {"resourceLogs": [{"scopeLogs": [{"logRecords": [value]}]}]}
    assert_taken_or_malformed(json.dumps(in_record).encode())


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=60))
def test_any_bytes_are_taken_or_malformed(body: bytes) -> None:
    assert_taken_or_malformed(body)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(request=REQUESTS, wrong=ANY_JSON, data=st.data())
def test_a_request_with_one_wrong_part_is_taken_or_malformed(
    request: ExportLogsServiceRequest, wrong: Any, data: st.DataObject
) -> None:
    body = rendered(request, numbers=False)
    node: Any = body
    while isinstance(node, dict | list) and node:
        place = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[place], dict | list) or data.draw(st.integers(0, 4)) == 0:
            node[place] = wrong
            break
        node = node[place]
    assert_taken_or_malformed(json.dumps(body).encode())
