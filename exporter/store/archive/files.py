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
from exporter.store.archive.place import Format, Place, Stored

# Small enough that a bucket can rename it (5 GB), and that one is read again soon.
EVENTS_PER_FILE = 1_000_000
_TEXT_PER_FILE = 2 << 30
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of events."""

    stored: Stored
    events: int


@dataclass(frozen=True, slots=True)
class Part:
    """Events on their way into a file, or out of it: as lines, and as columns where the file is Parquet."""

    lines: pl.Series
    frame: pl.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.lines)


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
    place: Place, stem: str, form: Format, parts: Iterable[Part], of: Sequence[Column], content: Content
) -> Iterator[DataFile]:
    """Writes events into as many files as they need, under their temporary names; at least one.

    `of`: the columns of the parts; for Parquet each part has its frame.
    """
    waiting = iter(parts)
    part = next(waiting, None)
    number = 0
    while part is not None or number == 0:
        number += 1
        name = f"{stem}-{number:03d}.{form}"
        events = text = 0
        with place.writing(name) as sink, ExitStack() as stack:
            put = _writer(form, sink, of, stack)
            while part is not None and events < EVENTS_PER_FILE and text < _TEXT_PER_FILE:
                made = content.add(part.lines)
                put(part, made)
                events, text = events + len(part), text + len(made)
                part = next(waiting, None)
        yield DataFile(sink.stored(name), events)


def copy(place: Place, name: str, to: str) -> Stored:
    """Copies a file as it is, under a temporary name."""
    with place.reading(name) as file, place.writing(to) as sink:
        while data := file.read(_CHUNK):
            sink.write(data)
    return sink.stored(to)


def _writer(form: Format, sink: object, of: Sequence[Column], stack: ExitStack) -> Callable[[Part, bytes], object]:
    file = stack.enter_context(pa.PythonFile(sink, mode="w"))
    if form == "parquet":
        target = schema(of)
        writer = stack.enter_context(pq.ParquetWriter(file, target, compression="zstd"))
        return lambda part, text: writer.write_table(_columns(part).to_arrow().cast(target))
    packed = stack.enter_context(pa.CompressedOutputStream(file, "zstd"))
    return lambda part, text: packed.write(text)


def _columns(part: Part) -> pl.DataFrame:
    assert part.frame is not None
    return part.frame


def read(place: Place, name: str, of: Sequence[Column], *, partial: bool = False) -> Iterator[pl.Series]:
    """The lines of a file, a bounded part at a time."""
    for part in parts(place, name, of, partial=partial):
        yield part.lines


def parts(place: Place, name: str, of: Sequence[Column], *, partial: bool = False) -> Iterator[Part]:
    """The events of a file, a bounded part at a time."""
    with place.reading(name, partial=partial) as file:
        if name.endswith(".parquet"):
            for frame in _frames(pq.ParquetFile(file)):
                yield Part(lines(frame, of), frame)
            return
        rest = b""
        with pa.CompressedInputStream(file, "zstd") as unpacked:
            while data := unpacked.read(_CHUNK):
                *whole, rest = (rest + data).split(b"\n")
                if whole:
                    yield Part(pl.Series([line.decode() for line in whole], dtype=pl.String))
        if rest:
            yield Part(pl.Series([rest.decode()], dtype=pl.String))


def _frames(source: pq.ParquetFile) -> Iterator[pl.DataFrame]:
    # One row group after the other: a batch may span them, and so many large events don't fit into memory.
    for group in range(source.num_row_groups):
        for batch in source.iter_batches(batch_size=ROWS, row_groups=[group], use_threads=False):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            yield frame


def _joined(some: pl.Series) -> bytes:
    return ("\n".join(some.to_list()) + "\n").encode() if len(some) else b""
