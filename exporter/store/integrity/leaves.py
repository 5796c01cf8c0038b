"""The leaves of one partition, compared with what the links say of them, and with its events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from psycopg import sql

from exporter.store.integrity.chains import Sealed, Walk
from exporter.store.integrity.finding import Finding, Kind
from exporter.store.integrity.form import DIGEST
from exporter.store.integrity.link import FIRST, parse_covers
from exporter.store.queries import query
from exporter.store.session import Connection

_PACKAGE = __package__
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE = 2000
HELD = "held_events"
RESTORED = "restored_events"


@dataclass(frozen=True, slots=True)
class Tables:
    """A row of audit.leaf_tables, and what of it there is. `attached`: its events are in audit.events."""

    number: int
    partition: str
    leaves: str
    has_leaves: bool
    has_events: bool
    attached: bool
    retiring: bool


def tables(connection: Connection, numbers: list[int]) -> dict[int, Tables]:
    """The tables of these numbers that are known."""
    rows = connection.execute(query("leaf_tables", _PACKAGE), (numbers,))
    return {row[0]: Tables(*row) for row in rows}


def keep(connection: Connection, found: Tables) -> None:
    """Has what there is stay until the transaction ends. Raises UndefinedTable, LockNotAvailable."""
    there = [(found.partition, found.has_events), (found.leaves, found.has_leaves)]
    for name in (name for name, has in there if has):
        connection.execute(sql.SQL(query("keep", _PACKAGE)).format(table=sql.Identifier("audit", name)))


def check(connection: Connection, walk: Walk, sealed: Sealed, found: Tables, allowance: Allowance) -> Iterator[Finding]:
    """All that is wrong with a partition's leaves and events. Within a transaction, to which `walk` was extended."""
    leaves = sql.Identifier("audit", found.leaves)
    yield from _rows(connection, walk, sealed, leaves)
    events = _source(found.partition, sealed.retention_class)
    standing = sql.SQL(query("standing", _PACKAGE)).format(leaves=leaves) if sealed.removed else sql.SQL("true")
    parts: dict[str, sql.Composable] = {"leaves": leaves, "digest": DIGEST, "events": events, "standing": standing}
    if sealed.removed:
        for identity, chain, sequence, made_at in _stream(connection, "unfounded", parts):
            if allowance.any:
                allowance.replaced += 1
                continue
            text = f"event {identity} was changed before link {sequence} of chain {chain} replaced it"
            yield _of(sealed, "unfounded", text, identity, (chain, sequence, made_at))
    for _, group in groupby(_stream(connection, "differences", parts), key=lambda row: row[0]):
        yield from _differing(sealed, list(group), allowance)
    if sealed.unsealed < 0:
        text = f"{-sealed.unsealed} more events were sealed late than there were before sealing began"
        yield _of(sealed, "not_sealed", text)
    if allowance.any and allowance.exceeded:
        text = f"{allowance.exceeded} more events than there were before sealing began have no leaf"
        yield _of(sealed, "not_sealed", text)


def count_events(connection: Connection, table: str, retention_class: str) -> int:
    """How many events a partition, or a class's held ones, have."""
    source = _source(table, retention_class)
    row = connection.execute(sql.SQL(query("count_events", _PACKAGE)).format(events=source)).fetchone()
    assert row is not None
    return int(row[0])


@dataclass(slots=True)
class Allowance:
    """Events that were there before sealing began need no leaf; which they were, nobody knows, but how many."""

    allowed: int
    closed: bool = False  # they were sealed late: none is without a leaf any more
    events: int = 0  # that are there, without a leaf
    replaced: int = 0  # by an order: they have a leaf since

    @property
    def any(self) -> bool:
        return self.allowed > 0

    @property
    def exceeded(self) -> int:
        return max(self.events + self.replaced - self.allowed, 0)


def _rows(connection: Connection, walk: Walk, sealed: Sealed, leaves: sql.Identifier) -> Iterator[Finding]:
    seen = Sealed(sealed.number, sealed.retention_class, sealed.day)
    for chain, sequence, adds, removes, sha256, covers in _stream(connection, "leaf_rows", {"leaves": leaves}):
        seen.add_row(chain, sequence)
        if covers is None or sequence > walk.heads.get(chain, (0, FIRST))[0]:
            text = f"digests of events hang on link {sequence} of chain {chain}, which is not there"
            yield _of(sealed, "leaves_changed", text, None, (chain, sequence, None))
        elif (adds / 48, removes / 48, sha256) not in _covered(covers, sealed.number):
            text = f"digests of events are not those that link {sequence} of chain {chain} sealed"
            yield _of(sealed, "leaves_changed", text, None, (chain, sequence, None))
    if (seen.rows, seen.mixed) == (sealed.rows, sealed.mixed):
        return
    statement = sql.SQL(query("links_without_leaves", _PACKAGE)).format(leaves=leaves)
    for chain, sequence, made_at, covers in connection.execute(
        statement, {"line": f"(?n)^{sealed.number} "}
    ).fetchall():
        count = sum(adds for adds, removes, _ in _covered(covers, sealed.number) if adds or removes)
        if count:
            text = f"the digests of {count} events that link {sequence} of chain {chain} sealed are gone"
            yield _of(sealed, "leaves_deleted", text, None, (chain, sequence, made_at))


def _covered(covers: str, number: int) -> set[tuple[float, float, str]]:
    """What a link says of a table of leaves: how many it adds, takes away, their SHA-256."""
    try:
        found = parse_covers(covers)
    except ValueError:
        return set()
    return {(cover.adds, cover.removes, cover.sha256) for cover in found if cover.leaf_table == number}


def _differing(sealed: Sealed, rows: list[tuple[Any, ...]], allowance: Allowance) -> Iterator[Finding]:
    """Of one id: events without their leaf, leaves without their event. One of each is an event that was changed."""
    there = [row for row in rows if row[2] is None]
    gone = [row for row in rows if row[2] is not None]
    for (identity, occurred_at, *_), (*_, chain, sequence, sealed_at) in zip(there, gone, strict=False):
        text = f"event {identity} was changed after it was stored"
        yield _of(sealed, "changed", text, identity, (chain, sequence, sealed_at), occurred_at)
    for identity, _, chain, sequence, sealed_at in gone[len(there) :]:
        yield _of(sealed, "deleted", f"event {identity} was deleted", identity, (chain, sequence, sealed_at))
    for identity, occurred_at, *_ in there[len(gone) :]:
        if allowance.any and not allowance.closed:
            allowance.events += 1
        else:
            text = f"event {identity} was inserted by another way than the collector's"
            yield _of(sealed, "inserted", text, identity, occurred_at=occurred_at)


def _of(
    sealed: Sealed,
    kind: Kind,
    text: str,
    identity: UUID | None = None,
    link: tuple[int | None, int | None, datetime | None] = (None, None, None),
    occurred_at: datetime | None = None,
) -> Finding:
    if identity is not None and occurred_at is None:
        occurred_at = _time_of(identity)
    return Finding(kind, text, sealed.retention_class, sealed.day, identity, occurred_at, *link)


def _time_of(identity: UUID) -> datetime | None:
    """The time that an event's id begins with; None for an id that no collector made."""
    try:
        return _EPOCH + timedelta(milliseconds=identity.int >> 80)
    except OverflowError:
        return None


def _source(table: str, retention_class: str) -> sql.Composable:
    if table not in (HELD, RESTORED):
        return sql.Identifier("audit", table)
    of_class = sql.SQL(query(table, _PACKAGE)).format(retention_class=sql.Literal(retention_class))
    return sql.SQL("({})").format(of_class)


def _stream(connection: Connection, name: str, parts: dict[str, sql.Composable]) -> Iterator[tuple[Any, ...]]:
    with connection.cursor(name) as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(sql.SQL(query(name, _PACKAGE)).format(**parts))
        yield from cursor
