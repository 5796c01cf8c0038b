"""What a run would do now, and when what is stored goes. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from exporter.store.queries import query
from exporter.store.retention import clock
from exporter.store.retention.holds import Hold, active, count_wanted
from exporter.store.retention.owner import as_owner
from exporter.store.retention.partitions import Partition, exact_count, partitions, quick_count
from exporter.store.retention.policy import Policy
from exporter.store.session import Connection

_PACKAGE = __package__


@dataclass(frozen=True, slots=True)
class ClassPlan:
    """A class: how long it is kept with the next run (None: for ever), and what it has."""

    name: str
    keep: timedelta | None
    was: timedelta | None  # what is in force until then
    configured: bool  # False: no longer in the configuration; its events stay under its last duration
    partitions: int
    events: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """A partition that goes: when, and how much. `events` is an estimate unless `exact`."""

    retention_class: str
    partition: str
    start: datetime
    end: datetime
    goes_at: datetime
    due: bool
    events: int
    exact: bool
    bytes: int
    held: int | None  # events of it that holds want; None: not looked at, because it is not due


@dataclass(frozen=True, slots=True)
class Plan:
    """`doubt`: why nothing would be dropped; `held` and `restored`: events and bytes that retention leaves alone."""

    at: datetime
    doubt: str | None
    classes: tuple[ClassPlan, ...]
    leaving: tuple[Leaving, ...]  # the first to go first
    holds: tuple[Hold, ...]
    held: tuple[int, int]
    restored: tuple[int, int]


def plan(url: str, policy: Policy, *, exact: bool = False, ahead: timedelta | None = timedelta(days=7)) -> Plan:
    """What the next run would drop, and what goes within `ahead` of now (None: everything that ever goes).

    `url`: the owner's. `exact` counts events instead of estimating them. Raises RetentionError.
    """
    with as_owner(url) as connection:
        moment = clock.now(connection)
        stored = dict(connection.execute(query("classes", _PACKAGE)).fetchall())
        wanted = {**stored, **(policy.durations or {})}
        found = [replace(part, keep=wanted[part.retention_class]) for part in partitions(connection)]
        holds = active(connection)
        horizon = None if ahead is None else moment + ahead
        going = [part for part in found if part.goes_at and (horizon is None or part.goes_at <= horizon)]
        return Plan(
            moment,
            clock.doubt(connection, moment),
            tuple(_class(name, wanted, stored, policy, found) for name in sorted(wanted)),
            tuple(sorted((_leaving(connection, part, moment, holds, exact) for part in going), key=_order)),
            tuple(holds),
            _totals(connection, "held_totals"),
            _totals(connection, "restored_totals"),
        )


def _class(
    name: str,
    wanted: dict[str, timedelta | None],
    stored: dict[str, timedelta | None],
    policy: Policy,
    found: list[Partition],
) -> ClassPlan:
    own = [part for part in found if part.retention_class == name]
    return ClassPlan(
        name,
        wanted[name],
        stored.get(name, wanted[name]),
        policy.durations is None or name in policy.durations,
        len(own),
        sum(part.events for part in own),
        sum(part.bytes for part in own),
    )


def _leaving(connection: Connection, part: Partition, moment: datetime, holds: list[Hold], exact: bool) -> Leaving:
    assert part.goes_at is not None
    due = part.expired(moment)
    events = (exact_count(connection, part.name), True) if exact else quick_count(connection, part.relation, part.name)
    return Leaving(
        part.retention_class,
        part.name,
        part.start,
        part.end,
        part.goes_at,
        due,
        *events,
        part.bytes,
        count_wanted(connection, holds, part) if due else None,
    )


def _order(leaving: Leaving) -> tuple[datetime, str]:
    return leaving.goes_at, leaving.partition


def _totals(connection: Connection, name: str) -> tuple[int, int]:
    row = connection.execute(query(name, _PACKAGE)).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)
