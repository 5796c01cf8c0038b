"""The part of OTLP that is decoded into columns, as protobuf descriptors built at import.

Same wire format as opentelemetry.proto.*.v1 with two differences that make it columnar: the envelope leaves log
records, resources and scopes as bytes (records are decoded in a second step, resources and scopes once per distinct
value), and AnyValue leaves arrays and maps as bytes, because a recursive type has no columns.
"""

from __future__ import annotations

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

_PACKAGE = "auditgraf.otlp"
_STRING, _BYTES, _BOOL = Field.TYPE_STRING, Field.TYPE_BYTES, Field.TYPE_BOOL

# message -> (field, number, type or message name, repeated)
_MESSAGES: dict[str, list[tuple[str, int, int | str, bool]]] = {
    "AnyValue": [
        ("string_value", 1, _STRING, False),
        ("bool_value", 2, _BOOL, False),
        ("int_value", 3, Field.TYPE_INT64, False),
        ("double_value", 4, Field.TYPE_DOUBLE, False),
        ("array_value", 5, _BYTES, False),
        ("kvlist_value", 6, _BYTES, False),
        ("bytes_value", 7, _BYTES, False),
    ],
    "KeyValue": [("key", 1, _STRING, False), ("value", 2, "AnyValue", False)],
    "LogRecord": [
        ("time_unix_nano", 1, Field.TYPE_FIXED64, False),
        ("severity_number", 2, Field.TYPE_INT32, False),
        ("severity_text", 3, _STRING, False),
        ("body", 5, "AnyValue", False),
        ("attributes", 6, "KeyValue", True),
        ("dropped_attributes_count", 7, Field.TYPE_UINT32, False),
        ("flags", 8, Field.TYPE_FIXED32, False),
        ("trace_id", 9, _BYTES, False),
        ("span_id", 10, _BYTES, False),
        ("observed_time_unix_nano", 11, Field.TYPE_FIXED64, False),
        ("event_name", 12, _STRING, False),
    ],
    "ScopeLogs": [
        ("scope", 1, _BYTES, False),
        ("log_records", 2, _BYTES, True),
        ("schema_url", 3, _STRING, False),
    ],
    "ResourceLogs": [
        ("resource", 1, _BYTES, False),
        ("scope_logs", 2, "ScopeLogs", True),
        ("schema_url", 3, _STRING, False),
    ],
    "Request": [("resource_logs", 1, "ResourceLogs", True)],
}


def _build() -> FileDescriptor:
    file = FileDescriptorProto(name="auditgraf/otlp.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if name == "AnyValue":
            message.oneof_decl.add(name="value")  # presence: "" and 0 are values, absence is none
        for field_name, number, kind, repeated in fields:
            label = Field.LABEL_REPEATED if repeated else Field.LABEL_OPTIONAL
            field = message.field.add(name=field_name, number=number, label=label)
            if isinstance(kind, str):
                field.type = Field.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{kind}"
            else:
                field.type = Field.Type.ValueType(kind)
            if name == "AnyValue":
                field.oneof_index = 0
    pool = DescriptorPool()
    pool.Add(file)
    return pool.FindFileByName(file.name)


FILE = _build()
REQUEST = FILE.message_types_by_name["Request"]
LOG_RECORD = FILE.message_types_by_name["LogRecord"]
