"""Holds: events that are kept beyond their time until somebody lets them go.

While an event is in its partition nothing has to be done for it. When the partition goes, the events that a hold wants
are copied to audit.held_events, which is a part of audit.events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from pydantic import ValidationError

from exporter.document import loads
from exporter.errors import ConfigError, RetentionError
from exporter.store.conditions import EventMatch, where
from exporter.store.queries import query
from exporter.store.retention import journal
from exporter.store.retention.owner import as_owner
from exporter.store.retention.partitions import Partition, event_columns, restored_columns, statement
from exporter.store.session import Connection

_PACKAGE = __package__
_NAME = "auditgraf hold"
_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold. `match` None: every event. `events`: how many matched when it was created, None while not counted."""

    id: int
    created_at: datetime
    created_by: str
    reason: str
    filter: str | None
    match: EventMatch | None
    events: int | None
    released_at: datetime | None = None
    released_by: str | None = None
    release_reason: str | None = None


def parse_filter(text: str) -> EventMatch:
    """A filter written in YAML, with the keys of a rule's `match` and the columns of audit.events.

    Raises ConfigError that says where in the text something is wrong.
    """
    document = loads(text, "--filter")
    if not isinstance(document.data, dict):
        raise document.error((), "no filter; write e.g. {actor_id: alice} or {service: shop, outcome: failure}")
    match = document.parse(EventMatch)
    where(match)
    return match


def create_hold(
    url: str, *, by: str, reason: str, text: str | None, match: EventMatch | None, count: bool = True
) -> Hold:
    """Creates a hold, in force when this returns; then counts what it holds, unless that is not wanted.

    `text`: the filter as it was written, `match`: the same, parsed; None for both: every event. Raises RetentionError.
    """
    conditions = None if match is None else Jsonb(match.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    with as_owner(url, _NAME) as connection:
        with connection.transaction():
            row = connection.execute(query("add_hold", _PACKAGE), (by, reason, text, conditions)).fetchone()
            assert row is not None
            number: int = row[0]
            condition, parameters = _condition(match)
            connection.execute(statement("hold_held", condition=condition), {**parameters, "hold_id": number})
            journal.note(
                connection,
                "hold.created",
                f"hold {number} created: {reason}",
                actor=by,
                target=("hold", str(number)),
                attributes={"hold.reason": reason, "hold.filter": text or "(every event)"},
            )
        if count:
            with _comparing(number, "it is in force, and what it holds can't be counted"):
                row = connection.execute(statement("matching_events", condition=condition), parameters).fetchone()
            connection.execute(query("count_hold", _PACKAGE), (row[0] if row else None, number))
        return next(hold for hold in _holds(connection, "active_holds") if hold.id == number)


def release_hold(url: str, number: int, *, by: str, reason: str) -> None:
    """Releases a hold: what only it kept goes with the next run. Raises RetentionError where there is none."""
    with as_owner(url, _NAME) as connection, connection.transaction():
        values = {"id": number, "by": by, "reason": reason}
        if connection.execute(query("release_hold", _PACKAGE), values).fetchone() is None:
            raise RetentionError(f"there is no hold {number} in force: auditgraf hold list shows those that are")
        journal.note(
            connection,
            "hold.released",
            f"hold {number} released: {reason}",
            actor=by,
            target=("hold", str(number)),
            attributes={"hold.release_reason": reason},
        )


def holds(url: str, *, released: bool = False) -> list[Hold]:
    """The holds in force, or all that there ever were."""
    with as_owner(url, _NAME) as connection:
        return _holds(connection, "all_holds" if released else "active_holds")


def active(connection: Connection) -> list[Hold]:
    """The holds in force."""
    return _holds(connection, "active_holds")


def copy_held(connection: Connection, holds_in_force: Sequence[Hold], partition: Partition) -> int:
    """Copies what holds want of a partition, attached or not; again, it copies what came since.

    Within a transaction. How many events of the partition are copied now.
    """
    columns = event_columns(connection)
    for hold in holds_in_force:
        condition, parameters = _condition(hold.match)
        copying = statement("hold_partition", columns=columns, table=partition.table, condition=condition)
        values = {"hold_id": hold.id, "relation": partition.relation, "retention_class": partition.retention_class}
        with _comparing(hold.id, "what it wants can't be copied"):
            connection.execute(copying, {**parameters, **values})
    row = connection.execute(query("held_of", _PACKAGE), (partition.relation,)).fetchone()
    assert row is not None
    if row[0]:
        connection.execute(query("read_in_full", _PACKAGE), (partition.start,))
    return int(row[0])


def count_wanted(connection: Connection, holds_in_force: Sequence[Hold], partition: Partition) -> int:
    """How many events of a partition at least one hold wants."""
    if not holds_in_force:
        return 0
    conditions: list[sql.Composed] = []
    parameters: dict[str, object] = {"retention_class": partition.retention_class}
    for hold in holds_in_force:
        condition, own = _condition(hold.match, f"hold{hold.id}")
        conditions.append(condition)
        parameters |= own
    condition = sql.SQL("({})").format(sql.SQL(" OR ").join(conditions))
    counting = statement("count_in_partition", table=partition.table, condition=condition)
    row = connection.execute(counting, parameters).fetchone()
    assert row is not None
    return int(row[0])


def refuse_held(connection: Connection, since: datetime | None, until: datetime | None) -> None:
    """Raises RetentionError where a hold wants restored events of a range of time, or any where there is none.

    Within a transaction, until the end of which none is restored and no hold is created.
    """
    connection.execute(query("no_restores", _PACKAGE))
    connection.execute(query("no_new_holds", _PACKAGE))
    columns = restored_columns(connection)
    for hold in active(connection):
        condition, parameters = _condition(hold.match)
        counting = statement("restored_wanted", columns=columns, condition=condition)
        with _comparing(hold.id, "what it wants of restored events can't be counted"):
            row = connection.execute(counting, {**parameters, "since": since, "until": until}).fetchone()
        if row is not None and row[0]:
            raise RetentionError(
                f"hold {hold.id} ({hold.reason}) keeps {row[0]} of these restored events, and none was removed: name a "
                f"range of time without them, or let them go first: auditgraf hold release {hold.id} --reason ..."
            )


def let_go(connection: Connection) -> dict[str, int]:
    """Deletes held events that no hold wants any more and whose time is over; how many of each class."""
    gone: dict[str, int] = {}
    while True:
        with connection.transaction():
            # A hold that is being created wants what is held already, and would not be seen.
            connection.execute(query("no_new_holds", _PACKAGE))
            rows = connection.execute(query("let_go", _PACKAGE), {"limit": _AT_ONCE}).fetchall()
        for name, was_all in rows:
            if was_all:
                gone[name] = gone.get(name, 0) + 1
        if len(rows) < _AT_ONCE:
            break
    connection.execute(query("read_summaries_again", _PACKAGE))
    return gone


@contextmanager
def _comparing(number: int, what: str) -> Iterator[None]:
    """Names the hold whose filter may be why PostgreSQL refuses: a pattern can be too large for it, for instance."""
    try:
        yield
    except (psycopg.DataError, psycopg.InternalError, psycopg.errors.ProgramLimitExceeded) as failure:
        raise RetentionError(
            f"hold {number}: {what}: {failure.diag.message_primary}; if its filter is why, release it, and create it "
            "anew with another one"
        ) from failure


def _condition(match: EventMatch | None, prefix: str = "match") -> tuple[sql.Composed, dict[str, object]]:
    return (sql.SQL("{}").format(sql.SQL("TRUE")), {}) if match is None else where(match, prefix=prefix)


def _holds(connection: Connection, name: str) -> list[Hold]:
    return [_hold(*row) for row in connection.execute(query(name, _PACKAGE)).fetchall()]


def _hold(
    number: int,
    created_at: datetime,
    created_by: str,
    reason: str,
    text: str | None,
    conditions: Any,
    *rest: Any,
) -> Hold:
    try:
        match = None if conditions is None else EventMatch.model_validate(conditions)
    except (ValidationError, ConfigError) as failure:
        # Retention must not go on without it: what the hold wants would be dropped.
        raise RetentionError(f"hold {number} can't be read: {failure}; release it, and create it anew") from None
    return Hold(number, created_at, created_by, reason, text, match, *rest)
