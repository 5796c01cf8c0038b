"""Events as they come from COPY in CSV, turned into JSON Lines or columns, thousands at a time.

PostgreSQL does what a plain COPY costs and no more: to build the JSON there takes it 2.5 times as long (`make
bench-export`), and it has others to serve.
"""

from __future__ import annotations

import io
from typing import LiteralString

import polars as pl
import pyarrow as pa
from pyarrow import csv

from collector.query.question import COLUMNS

# Where CSV is not what JSON and Parquet need.
_SELECTED: dict[str, LiteralString] = {"client_ip": "host(client_ip)", "flags": "array_to_json(flags)"}
_DOCUMENTS = ("changes", "attributes", "flags")
_MOMENTS = ("occurred_at", "received_at")
_TYPES = {name: pa.string() for name in COLUMNS} | {
    "occurred_ns": pa.int64(),
    "observed_ns": pa.int64(),
    "source_id": pa.int32(),
    "severity": pa.int16(),
    "latitude": pa.float64(),
    "longitude": pa.float64(),
    "asn": pa.int64(),
}
HEADER = ",".join(COLUMNS).encode() + b"\n"
# NULL is nothing, an empty text is "": as PostgreSQL writes them.
_CONVERT = csv.ConvertOptions(
    column_types=_TYPES,
    strings_can_be_null=True,
    quoted_strings_can_be_null=False,
    null_values=[""],
    check_utf8=False,  # PostgreSQL sends nothing else
)
_PARSE = csv.ParseOptions(newlines_in_values=True)


def copied_columns() -> dict[str, LiteralString | None]:
    """Column to the expression that COPY selects it by; None is the column itself."""
    return {name: _SELECTED.get(name) for name in COLUMNS}


def as_json_lines(rows: bytes) -> bytes:
    """Complete CSV rows as JSON objects, a line each; keys are the columns of audit.events, times ISO 8601 in UTC."""
    frame = _frame(rows)
    frame = frame.with_columns(
        pl.concat_str(pl.col(name).str.replace(" ", "T", literal=True), pl.lit(":00")) for name in _MOMENTS
    )
    plain = pl.struct(name for name in COLUMNS if name not in _DOCUMENTS).struct.json_encode()
    # As PostgreSQL wrote them: numbers of any length stay what they are.
    documents = [part for name in _DOCUMENTS for part in (pl.lit(f',"{name}":'), pl.col(name).fill_null("null"))]
    lines = frame.select(pl.concat_str(plain.str.strip_suffix("}"), *documents, pl.lit("}")))
    out = io.BytesIO()
    lines.write_csv(out, include_header=False, quote_style="never")
    return out.getvalue()


def as_table(batch: pa.RecordBatch | pa.Table) -> pa.Table:
    """CSV columns as Parquet's: times with their zone, flags as lists, JSON as text."""
    frame = pl.from_arrow(batch)
    assert isinstance(frame, pl.DataFrame)
    return frame.with_columns(
        *(pl.col(name).str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us") for name in _MOMENTS),
        pl.col("flags").str.json_decode(pl.List(pl.String)),
    ).to_arrow(compat_level=pl.CompatLevel.oldest())


def open_csv(stream: pa.NativeFile) -> csv.CSVStreamingReader:
    """Reads a file of HEADER and rows batch by batch."""
    return csv.open_csv(stream, csv.ReadOptions(use_threads=False, block_size=1 << 20), _PARSE, _CONVERT)


def position(row: bytes) -> tuple[str, str]:
    """The time and the id of a CSV row; both stand in front, and neither is ever quoted."""
    identity, moment, _ = row.split(b",", 2)
    return moment.decode(), identity.decode()


def _frame(rows: bytes) -> pl.DataFrame:
    whole = csv.ReadOptions(column_names=COLUMNS, use_threads=False, block_size=len(rows) + 1)
    frame = pl.from_arrow(csv.read_csv(io.BytesIO(rows), whole, _PARSE, _CONVERT))
    assert isinstance(frame, pl.DataFrame)
    return frame
