"""A batch as the content of a file: a line that says what follows, then its events as an Arrow stream.

The events are as they would be stored, redacted, mapped and numbered: whoever reads the file learns no more than from
PostgreSQL, and it makes no difference which version or configuration of the collector stores them in the end.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
from pyarrow import ipc

from collector.batch import Batch, Origin
from exporter.errors import AuditgrafError
from exporter.events import Events
from exporter.otlp.decode import Source

_FORMAT = "auditgraf spool"
_VERSION = 1
# Beside the columns of an event, which PostgreSQL knows; none of those begins like this.
_OCCURRED, _CLASS, _CONTENT, _UNDATED = "_occurred_us", "_class", "_arrival_content", "_arrival_undated"


class DamagedError(AuditgrafError):
    """A file of the spool is not what was written, or another version's."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first line of a file."""

    format: str
    version: int
    events: int
    sha256: str  # of all that follows the line


def write(batch: Batch) -> bytes:
    """A batch as bytes."""
    events = batch.events
    frame = events.frame.with_columns(
        pl.Series(_OCCURRED, events.occurred_us, dtype=pl.Int64),
        pl.Series(_CLASS, events.retention_class, dtype=pl.Int32),
        *_arrivals(events),
    )
    told = {
        "received_at": events.received_at.isoformat(),
        "classes": events.classes,
        "origins": [_origin(origin) for origin in batch.origins],
    }
    table = frame.to_arrow().replace_schema_metadata({"auditgraf": orjson.dumps(told)})
    sink = io.BytesIO()
    with ipc.new_stream(sink, table.schema, options=ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(table)
    content = sink.getvalue()
    head = Head(_FORMAT, _VERSION, len(events), hashlib.sha256(content).hexdigest())
    return orjson.dumps(asdict(head)) + b"\n" + content


def head(line: bytes) -> Head:
    """The first line of a file; raises DamagedError."""
    try:
        found = Head(**orjson.loads(line))
    except (orjson.JSONDecodeError, TypeError) as failure:
        raise DamagedError(f"its first line can't be read: {failure}") from None
    if found.format != _FORMAT or found.version != _VERSION:
        raise DamagedError(
            f"it has version {found.version} of the format, not {_VERSION}: another release wrote it, and can store it"
        )
    return found


def read(content: bytes) -> Batch:
    """The batch that `write` was given; raises DamagedError."""
    line, _, rest = content.partition(b"\n")
    if hashlib.sha256(rest).hexdigest() != head(line).sha256:
        raise DamagedError("its content does not match its SHA-256")
    table = ipc.open_stream(pa.BufferReader(rest)).read_all()
    told = orjson.loads(table.schema.metadata[b"auditgraf"])
    frame = pl.from_arrow(table.replace_schema_metadata(None))
    assert isinstance(frame, pl.DataFrame)
    events = Events(
        frame=frame.drop(_OCCURRED, _CLASS, _CONTENT, _UNDATED),
        occurred_us=frame[_OCCURRED].to_numpy(),
        retention_class=frame[_CLASS].to_numpy(),
        classes=tuple(told["classes"]),
        received_at=datetime.fromisoformat(told["received_at"]),
        arrivals=_told_arrivals(frame),
    )
    return Batch(events, tuple(_told_origin(origin) for origin in told["origins"]))


def _arrivals(events: Events) -> list[pl.Series]:
    """Content and undated of each event that is filed under its arrival, null for all others."""
    rows = pl.DataFrame({"row": range(len(events))}, schema={"row": pl.Int64})
    if events.arrivals is None:
        empty = {"content": pl.String, "undated": pl.Boolean}
        columns = [pl.Series(name, [None] * len(events), dtype=kind) for name, kind in empty.items()]
    else:
        arrivals = events.arrivals.with_columns(pl.col("row").cast(pl.Int64))
        joined = rows.join(arrivals, on="row", how="left", maintain_order="left")
        columns = [joined["content"], joined["undated"]]
    return [column.alias(name) for column, name in zip(columns, (_CONTENT, _UNDATED), strict=True)]


def _told_arrivals(frame: pl.DataFrame) -> pl.DataFrame | None:
    found = frame.select(content=pl.col(_CONTENT), undated=pl.col(_UNDATED)).with_row_index("row")
    arrivals = found.filter(pl.col("content").is_not_null()).select(pl.col("row").cast(pl.Int64), "content", "undated")
    return arrivals if len(arrivals) else None


def _origin(origin: Origin) -> dict[str, Any]:
    source = origin.source
    return {
        "columns": origin.columns,
        "resource": source.resource,
        "resource_schema_url": source.resource_schema_url,
        "scope": source.scope,
        "scope_schema_url": source.scope_schema_url,
        "digest": source.digest.hex(),
        "had_nul": source.had_nul,
    }


def _told_origin(told: dict[str, Any]) -> Origin:
    columns = told.pop("columns")
    return Origin(Source(**(told | {"digest": bytes.fromhex(told["digest"])})), columns)
