"""Event ids: the same for a retry, however it is batched.

UUIDv7 layout (RFC 9562): 48 bits of milliseconds of occurred_at, then 74 bits of SHA-256 over the record's own id if
the sender gave one (`log.record.uid`, `audit.record.id`), else over its canonical content and its ordinal among the
identical records of its request.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field

import numpy as np
import orjson
import polars as pl
import pyarrow as pa

from exporter.mapping.columns import Source
from exporter.mapping.fields import Picker
from exporter.otlp.decode import Records
from exporter.otlp.values import quote

_UIDS = (Source("attribute", "audit.record.id"), Source("attribute", "log.record.uid"))
_UNIT = "\x1f"  # can't be in JSON text, so that no two contents read alike


@dataclass(slots=True)
class Repetitions:
    """How often each content was seen, per request, while a group is taken in several parts."""

    seen: dict[tuple[int, bytes], int] = field(default_factory=dict)


def digests(records: Records, picker: Picker, repetitions: Repetitions | None = None) -> np.ndarray:
    """SHA-256 of each record's identity: uint8, shape (records, 32).

    `repetitions` is what the other parts of the same group have, where `records` are only a part of it.
    """
    content = _contents(records)
    uid = picker.column(_UIDS).values
    named = uid.is_not_null()
    if named.any():
        content = pl.select(pl.concat_str(pl.lit("uid" + _UNIT), uid)).to_series().zip_with(named, content)
    hashed = _sha256(content)
    repeated = _ordinals(hashed, records.request, named.to_numpy(), repetitions)
    for index, ordinal in repeated.items():
        again = hashlib.sha256(hashed[index].tobytes() + ordinal.to_bytes(8, "big")).digest()
        hashed[index] = np.frombuffer(again, np.uint8)
    return hashed


def ids(occurred_ms: np.ndarray, hashed: np.ndarray) -> pl.Series:
    """The ids as hex, from milliseconds since 1970 and digests."""
    words = np.ascontiguousarray(hashed[:, :16]).view(">u8").astype(np.uint64)
    high = (occurred_ms.astype(np.uint64) << np.uint64(16)) | np.uint64(0x7000) | (words[:, 0] & np.uint64(0x0FFF))
    low = np.uint64(0x8000_0000_0000_0000) | (words[:, 1] & np.uint64(0x3FFF_FFFF_FFFF_FFFF))
    return as_hex(np.stack([high, low], axis=1).astype(">u8").view(np.uint8).reshape(-1, 16))


def as_hex(rows: np.ndarray) -> pl.Series:
    """Rows of bytes (uint8, shape (n, width)) as hex."""
    width = rows.shape[1]
    data = pa.py_buffer(np.ascontiguousarray(rows).tobytes())
    array = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(rows), [None, data]).cast(pa.large_binary())
    series = pl.from_arrow(array)
    assert isinstance(series, pl.Series)
    return series.bin.encode("hex")


def _contents(records: Records) -> pl.Series:
    """What a record says, in one text that does not depend on how it was encoded or batched."""
    columns = records.columns
    attributes = records.attributes
    keys = pl.Series([_text_quoted(key) for key in attributes.keys], dtype=pl.String).gather(attributes.key)
    pairs = pl.select(pl.concat_str(keys, attributes.json)).to_series()
    origins = pl.Series([source.digest.hex() for source in records.sources], dtype=pl.String)
    return columns.select(
        pl.concat_str(
            pl.lit(origins.gather(records.source)),
            "time_unix_nano",
            "observed_time_unix_nano",
            "severity_number",
            pl.lit(quote(columns["severity_text"])),
            pl.lit(quote(columns["event_name"])),
            pl.col("body_json"),
            pl.col("trace_id").bin.encode("hex"),
            pl.col("span_id").bin.encode("hex"),
            "flags",
            "dropped_attributes_count",
            pl.lit(join(pairs, attributes.offsets)),
            separator=_UNIT,
        )
    ).to_series()


def join(items: pl.Series, offsets: np.ndarray, separator: str = ",") -> pl.Series:
    """Joins the items offsets[i]:offsets[i+1] into text i."""
    lists = pl.from_arrow(pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), items.to_arrow()))
    assert isinstance(lists, pl.Series)
    return lists.list.join(separator)


def _text_quoted(key: str) -> str:
    return orjson.dumps(key).decode() + ":"


def _sha256(texts: pl.Series) -> np.ndarray:
    array = texts.to_arrow()
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1].tolist()
    data = memoryview(array.buffers()[2] or b"")
    sha256 = hashlib.sha256
    parts = [sha256(data[start:end]).digest() for start, end in itertools.pairwise(offsets)]
    return np.frombuffer(b"".join(parts), np.uint8).reshape(-1, 32).copy()


def _ordinals(
    hashed: np.ndarray, request: np.ndarray, named: np.ndarray, repetitions: Repetitions | None
) -> dict[int, int]:
    """Records equal to an earlier one of their request: which, and how many came before. Named ones are one each."""
    short = np.ascontiguousarray(hashed[:, :8]).view(np.uint64).ravel()
    if repetitions is None and pl.Series(short).n_unique() == len(short):
        return {}
    seen = {} if repetitions is None else repetitions.seen
    ordinals: dict[int, int] = {}
    for index in range(len(hashed)):
        if named[index]:
            continue
        key = (int(request[index]), hashed[index].tobytes())
        count = seen.get(key, 0)
        seen[key] = count + 1
        if count:
            ordinals[index] = count
    return ordinals
