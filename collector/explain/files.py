"""Files of records, whatever they hold: OTLP as JSON or protobuf, or plain lines of a log."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from exporter.errors import AuditgrafError, MalformedRequestError
from exporter.otlp.encode import of_lines
from exporter.otlp.json import to_protobuf

_BOM = b"\xef\xbb\xbf"
_BEGINS_REQUEST = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"resourceLogs"')


def read_payloads(path: Path, service: str = "") -> Iterator[bytes]:
    """The requests (protobuf) that a file holds; `-` is the standard input.

    A file is OTLP JSON (one request, or one a line as the file exporter writes them), a binary request, or plain
    lines, each of which becomes a request of its own: a record of `service` with the line as its body. Raises
    AuditgrafError where it can't be read, or is OTLP that is none, or is cut off.
    """
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as failure:
        raise AuditgrafError(f"{path}: can't be read: {failure.strerror}") from None
    if not data.strip():
        raise AuditgrafError(f"{path}: is empty")
    if _is_request(data):
        yield _checked(data, str(path))
        return
    lines = [(number, line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]
    if _is_request(lines[0][1]):
        for number, line in lines:
            yield _checked(line, f"{path}:{number}")
        return
    if _BEGINS_REQUEST.match(data):
        yield _checked(data, str(path))
        return
    if _is_protobuf(data):
        yield data
        return
    for _, line in lines:
        yield of_lines([line.decode("utf-8", "replace")], service).SerializeToString()


def _is_request(data: bytes) -> bool:
    """JSON that has resourceLogs: a document of any other kind is a line of somebody's log."""
    if b'"resourceLogs"' not in data:
        return False
    try:
        document = orjson.loads(data.removeprefix(_BOM))
    except orjson.JSONDecodeError:
        return False
    return isinstance(document, dict) and "resourceLogs" in document


def _checked(data: bytes, place: str) -> bytes:
    try:
        return to_protobuf(data)
    except MalformedRequestError as failure:
        raise AuditgrafError(f"{place}: {failure}") from None


def _is_protobuf(data: bytes) -> bool:
    # Text can be a valid message by accident, but never one that has records.
    try:
        request = ExportLogsServiceRequest.FromString(data)
    except DecodeError:
        return False
    return any(scope.log_records for resource in request.resource_logs for scope in resource.scope_logs)
