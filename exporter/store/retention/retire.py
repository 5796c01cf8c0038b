"""One expired partition on its way out: held events copied, archived where that is wanted, detached, dropped.

Whatever the moment at which the process ends: an attached partition is still whole, a detached one is in
audit.retiring, and the drop is one transaction with all that has to be true after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from exporter.errors import RetentionError
from exporter.store.queries import query
from exporter.store.retention import journal
from exporter.store.retention.holds import Hold, active, copy_held
from exporter.store.retention.partitions import (
    Partition,
    attach,
    detach,
    event_columns,
    exact_count,
    quick_count,
    statement,
    table,
)
from exporter.store.session import Connection

_PACKAGE = __package__


@dataclass(frozen=True, slots=True)
class Archived:
    """A verified archive of a partition: where its manifest is, how many events and bytes it has."""

    manifest: str
    events: int
    bytes: int
    fresh: bool  # False: an earlier run made it


class Archiver(Protocol):
    """What writes a partition somewhere else, and has verified it when `store` returns."""

    def store(self, connection: Connection, partition: Partition) -> Archived:
        """Raises RetentionError with the remedy; then nothing may be dropped."""
        ...


@dataclass(frozen=True, slots=True)
class Gone:
    """What was dropped. `events` is an estimate unless `exact`; `held` of them were copied first."""

    events: int
    exact: bool
    bytes: int
    held: int


@dataclass(frozen=True, slots=True)
class Leftover:
    """A partition that an earlier run began to retire."""

    partition: Partition
    archived_events: int | None
    attached: bool
    present: bool


def leftovers(connection: Connection) -> list[Leftover]:
    """What earlier runs left in between, the oldest first."""
    found = []
    for row in connection.execute(query("retiring", _PACKAGE)).fetchall():
        relation, name, retention_class, start, end, archived, keep, attached, pending, present, size = row
        partition = Partition(retention_class, keep, relation, name, pending, start, end, 0, size)
        found.append(Leftover(partition, archived, attached and not pending, present))
    return found


def retire(connection: Connection, partition: Partition, archived: Archived | None) -> Gone:
    """Detaches and drops an attached partition, which was archived if it had to be.

    Raises RetentionError where somebody holds on to it, or more events came after the archive: then it is kept.
    """
    copy_ahead(connection, active(connection), partition)
    connection.execute(
        query("begin_retiring", _PACKAGE),
        {
            "relation": partition.relation,
            "partition": partition.name,
            "retention_class": partition.retention_class,
            "start": partition.start,
            "end": partition.end,
            "archived": archived.events if archived else None,
        },
    )
    return finish(connection, partition, archived.events if archived else None)


def finish(connection: Connection, partition: Partition, archived_events: int | None) -> Gone:
    """Detaches a partition, however far that came before, and drops it."""
    detach(connection, partition.retention_class, partition.name, partition.relation)
    if archived_events is not None and (count := exact_count(connection, partition.name)) != archived_events:
        take_back(connection, partition)
        raise RetentionError(
            f"{partition.name} has {count} events and its archive {archived_events}: some arrived meanwhile; "
            "the next run archives it anew"
        )
    return _drop(connection, partition)


def take_back(connection: Connection, partition: Partition) -> None:
    """Makes a detached partition one again, because it is not to go.

    Where late events of its day have got another partition meanwhile, its own events go there.
    """
    values = {"retention_class": partition.retention_class, "start": partition.start, "end": partition.end}
    with connection.transaction():
        _unload_returned(connection, partition)
        row = connection.execute(query("partition_of_range", _PACKAGE), values).fetchone()
        if row is None:
            attach(connection, partition.retention_class, partition.name, partition.start, partition.end)
        else:
            _move(connection, partition, row[0])
            connection.execute(query("summarise_anew", _PACKAGE), values)
        connection.execute(query("end_retiring", _PACKAGE), (partition.relation,))


def forget_leftover(connection: Connection, leftover: Leftover) -> None:
    """Of a partition that somebody else attached again, or dropped, nothing else is left to do."""
    with connection.transaction():
        if leftover.present:
            _unload_returned(connection, leftover.partition)
        connection.execute(query("end_retiring", _PACKAGE), (leftover.partition.relation,))


def copy_ahead(connection: Connection, holds: Sequence[Hold], partition: Partition) -> None:
    """Copies what is held while the partition still shows it, so that it is never out of sight."""
    if holds:
        with connection.transaction():
            copy_held(connection, holds, partition)


def _unload_returned(connection: Connection, partition: Partition) -> None:
    """What was restored while it was away would be there twice."""
    values = {"retention_class": partition.retention_class, "relation": partition.relation}
    connection.execute(query("unload_returned", _PACKAGE), values)


def _move(connection: Connection, partition: Partition, to: int) -> None:
    parts = {"parent": table(f"events_{partition.retention_class}"), "table": partition.table}
    moved = connection.execute(statement("move_back", columns=event_columns(connection), **parts)).rowcount
    connection.execute(query("held_elsewhere", _PACKAGE), {"relation": partition.relation, "to": to})
    values = {"partition": partition.name, "relation": partition.relation, "events": moved}
    connection.execute(query("retire_leaves", _PACKAGE), values)
    connection.execute(statement("drop", table=partition.table))


def _drop(connection: Connection, partition: Partition) -> Gone:
    with connection.transaction():
        connection.execute(query("no_new_holds", _PACKAGE))
        # Again: what arrived, and which holds were created, after the first copy.
        held = copy_held(connection, active(connection), partition)
        events, exact = quick_count(connection, partition.relation, partition.name)
        values = {"partition": partition.name, "relation": partition.relation, "events": events}
        connection.execute(query("retire_leaves", _PACKAGE), values)
        connection.execute(query("only_held", _PACKAGE), (partition.relation,))
        connection.execute(statement("drop", table=partition.table))
        connection.execute(query("end_retiring", _PACKAGE), (partition.relation,))
        journal.note(
            connection,
            "retention.partition_dropped",
            f"{partition.name} dropped: {'' if exact else 'about '}{events} events of {partition.start:%Y-%m-%d}"
            + (f", {held} of them are held" if held else ""),
            target=("partition", partition.name),
            attributes={
                "retention.class": partition.retention_class,
                "retention.from": partition.start.isoformat(),
                "retention.to": partition.end.isoformat(),
                "retention.events": events,
                "retention.bytes": partition.bytes,
                "retention.held": held,
            },
        )
    return Gone(events, exact, partition.bytes, held)


def all_of_it(holds: Sequence[Hold]) -> Hold | None:
    """The hold that wants every event: partitions stay as they are, nothing has to be copied."""
    return next((hold for hold in holds if hold.match is None), None)


def expired(found: Sequence[Partition], moment: datetime) -> list[Partition]:
    """Those whose whole range is older than their class is kept."""
    return [partition for partition in found if partition.expired(moment)]
