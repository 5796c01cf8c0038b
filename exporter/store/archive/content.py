"""Events as tables and as canonical lines: one JSON object an event, the same text whatever the archive's format is.

The SHA-256 over the lines, each with its line feed, in the order of (id, occurred_at), is what an archive is verified
by. In jsonl.zst the lines are the file: `zstd -dc FILE | sha256sum` says the same.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import polars as pl
import pyarrow as pa
from psycopg import sql
from pyarrow import csv

from exporter.otlp.values import quote
from exporter.store.queries import query
from exporter.store.session import Connection

_PACKAGE = __package__
ROWS = 20_000  # of a batch
_BATCH_BYTES = 2 << 20  # or so many bytes of text: four times as many take 140 MB more

# How a type leaves PostgreSQL. What is not named here is text.
_SELECTED: dict[str, LiteralString] = {
    "timestamp with time zone": "(extract(epoch FROM {}) * 1000000)::bigint",
    "jsonb": "{}::text",
    "text[]": "to_jsonb({})::text",
}
_NUMBERS = {
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "smallint": pa.int16(),
    "double precision": pa.float64(),
}
_MOMENT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an event and its type as PostgreSQL writes it."""

    name: str
    type: str

    @property
    def arrow(self) -> Any:
        """Its type in a Parquet file; JSON is text there."""
        if self.type == "timestamp with time zone":
            return _MOMENT
        return _NUMBERS.get(self.type, pa.large_string())

    def selected(self) -> sql.Composed:
        return sql.SQL(_SELECTED.get(self.type, "{}")).format(sql.Identifier(self.name))


def columns(connection: Connection) -> list[Column]:
    """The columns of an event, in order."""
    return [Column(*row) for row in connection.execute(query("columns", _PACKAGE))]


def frames(connection: Connection, table: sql.Identifier, of: Sequence[Column]) -> Generator[pl.DataFrame]:
    """A table of events, in order, a bounded part at a time. To be closed where it is not read to its end."""
    selected = sql.SQL(", ").join(column.selected() for column in of)
    statement = sql.SQL(query("copy_out", _PACKAGE)).format(columns=selected, table=table)
    buffer, rows = io.BytesIO(), 0
    with connection.cursor() as cursor, cursor.copy(statement) as channel:
        for line in channel:
            buffer.write(line)
            rows += 1
            if rows == ROWS or buffer.tell() > _BATCH_BYTES:
                yield _parsed(buffer, of)
                buffer, rows = io.BytesIO(), 0
    if rows:
        yield _parsed(buffer, of)


def schema(of: Sequence[Column]) -> Any:
    """The Arrow schema of `frames`."""
    return pa.schema([(column.name, column.arrow) for column in of])


def lines(frame: pl.DataFrame, of: Sequence[Column]) -> pl.Series:
    """The canonical lines of events, without line feeds; a column without a value is left out."""
    members = []
    for column in of:
        value = _json(frame[column.name], column)
        members.append(pl.concat_str(pl.lit(f'"{column.name}":'), pl.lit(value)))
    joined = pl.concat_str(members, separator=",", ignore_nulls=True)
    return pl.select(pl.concat_str(pl.lit("{"), joined, pl.lit("}"))).to_series()


def _json(values: pl.Series, column: Column) -> pl.Series:
    if column.arrow == _MOMENT:
        return values.dt.strftime('"%Y-%m-%dT%H:%M:%S%.6fZ"')
    if column.type in _NUMBERS:
        return values.cast(pl.String)
    return values if column.type in {"jsonb", "text[]"} else quote(values)


def _parsed(buffer: io.BytesIO, of: Sequence[Column]) -> pl.DataFrame:
    types = {column.name: pa.int64() if column.arrow == _MOMENT else column.arrow for column in of}
    # One block: a row that lies in two of them is refused, and a single event may be as large as a sender may send it.
    size = buffer.tell()
    buffer.seek(0)
    table = csv.read_csv(
        buffer,
        read_options=csv.ReadOptions(column_names=list(types), block_size=size + 1, use_threads=False),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )
    frame = pl.from_arrow(table.cast(schema(of)))
    assert isinstance(frame, pl.DataFrame)
    return frame.rechunk()
