"""ExportLogsServiceRequests, as bytes, to columns: many requests in one call."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import orjson
import polars as pl
import ptars
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from exporter.errors import MalformedRequestError, RequestTooLargeError
from exporter.otlp import jsonb, values, wire

_POOL = ptars.HandlerPool([wire.FILE])
_REQUESTS = _POOL.get_for_message(wire.REQUEST)
_RECORDS = _POOL.get_for_message(wire.LOG_RECORD)


# How much is turned into columns at once, whatever a request holds: memory is bounded by this, not by the sender.
PART_RECORDS = 16_384
PART_BYTES = 4 << 20
# Columns that need no rendering.
_PLAIN = ["time_unix_nano", "observed_time_unix_nano", "severity_number", "flags", "dropped_attributes_count"]
_PLAIN += ["trace_id", "span_id"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where records come from: a distinct resource, scope and their schema URLs."""

    resource: dict[str, object]
    resource_schema_url: str
    scope: dict[str, object]  # name, version, attributes
    scope_schema_url: str
    digest: bytes  # SHA-256 of the canonical form of all of the above
    had_nul: bool = False  # a U+0000 was replaced in it

    def resource_text(self, key: str) -> str | None:
        """A resource attribute as columns take it; None where there is none."""
        value = self.resource.get(key)
        if value is None or isinstance(value, str):
            return value
        return jsonb.dumps(value)[0]


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of all records, one below the other, in the order sent.

    Arrays and series have one value per attribute; `offsets` has one more than there are records: record i has the
    attributes offsets[i]:offsets[i+1].
    """

    offsets: np.ndarray  # int64
    key: np.ndarray  # int32, index into `keys`
    keys: list[str]  # distinct
    text: pl.Series
    json: pl.Series
    nested: np.ndarray | None = None  # bool: an array or a map; None: there is none

    @property
    def record(self) -> np.ndarray:
        """The record that each attribute belongs to (int64)."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


@dataclass(frozen=True, slots=True)
class Records:
    """Decoded log records.

    `columns` has a row per record: time_unix_nano, observed_time_unix_nano (UInt64), severity_number (Int32),
    severity_text, event_name, body, body_json (String), trace_id, span_id (Binary), flags, dropped_attributes_count
    (UInt32).
    """

    request: np.ndarray  # int32: index of the payload that each record came in
    source: np.ndarray  # int32: index into `sources`
    sources: list[Source]
    columns: pl.DataFrame
    attributes: Attributes
    raw: pa.BinaryArray  # each record's own bytes
    flags: dict[str, np.ndarray]  # flag name -> bool per record
    parsed: pl.Series | None = None  # String: the step that made attributes of a record's text; None: none did

    def __len__(self) -> int:
        return len(self.request)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one request may hold at most: its size on the wire says little about what it costs."""

    records: int
    sources: int  # ScopeLogs with a resource each
    record_bytes: int  # of any single record


@dataclass(frozen=True, slots=True)
class Envelope:
    """Requests whose records are found, but not yet decoded: so that many are decoded a bounded part at a time."""

    request: np.ndarray  # int32, by record
    source: np.ndarray  # int32, by record
    sources: list[Source]
    raw: pa.BinaryArray

    def __len__(self) -> int:
        return len(self.request)

    def parts(self) -> list[slice]:
        """The records in parts of bounded number and bytes; nearly always one."""
        if len(self) <= PART_RECORDS and self.raw.nbytes <= PART_BYTES:
            return [slice(0, len(self))]
        ends = _ends(self.raw)
        cuts = [0]
        while cuts[-1] < len(self):
            start = cuts[-1]
            by_bytes = int(np.searchsorted(ends, ends[start] + PART_BYTES, side="right")) - 1
            cuts.append(min(start + PART_RECORDS, max(by_bytes, start + 1), len(self)))
        return [slice(start, end) for start, end in pairwise(cuts)]

    def records(self, part: slice) -> Records:
        """Decodes some of the records. Raises MalformedRequestError where any of them is not valid."""
        raw = self.raw[part]
        try:
            batch = _RECORDS.array_to_record_batch(raw)
        except ValueError as failure:
            raise _malformed(failure) from None
        source = self.source[part]
        columns, attributes, flags = _columns(batch)
        tainted = np.array([origin.had_nul for origin in self.sources], bool)
        if tainted.any() and tainted[source].any():
            flags["nul_replaced"] = flags.get("nul_replaced", False) | tainted[source]
        return Records(self.request[part], source, self.sources, columns, attributes, raw, flags)


def open_requests(payloads: Sequence[bytes], limits: RequestLimits | None = None) -> Envelope:
    """Finds the records of requests.

    Raises MalformedRequestError where any is not valid, RequestTooLargeError where any is beyond the limits, both
    without telling which.
    """
    try:
        envelope = _REQUESTS.list_to_record_batch(list(payloads)).column(0)
    except ValueError as failure:
        raise _malformed(failure) from None
    resource_logs = envelope.flatten()
    scope_logs = resource_logs.field("scope_logs").flatten()
    per_resource = np.diff(_offsets(resource_logs.field("scope_logs")))
    per_scope = np.diff(_offsets(scope_logs.field("log_records")))
    resource_of_scope = np.repeat(np.arange(len(resource_logs)), per_resource)
    request_of_resource = np.repeat(np.arange(len(envelope)), np.diff(_offsets(envelope)))
    request_of_scope = request_of_resource[resource_of_scope].astype(np.int32)
    if limits is not None:
        _refuse_too_large(limits, request_of_scope, per_scope, scope_logs.field("log_records").flatten())
    source_of_scope, sources = _sources(resource_logs, scope_logs, resource_of_scope)
    return Envelope(
        request=np.repeat(request_of_scope, per_scope),
        source=np.repeat(source_of_scope, per_scope),
        sources=sources,
        raw=scope_logs.field("log_records").flatten(),
    )


def decode(payloads: Sequence[bytes]) -> Records:
    """Decodes requests whole. Raises MalformedRequestError where any is not valid, without telling which."""
    envelope = open_requests(payloads)
    return envelope.records(slice(0, len(envelope)))


def _refuse_too_large(
    limits: RequestLimits, request_of_scope: np.ndarray, per_scope: np.ndarray, raw: pa.BinaryArray
) -> None:
    scopes = np.bincount(request_of_scope) if len(request_of_scope) else np.zeros(1, np.int64)
    records = np.bincount(request_of_scope, weights=per_scope) if len(request_of_scope) else scopes
    longest = np.diff(_ends(raw)).max() if len(raw) else 0
    for found, limit, what in (
        (scopes.max(), limits.sources, "resources and scopes in one request"),
        (records.max(), limits.records, "records in one request"),
        (longest, limits.record_bytes, "bytes in one record"),
    ):
        if found > limit:
            raise RequestTooLargeError(f"{int(found)} {what}; send at most {limit}")


def _ends(raw: pa.BinaryArray) -> np.ndarray:
    """Where each record ends, and first where the first begins (int64)."""
    return np.frombuffer(raw.buffers()[1], np.int32)[raw.offset :][: len(raw) + 1].astype(np.int64)


def _malformed(failure: ValueError) -> MalformedRequestError:
    return MalformedRequestError(f"not an ExportLogsServiceRequest: {failure}")


def _offsets(column: pa.ListArray) -> np.ndarray:
    return np.asarray(column.offsets.to_numpy(), np.int64)


def _sources(
    resource_logs: pa.StructArray, scope_logs: pa.StructArray, resource_of_scope: np.ndarray
) -> tuple[np.ndarray, list[Source]]:
    """The distinct sources, and the index of each ScopeLogs' one."""
    resources = resource_logs.field("resource").to_pylist()
    resource_urls = resource_logs.field("schema_url").to_pylist()
    scopes = scope_logs.field("scope").to_pylist()
    scope_urls = scope_logs.field("schema_url").to_pylist()
    known: dict[tuple[bytes, str, bytes, str], int] = {}
    sources: list[Source] = []
    index = np.empty(len(scopes), np.int32)
    for place, (scope, url, parent) in enumerate(zip(scopes, scope_urls, resource_of_scope, strict=True)):
        key = (resources[parent] or b"", resource_urls[parent], scope or b"", url)
        if key not in known:
            known[key] = len(sources)
            sources.append(_source(*key))
        index[place] = known[key]
    return index, sources


def _source(resource: bytes, resource_url: str, scope: bytes, scope_url: str) -> Source:
    try:
        parsed_resource, parsed_scope = Resource.FromString(resource), InstrumentationScope.FromString(scope)
    except DecodeError as failure:
        raise MalformedRequestError(f"a resource or scope can't be decoded: {failure}") from None
    attributes = values.attributes_as_json(parsed_resource.attributes)
    if parsed_resource.dropped_attributes_count:
        attributes["otel.dropped_attributes_count"] = parsed_resource.dropped_attributes_count
    described: dict[str, object] = {"name": parsed_scope.name, "version": parsed_scope.version}
    described["attributes"] = values.attributes_as_json(parsed_scope.attributes)
    if parsed_scope.dropped_attributes_count:
        described["dropped_attributes_count"] = parsed_scope.dropped_attributes_count
    parts: list[object] = []
    had_nul = False
    for part in (attributes, resource_url, described, scope_url):
        text, replaced = jsonb.dumps(part)
        parts.append(orjson.loads(text))
        had_nul |= replaced
    resource_json, resource_url, scope_json, scope_url = parts  # type: ignore[assignment]
    digest = hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).digest()
    return Source(resource_json, resource_url, scope_json, scope_url, digest, had_nul)  # type: ignore[arg-type]


def _columns(batch: pa.RecordBatch) -> tuple[pl.DataFrame, Attributes, dict[str, np.ndarray]]:
    count = len(batch)
    nul = np.zeros(count, bool)
    body = values.render(batch.column("body"))
    severity_text, severity_nul = values.clean(batch.column("severity_text"))
    event_name, event_nul = values.clean(batch.column("event_name"))
    for had_nul in (body.had_nul, severity_nul, event_nul):
        if had_nul is not None:
            nul |= had_nul
    numbers = pl.from_arrow(batch.select(_PLAIN))
    assert isinstance(numbers, pl.DataFrame)
    columns = numbers.with_columns(
        severity_text=severity_text, event_name=event_name, body=body.text, body_json=body.json
    )
    attributes, attribute_nul = _attributes(batch.column("attributes"))
    flags: dict[str, np.ndarray] = {}
    if attribute_nul is not None:
        nul[attributes.record[attribute_nul]] = True
    if nul.any():
        flags["nul_replaced"] = nul
    duplicated = _with_duplicate_keys(attributes)
    if duplicated is not None:
        flags["duplicate_keys"] = duplicated
    return columns, attributes, flags


def _attributes(column: pa.ListArray) -> tuple[Attributes, np.ndarray | None]:
    flat = column.flatten()
    encoded = flat.field("key").dictionary_encode()
    keys: list[str] = encoded.dictionary.to_pylist()
    rendered = values.render(flat.field("value"))
    had_nul = rendered.had_nul
    codes = encoded.indices.to_numpy().astype(np.int32)
    if any("\0" in key for key in keys):
        tainted = np.array(["\0" in key for key in keys])[codes]
        had_nul = tainted if had_nul is None else had_nul | tainted
        keys = [key.replace("\0", jsonb.NUL_REPLACEMENT) for key in keys]
    return Attributes(_offsets(column), codes, keys, rendered.text, rendered.json, rendered.nested), had_nul


def _with_duplicate_keys(attributes: Attributes) -> np.ndarray | None:
    """Which records name a key twice; None where none does. (jsonb keeps the last, as OTLP's readers do.)"""
    count, distinct = len(attributes.offsets) - 1, max(len(attributes.keys), 1)
    pairs = attributes.record * distinct + attributes.key
    if count * distinct <= 1 << 24:
        seen = np.zeros(count * distinct, bool)
        seen[pairs] = True
        unique = int(np.count_nonzero(seen))
    else:
        unique = len(np.unique(pairs))
    if unique == len(pairs):
        return None
    _, first, counts = np.unique(pairs, return_index=True, return_counts=True)
    duplicated = np.zeros(count, bool)
    duplicated[attributes.record[first[counts > 1]]] = True
    return duplicated
