"""Plain data to OTLP messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

Pairs = Sequence[tuple[str, Any]]


def any_value(value: Any) -> AnyValue:  # noqa: PLR0911
    """The AnyValue of plain data: None is the empty one, a dict or a tuple of pairs is a map, a list an array.

    Raises TypeError for what has no AnyValue, ValueError for an integer of more than 64 bits.
    """
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=map(any_value, value)))
        case dict() | tuple():
            return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))
    raise TypeError(f"no AnyValue is a {type(value).__name__}")


def key_values(attributes: Mapping[str, Any] | Pairs) -> list[KeyValue]:
    """Attributes; given as pairs, a key may be there twice."""
    pairs = attributes.items() if isinstance(attributes, Mapping) else attributes
    return [KeyValue(key=key, value=any_value(value)) for key, value in pairs]


def request(*records: LogRecord, resource: Mapping[str, Any] | Pairs = (), scope: str = "") -> ExportLogsServiceRequest:
    """A request of one resource and one scope."""
    made = ExportLogsServiceRequest()
    resource_logs = made.resource_logs.add()
    resource_logs.resource.attributes.extend(key_values(resource))
    scope_logs = resource_logs.scope_logs.add()
    scope_logs.scope.name = scope
    scope_logs.log_records.extend(records)
    return made


def of_lines(lines: Iterable[str], service: str = "") -> ExportLogsServiceRequest:
    """Plain lines of a log, a record each, as a forwarder would send them: the line is the body."""
    records = [LogRecord(body=any_value(line)) for line in lines]
    return request(*records, resource={"service.name": service} if service else {})
