"""OTLP JSON to protobuf: the very same request, so that everything behind this knows one encoding only.

The mapping is proto3's with the deviations of OTLP's specification, "JSON Protobuf Encoding": ids in hex,
enums as integers, camelCase keys only, unknown keys ignored. protobuf's own json_format knows none of these.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from exporter.errors import MalformedRequestError

# protobuf's decoders refuse a message with more than 100 messages around it.
_DEEPEST = 100
_LONGEST_PATH = 200

_BOM = b"\xef\xbb\xbf"
_INTEGER = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_NAMED_DOUBLES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_FROM_URL_SAFE = str.maketrans("-_", "+/")

Convert = Callable[[Any], Any]
# (message, JSON value, how many messages are around it); raises _MisfitError.
Put = Callable[[Any, Any, int], None]
Plan = dict[str, Put]


def to_protobuf(body: bytes) -> bytes:
    """An OTLP JSON ExportLogsServiceRequest as protobuf bytes.

    An id that is neither hex nor base64 of the right length stays as attribute `invalid_trace_id` or
    `invalid_span_id`. Raises MalformedRequestError, naming the path of what doesn't fit; never anything else.
    """
    try:
        data = orjson.loads(body.removeprefix(_BOM))
    except orjson.JSONDecodeError as error:
        raise MalformedRequestError(f"the body is no JSON: {error}") from None
    request = ExportLogsServiceRequest()
    try:
        _fill(request, data, _REQUEST, 0)
    except _MisfitError as misfit:
        raise MalformedRequestError(str(misfit)) from None
    return request.SerializeToString()


# All else may be a text in the wrong place, and so a secret.
_LIKE_A_NUMBER = re.compile(r"[-+0-9.eE_ ]{1,40}|SEVERITY_NUMBER_[A-Z0-9_]{1,24}|(?i:true|false|nan|[-+]?inf(inity)?)")


class _MisfitError(Exception):
    """A JSON value that its field can't hold; the path grows on the way out."""

    def __init__(self, value: object, expected: str) -> None:
        super().__init__()
        self.reason = f"{_shown(value)} is {expected}"
        self.path: list[str] = []

    def __str__(self) -> str:
        if not self.path:
            return f"the body: {self.reason}"
        path = "".join(reversed(self.path)).removeprefix(".")
        if len(path) > _LONGEST_PATH:
            path = path[:_LONGEST_PATH] + "…"
        return f"{path}: {self.reason}"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, str):
        # Whoever sent it may log what this says.
        if _LIKE_A_NUMBER.fullmatch(value):
            return repr(value)
        return f"a text of {len(value)} characters"
    if value is None or isinstance(value, bool):
        return orjson.dumps(value).decode()
    return repr(value)


def _fill(message: Any, data: Any, plan: Plan, depth: int) -> None:
    if type(data) is not dict:
        raise _MisfitError(data, "no object")
    if depth > _DEEPEST:
        raise _MisfitError(data, f"nested deeper than the {_DEEPEST} messages that protobuf can read")
    if plan is _ANY_VALUE and len(data) > 1:
        _refuse_second_value(data)
    for key, value in data.items():
        put = plan.get(key)
        if put is not None and value is not None:
            try:
                put(message, value, depth)
            except _MisfitError as misfit:
                misfit.path.append(f".{key}")
                raise


def _refuse_second_value(data: dict[str, Any]) -> None:
    given = [key for key, value in data.items() if key in _ANY_VALUE and value is not None]
    if len(given) > 1:
        raise _MisfitError(data, f"no AnyValue: it has {' and '.join(given)} where one is allowed")


def _string(value: Any) -> str:
    if type(value) is not str:
        raise _MisfitError(value, "no string")
    return value


def _bool(value: Any) -> bool:
    if type(value) is not bool:
        raise _MisfitError(value, "neither true nor false")
    return value


def _bytes(value: Any) -> bytes:
    decoded = _from_base64(_string(value))
    if decoded is None:
        raise _MisfitError(value, "no base64")
    return decoded


def _from_base64(text: str) -> bytes | None:
    """Either alphabet, padded or not; None where it is no base64."""
    digits = text.rstrip("=").translate(_FROM_URL_SAFE)
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except ValueError:
        return None


def _double(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    if type(value) is str:
        if value in _NAMED_DOUBLES:
            return _NAMED_DOUBLES[value]
        if _NUMBER.fullmatch(value) and math.isfinite(number := float(value)):
            return number
    raise _MisfitError(value, "no double")


def _integer(low: int, high: int, expected: str, *, as_text: bool = True) -> Convert:
    def convert(value: Any) -> int:
        number: int | None = None
        if type(value) is int:
            number = value
        elif type(value) is str:
            number = int(value) if as_text and _INTEGER.fullmatch(value) else None
        elif type(value) is float:
            number = int(value) if value.is_integer() else None
        if number is None or not low <= number <= high:
            raise _MisfitError(value, expected)
        return number

    return convert


_UINT32 = _integer(0, (1 << 32) - 1, "no 32-bit unsigned integer")
_UINT64 = _integer(0, (1 << 64) - 1, "no 64-bit unsigned integer")
_CONVERT: dict[int, Convert] = {
    FieldDescriptor.TYPE_STRING: _string,
    FieldDescriptor.TYPE_BOOL: _bool,
    FieldDescriptor.TYPE_BYTES: _bytes,
    FieldDescriptor.TYPE_DOUBLE: _double,
    FieldDescriptor.TYPE_INT32: _integer(-(1 << 31), (1 << 31) - 1, "no 32-bit integer"),
    FieldDescriptor.TYPE_INT64: _integer(-(1 << 63), (1 << 63) - 1, "no 64-bit integer"),
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
    FieldDescriptor.TYPE_ENUM: _integer(
        -(1 << 31), (1 << 31) - 1, "no 32-bit integer; OTLP JSON has no names for enums", as_text=False
    ),
}


def _scalar(field: FieldDescriptor) -> Put:
    name, convert = field.name, _CONVERT[field.type]
    return lambda message, value, depth: setattr(message, name, convert(value))


def _message(field: FieldDescriptor, descriptor: Descriptor) -> Put:
    name, plan = field.name, _plan(descriptor)

    def put(message: Any, value: Any, depth: int) -> None:
        child = getattr(message, name)
        child.SetInParent()
        _fill(child, value, plan, depth + 1)

    return put


def _repeated(field: FieldDescriptor) -> Put:
    name = field.name
    plan = _plan(field.message_type) if field.message_type else None
    convert: Convert = _CONVERT.get(field.type, _string)

    def put(message: Any, values: Any, depth: int) -> None:
        if type(values) is not list:
            raise _MisfitError(values, "no array")
        container = getattr(message, name)
        index = 0
        try:
            for index, value in enumerate(values):  # noqa: B007
                if plan is None:
                    container.append(convert(value))
                elif plan is not _KEY_VALUE or not _add_text(container, value, depth):
                    _fill(container.add(), value, plan, depth + 1)
        except _MisfitError as misfit:
            misfit.path.append(f"[{index}]")
            raise

    return put


def _add_text(container: Any, data: Any, depth: int) -> bool:
    """Adds the attribute that nearly all are, key and text, in a third of `_fill`'s time; False: another."""
    if type(data) is dict and len(data) == 2 and depth < _DEEPEST - 1:
        key, value = data.get("key"), data.get("value")
        if type(key) is str and type(value) is dict and len(value) == 1:
            text = value.get("stringValue")
            if type(text) is str:
                attribute = container.add()
                attribute.key = key
                attribute.value.string_value = text
                return True
    return False


def _identifier(name: str, size: int) -> Put:
    """A trace or span id of `size` bytes. Hex of another length is passed on as a protobuf sender would."""

    def put(record: Any, value: Any, depth: int) -> None:
        text = _string(value)
        try:
            decoded: bytes | None = bytes.fromhex(text)
        except ValueError:
            decoded = None
        if decoded is not None and 2 * len(decoded) == len(text):
            setattr(record, name, decoded)
            return
        # Some SDKs send base64, as proto3's JSON mapping has it for bytes.
        decoded = _from_base64(text)
        if decoded is not None and len(decoded) == size:
            setattr(record, name, decoded)
            return
        attribute = record.attributes.add()
        attribute.key = f"invalid_{name}"
        attribute.value.string_value = text

    return put


_PLANS: dict[str, Plan] = {}


def _plan(descriptor: Descriptor) -> Plan:
    """JSON key to what puts its value in place, for one message type; AnyValue's plan holds itself."""
    plan = _PLANS.get(descriptor.full_name)
    if plan is None:
        plan = _PLANS[descriptor.full_name] = {}
        for field in descriptor.fields:
            if field.is_repeated:
                plan[field.json_name] = _repeated(field)
            elif field.message_type:
                plan[field.json_name] = _message(field, field.message_type)
            else:
                plan[field.json_name] = _scalar(field)
        if descriptor is LogRecord.DESCRIPTOR:
            plan |= {"traceId": _identifier("trace_id", 16), "spanId": _identifier("span_id", 8)}
    return plan


_REQUEST = _plan(ExportLogsServiceRequest.DESCRIPTOR)
_ANY_VALUE = _plan(AnyValue.DESCRIPTOR)
_KEY_VALUE = _plan(KeyValue.DESCRIPTOR)
