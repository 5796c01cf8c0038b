"""The section `mute_times` of the rules file: when nobody is told, in words that people use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, WithJsonSchema

from exporter.mapping.section import Problem, Section, kind, nearest
from provisioning.alerts.models import MuteTime, TimeInterval, Times

DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MIDNIGHT = ("00:00", "24:00")
_SHORT = 3  # letters of mon, jan
_NEAREST, _LAST_DAY, _SHORTEST_MONTH = 1970, 31, 28

Range = tuple[int, int]


def _word(words: Sequence[str]) -> Callable[[str], int]:
    def number(text: str) -> int:
        for position, word in enumerate(words):
            if text.strip().lower() in {word, word[:_SHORT]}:
                return position
        raise ValueError(f"{text!r} is not known; {nearest(text, words)}")

    return number


def _year(text: str) -> int:
    if not re.fullmatch(r"\d{4}", text.strip()) or int(text) < _NEAREST:
        raise ValueError(f"{text!r} is no year")
    return int(text)


def _ranges(number: Callable[[str], int]) -> Callable[[object], tuple[Range, ...]]:
    def parse(value: object) -> tuple[Range, ...]:
        given = value if isinstance(value, list | tuple) else [value]
        if not given:
            raise ValueError("an empty list; name at least one or remove this line")
        return tuple(one(part) for part in given)

    def one(part: object) -> Range:
        if isinstance(part, bool) or not isinstance(part, str | int):
            raise ValueError(f"must be one or first-last, not {kind(part)}")
        first, _, last = str(part).partition("-")
        return number(first), number(last or first)

    return parse


def _upwards(parse: Callable[[object], tuple[Range, ...]]) -> Callable[[object], tuple[Range, ...]]:
    def check(value: object) -> tuple[Range, ...]:
        ranges = parse(value)
        if any(first > last for first, last in ranges):
            raise ValueError("the first must not be after the last")
        return ranges

    return check


def _dates(value: object) -> tuple[Range, ...]:
    given = value if isinstance(value, list | tuple) else [value]
    if not given:
        raise ValueError("an empty list; name at least one or remove this line")
    return tuple(_date_range(part) for part in given)


def _date_range(part: object) -> Range:
    """1, 1-7, -1 (the last day) or -3--1, as Grafana has it with a colon between."""
    found = re.fullmatch(r"(-?\d{1,2})(?:\s*[-:]\s*(-?\d{1,2}))?", str(part).strip()) if part is not True else None
    if found is None:
        raise ValueError(f"{part!r} is no day of a month; write 1, 1-7, or -1 for the last day")
    first, last = int(found[1]), int(found[2] or found[1])
    for day in (first, last):
        if not 1 <= abs(day) <= _LAST_DAY:
            raise ValueError(f"{day} is no day of a month")
    at_latest = [day if day > 0 else _SHORTEST_MONTH + day for day in (first, last)]
    if at_latest[0] > at_latest[1] or first < 0 < last:
        raise ValueError(f"{part!r}: the first day must not be after the last, in February either")
    return first, last


def _time(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d|24:00", value):
        raise ValueError('must be a time in quotes, such as "22:00": without them YAML reads a number')
    return value.zfill(5)


def _zone(value: object) -> str:
    try:
        return ZoneInfo(value).key if isinstance(value, str) else ""
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{value!r} is no time zone; write one such as Europe/Vienna, or leave it out for UTC"
        ) from None


def _list(pattern: str) -> WithJsonSchema:
    one = {"anyOf": [{"type": "string", "pattern": pattern}, {"type": "integer"}]}
    return WithJsonSchema({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})


_WORDS = r"^[A-Za-z]+(-[A-Za-z]+)?$"
Days = Annotated[tuple[Range, ...], BeforeValidator(_ranges(_word(DAYS))), _list(_WORDS)]
Months = Annotated[tuple[Range, ...], BeforeValidator(_upwards(_ranges(_word(MONTHS)))), _list(_WORDS)]
Years = Annotated[tuple[Range, ...], BeforeValidator(_upwards(_ranges(_year))), _list(r"^\d{4}(-\d{4})?$")]
Dates = Annotated[tuple[Range, ...], BeforeValidator(_dates), _list(r"^-?\d{1,2}([-:]-?\d{1,2})?$")]
Time = Annotated[str, BeforeValidator(_time), WithJsonSchema({"type": "string", "pattern": r"^\d{1,2}:\d{2}$"})]
Zone = Annotated[str, BeforeValidator(_zone), WithJsonSchema({"type": "string"})]


class Quiet(Section):
    """A stretch of time that comes back: all that is given holds. From 22:00 until 06:00 ends on the next day."""

    days: Days | None = None
    from_: Time | None = Field(None, alias="from")
    until: Time | None = None
    months: Months | None = None
    years: Years | None = None
    dates: Dates | None = None
    zone: Zone | None = None

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        if not data.keys() - {"zone"}:
            yield (), "says no time; give it days, from and until, months, years or dates"
        for here, missing in (("from", "until"), ("until", "from")):
            if here in data and missing not in data:
                yield (missing,), f"is needed with {here}"
        try:
            first, last = _time(data.get("from")), _time(data.get("until"))
        except ValueError:
            return
        if first == last or first == _MIDNIGHT[1]:
            yield ("until",), "must be another time than from; leave both out for whole days"
        if first > last and data.keys() & {"months", "years", "dates"}:
            yield ("until",), "goes over midnight, beside dates, months or years; write two, one until 24:00"


def _names(value: object) -> object:
    if not isinstance(value, str) or not value.strip() or value != value.strip() or not value.isprintable():
        raise ValueError(f"{value!r} is no name for a mute time; write one line of text")
    return value


def _some(value: object) -> object:
    if isinstance(value, dict):
        return (value,)
    if isinstance(value, list) and not value:
        raise ValueError("an empty list mutes nothing; add a time or remove it")
    return value


MuteTimes = dict[Annotated[str, BeforeValidator(_names)], Annotated[tuple[Quiet, ...], BeforeValidator(_some)]]


def mute_times(named: MuteTimes) -> list[MuteTime]:
    """Grafana's mute times, in the file's order."""
    return [
        MuteTime(name=name, time_intervals=[interval for quiet in quiets for interval in _intervals(quiet)])
        for name, quiets in named.items()
    ]


def _intervals(quiet: Quiet) -> Iterator[TimeInterval]:
    if quiet.from_ is None or quiet.until is None:
        yield _interval(quiet, quiet.days, None)
    elif quiet.from_ < quiet.until:
        yield _interval(quiet, quiet.days, (quiet.from_, quiet.until))
    else:
        yield _interval(quiet, quiet.days, (quiet.from_, _MIDNIGHT[1]))
        if quiet.until != _MIDNIGHT[0]:
            next_days = quiet.days and tuple(((first + 1) % 7, (last + 1) % 7) for first, last in quiet.days)
            yield _interval(quiet, next_days, (_MIDNIGHT[0], quiet.until))


def _interval(quiet: Quiet, days: tuple[Range, ...] | None, times: tuple[str, str] | None) -> TimeInterval:
    return TimeInterval(
        times=None if times is None else [Times(start_time=times[0], end_time=times[1])],
        weekdays=None if days is None else [text for day in days for text in _week(*day)],
        days_of_month=_written(quiet.dates, str),
        months=_written(quiet.months, MONTHS.__getitem__),
        years=_written(quiet.years, str),
        location=quiet.zone,
    )


def _week(first: int, last: int) -> Iterator[str]:
    """Grafana's week ends with Saturday: a range over that is two."""
    if first > last:
        yield from _week(first, len(DAYS) - 1)
        first = 0
    yield _span(DAYS[first], DAYS[last])


def _written(ranges: tuple[Range, ...] | None, word: Callable[[int], str]) -> list[str] | None:
    return None if ranges is None else [_span(word(first), word(last)) for first, last in ranges]


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first}:{last}"
