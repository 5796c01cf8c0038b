"""A rule's SQL: `sql/*.sql` with what the rule says put in.

The result suits Grafana's alerting: a table of one numeric column, `value`, and texts that become the labels of
alerts; no row twice, none where nothing is wrong. `$__timeFrom()` and `$__timeTo()` are the only macros in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from collections.abc import Sequence as Names
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from exporter.errors import ConfigError
from provisioning.alerts.fields import COUNTED, HOURLY, Field, field
from provisioning.alerts.literals import literal
from provisioning.alerts.rule import (
    DAYS,
    EVENT_FIELDS,
    MOST_ALERTS,
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

_FOLDER = Path(__file__).parent / "sql"
_SLOT = re.compile(r"\{\{(\w+)\}\}")
_AT = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'"
# How late, and how early by its own clock, an event that is told of one by one may be.
_LATEST, _EARLIEST = timedelta(days=1), timedelta(days=1)
# audit.volume counts by five minutes: shorter windows are read from the events.
_SHORTEST_COUNTED = timedelta(minutes=15)
_BUCKET = "date_bin('5 minutes', {}, '2000-01-01T00:00:00Z')"


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
            f"            AND occurred_at BETWEEN {_shifted('$__timeFrom()', -_LATEST)} "
            f"AND {_shifted('$__timeTo()', _EARLIEST)}"
        )
    else:
        recent = "occurred_at BETWEEN $__timeFrom() AND $__timeTo()"
    return _put(
        "per_event",
        {
            "arrived": "received_at" if by_arrival else "occurred_at",
            "recent": recent,
            "condition": condition,
            "shown": ", ".join([_shown(fields), *(f"{each.key_text} AS key_{each.label}" for each in keyed)]),
            "labels": "".join(f"shown_{each.label} AS {each.label}, " for each in fields)
            + "".join(f"key_{each.label} AS {each.label}_key, " for each in keyed),
            "blanks": "'', " * (len(fields) + len(keyed)),
            "at": _AT.format("occurred_at"),
            "most": str(MOST_ALERTS),
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
    past = _Past(rule, fields)
    slots = _grouping(names) | _usual(rule)
    if past.indexed:
        slots["shown"] += ", coalesce(actor_id, '') <> '' AS by_id"
    return _put(
        "new",
        slots
        | {
            "since": past.end,
            "pair": ", ".join(f"key_{each.label}" for each in fields),
            "columns": ", ".join(f"key_{each.label}, shown_{each.label}" for each in fields)
            + (", by_id" if past.indexed else ""),
            "labels": _labels(fields),
            "at": _AT.format("first_at"),
            "history": past.table(),
            "unseen": f"NOT {past.has(fields)}",
            "group_seen": past.has(fields[:-1]),
        },
    )


class _Past:
    """What was there before: from the counts, by the actor's index for each candidate, else all of it once."""

    def __init__(self, rule: New, fields: Names[Field]) -> None:
        self._condition = rule.sql()
        self._fields = fields
        self._columns = rule.columns() | {column for each in fields for column in each.columns}
        self._counted = self._columns <= COUNTED
        self._start = _shifted("$__timeFrom()", -rule.baseline)
        self.indexed = "actor" in {each.label for each in fields[:-1]}
        # The counts are by five minutes, and so is where the past ends.
        self.end = _BUCKET.format("$__timeFrom()::timestamptz") if self._counted else "$__timeFrom()"

    def table(self) -> str:
        """The past as a table, where it is read as a whole."""
        if self.indexed:
            return ""
        slots = {
            "old": ", ".join(f"{each.key_text} AS old_{each.label}" for each in self._fields),
            "source": "audit.events",
            "moment": "occurred_at",
            "start": self._start,
            "end": self.end,
            "condition": self._condition,
        }
        if self._counted:
            columns = self._columns
            slots |= {"source": _counts(columns, self._start, self.end, hours_until=self.end), "moment": "bucket"}
        return _put("new_past", slots).rstrip()

    def has(self, fields: Names[Field]) -> str:
        """Whether it has a candidate's values of these fields; of none: whether there is a past."""
        if not self.indexed:
            same = " AND ".join(f"old_{each.label} = key_{each.label}" for each in fields)
            return f"EXISTS (SELECT FROM past{' WHERE ' + same if same else ''})"
        same = " AND ".join(f"{each.key_text} = key_{each.label}" for each in fields)
        return _put("new_asked", {"start": self._start, "condition": self._condition, "same": same}).rstrip()


def _count(rule: CountRule) -> str:
    return _put("count", _grouping(rule.group_by) | _usual(rule, rule.window, above=rule.above))


def _distinct(rule: Distinct) -> str:
    slots = _grouping(rule.group_by) | _usual(rule, rule.window, above=rule.above)
    return _put("distinct", slots | {"of": field(rule.of).key})


def _ingestion(rule: Ingestion) -> str:
    slots = {"above": str(rule.above), "window": _interval(rule.window), "most": str(MOST_ALERTS)}
    return _put(f"ingestion_{rule.check}", slots)


def _absence(rule: Absence) -> str:
    start = _shifted("$__timeTo()", -rule.baseline)
    slots = {"source": "audit.events", "moment": "occurred_at", "last": "occurred_at", "baseline": start}
    if _is_counted(rule):
        # Whoever was last seen before that hour is silent, whenever in the hour it was.
        hours = _shifted("$__timeTo()", -(rule.window + timedelta(hours=1)))
        source = _counts(_columns(rule), start, "$__timeTo()", hours_until=hours)
        # What is counted has no moment of its own; at the latest, it was at the end of what it is counted in.
        slots |= {"source": source, "moment": "bucket", "last": "bucket + size"}
    return _put("absence", _aggregated(rule.group_by) | _usual(rule, rule.window) | slots)


def _rate(rule: Rate) -> str:
    counted = _is_counted(rule)
    end = f"($__timeTo()::timestamptz - {_interval(rule.late)})"
    until = _BUCKET.format(end) if counted else end
    since = f"({until} - {_interval(rule.window)})"
    beyond = []
    if rule.above is not None:
        beyond.append(f"events >= {rule.above!r} * greatest(before, 1)")
    if rule.below is not None:
        beyond.append(f"events <= {rule.below!r} * before")
    return _put(
        "rate",
        _aggregated(rule.group_by)
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


def _counts(columns: Collection[str], start: str, end: str, *, hours_until: str) -> str:
    """Counts with these columns of some time: by hours up to the given one, as far as hours have the columns."""
    asked = ", ".join(sorted({"retention_class", *columns}))
    name = "counts_by_hour" if HOURLY.issuperset(columns) else "counts"
    return _put(name, {"columns": asked, "start": start, "end": end, "hours_until": hours_until}).strip()


def _sequence(rule: Sequence) -> str:
    others = [name for name in EVENT_FIELDS if name not in rule.group_by]
    fields = [field(name) for name in (*rule.group_by, *others)]
    return _put(
        "sequence",
        _grouping(rule.group_by)
        | {
            "first": _step(rule.first, "first"),
            "then": _step(rule.then, "then"),
            "times": str(rule.first.times),
            "window": _interval(rule.window),
            "keys": _keys([field(name) for name in rule.group_by]),
            "shown": _shown(fields),
            "labels": _labels([field(name) for name in rule.group_by])
            + "".join(f"shown_{field(name).label} AS {field(name).label}, " for name in others),
            "at": _AT.format("occurred_at"),
            "most": str(MOST_ALERTS),
        },
    )


def _step(step: Selection, name: str) -> str:
    try:
        return step.sql()
    except ConfigError as failure:
        raise ConfigError(f"{name}.{failure}") from None


def _travel(rule: Travel) -> str:
    told = [field(name) for name in ("actor", "place", "service", "address")]
    return _put(
        "travel",
        _grouping(("actor",))
        | _usual(rule, rule.window)
        | {
            "shown": _shown(told),
            "labels": _labels(told[:1]) + "".join(f"shown_{each.label} AS {each.label}, " for each in told[1:]),
            "above_km": str(rule.above_km),
            "above_kmh": str(rule.above_kmh),
            "at": _AT.format("occurred_at"),
        },
    )


def _usual(rule: Selection, window: timedelta = timedelta(0), above: int = 0) -> dict[str, str]:
    return {
        "condition": rule.sql(),
        "window": _interval(window),
        "above": str(above),
        "most": str(MOST_ALERTS),
    }


def _grouping(names: Names[str]) -> dict[str, str]:
    """What a query needs to group by these fields; without any there is one group."""
    fields = [field(name) for name in names]
    keys = [f"key_{each.label}" for each in fields]
    listed = ", ".join(keys)
    return {
        "keys": _keys(fields),
        "shown": _shown(fields),
        "known": " AND ".join(f"{key} <> ''" for key in keys) or "true",
        "group": listed,
        "partition": f"PARTITION BY {listed}" if keys else "",
        "partition_and": f"PARTITION BY {listed}," if keys else "PARTITION BY",
        "grouped": f"GROUP BY {listed}" if keys else "",
        # Somebody may be called in two ways: the first by the alphabet, so that the alert stays the same.
        "labels": "".join(
            f"min(shown_{each.label}) AS {each.label}, {key} AS {each.label}_key, "
            if each.key != each.shown
            else f"{key} AS {each.label}, "
            for each, key in zip(fields, keys, strict=True)
        ),
    }


def _aggregated(names: Names[str]) -> dict[str, str]:
    """As _grouping, where the events themselves are grouped, and not what was taken from them."""
    fields = [field(name) for name in names]
    return _grouping(names) | {
        "shown": ", ".join(f"min({each.text}) AS shown_{each.label}" for each in fields) or "'' AS shown_all",
        "grouped_in": "GROUP BY " + ", ".join(each.key_text for each in fields) if fields else "HAVING count(*) > 0",
        "labels": _labels(fields),
    }


def _keys(fields: Names[Field]) -> str:
    return ",\n           ".join(f"{each.key_text} AS key_{each.label}" for each in fields) or "'' AS key_all"


def _shown(fields: Names[Field]) -> str:
    return ",\n           ".join(f"{each.text} AS shown_{each.label}" for each in fields) or "'' AS shown_all"


def _labels(fields: Names[Field]) -> str:
    """Labels of rows that are not grouped any more."""
    return "".join(
        f"shown_{each.label} AS {each.label}, key_{each.label} AS {each.label}_key, "
        if each.key != each.shown
        else f"key_{each.label} AS {each.label}, "
        for each in fields
    )


def _interval(span: timedelta) -> str:
    return f"interval '{int(span.total_seconds())} seconds'"


def _shifted(moment: str, span: timedelta) -> str:
    """A moment some time away, as a constant to the planner: from one zone to none and back."""
    seconds = int(span.total_seconds())
    return f"(({moment}::timestamptz AT TIME ZONE 'UTC' + interval '{seconds} seconds') AT TIME ZONE 'UTC')"


def _put(name: str, slots: dict[str, str]) -> str:
    return _SLOT.sub(lambda match: slots[match[1]], _template(name))


@cache
def _template(name: str) -> str:
    lines = (_FOLDER / f"{name}.sql").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("--")) + "\n"


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
