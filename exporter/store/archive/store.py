"""Writes partitions into a place, and verifies them there."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import polars as pl
import psycopg
import pyarrow as pa

from exporter.errors import RetentionError
from exporter.store.archive import files
from exporter.store.archive.content import Column, columns, frames, lines
from exporter.store.archive.files import Content, DataFile, Part
from exporter.store.archive.manifest import SUFFIX, Manifest, ManifestColumn, ManifestFile, parse
from exporter.store.archive.place import Format, Place
from exporter.store.migrate import latest_version
from exporter.store.queries import query
from exporter.store.retention.partitions import Partition, exact_count
from exporter.store.retention.retire import Archived
from exporter.store.session import Connection

log = logging.getLogger(__name__)
_PACKAGE = __package__
Some = TypeVar("Some")

_LONGEST_REST_S = 2.0


@dataclass(frozen=True, slots=True)
class Begun:
    """An archive that is noted in the database, and not there yet."""

    number: int
    stem: str


class PartitionArchiver:
    """Archives partitions in one place, for exporter.store.retention.run."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._tidied = False

    def store(self, connection: Connection, partition: Partition) -> Archived:
        """Writes a partition and reads it back; or finds that an earlier run did, and nothing came since.

        Raises RetentionError: then what was written is no archive, and is removed by a later run.
        """
        newest = self._newest(connection, partition)
        if newest is not None and self._still_good(connection, partition, newest):
            return newest
        if not self._tidied:
            tidy(connection, self._place)
            self._tidied = True
        begun = begin(connection, self._place, partition, self._place.format)
        try:
            manifest = self._write(connection, partition, begun)
        except (RetentionError, psycopg.Error):
            self._place.discard(begun.stem)
            raise
        end(connection, begun, manifest)
        return Archived(begun.stem + SUFFIX, manifest.events, manifest.bytes, fresh=True)

    def _write(self, connection: Connection, partition: Partition, begun: Begun) -> Manifest:
        of, content, seen = columns(connection), Content(), set[int]()
        # Closed where writing fails: a COPY that nobody ends keeps the connection from all else.
        with closing(frames(connection, partition.table, of)) as found:
            parts = _parts(found, of, seen)
            data = list(files.write(self._place, begun.stem, self._place.format, parts, of, content))
        sources = self._write_sources(connection, begun.stem, seen)
        manifest = Manifest(
            retention_class=partition.retention_class,
            partition=partition.name,
            range_start=partition.start,
            range_end=partition.end,
            created_at=datetime.now(UTC),
            schema_version=latest_version(),
            format=self._place.format,
            events=content.events,
            sha256=content.sha256,
            columns=tuple(ManifestColumn(name=column.name, type=column.type) for column in of),
            files=tuple(map(described, data)),
            sources=described(sources),
        )
        publish(self._place, begun, manifest)
        return manifest

    def _newest(self, connection: Connection, partition: Partition) -> Archived | None:
        """The archive of the partition that an earlier run made here."""
        values = {"relation": partition.relation, "location": self._place.location}
        row = connection.execute(query("finished_archive", _PACKAGE), values).fetchone()
        if row is None:
            return None
        manifest, events, size = row
        return Archived(manifest, events, size, fresh=False)

    def _still_good(self, connection: Connection, partition: Partition, archived: Archived) -> bool:
        """Whether it has what the partition has: that it was verified once says nothing of what came later."""
        if archived.events != exact_count(connection, partition.name) or not self._place.has(archived.manifest):
            return False
        try:
            check(self._place, parse(self._place, archived.manifest))
        except RetentionError as failure:
            log.warning("%s is archived anew: %s", partition.name, failure)
            return False
        return True

    def _write_sources(self, connection: Connection, stem: str, seen: set[int]) -> DataFile:
        name, count = f"{stem}-sources.jsonl.zst", 0
        with (
            self._place.writing(name) as sink,
            pa.PythonFile(sink, mode="w") as file,
            pa.CompressedOutputStream(file, "zstd") as packed,
        ):
            for _, text in connection.execute(query("sources", _PACKAGE), (sorted(seen),)):
                packed.write(text.encode() + b"\n")
                count += 1
        return DataFile(sink.stored(name), count)


def begin(connection: Connection, place: Place, partition: Partition, form: Format) -> Begun:
    """Notes that an archive is being written, under a name that no other has."""
    name = partition.retention_class
    row = connection.execute(query("next_archive", _PACKAGE)).fetchone()
    assert row is not None
    number = row[0]
    # The number tells archives of one day apart. Another database may use it in the same place: what that one archives
    # and what this one leaves unfinished, and removes, must never have the same name.
    stem = f"{name}/{partition.start:%Y}/{name}-{partition.start:%Y%m%d}-{number:06d}-{secrets.token_hex(4)}"
    connection.execute(
        query("begin_archive", _PACKAGE),
        {
            "id": number,
            "relation": partition.relation,
            "retention_class": name,
            "partition": partition.name,
            "start": partition.start,
            "end": partition.end,
            "location": place.location,
            "manifest": stem + SUFFIX,
            "format": form,
        },
    )
    return Begun(number, stem)


def publish(place: Place, begun: Begun, manifest: Manifest) -> None:
    """Reads back what was written, and gives it its names: afterwards it is an archive. Raises RetentionError."""
    check(place, manifest, partial=True)
    with place.writing(begun.stem + SUFFIX) as sink:
        sink.write(manifest.text().encode())
    # The manifest last: with it, the archive is one.
    place.settle([*(file.name for file in manifest.files), manifest.sources.name, begun.stem + SUFFIX])


def end(connection: Connection, begun: Begun, manifest: Manifest) -> None:
    """Notes that the archive is there."""
    values = {"id": begun.number, "events": manifest.events, "bytes": manifest.bytes, "sha256": manifest.sha256}
    connection.execute(query("end_archive", _PACKAGE), values)


def tidy(connection: Connection, place: Place) -> None:
    """Removes what interrupted runs left in a place, and archives that were rewritten."""
    rows = connection.execute(query("unfinished_archives", _PACKAGE), (place.location,)).fetchall()
    for number, manifest in rows:
        place.remove_like(manifest.removesuffix(SUFFIX))
        connection.execute(query("forget_archive", _PACKAGE), (number,))
    for (manifest,) in connection.execute(query("superseded_archives", _PACKAGE), (place.location,)).fetchall():
        place.remove_like(manifest.removesuffix(SUFFIX))
        values = {"location": place.location, "manifest": manifest}
        connection.execute(query("forget_superseded", _PACKAGE), values)


def check(place: Place, manifest: Manifest, *, partial: bool = False) -> None:
    """Reads an archive through; raises RetentionError where it is not what the manifest says."""
    of, content = manifest.event_columns(), Content()
    for file in manifest.files:
        before = content.events
        place.check(file.stored, partial=partial)
        for some in _paced(files.read(place, file.name, of, partial=partial)):
            content.add(some)
        if content.events - before != file.events:
            raise _other(place, file.name, f"{content.events - before} events instead of {file.events}")
    place.check(manifest.sources.stored, partial=partial)
    if (content.events, content.sha256) != (manifest.events, manifest.sha256):
        raise _other(place, manifest.partition, f"events with SHA-256 {content.sha256} instead of {manifest.sha256}")


def _other(place: Place, name: str, what: str) -> RetentionError:
    return RetentionError(
        f"archive {place.location}: {name} has {what}: what was read back is not what was written; restore the "
        "archive from a backup, or let the next run write it anew"
    )


def described(file: DataFile) -> ManifestFile:
    """A file as the manifest has it."""
    stored = file.stored
    return ManifestFile(name=stored.name, events=file.events, bytes=stored.bytes, sha256=stored.sha256)


def _parts(some: Iterable[pl.DataFrame], of: list[Column], seen: set[int]) -> Iterator[Part]:
    """The frames with their lines; the numbers of their sources are noted."""
    for frame in _paced(some):
        seen.update(frame["source_id"].unique().to_list())
        yield Part(lines(frame, of), frame)


def _paced(parts: Iterable[Some]) -> Iterator[Some]:
    """The parts, with a rest behind each: whoever writes has the processors for two thirds of the time."""
    began = time.monotonic()
    for part in parts:
        yield part
        time.sleep(min(2 * (time.monotonic() - began), _LONGEST_REST_S))
        began = time.monotonic()
