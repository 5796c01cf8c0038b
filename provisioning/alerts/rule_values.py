"""What the keys of a rule may hold: texts, names, numbers and times, each checked, with what to write in its place."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field

from exporter.durations import format_duration, parse_duration
from exporter.mapping.section import kind, nearest
from provisioning.alerts.fields import ATTRIBUTE_LABEL, RESERVED, field

Severity = Literal["info", "warning", "critical"]
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# Grafana's scheduler counts in steps of ten seconds.
_STEP = timedelta(seconds=10)


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
    first: dict[str, str] = {}
    for name in map(str, names):
        label = field(name).label
        if label in first:
            known = first[label]
            same = "names a field twice" if known == name else f"{known} and {name} are both called {label}"
            raise ValueError(f"{same}; remove one")
        first[label] = name
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
        if name in RESERVED or name.lower().startswith(ATTRIBUTE_LABEL):
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


Line = Annotated[str, BeforeValidator(_line), Field(max_length=190)]
Identifier = Annotated[str, BeforeValidator(_identifier)]
Fields = Annotated[tuple[str, ...], BeforeValidator(_fields)]
FieldName = Annotated[str, BeforeValidator(_field)]
Count = Annotated[int, BeforeValidator(_count)]
Labels = Annotated[dict[str, str], BeforeValidator(_labels)]
Url = Annotated[str | None, BeforeValidator(_url)]
Hours = Annotated[str, BeforeValidator(_hours)]
Days = Annotated[tuple[str, ...], BeforeValidator(_days)]
Zone = Annotated[str, BeforeValidator(_zone)]
Interval = Annotated[timedelta, _span(_STEP, timedelta(days=1))]
Window = Annotated[timedelta, _span(timedelta(minutes=1), timedelta(days=7))]
Late = Annotated[timedelta, _span(timedelta(0), timedelta(days=1))]
Pending = Annotated[timedelta, _span(timedelta(0), timedelta(days=1))]
Repeat = Annotated[timedelta | None, _span(timedelta(minutes=1), timedelta(days=30))]
Baseline = Annotated[timedelta, _span(timedelta(hours=1), timedelta(days=366))]
