"""Log records in few words, and the events that they become."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from exporter.document import loads
from exporter.mapping.compile import Mapper
from exporter.mapping.rules import load_all
from exporter.otlp.decode import decode
from exporter.otlp.encode import Pairs, any_value, key_values, request
from exporter.transform import Transform, Transformed

__all__ = ["any_value", "key_values", "request"]

NS = 1_000_000_000
ARRIVAL_NS = 1_790_000_000 * NS  # 2026-09-21 14:13:20 UTC
OCCURRED_NS = ARRIVAL_NS - 3600 * NS + 123_456_789
CLASSES = {"default": timedelta(days=365), "log": timedelta(days=7), "security": timedelta(days=730)}

# Whatever the default rules fill a column from, as an attribute of this name.
READ = sorted(load_all((), CLASSES).attribute_keys())


def record(attributes: Mapping[str, Any] | Pairs = (), **fields: Any) -> LogRecord:
    """A LogRecord with a time in the accepted window; `body` is plain data, the other fields are the message's."""
    body = fields.pop("body", ...)
    made = LogRecord(**{"time_unix_nano": OCCURRED_NS} | fields)
    made.attributes.extend(key_values(attributes))
    if body is not ...:
        made.body.CopyFrom(any_value(body))
    return made


@cache
def mapper(rules: str = "", presets: tuple[str, ...] = ()) -> Mapper:
    """The default rules and presets, then those of a file with this text."""
    return Mapper(load_all([loads(rules, "rules.yaml")] if rules else [], CLASSES, presets))


def transform(
    *requests: ExportLogsServiceRequest,
    rules: str = "",
    presets: tuple[str, ...] = (),
    **options: Any,
) -> Transformed:
    """A group of requests, as they come from the wire, to events; `options` are Transform's."""
    transformation = Transform(mapper(rules, presets), CLASSES, **options)
    decoded = decode([each.SerializeToString() for each in requests])
    return transformation(decoded, np.arange(1, len(decoded.sources) + 1), ARRIVAL_NS)


def events(*requests: ExportLogsServiceRequest, **options: Any) -> list[dict[str, Any]]:
    """As `transform`; an event is a dict by column, its JSON parsed, its flags a set, its class beside them."""
    made = transform(*requests, **options).events
    found = []
    for row, index in zip(made.frame.to_dicts(), made.retention_class, strict=True):
        row["attributes"] = json.loads(row["attributes"], parse_constant=_refuse)
        row["changes"] = json.loads(row["changes"], parse_constant=_refuse) if row["changes"] else None
        row["flags"] = set(filter(None, re.split("[{},]", row["flags"])))
        found.append({**row, "retention_class": made.classes[index]})
    return found


def event(
    made: LogRecord, *, resource: Mapping[str, Any] | Pairs = (), scope: str = "", **options: Any
) -> dict[str, Any]:
    """The event that a record becomes when it comes alone."""
    [only] = events(request(made, resource=resource, scope=scope), **options)
    return only


def filled(row: dict[str, Any]) -> dict[str, Any]:
    """A row without its empty columns, which one group may leave out and another not."""
    return {name: value for name, value in row.items() if value is not None}


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _nested(value: Any, depth: int, container: list[Any] | tuple[Any, ...]) -> Any:
    # Protobuf takes 100 messages within each other: a map in a map is three of them.
    for _ in range(depth if container == [] else depth * 3 // 4):
        value = [value] if container == [] else (("k", value),)
    return value


# What breaks quoting, CSV, jsonb or UTF-8 handling; U+FFFD is left out, because it is what U+0000 becomes.
NASTY = [
    "",
    "\0",
    "a\0b",
    '"',
    "\\",
    "\\u0000",
    "\x1f",
    "\x7f",
    "\r",
    "\n\\.\n",
    "{}",
    "null",
    "NaN",
    "\u2028",
    "\U0001f512",
    " ",
]
texts = st.sampled_from(NASTY) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=["\ufffd"]), max_size=8
)
int64s = st.integers(-(2**63), 2**63 - 1)
scalars = st.none() | st.booleans() | int64s | st.floats() | texts | st.binary(max_size=6)
_trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(texts, inner), max_size=4).map(tuple),
    max_leaves=8,
)
values = _trees | st.builds(_nested, scalars, st.integers(1, 40), st.just([]) | st.just(()))


def log_records(keys: st.SearchStrategy[str] = texts) -> st.SearchStrategy[LogRecord]:
    """Any LogRecord, attributes under these keys; what protobuf's types allow, and not what makes sense."""
    uint64s = st.sampled_from([0, 1, OCCURRED_NS, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)
    return st.builds(
        record,
        st.lists(st.tuples(keys, values), max_size=5),
        body=values,
        time_unix_nano=uint64s,
        observed_time_unix_nano=uint64s,
        severity_number=st.integers(-(2**31), 2**31 - 1) | st.integers(0, 24),
        severity_text=texts,
        event_name=texts,
        flags=st.integers(0, 2**32 - 1),
        dropped_attributes_count=st.integers(0, 2**32 - 1),
        trace_id=st.binary(max_size=20),
        span_id=st.binary(max_size=10),
    )
