"""Partitions: made ahead of time, detached without blocking anybody, attached again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import errors, sql

from exporter.errors import RetentionError
from exporter.store.queries import query
from exporter.store.session import Connection

_PACKAGE = __package__
# A writer's transaction takes milliseconds, the reader's statements half a minute at most: who is still there after
# these tries holds on for longer (a backup, a forgotten session), and the next run is early enough.
_TRIES = 4
_PAUSE_S = 1.0
_FURTHEST_AHEAD = 14  # what audit.ensure_partitions makes


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of a class, as audit.partitions has it. `events` is an estimate; the range is half-open, in UTC."""

    retention_class: str
    keep: timedelta | None
    relation: int  # its oid
    name: str
    pending: bool  # a detach was begun and not finished
    start: datetime
    end: datetime
    events: int
    bytes: int

    @property
    def table(self) -> sql.Identifier:
        return table(self.name)

    @property
    def goes_at(self) -> datetime | None:
        """When all of it is older than its class is kept; None: never."""
        try:
            return None if self.keep is None else self.end + self.keep
        except OverflowError:
            return None

    def expired(self, now: datetime) -> bool:
        return self.goes_at is not None and self.goes_at <= now


def table(name: str) -> sql.Identifier:
    """A table of the schema audit."""
    return sql.Identifier("audit", name)


def statement(name: str, **parts: sql.Composable) -> sql.Composed:
    """A query of this package with tables, columns or conditions put in."""
    return sql.SQL(query(name, _PACKAGE)).format(**parts)


def partitions(connection: Connection) -> list[Partition]:
    """All partitions of all classes, the oldest first."""
    return [Partition(*row) for row in connection.execute(query("partitions", _PACKAGE))]


def event_columns(connection: Connection) -> sql.Composed:
    """The columns of an event, as a list."""
    return sql.SQL(", ").join(map(sql.Identifier, _event_columns(connection)))


def restored_columns(connection: Connection) -> sql.Composed:
    """The same of a restored event, as audit.events has them."""
    flagged = sql.SQL("array_append(flags, 'restored') AS flags")
    names = _event_columns(connection)
    return sql.SQL(", ").join(flagged if name == "flags" else sql.Identifier(name) for name in names)


def _event_columns(connection: Connection) -> list[str]:
    return [row[0] for row in connection.execute(query("template_columns", _PACKAGE))]


def exact_count(connection: Connection, name: str) -> int:
    row = connection.execute(statement("exact_count", table=table(name))).fetchone()
    assert row is not None
    return int(row[0])


def quick_count(connection: Connection, relation: int, name: str) -> tuple[int, bool]:
    """How many events a table has, and whether that is exact: only small ones are counted."""
    row = connection.execute(query("quick_count", _PACKAGE), {"relation": relation}).fetchone()
    if row is not None and row[0] is not None:
        return int(row[0]), False
    return exact_count(connection, name), True


def ensure_ahead(connection: Connection, retention_class: str, now: datetime, days: int) -> None:
    """Makes the partitions of today and of the days to come that are missing."""
    wanted = [now.date() + timedelta(days=ahead) for ahead in range(min(days, _FURTHEST_AHEAD) + 1)]
    connection.execute(query("ensure_partitions"), (retention_class, wanted))


def detach(connection: Connection, retention_class: str, name: str, relation: int) -> None:
    """Detaches a partition, or finishes a detach that was interrupted; neither readers nor writers wait for it.

    Raises RetentionError where somebody holds on to it. The detach may be half done then: its events are invisible, and
    the next call finishes it.
    """
    parts = {"parent": table(f"events_{retention_class}"), "table": table(name)}
    for attempt in range(_TRIES):
        pending = _pending(connection, relation)
        if pending is None:
            return
        try:
            if pending:
                connection.execute(statement("finalize", **parts))
            elif _is_free(connection, (retention_class, relation)):
                connection.execute(statement("detach", **parts))
        except (errors.LockNotAvailable, errors.QueryCanceled, errors.ObjectInUse, errors.DeadlockDetected):
            # Nobody waits meanwhile: what was begun is pending, and finished by the next try.
            pass
        if attempt < _TRIES - 1 and _pending(connection, relation) is not None:
            time.sleep(_PAUSE_S)
    if _pending(connection, relation) is not None:
        raise RetentionError(f"{name} is in use{_by_whom(connection, (retention_class, relation))}")


def attach(connection: Connection, retention_class: str, name: str, start: datetime, end: datetime) -> None:
    """Makes a detached table a partition again."""
    connection.execute(
        statement(
            "attach",
            parent=table(f"events_{retention_class}"),
            table=table(name),
            start=sql.Literal(start.isoformat()),
            end=sql.Literal(end.isoformat()),
        )
    )


def _pending(connection: Connection, relation: int) -> bool | None:
    """Whether a detach is begun; None where the table is no partition (any more)."""
    row = connection.execute(query("attachment", _PACKAGE), (relation,)).fetchone()
    return None if row is None else bool(row[0])


def _is_free(connection: Connection, place: tuple[str, int]) -> bool:
    """Whether no transaction that uses the class lasts: a detach begun now would stay half done until it ends."""
    before = _holders(connection, place)
    if not before:
        return True
    time.sleep(_PAUSE_S)
    return not before & _holders(connection, place)


def _by_whom(connection: Connection, place: tuple[str, int]) -> str:
    pids = sorted({pid for pid, _ in _holders(connection, place)})
    if not pids:
        return "; the next run tries again"
    named = ", ".join(map(str, pids[:4]))
    return f" by PostgreSQL's process {named} (pg_stat_activity shows it); the next run tries again"


def users(connection: Connection, retention_class: str) -> set[tuple[int, str]]:
    """Other transactions that use a whole class, a process and its transaction each: no partition of it can go."""
    return _holders(connection, (retention_class, 0))


def _holders(connection: Connection, place: tuple[str, int]) -> set[tuple[int, str]]:
    retention_class, relation = place
    parent = connection.execute("SELECT to_regclass(%s)::oid", (f"audit.events_{retention_class}",)).fetchone()
    assert parent is not None
    relations: Sequence[int] = [parent[0], relation]
    return {(row[0], row[1]) for row in connection.execute(query("holders", _PACKAGE), (relations,))}
