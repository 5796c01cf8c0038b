"""A person in archives: found there, and forgotten there, by the rules that hold for stored events.

An archive is never changed. Another is written with the pseudonym, verified, and takes its place; only then is the old
one removed. Whatever the moment at which the process ends, there is one of them, and the next order or run goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from exporter.errors import RetentionError
from exporter.store.archive import files, incoming
from exporter.store.archive.content import Column, columns, lines
from exporter.store.archive.files import Content, DataFile, Part
from exporter.store.archive.manifest import SUFFIX, Manifest, manifests
from exporter.store.archive.place import Place
from exporter.store.archive.store import begin, check, described, end, publish, tidy
from exporter.store.forget.order import Concerned, Order
from exporter.store.queries import query
from exporter.store.retention.partitions import Partition
from exporter.store.session import Connection

_PACKAGE = __package__
# What JSON may write in another way than it is.
_ESCAPED = re.compile(r'["\\/\x00-\x1f\x7f]')


class PersonInArchives:
    """The archives of one place, for exporter.store.forget."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @property
    def location(self) -> str:
        """Where they are."""
        return self._place.location

    def find(self, connection: Connection, order: Order) -> Iterator[Concerned]:
        """The archives that have events of the person, each read through once. Raises RetentionError."""
        for found, _ in self._concerned(connection, order):
            yield found

    def rewrite(self, connection: Connection, order: Order) -> Iterator[Concerned]:
        """The same, each rewritten with the order's pseudonym and noted with the order. Raises RetentionError."""
        tidy(connection, self._place)
        for found, manifest in self._concerned(connection, order):
            yield self._replace(connection, found, manifest, order)

    def _concerned(self, connection: Connection, order: Order) -> Iterator[tuple[Concerned, Manifest]]:
        incoming.prepare(connection)
        for name, manifest in manifests(self._place):
            events = self._count(connection, manifest, order)
            if events:
                yield Concerned(name, events), manifest

    def _count(self, connection: Connection, manifest: Manifest, order: Order) -> int:
        of, events = manifest.event_columns(), 0
        for file in manifest.files:
            for some in files.read(self._place, file.name, of):
                likely = some.filter(_likely(some, order.names))
                if len(likely):
                    with connection.transaction():
                        incoming.take_in(connection, likely)
                        events += incoming.forget(connection, order, count_only=True)
        return events

    def _replace(self, connection: Connection, found: Concerned, manifest: Manifest, order: Order) -> Concerned:
        check(self._place, manifest)
        of = manifest.event_columns()
        unknown = {column.name for column in of} - {column.name for column in columns(connection)}
        if unknown:
            raise RetentionError(
                f"archive {self.location}: {found.manifest}: no column {', '.join(sorted(unknown))} is known; "
                "use the newer auditgraf that wrote it"
            )
        begun = begin(connection, self._place, self._origin(connection, found.manifest, manifest), manifest.format)
        content, pseudonymised = Content(), _Pseudonymised(connection, order, of)
        parts = (pseudonymised(part) for part in self._parts(manifest, of))
        data = list(files.write(self._place, begun.stem, manifest.format, parts, of, content))
        sources = files.copy(self._place, manifest.sources.name, f"{begun.stem}-sources.jsonl.zst")
        made = manifest.model_copy(
            update={
                "events": content.events,
                "sha256": content.sha256,
                "files": tuple(map(described, data)),
                "sources": described(DataFile(sources, manifest.sources.events)),
                "forget_orders": (*manifest.forget_orders, order.id),
                "rewritten_at": datetime.now(UTC),
            }
        )
        if (made.events, pseudonymised.events) != (manifest.events, found.events):
            raise RetentionError(
                f"archive {self.location}: {found.manifest} changed while it was rewritten: {made.events} of "
                f"{manifest.events} events, {pseudonymised.events} of {found.events} of the person; it stays as it is, "
                "give the same command again"
            )
        publish(self._place, begun, made)
        rewritten = begun.stem + SUFFIX
        with connection.transaction():
            end(connection, begun, made)
            values = {"location": self.location, "manifest": found.manifest}
            connection.execute(query("supersede_archive", _PACKAGE), values)
            noted = {**values, "order": order.id, "events": found.events, "rewritten_as": rewritten}
            connection.execute(query("note_archive", "exporter.store.forget"), noted)
            sealed = {"retention_class": made.retention_class, "sha256": made.sha256}
            connection.execute(query("seal_rewritten", _PACKAGE), {**noted, **sealed})
        tidy(connection, self._place)
        return Concerned(found.manifest, found.events, rewritten)

    def _parts(self, manifest: Manifest, of: Sequence[Column]) -> Iterator[Part]:
        for file in manifest.files:
            yield from files.parts(self._place, file.name, of)

    def _origin(self, connection: Connection, name: str, manifest: Manifest) -> Partition:
        values = {"location": self.location, "manifest": name}
        row = connection.execute(query("archived_relation", _PACKAGE), values).fetchone()
        # An archive of another database: no partition here has the oid 0.
        relation = int(row[0]) if row else 0
        place = (manifest.retention_class, None, relation, manifest.partition, False)
        return Partition(*place, manifest.range_start, manifest.range_end, manifest.events, manifest.bytes)


@dataclass(slots=True)
class _Pseudonymised:
    """Parts of an archive as they are to be; `events` of them were the person's so far."""

    connection: Connection
    order: Order
    of: Sequence[Column]
    events: int = field(default=0)

    def __call__(self, part: Part) -> Part:
        mask = _likely(part.lines, self.order.names)
        if not mask.any():
            return part
        with self.connection.transaction():
            incoming.take_in(self.connection, part.lines.filter(mask))
            self.events += incoming.forget(self.connection, self.order)
            changed = incoming.given_back(self.connection, self.of)
        # Neither id nor time has changed, so all stays in its place.
        texts = part.lines.to_list()
        for index, text in zip(mask.arg_true(), lines(changed, self.of), strict=True):
            texts[index] = text
        frame = part.frame
        if frame is not None:
            frame = pl.concat([frame.filter(~mask), changed]).sort("id", "occurred_at")
        return Part(pl.Series(texts, dtype=pl.String), frame)


def _likely(some: pl.Series, names: Sequence[str]) -> pl.Series:
    """Which lines could name the person: never too few, whatever JSON does to a name."""
    fragments = [max(_ESCAPED.split(name), key=len) for name in names]
    if not all(fragments):
        return pl.repeat(True, len(some), dtype=pl.Boolean, eager=True)
    return some.str.to_lowercase().str.contains_any(fragments)
