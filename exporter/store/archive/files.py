"""The data files of an archive: events in, lines out, in either format."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from exporter.store.archive.content import ROWS, Column, lines, schema
from exporter.store.archive.place import Place, Stored

# Small enough that a bucket can rename it (5 GB), and that one is read again soon.
EVENTS_PER_FILE = 1_000_000
_TEXT_PER_FILE = 2 << 30
_CHUNK = 4 << 20


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of events."""

    stored: Stored
    events: int


@dataclass(slots=True)
class Content:
    """Counts events and hashes their lines as they pass."""

    events: int = 0
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, some: pl.Series) -> bytes:
        """The lines as they stand in a file."""
        text = _joined(some)
        self._digest.update(text)
        self.events += len(some)
        return text

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def write(
    place: Place, stem: str, frames: Iterable[pl.DataFrame], of: Sequence[Column], content: Content
) -> Iterator[DataFile]:
    """Writes events into as many files as they need, under their temporary names; at least one."""
    waiting = iter(frames)
    frame = next(waiting, None)
    number = 0
    while frame is not None or number == 0:
        number += 1
        name = f"{stem}-{number:03d}.{place.format}"
        events = text = 0
        with place.writing(name) as sink, ExitStack() as stack:
            put = _writer(place, sink, of, stack)
            while frame is not None and events < EVENTS_PER_FILE and text < _TEXT_PER_FILE:
                made = content.add(lines(frame, of))
                put(frame, made)
                events, text = events + len(frame), text + len(made)
                frame = next(waiting, None)
        yield DataFile(sink.stored(name), events)


def _writer(
    place: Place, sink: object, of: Sequence[Column], stack: ExitStack
) -> Callable[[pl.DataFrame, bytes], object]:
    file = stack.enter_context(pa.PythonFile(sink, mode="w"))
    if place.format == "parquet":
        target = schema(of)
        writer = stack.enter_context(pq.ParquetWriter(file, target, compression="zstd"))
        return lambda frame, text: writer.write_table(frame.to_arrow().cast(target))
    packed = stack.enter_context(pa.CompressedOutputStream(file, "zstd"))
    return lambda frame, text: packed.write(text)


def read(place: Place, name: str, of: Sequence[Column], *, partial: bool = False) -> Iterator[pl.Series]:
    """The lines of a file, a bounded part at a time."""
    with place.reading(name, partial=partial) as file:
        if name.endswith(".parquet"):
            for batch in pq.ParquetFile(file).iter_batches(batch_size=ROWS, use_threads=False):
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                yield lines(frame, of)
            return
        rest = b""
        with pa.CompressedInputStream(file, "zstd") as unpacked:
            while data := unpacked.read(_CHUNK):
                *whole, rest = (rest + data).split(b"\n")
                if whole:
                    yield pl.Series([line.decode() for line in whole], dtype=pl.String)
        if rest:
            yield pl.Series([rest.decode()], dtype=pl.String)


def _joined(some: pl.Series) -> bytes:
    return ("\n".join(some.to_list()) + "\n").encode() if len(some) else b""
