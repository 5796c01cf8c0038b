"""A rule's SQL: `sql/*.sql` with what the rule says put in.

The result suits Grafana's alerting: a table of one numeric column, `value`, and texts that become the labels of
alerts; no row twice, none where nothing is wrong. `$__timeFrom()` and `$__timeTo()` are the only macros in it.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Names
from datetime import timedelta
from typing import Any

from exporter.errors import ConfigError
from provisioning.alerts.fields import COUNTED, field
from provisioning.alerts.fragments import (
    AT,
    BUCKET,
    aggregated,
    counts,
    grouping,
    interval,
    key_columns,
    labels,
    put,
    shifted,
    shown_columns,
)
from provisioning.alerts.literals import literal
from provisioning.alerts.past import Past
from provisioning.alerts.rule import (
    DAYS,
    EVENT_FIELDS,
    MOST_EVENTS,
    MOST_GROUPS,
    Absence,
    Any_,
    Change,
    CountRule,
    Distinct,
    Ingestion,
    New,
    OutsideHours,
    Rate,
    Rule,
    Sequence,
    Travel,
)
from provisioning.alerts.selection import Selection

# How late, and how early by its own clock, an event that is told of one by one may be.
_LATEST, _EARLIEST = timedelta(days=1), timedelta(days=1)
# audit.volume counts by five minutes: shorter windows are read from the events.
_SHORTEST_COUNTED = timedelta(minutes=15)


def statement(rule: Rule, *, by_arrival: bool = True) -> str:
    """The query of a rule. `by_arrival`: per-event rules go by when events came in, not by when they happened.

    Raises ConfigError, with the place within the rule, for a condition that PostgreSQL can't be asked for.
    """
    for kind, write in _WRITERS.items():
        if isinstance(rule, kind):
            return write(rule)
    assert isinstance(rule, Any_ | Change | OutsideHours)
    return _per_event(rule, by_arrival=by_arrival)


def _per_event(rule: Any_ | Change | OutsideHours, *, by_arrival: bool) -> str:
    fields = [field(name) for name in EVENT_FIELDS]
    keyed = [each for each in fields if each.key != each.shown]
    condition = rule.sql()
    if isinstance(rule, Change):
        condition += " AND " + _changed(rule.fields)
    if isinstance(rule, OutsideHours):
        condition += " AND " + _outside(rule)
    if by_arrival:
        # From one zone to none and back: a constant to the planner, which then leaves partitions out.
        recent = (
            "received_at BETWEEN $__timeFrom() AND $__timeTo()\n"
            f"            AND occurred_at BETWEEN {shifted('$__timeFrom()', -_LATEST)} "
            f"AND {shifted('$__timeTo()', _EARLIEST)}"
        )
    else:
        recent = "occurred_at BETWEEN $__timeFrom() AND $__timeTo()"
    return put(
        "per_event",
        {
            "arrived": "received_at" if by_arrival else "occurred_at",
            "recent": recent,
            "condition": condition,
            "shown": ", ".join([shown_columns(fields), *(f"{each.key_text} AS key_{each.label}" for each in keyed)]),
            "labels": "".join(f"shown_{each.label} AS {each.label}, " for each in fields)
            + "".join(f"key_{each.label} AS {each.label}_key, " for each in keyed),
            "blanks": "'', " * (len(fields) + len(keyed)),
            "at": AT.format("occurred_at"),
            "most": str(MOST_EVENTS),
        },
    )


def _changed(names: Names[str]) -> str:
    if not names:
        return "changes IS NOT NULL AND changes <> '{}'"
    wanted = literal(list(names))
    return (
        "EXISTS (SELECT FROM jsonb_object_keys(CASE WHEN jsonb_typeof(changes) = 'object' THEN changes ELSE '{}' END)"
        f" AS changed WHERE changed = ANY ({wanted}::text[]))"
    )


def _outside(rule: OutsideHours) -> str:
    start, end = rule.hours.split("-")
    local = f"(occurred_at AT TIME ZONE {literal(rule.zone)})"
    days = [index + 1 for index, day in enumerate(DAYS) if day in rule.days]
    return (
        f"NOT (extract(isodow FROM {local})::int = ANY (ARRAY{days})"
        f" AND {local}::time >= '{start}' AND {local}::time < '{end}')"
    )


def _new(rule: New) -> str:
    names = (*rule.group_by, rule.of)
    fields = [field(name) for name in names]
    past = Past(rule, fields)
    slots = grouping(names) | _usual(rule)
    if past.indexed:
        slots["shown"] += ", nullif(actor_id, '') AS by_id"
    return put(
        "new",
        slots
        | {
            "since": past.end,
            "pair": ", ".join(f"key_{each.label}" for each in fields),
            "columns": ", ".join(f"key_{each.label}, shown_{each.label}" for each in fields)
            + (", by_id" if past.indexed else ""),
            "labels": labels(fields),
            "at": AT.format("first_at"),
            "history": past.table(),
            "unseen": f"NOT {past.has(fields)}",
            "group_seen": past.has(fields[:-1], known=True),
        },
    )


def _count(rule: CountRule) -> str:
    return put("count", grouping(rule.group_by) | _usual(rule, rule.window, above=rule.above))


def _distinct(rule: Distinct) -> str:
    slots = grouping(rule.group_by) | _usual(rule, rule.window, above=rule.above)
    return put("distinct", slots | {"of": field(rule.of).key})


def _ingestion(rule: Ingestion) -> str:
    slots = {"above": str(rule.above), "window": interval(rule.window), "most": str(MOST_GROUPS)}
    return put(f"ingestion_{rule.check}", slots)


def _absence(rule: Absence) -> str:
    start = shifted("$__timeTo()", -rule.baseline)
    slots = {"source": "audit.events", "moment": "occurred_at", "last": "occurred_at", "baseline": start}
    if _is_counted(rule):
        # Whoever was last seen before that hour is silent, whenever in the hour it was.
        hours = shifted("$__timeTo()", -(rule.window + timedelta(hours=1)))
        source = counts(_columns(rule), start, "$__timeTo()", hours_until=hours)
        # What is counted has no moment of its own; at the latest, it was at the end of what it is counted in.
        slots |= {"source": source, "moment": "bucket", "last": "bucket + size"}
    return put("absence", aggregated(rule.group_by) | _usual(rule, rule.window) | slots)


def _rate(rule: Rate) -> str:
    counted = _is_counted(rule)
    end = f"($__timeTo()::timestamptz - {interval(rule.late)})"
    until = BUCKET.format(end) if counted else end
    since = f"({until} - {interval(rule.window)})"
    beyond = []
    if rule.above is not None:
        # In the first week there is nothing to compare with; later, what was not there a week before is far more.
        week_before = f"(({since} - interval '168 hours') AT TIME ZONE 'UTC')::date"
        older = f"EXISTS (SELECT FROM audit.volume_days WHERE day < {week_before})"
        beyond.append(f"events >= {rule.above!r} * greatest(before, 1) AND (before > 0 OR {older})")
    if rule.below is not None:
        beyond.append(f"events <= {rule.below!r} * before")
    return put(
        "rate",
        aggregated(rule.group_by)
        | _usual(rule)
        | {
            "source": "audit.volume" if counted else "audit.events",
            "moment": "bucket" if counted else "occurred_at",
            "number": "events" if counted else "1",
            "since": since,
            "until": until,
            "at_least": str(rule.at_least),
            "beyond": " OR ".join(beyond),
        },
    )


def _is_counted(rule: Absence | Rate) -> bool:
    return rule.window >= _SHORTEST_COUNTED and _columns(rule) <= COUNTED


def _columns(rule: Absence | Rate) -> set[str]:
    """What the rule asks of."""
    return rule.columns() | {column for name in rule.group_by for column in field(name).columns}


def _sequence(rule: Sequence) -> str:
    others = [name for name in EVENT_FIELDS if name not in rule.group_by]
    fields = [field(name) for name in (*rule.group_by, *others)]
    return put(
        "sequence",
        grouping(rule.group_by)
        | {
            "first": _step(rule.first, "first"),
            "then": _step(rule.then, "then"),
            "times": str(rule.first.times),
            "window": interval(rule.window),
            "since": shifted("$__timeTo()", -rule.recent),
            "keys": key_columns([field(name) for name in rule.group_by]),
            "shown": shown_columns(fields),
            "labels": labels([field(name) for name in rule.group_by])
            + "".join(f"shown_{field(name).label} AS {field(name).label}, " for name in others),
            "at": AT.format("occurred_at"),
            "most": str(MOST_GROUPS),
        },
    )


def _step(step: Selection, name: str) -> str:
    try:
        return step.sql()
    except ConfigError as failure:
        raise ConfigError(f"{name}.{failure}") from None


def _travel(rule: Travel) -> str:
    told = [field(name) for name in ("actor", "place", "service", "address")]
    return put(
        "travel",
        grouping(("actor",))
        | _usual(rule, rule.window)
        | {
            "since": shifted("$__timeTo()", -rule.recent),
            "shown": shown_columns(told),
            "labels": labels(told[:1]) + "".join(f"shown_{each.label} AS {each.label}, " for each in told[1:]),
            "above_km": str(rule.above_km),
            "above_kmh": str(rule.above_kmh),
            "at": AT.format("occurred_at"),
        },
    )


def _usual(rule: Selection, window: timedelta = timedelta(0), above: int = 0) -> dict[str, str]:
    return {
        "condition": rule.sql(),
        "window": interval(window),
        "above": str(above),
        "most": str(MOST_GROUPS),
    }


_WRITERS: dict[type[Rule], Callable[[Any], str]] = {
    CountRule: _count,
    Distinct: _distinct,
    New: _new,
    Absence: _absence,
    Rate: _rate,
    Sequence: _sequence,
    Travel: _travel,
    Ingestion: _ingestion,
}
