"""Writes partitions into a place, and verifies them there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa

from exporter.errors import RetentionError
from exporter.store.archive import files
from exporter.store.archive.content import columns, frames
from exporter.store.archive.files import Content, DataFile
from exporter.store.archive.manifest import SUFFIX, Manifest, ManifestColumn, ManifestFile
from exporter.store.archive.place import Place
from exporter.store.migrate import latest_version
from exporter.store.queries import query
from exporter.store.retention.partitions import Partition, exact_count
from exporter.store.retention.retire import Archived
from exporter.store.session import Connection

_PACKAGE = __package__


class PartitionArchiver:
    """Archives partitions in one place, for exporter.store.retention.run."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._tidied = False

    def store(self, connection: Connection, partition: Partition) -> Archived:
        """Writes a partition and reads it back; or finds that an earlier run did, and nothing came since.

        Raises RetentionError: then what was written is no archive, and is removed by a later run.
        """
        known = self._known(connection, partition)
        if known is not None:
            return known
        self._tidy(connection)
        number, stem = self._begin(connection, partition)
        of, content, seen = columns(connection), Content(), set[int]()
        events = _noting(frames(connection, partition.table, of), seen)
        data = list(files.write(self._place, stem, events, of, content))
        sources = self._write_sources(connection, stem, seen)
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
            files=tuple(map(_described, data)),
            sources=_described(sources),
        )
        check(self._place, manifest, partial=True)
        with self._place.writing(stem + SUFFIX) as sink:
            sink.write(manifest.text().encode())
        # The manifest last: with it, the archive is one.
        self._place.settle([*(file.stored.name for file in data), sources.stored.name, stem + SUFFIX])
        values = {"id": number, "events": manifest.events, "bytes": manifest.bytes, "sha256": manifest.sha256}
        connection.execute(query("end_archive", _PACKAGE), values)
        return Archived(stem + SUFFIX, manifest.events, manifest.bytes, fresh=True)

    def _known(self, connection: Connection, partition: Partition) -> Archived | None:
        values = {"relation": partition.relation, "location": self._place.location}
        row = connection.execute(query("finished_archive", _PACKAGE), values).fetchone()
        if row is None or row[1] != exact_count(connection, partition.name):
            return None
        if row[0] not in self._place.names(SUFFIX):
            return None
        manifest, events, size = row
        return Archived(manifest, events, size, fresh=False)

    def _tidy(self, connection: Connection) -> None:
        """Removes what interrupted runs left in the place, once a run."""
        if self._tidied:
            return
        for number, manifest in connection.execute(
            query("unfinished_archives", _PACKAGE), (self._place.location,)
        ).fetchall():
            self._place.remove_like(manifest.removesuffix(SUFFIX))
            connection.execute(query("forget_archive", _PACKAGE), (number,))
        self._tidied = True

    def _begin(self, connection: Connection, partition: Partition) -> tuple[int, str]:
        row = connection.execute(query("next_archive", _PACKAGE)).fetchone()
        assert row is not None
        number: int = row[0]
        name = partition.retention_class
        # The number tells archives of one day apart: late events may make a second partition of it.
        stem = f"{name}/{partition.start:%Y}/{name}-{partition.start:%Y%m%d}-{number:06d}"
        connection.execute(
            query("begin_archive", _PACKAGE),
            {
                "id": number,
                "relation": partition.relation,
                "retention_class": name,
                "partition": partition.name,
                "start": partition.start,
                "end": partition.end,
                "location": self._place.location,
                "manifest": stem + SUFFIX,
                "format": self._place.format,
            },
        )
        return number, stem

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


def check(place: Place, manifest: Manifest, *, partial: bool = False) -> None:
    """Reads an archive through; raises RetentionError where it is not what the manifest says."""
    of, content = manifest.event_columns(), Content()
    for file in manifest.files:
        before = content.events
        place.check(file.stored, partial=partial)
        for some in files.read(place, file.name, of, partial=partial):
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


def _described(file: DataFile) -> ManifestFile:
    stored = file.stored
    return ManifestFile(name=stored.name, events=file.events, bytes=stored.bytes, sha256=stored.sha256)


def _noting(some: Iterable[pl.DataFrame], seen: set[int]) -> Iterator[pl.DataFrame]:
    """The frames, with the numbers of their sources noted."""
    for frame in some:
        seen.update(frame["source_id"].unique().to_list())
        yield frame
