"""An order to forget: table by table, each in a transaction of its own, so that it can be interrupted and go on."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from exporter.errors import RetentionError
from exporter.store.forget.recognise import hash_key, name_hash, note_names
from exporter.store.queries import query
from exporter.store.retention import journal
from exporter.store.retention.holds import active, copy_held
from exporter.store.retention.owner import alone, as_owner
from exporter.store.retention.partitions import Partition, partitions
from exporter.store.retention.retire import leftovers
from exporter.store.session import Connection

_PACKAGE = __package__
_NAME = "auditgraf forget"
# What has events outside of the classes' partitions. Held ones last: a hold copies what a partition has first.
_OTHER_TABLES = ("restored_events", "held_events")


@dataclass(frozen=True, slots=True)
class Earlier:
    """An order about the same person that was given before."""

    id: int
    at: datetime
    finished: bool
    pseudonym: str
    events: int


@dataclass(frozen=True, slots=True)
class Concerned:
    """An archive that has events of the person, or had: `rewritten` names the one that took its place."""

    manifest: str
    events: int
    rewritten: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """Whose names (in lower case) the pseudonym replaces."""

    id: int
    pseudonym: str
    names: list[str]


class Archives(Protocol):
    """What knows where archives are (exporter.store.archive.PersonInArchives)."""

    @property
    def location(self) -> str: ...

    def find(self, connection: Connection, order: Order) -> Iterator[Concerned]:
        """The archives that have events of the person. Raises RetentionError."""
        ...

    def rewrite(self, connection: Connection, order: Order) -> Iterator[Concerned]:
        """The same, each rewritten without the person and noted with the order. Raises RetentionError."""
        ...


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would find: events by table; by which names; what else the person seems to be called; archives."""

    names: tuple[str, ...]
    events: dict[str, int]
    also_seen: tuple[str, ...]
    earlier: tuple[Earlier, ...]
    archives: tuple[Concerned, ...]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """An order that is done. `holds`: those in force that name the person. `archives`: with the person's events."""

    order: int
    pseudonym: str
    events: int
    quarantined: int
    holds: tuple[int, ...]
    archives: tuple[Concerned, ...]


def preview(url: str, actor: str, *, also: Collection[str] = (), archives: Archives | None = None) -> Preview:
    """Counts what `forget` would change, and changes nothing."""
    with as_owner(url, _NAME) as connection:
        names = _names(connection, actor, also)
        found: dict[str, int] = {}
        for table in [*(partition.name for partition in _partitions(connection)), *_OTHER_TABLES]:
            count = _forget_in(connection, table, Order(0, "", names), count_only=True)
            if count:
                found[table] = count
        rows = connection.execute(query("seen_names", _PACKAGE), {"actor": actor, "names": names})
        seen = tuple(row[0] for row in rows)
        earlier = tuple(_earlier(row) for row in _orders(connection, actor))
        archived = () if archives is None else tuple(archives.find(connection, Order(0, "", names)))
        return Preview(tuple(names), found, seen, earlier, archived)


def forget(
    url: str,
    writer_url: str,
    actor: str,
    *,
    by: str,
    text: str | None = None,
    also: Collection[str] = (),
    archives: Archives | None = None,
    rewrite: bool = False,
    report: Callable[[str, int], None] = lambda table, events: None,
) -> Forgotten:
    """Pseudonymises a person everywhere but in quarantined records, and in archives where `rewrite` says so.

    `actor`: the id; `also`: what else the person is called (names, addresses). An order that was interrupted goes on
    with the pseudonym that it had. `report` gets each table or archive, and how many of its events were changed.
    Raises RetentionError, StoreUnavailableError.
    """
    with as_owner(url, _NAME) as connection, alone(url, _NAME) as mine:
        if not mine:
            raise RetentionError("a run of retention is under way; try again when it has ended")
        order = _order(connection, actor, also, by, text)
        done = {row[0] for row in connection.execute(query("done_tables", _PACKAGE), (order.id,))}
        while left := [part for part in _partitions(connection) if part.name not in done]:
            for partition in left:
                report(partition.name, _in_partition(connection, order, partition))
                done.add(partition.name)
        for table in _OTHER_TABLES:
            if table not in done:
                with connection.transaction():
                    touched = _forget_in(connection, table, order)
                    _note_progress(connection, order, table, touched)
                report(table, touched)
        if archives is not None:
            _in_archives(connection, order, archives, rewrite=rewrite, report=report)
        forgotten = _finish(connection, order, by, text)
        journal.announce(connection, writer_url)
        return forgotten


def _partitions(connection: Connection) -> list[Partition]:
    """All partitions, and what an interrupted run of retention has detached: it may become one again."""
    detached = [each.partition for each in leftovers(connection) if each.present and not each.attached]
    return list({partition.name: partition for partition in (*detached, *partitions(connection))}.values())


def _in_archives(
    connection: Connection, order: Order, archives: Archives, *, rewrite: bool, report: Callable[[str, int], None]
) -> None:
    if rewrite:
        for each in archives.rewrite(connection, order):
            report(each.manifest, each.events)
        return
    for each in archives.find(connection, order):
        values = {"location": archives.location, "manifest": each.manifest, "events": each.events}
        connection.execute(query("note_archive", _PACKAGE), {**values, "order": order.id, "rewritten_as": None})


def _in_partition(connection: Connection, order: Order, partition: Partition) -> int:
    with connection.transaction():
        # What a hold wants that is created meanwhile would be found neither before nor after.
        connection.execute(query("no_new_holds", "exporter.store.retention"))
        holds = [hold for hold in active(connection) if hold.match is not None]
        if holds and _forget_in(connection, partition.name, order, count_only=True):
            # Afterwards their filters would no longer find the person's events.
            copy_held(connection, holds, partition)
        touched = _forget_in(connection, partition.name, order)
        if touched:
            connection.execute(query("forget_summaries", _PACKAGE), (partition.retention_class, partition.start))
        _note_progress(connection, order, partition.name, touched)
    return touched


def _finish(connection: Connection, order: Order, by: str, text: str | None) -> Forgotten:
    values = {"names": order.names, "pseudonym": order.pseudonym}
    holds = tuple(row[0] for row in connection.execute(query("holds_naming", _PACKAGE), values))
    row = connection.execute(query("quarantined", _PACKAGE), (order.names,)).fetchone()
    quarantined = int(row[0]) if row else 0
    archives = tuple(Concerned(*row) for row in connection.execute(query("noted_archives", _PACKAGE), (order.id,)))
    with connection.transaction():
        row = connection.execute(query("finish", _PACKAGE), (order.id,)).fetchone()
        events = int(row[0]) if row else 0
        journal.note(
            connection,
            "person.forgotten",
            f"a person was forgotten under order {order.id}: {events} events pseudonymised",
            actor=by,
            target=("person", order.pseudonym),
            attributes={
                "forget.order": order.id,
                "forget.events": events,
                "forget.quarantined": quarantined,
                "forget.archives": len(archives),
                "forget.archives_rewritten": sum(each.rewritten is not None for each in archives),
                **({"forget.order_text": text} if text else {}),
            },
        )
        # After the note, whose words may name the person too.
        connection.execute(query("forget_in_records", _PACKAGE), values)
    return Forgotten(order.id, order.pseudonym, events, quarantined, holds, archives)


def _order(connection: Connection, actor: str, also: Collection[str], by: str, text: str | None) -> Order:
    for number, _, finished_at, pseudonym, names, _ in _orders(connection, actor):
        if finished_at is None:
            if not {name.strip().lower() for name in also} <= set(names):
                raise RetentionError(
                    f"order {number} about this person was interrupted, under other names: finish it without --also "
                    "first, then give a new order"
                )
            note_names(connection, number, names)
            return Order(number, pseudonym, names)
    names = _names(connection, actor, also)
    # Random: no table of names leads back from it.
    pseudonym = f"person-{secrets.token_hex(8)}"
    values = {"by": by, "text": text, "pseudonym": pseudonym, "hash": _hash(connection, actor), "names": names}
    with connection.transaction():
        row = connection.execute(query("add_order", _PACKAGE), values).fetchone()
        assert row is not None
        note_names(connection, row[0], names)
    return Order(row[0], pseudonym, names)


def _names(connection: Connection, actor: str, also: Collection[str]) -> list[str]:
    """What the person is called, in lower case: as given, and addresses that nobody else uses."""
    given = [name.strip() for name in (actor, *also)]
    if not all(given):
        raise RetentionError("an empty name would mean everybody; name the person")
    if journal.SERVICE in (name.lower() for name in given):
        raise RetentionError(f"{journal.SERVICE} is no person: its events say what retention did")
    # As Python writes it in lower case, for restores, and as PostgreSQL does: some letters have two ways.
    rows = connection.execute(query("in_lower_case", _PACKAGE), {"names": given}).fetchall()
    rows += connection.execute(query("own_addresses", _PACKAGE), {"actor": given[0]}).fetchall()
    return sorted({*(name.lower() for name in given), *(row[0] for row in rows)})


def _orders(connection: Connection, actor: str) -> list[tuple[Any, ...]]:
    return connection.execute(query("earlier_orders", _PACKAGE), (_hash(connection, actor),)).fetchall()


def _earlier(row: tuple[Any, ...]) -> Earlier:
    number, at, finished_at, pseudonym, _, events = row
    return Earlier(number, at, finished_at is not None, pseudonym, events)


def _hash(connection: Connection, actor: str) -> bytes:
    return name_hash(hash_key(connection), actor)


def _forget_in(connection: Connection, table: str, order: Order, *, count_only: bool = False) -> int:
    values = {"table": table, "order": order.id, "names": order.names, "pseudonym": order.pseudonym}
    row = connection.execute(query("forget_in", _PACKAGE), {**values, "count_only": count_only}).fetchone()
    assert row is not None
    return int(row[0])


def _note_progress(connection: Connection, order: Order, table: str, events: int) -> None:
    connection.execute(query("done", _PACKAGE), {"order": order.id, "table": table, "events": events})
