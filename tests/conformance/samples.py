"""Requests that tests send, and the SDK exporters that send them."""

from __future__ import annotations

from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

TRACE_ID = 0x5B8EFFF798038103D269B633813FC60C
SPAN_ID = 0xEEE19B7EC3C1B174


def one_record(body: str = "signed in") -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.time_unix_nano = 1_700_000_000_000_000_001
    record.body.string_value = body
    return request


def of_size(size: int, letter: str = "x") -> bytes:
    """A well-formed request of `size` bytes exactly."""
    body = size
    while len(payload := one_record(letter * body).SerializeToString()) > size:
        body -= len(payload) - size
    assert len(payload) == size
    return payload


def sdk_records(count: int) -> list[ReadableLogRecord]:
    """Records as an application's SDK holds them just before the export."""
    return [
        ReadableLogRecord(
            log_record=LogRecord(**_fields(index)),
            resource=Resource({"service.name": "shop"}),
            instrumentation_scope=InstrumentationScope("shop.audit", "1.2", "https://example.org/schema"),
        )
        for index in range(count)
    ]


def _fields(index: int) -> dict[str, Any]:
    return {
        "timestamp": 1_700_000_000_000_000_000 + index,
        "observed_timestamp": 1_700_000_000_000_000_500 + index,
        "trace_id": TRACE_ID,
        "span_id": SPAN_ID,
        "severity_number": SeverityNumber.WARN,
        "severity_text": "WARN",
        "body": {"what": ["login", index, None]},
        "attributes": {
            "user.name": f"anna {index}",
            "tries": 3,
            "ratio": 0.5,
            "ok": True,
            "raw": b"\x00\xff",
        },
        "event_name": "user.login",
    }


def assert_is_what_the_sdk_sent(request: ExportLogsServiceRequest, count: int) -> None:
    [resource_logs] = request.resource_logs
    assert [(a.key, a.value.string_value) for a in resource_logs.resource.attributes] == [("service.name", "shop")]
    [scope_logs] = resource_logs.scope_logs
    assert (scope_logs.scope.name, scope_logs.scope.version) == ("shop.audit", "1.2")
    assert len(scope_logs.log_records) == count
    for index, record in enumerate(scope_logs.log_records):
        assert record.time_unix_nano == 1_700_000_000_000_000_000 + index
        assert record.observed_time_unix_nano == 1_700_000_000_000_000_500 + index
        assert record.trace_id == TRACE_ID.to_bytes(16, "big")
        assert record.span_id == SPAN_ID.to_bytes(8, "big")
        assert (record.severity_number, record.severity_text) == (13, "WARN")
        assert record.event_name == "user.login"
        what = record.body.kvlist_value.values[0].value.array_value.values
        assert [value.WhichOneof("value") for value in what] == ["string_value", "int_value", None]
        values = {attribute.key: attribute.value for attribute in record.attributes}
        assert values["user.name"].string_value == f"anna {index}"
        assert values["tries"].int_value == 3
        assert values["ratio"].double_value == 0.5
        assert values["ok"].bool_value is True
        assert values["raw"].bytes_value == b"\x00\xff"
