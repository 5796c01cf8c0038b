"""One alert rule: what it asks of the events, whom it tells, and in which words. A class for each kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import time, timedelta
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, StrictBool

from exporter.durations import format_duration, parse_duration
from exporter.mapping.section import Problem, Section, kind, nearest, refuse
from provisioning.alerts.fields import RESERVED, field
from provisioning.alerts.selection import Selection

Severity = Literal["info", "warning", "critical"]
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# Grafana's scheduler counts in steps of ten seconds.
_STEP = timedelta(seconds=10)
_LONGEST_WINDOW = timedelta(days=7)
_LONGEST_BASELINE = timedelta(days=366)
# How many alerts a rule can raise at once; the rest is told as a number.
MOST_ALERTS = 50


def _span(least: timedelta, most: timedelta) -> BeforeValidator:
    def check(value: object) -> timedelta:
        if isinstance(value, int | float) and not isinstance(value, bool) and value:
            raise ValueError(f"{value}: give it a unit, e.g. {value}m")
        span = parse_duration(value)
        if span is None or not least <= span <= most:
            raise ValueError(f"write a time from {format_duration(least)} to {format_duration(most)}")
        if span % _STEP:
            raise ValueError(f"{format_duration(span)}: Grafana counts in steps of 10 s; write a multiple")
        return span

    return BeforeValidator(check)


def _identifier(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value) or len(value) > 30:
        raise ValueError(f"{value!r} is no id; write lower-case letters, digits and -, at most 30")
    return value


def _line(value: object) -> object:
    if isinstance(value, str) and (not value.strip() or not value.isprintable()):
        raise ValueError("must be one line of text")
    return value


def _fields(value: object) -> object:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        raise ValueError(f"must be a list of fields, e.g. [actor], not {kind(value)}")
    for name in names:
        field(name if isinstance(name, str) else str(name))
    if len({field(name).label for name in names}) < len(names):
        raise ValueError("names a field twice; remove one")
    return tuple(names)


def _field(value: object) -> object:
    field(value if isinstance(value, str) else str(value))
    return value


def _labels(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError(f"must be a mapping of names to texts, not {kind(value)}")
    for name, text in value.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or name.startswith("__"):
            raise ValueError(f"{name!r} is no label; write letters, digits and _, e.g. team")
        if name in RESERVED:
            raise ValueError(f"{name!r} is set by the rule itself; choose another name")
        if not isinstance(text, str) or not text.isprintable() or len(text) > 200:
            raise ValueError(f"{name}: must be one line of text, at most 200 characters; put it in quotes")
    return value


def _count(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10_000_000:
        raise ValueError(f"{value!r}: must be a whole number from 0 to 10000000")
    return value


def _url(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s{}$]+", value):
        raise ValueError(f"{value!r} is no URL; write https://... without spaces, $ and braces")
    return value


Line = Annotated[str, BeforeValidator(_line), Field(max_length=190)]
Identifier = Annotated[str, BeforeValidator(_identifier)]
Fields = Annotated[tuple[str, ...], BeforeValidator(_fields)]
FieldName = Annotated[str, BeforeValidator(_field)]
Count = Annotated[int, BeforeValidator(_count)]
Interval = Annotated[timedelta, _span(_STEP, timedelta(days=1))]
Window = Annotated[timedelta, _span(timedelta(minutes=1), _LONGEST_WINDOW)]
Late = Annotated[timedelta, _span(timedelta(0), timedelta(days=1))]
Baseline = Annotated[timedelta, _span(timedelta(hours=1), _LONGEST_BASELINE)]


class Rule(Section):
    """What all kinds have. `interval`: how often it is asked; `late`: how late an event may arrive and still count."""

    # Whether each event is told of by itself; such alerts are not told of when they are over.
    per_event: ClassVar[bool] = False

    id: Identifier
    name: Line
    kind: str
    description: str = Field("", max_length=2000)
    severity: Severity = "warning"
    message: str | None = Field(None, max_length=1000)
    labels: Annotated[dict[str, str], BeforeValidator(_labels)] = Field(default_factory=dict)
    contact_point: str | None = None
    mute: tuple[str, ...] = ()
    repeat: Annotated[timedelta | None, _span(timedelta(minutes=1), timedelta(days=30))] = None
    interval: Interval = timedelta(minutes=1)
    late: Late = timedelta(minutes=5)
    pending: Annotated[timedelta, _span(timedelta(0), timedelta(days=1))] = Field(timedelta(0), alias="for")
    runbook: Annotated[str | None, BeforeValidator(_url)] = None
    enabled: StrictBool = True

    @property
    def lookback(self) -> timedelta:
        """How far back the query looks from the moment of the evaluation."""
        return max(self.late, self.interval) + self.interval

    def grouped(self) -> tuple[str, ...]:
        """The fields that tell its alerts apart."""
        return ()

    def told(self) -> frozenset[str]:
        """What a message can name in braces, beside value, name and severity."""
        return frozenset(field(name).label for name in self.grouped())


EVENT_FIELDS = ("actor", "action", "outcome", "target", "service", "address", "place", "tenant")
_OF_EVENT = frozenset({*EVENT_FIELDS, "event_id", "at"})


class _Selecting(Rule, Selection):
    """A rule about some of the events."""


class _PerEvent(_Selecting):
    per_event: ClassVar[bool] = True

    def grouped(self) -> tuple[str, ...]:
        return EVENT_FIELDS

    def told(self) -> frozenset[str]:
        return _OF_EVENT


class _Windowed(_Selecting):
    window: Window = timedelta(minutes=10)

    @property
    def lookback(self) -> timedelta:
        return self.window + max(self.late, 2 * self.interval)


class _Grouped(_Windowed):
    group_by: Fields = ()

    def grouped(self) -> tuple[str, ...]:
        return self.group_by


class Any_(_PerEvent):
    """One notification for each event."""

    kind: Literal["any"]


class Change(_PerEvent):
    """One notification for each event that changed one of `fields`; without them, for each that changed anything."""

    kind: Literal["change"]
    fields: tuple[Line, ...] = ()


def _hours(value: object) -> object:
    found = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r}: write the working hours, e.g. 08:00-18:00")
    try:
        start, end = (time(int(found[at]), int(found[at + 1])) for at in (1, 3))
    except ValueError:
        raise ValueError(f"{value!r}: there is no such time of day; write e.g. 08:00-18:00") from None
    if start >= end:
        raise ValueError(f"{value!r}: ends before it begins; write two rules for hours over midnight")
    return value


def _days(value: object) -> object:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names:
        raise ValueError("must be a list of days, e.g. [monday-friday]")
    days: list[str] = []
    for name in names:
        first, _, last = str(name).lower().partition("-")
        for day in (first, last or first):
            if day not in DAYS:
                raise ValueError(f"{day!r} is no day; {nearest(day, DAYS)}")
        start, end = DAYS.index(first), DAYS.index(last or first)
        days += [DAYS[at % 7] for at in range(start, (end if end >= start else end + 7) + 1)]
    return tuple(dict.fromkeys(days))


def _zone(value: object) -> object:
    try:
        ZoneInfo(str(value))
    except (ValueError, OSError, KeyError):
        raise ValueError(f"{value!r} is no time zone; write e.g. Europe/Zurich or UTC") from None
    return value


class OutsideHours(_PerEvent):
    """One notification for each event outside of the working hours."""

    kind: Literal["outside_hours"]
    hours: Annotated[str, BeforeValidator(_hours)] = "08:00-18:00"
    days: Annotated[tuple[str, ...], BeforeValidator(_days)] = DAYS[:5]
    zone: Annotated[str, BeforeValidator(_zone)] = "UTC"


class CountRule(_Grouped):
    """More than `above` events of a group within any `window`."""

    kind: Literal["count"]
    above: Count


class Distinct(_Grouped):
    """More than `above` different values of `of` in a group within any `window`."""

    kind: Literal["distinct"]
    of: FieldName
    above: Count

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from super().conflicts(data)
        yield from _same_field(data)


class New(_Selecting):
    """A value of `of` that its group has not had within `baseline`; a group without a past is not told of."""

    kind: Literal["new"]
    of: FieldName
    group_by: Fields = ()
    baseline: Baseline = timedelta(days=90)

    def grouped(self) -> tuple[str, ...]:
        return (*self.group_by, self.of)

    def told(self) -> frozenset[str]:
        return super().told() | {"event_id", "at"}

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from super().conflicts(data)
        yield from _same_field(data)


class Absence(_Grouped):
    """No event for `window`, though there were some within `baseline`."""

    kind: Literal["absence"]
    window: Window = timedelta(minutes=30)
    baseline: Baseline = timedelta(days=7)

    @property
    def lookback(self) -> timedelta:
        return self.window

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from super().conflicts(data)
        try:
            window, baseline = (
                parse_duration(data.get(key, usual)) for key, usual in (("window", "30m"), ("baseline", "7d"))
            )
        except ValueError:
            return
        if window and baseline and baseline <= window:
            yield ("baseline",), "must be longer than the window: who was there before is missed now"


class Rate(_Grouped):
    """At least `above` times as many events as at the same time a week before, or at most `below` times as many.

    Groups with fewer than `at_least` events in both are left out.
    """

    kind: Literal["rate"]
    window: Window = timedelta(hours=1)
    above: float | None = Field(None, gt=1, le=1_000_000)
    below: float | None = Field(None, ge=0, lt=1)
    at_least: Count = 20

    @property
    def lookback(self) -> timedelta:
        return self.window + self.late

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from super().conflicts(data)
        if data.get("above") is None and data.get("below") is None:
            yield (), "no limit; give it above (e.g. 3: three times last week's) or below (e.g. 0.3)"


class Step(Selection):
    """One of the two steps of a sequence; the first has to happen `times` times."""


class FirstStep(Step):
    times: Annotated[Count, Field(ge=1)] = 1


class Sequence(Rule):
    """`first` so many times, `then` the other, in one group within `window`: failed sign-ins, and one that worked."""

    kind: Literal["sequence"]
    first: FirstStep
    then: Step
    window: Window = timedelta(minutes=30)
    group_by: Fields

    @property
    def lookback(self) -> timedelta:
        return self.window + max(self.late, 2 * self.interval)

    def grouped(self) -> tuple[str, ...]:
        return self.group_by

    def told(self) -> frozenset[str]:
        return super().told() | _OF_EVENT

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from super().conflicts(data)
        if data.get("group_by") in ([], ()):
            yield ("group_by",), "names nothing; write whose events they are, e.g. [actor]"


class Travel(_Windowed):
    """Two places of one actor that are too far apart for the time between."""

    kind: Literal["travel"]
    window: Window = timedelta(hours=12)
    above_km: Annotated[Count, Field(ge=1)] = 500
    above_kmh: Annotated[Count, Field(ge=1)] = 1000

    def grouped(self) -> tuple[str, ...]:
        return ("actor",)

    def told(self) -> frozenset[str]:
        return frozenset({"actor", "left_place", "place", "service", "address", "at", "event_id"})


# What can be asked about the collectors and the store, with what `above` counts where it does.
CHECKS = {
    "lag": "seconds from a record's time to its arrival",
    "refused": "requests refused",
    "rejected": "requests refused for good, by reason",
    "quarantined": "records set aside, by reason",
    "unavailable": "records that could not be stored and were sent back",
    "spool": "bytes that wait in the spool",
    "silent": "seconds without a sign of life from any collector",
    "retention": "failures of the retention job",
}


def _check(value: object) -> object:
    if value not in CHECKS:
        raise ValueError(f"{value!r} is no check; {nearest(value, CHECKS)}")
    return value


class Ingestion(Rule):
    """How the collectors and the store are doing."""

    kind: Literal["ingestion"]
    check: Annotated[str, BeforeValidator(_check)]
    above: Count = 0
    window: Window = timedelta(minutes=10)

    @property
    def lookback(self) -> timedelta:
        return self.window

    def told(self) -> frozenset[str]:
        return frozenset({"what"})


def _same_field(data: Mapping[str, Any]) -> Iterator[Problem]:
    groups = data.get("group_by", ())
    if data.get("of") in ([groups] if isinstance(groups, str) else groups):
        yield ("of",), "is what the group is made of; name another field"


_CLASSES: tuple[type[Rule], ...] = (
    Any_,
    CountRule,
    Distinct,
    New,
    Absence,
    Rate,
    Sequence,
    Travel,
    OutsideHours,
    Change,
    Ingestion,
)
KINDS: dict[str, type[Rule]] = {each.model_fields["kind"].annotation.__args__[0]: each for each in _CLASSES}  # type: ignore[union-attr]


def read_rule(value: object) -> object:
    """A rule of the file as a model of its kind."""
    if isinstance(value, Rule) or not isinstance(value, dict):
        return value
    name = value.get("kind")
    if not isinstance(name, str) or name not in KINDS:
        refuse([(("kind",), f"{name!r} is no kind; {nearest(name, KINDS)}")])
    return KINDS[name].model_validate(value)
