"""One alert rule: what it asks of the events, whom it tells, and in which words. A class for each kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, StrictInt, model_validator

from exporter.durations import parse_duration
from exporter.mapping.section import Problem, nearest, refuse
from provisioning.alerts.fields import field
from provisioning.alerts.rule_base import EVENT_FIELDS, OF_EVENT, Grouped, PerEvent, Rule, Selecting, Windowed
from provisioning.alerts.rule_values import DAYS, Baseline, Count, Days, FieldName, Fields, Hours, Line, Window, Zone
from provisioning.alerts.selection import Selection

__all__ = [
    "CHECKS",
    "DAYS",
    "EVENT_FIELDS",
    "KINDS",
    "MOST_EVENTS",
    "MOST_GROUPS",
    "Absence",
    "Any_",
    "Change",
    "CountRule",
    "Distinct",
    "FirstStep",
    "Ingestion",
    "New",
    "OutsideHours",
    "Rate",
    "Rule",
    "Sequence",
    "Step",
    "Travel",
    "read_rule",
]

# How many events a rule tells of at once; the rest is told as a number.
MOST_EVENTS = 50
# How many groups: so many that none has to make room for another, and is told of anew when it comes back.
MOST_GROUPS = 500


class Any_(PerEvent):
    """One notification for each event."""

    kind: Literal["any"]


class Change(PerEvent):
    """One notification for each event that changed one of `fields`; without them, for each that changed anything."""

    kind: Literal["change"]
    fields: tuple[Line, ...] = ()


class OutsideHours(PerEvent):
    """One notification for each event outside of the working hours."""

    kind: Literal["outside_hours"]
    hours: Hours = "08:00-18:00"
    days: Days = DAYS[:5]
    zone: Zone = "UTC"


class CountRule(Grouped):
    """More than `above` events of a group within any `window`."""

    kind: Literal["count"]
    above: Count


class Distinct(Grouped):
    """More than `above` different values of `of` in a group within any `window`."""

    kind: Literal["distinct"]
    of: FieldName
    above: Count

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from super().conflicts(data)
        yield from _same_field(data)


class New(Selecting):
    """A value of `of` that its group has not had within `baseline`; a group without a past is not told of."""

    of_moment: ClassVar[bool] = True

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

    @model_validator(mode="after")
    def _tells_apart(self) -> Self:
        if len({field(name).label for name in self.grouped()}) < len(self.grouped()):
            raise ValueError(f"of: {self.of} and one of group_by are both called {field(self.of).label}; name another")
        return self


class Absence(Grouped):
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


class Rate(Grouped):
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

    of_moment: ClassVar[bool] = True

    kind: Literal["sequence"]
    first: FirstStep
    then: Step
    window: Window = timedelta(minutes=30)
    group_by: Fields

    @property
    def lookback(self) -> timedelta:
        # What an event completes began a window before it, and so did what was told of last.
        return self.recent + 2 * self.window

    def grouped(self) -> tuple[str, ...]:
        return self.group_by

    def told(self) -> frozenset[str]:
        return super().told() | OF_EVENT

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from super().conflicts(data)
        if data.get("group_by") in ([], ()):
            yield ("group_by",), "names nothing; write whose events they are, e.g. [actor]"


class Travel(Windowed):
    """Two places of one actor that are too far apart for the time between."""

    of_moment: ClassVar[bool] = True

    kind: Literal["travel"]
    window: Window = timedelta(hours=12)
    above_km: Annotated[Count, Field(ge=1)] = 500
    above_kmh: Annotated[Count, Field(ge=1)] = 1000

    @property
    def lookback(self) -> timedelta:
        return self.recent + 2 * self.window

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
    "integrity": "findings of auditgraf verify",
}


def _check(value: object) -> object:
    if value not in CHECKS:
        raise ValueError(f"{value!r} is no check; {nearest(value, CHECKS)}")
    return value


class Ingestion(Rule):
    """How the collectors and the store are doing."""

    kind: Literal["ingestion"]
    check: Annotated[str, BeforeValidator(_check)]
    above: Annotated[StrictInt, Field(ge=0, le=2**53)] = 0
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
