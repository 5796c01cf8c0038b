"""An order to forget: table by table, each in a transaction of its own, so that it can be interrupted and go on."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from exporter.errors import RetentionError
from exporter.store.queries import query
from exporter.store.retention import journal
from exporter.store.retention.holds import active, copy_held
from exporter.store.retention.owner import alone, as_owner
from exporter.store.retention.partitions import Partition, partitions
from exporter.store.session import Connection

_PACKAGE = __package__
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
class Preview:
    """What an order would find: events by table; by which names; and what else the person seems to be called."""

    names: tuple[str, ...]
    events: dict[str, int]
    also_seen: tuple[str, ...]
    earlier: tuple[Earlier, ...]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """An order that is done. `holds`: those in force whose words name the person. `archives`: those that do."""

    order: int
    pseudonym: str
    events: int
    quarantined: int
    holds: tuple[int, ...]
    archives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Order:
    id: int
    pseudonym: str
    names: list[str]


def preview(url: str, actor: str, *, also: Collection[str] = ()) -> Preview:
    """Counts what `forget` would change, and changes nothing."""
    with as_owner(url) as connection:
        names = _names(connection, actor, also)
        found: dict[str, int] = {}
        for table in [*(partition.name for partition in partitions(connection)), *_OTHER_TABLES]:
            count = _forget_in(connection, table, _Order(0, "", names), count_only=True)
            if count:
                found[table] = count
        rows = connection.execute(query("seen_names", _PACKAGE), {"actor": actor, "names": names})
        seen = tuple(row[0] for row in rows)
        earlier = tuple(_earlier(row) for row in _orders(connection, actor))
        return Preview(tuple(names), found, seen, earlier)


def forget(
    url: str,
    writer_url: str,
    actor: str,
    *,
    by: str,
    text: str | None = None,
    also: Collection[str] = (),
    archives: Callable[[Collection[str]], Sequence[str]] = lambda names: (),
    report: Callable[[str, int], None] = lambda table, events: None,
) -> Forgotten:
    """Pseudonymises a person everywhere but in archives and quarantined records, which are named in the answer.

    `actor`: the id; `also`: what else the person is called (names, addresses). An order that was interrupted goes on
    with the pseudonym that it had. `archives` answers which of them have one of the names; `report` gets each table and
    how many of its events were changed. Raises RetentionError, StoreUnavailableError.
    """
    with as_owner(url) as connection, alone(connection) as mine:
        if not mine:
            raise RetentionError("a run of retention is under way; try again when it has ended")
        order = _order(connection, actor, also, by, text)
        done = {row[0] for row in connection.execute(query("done_tables", _PACKAGE), (order.id,))}
        while left := [part for part in partitions(connection) if part.name not in done and not part.pending]:
            for partition in left:
                report(partition.name, _in_partition(connection, order, partition))
                done.add(partition.name)
        for table in _OTHER_TABLES:
            if table not in done:
                with connection.transaction():
                    touched = _forget_in(connection, table, order)
                    _note_progress(connection, order, table, touched)
                report(table, touched)
        forgotten = _finish(connection, order, archives(order.names), by, text)
        journal.announce(connection, writer_url)
        return forgotten


def _in_partition(connection: Connection, order: _Order, partition: Partition) -> int:
    with connection.transaction():
        holds = [hold for hold in active(connection) if hold.match is not None]
        if holds and _forget_in(connection, partition.name, order, count_only=True):
            # Afterwards their filters would no longer find the person's events.
            copy_held(connection, holds, partition)
        touched = _forget_in(connection, partition.name, order)
        if touched:
            connection.execute(query("forget_summaries", _PACKAGE), (partition.retention_class, partition.start))
        _note_progress(connection, order, partition.name, touched)
    return touched


def _finish(connection: Connection, order: _Order, archives: Sequence[str], by: str, text: str | None) -> Forgotten:
    values = {"names": order.names, "pseudonym": order.pseudonym}
    holds = tuple(row[0] for row in connection.execute(query("holds_naming", _PACKAGE), values))
    row = connection.execute(query("quarantined", _PACKAGE), (order.names,)).fetchone()
    quarantined = int(row[0]) if row else 0
    with connection.transaction():
        connection.execute(query("forget_in_records", _PACKAGE), values)
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
                **({"forget.order_text": text} if text else {}),
            },
        )
    return Forgotten(order.id, order.pseudonym, events, quarantined, holds, tuple(archives))


def _order(connection: Connection, actor: str, also: Collection[str], by: str, text: str | None) -> _Order:
    for number, _, finished_at, pseudonym, names, _ in _orders(connection, actor):
        if finished_at is None:
            if not {name.strip().lower() for name in also} <= set(names):
                raise RetentionError(
                    f"order {number} about this person was interrupted, under other names: finish it without --also "
                    "first, then give a new order"
                )
            return _Order(number, pseudonym, names)
    names = _names(connection, actor, also)
    # Random: no table of names leads back from it.
    pseudonym = f"person-{secrets.token_hex(8)}"
    values = {"by": by, "text": text, "pseudonym": pseudonym, "hash": _hash(connection, actor), "names": names}
    row = connection.execute(query("add_order", _PACKAGE), values).fetchone()
    assert row is not None
    return _Order(row[0], pseudonym, names)


def _names(connection: Connection, actor: str, also: Collection[str]) -> list[str]:
    """What the person is called, in lower case: as given, and addresses that nobody else uses."""
    given = [name.strip() for name in (actor, *also)]
    if not all(given):
        raise RetentionError("an empty name would mean everybody; name the person")
    if journal.SERVICE in (name.lower() for name in given):
        raise RetentionError(f"{journal.SERVICE} is no person: its events say what retention did")
    rows = connection.execute(query("own_addresses", _PACKAGE), {"actor": given[0]})
    return sorted({*(name.lower() for name in given), *(row[0] for row in rows)})


def _orders(connection: Connection, actor: str) -> list[tuple[Any, ...]]:
    return connection.execute(query("earlier_orders", _PACKAGE), (_hash(connection, actor),)).fetchall()


def _earlier(row: tuple[Any, ...]) -> Earlier:
    number, at, finished_at, pseudonym, _, events = row
    return Earlier(number, at, finished_at is not None, pseudonym, events)


def _hash(connection: Connection, actor: str) -> bytes:
    row = connection.execute(query("key", _PACKAGE)).fetchone()
    assert row is not None
    return hmac.digest(row[0], actor.strip().lower().encode(), hashlib.sha256)


def _forget_in(connection: Connection, table: str, order: _Order, *, count_only: bool = False) -> int:
    values = {"table": table, "order": order.id, "names": order.names, "pseudonym": order.pseudonym}
    row = connection.execute(query("forget_in", _PACKAGE), {**values, "count_only": count_only}).fetchone()
    assert row is not None
    return int(row[0])


def _note_progress(connection: Connection, order: _Order, table: str, events: int) -> None:
    connection.execute(query("done", _PACKAGE), {"order": order.id, "table": table, "events": events})
