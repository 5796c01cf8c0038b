"""Times as people write them: `2h`, `3 days ago`, `yesterday 10:00`, `last monday`, `2026-11-01 10:00`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from exporter.durations import parse_duration

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SPELT = {"second": "s", "sec": "s", "minute": "m", "min": "m", "hour": "h", "day": "d", "week": "w", "year": "y"}
_UNIT = re.compile(rf"\b({'|'.join(_SPELT)})s?\b")
_AGO = re.compile(r"(?:an? +)?(.+?) *ago")
_CLOCK = re.compile(r"(?:(.*?)[ t])? *([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d(?:\.\d{1,6})?))?")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_EPOCH = re.compile(r"@(\d{1,12})(\.\d{1,6})?")
_ANY_TIME = frozenset({"ever", "all", "beginning"})
_REMEDY = "write e.g. 2h, '3 days ago', yesterday, 'last monday', 2026-11-01 or '2026-11-01 10:00'"


def parse_zone(name: str | None) -> tzinfo | None:
    """`UTC`, `Europe/Berlin`, ...; None stands for this machine's zone, and so does `local`. Raises ValueError."""
    if name is None or name.lower() == "local":
        return None
    if name.upper() in {"UTC", "Z"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; write e.g. UTC, Europe/Berlin or local") from None


def parse_range(text: str, zone: tzinfo | None, now: datetime) -> datetime | None:
    """As parse_moment; None, no bound at all, for `ever`, `all` or `beginning`."""
    return None if text.strip().lower() in _ANY_TIME else parse_moment(text, zone, now)


def parse_moment(text: str, zone: tzinfo | None, now: datetime) -> datetime:
    """The time that the text means, in `zone` (None: this machine's); a day alone is its first moment.

    Durations, with or without `ago`, reach back from `now`. Raises ValueError that shows what can be written.
    """
    plain = " ".join(text.lower().split())
    found: datetime | None
    try:
        found = _relative(plain, now) or _absolute(text.strip(), zone) or _in_words(plain, zone, now)
    except (OverflowError, OSError):
        raise ValueError(f"{text!r} is further away than the calendar goes; write ever for no bound") from None
    if found is None:
        raise ValueError(f"{text!r} is no time; {_REMEDY}")
    return found.astimezone(UTC)


def shown(moment: datetime, zone: tzinfo | None) -> datetime:
    """The moment in the zone that times are shown in."""
    return moment.astimezone(zone)


def _relative(plain: str, now: datetime) -> datetime | None:
    if plain == "now":
        return now
    plain = re.sub("^(now ?)?- ?", "", plain)  # now-2h, as Grafana has it
    found = _AGO.fullmatch(plain)
    spelt = _UNIT.sub(lambda unit: _SPELT[unit[1]], found[1] if found else plain).replace(" and ", " ")
    if found and spelt in _SPELT.values():
        spelt = f"1{spelt}"
    try:
        span = parse_duration(spelt)
    except ValueError:
        return None
    return None if span is None else now - span


def _absolute(text: str, zone: tzinfo | None) -> datetime | None:
    epoch = _EPOCH.fullmatch(text)
    if epoch:
        return datetime.fromtimestamp(int(epoch[1]), UTC) + timedelta(seconds=float(epoch[2] or 0))
    month = _MONTH.fullmatch(text)
    try:
        found = datetime.fromisoformat(f"{text}-01" if month else text)
    except ValueError:
        return None
    return found if found.tzinfo else _placed(found, zone)


def _in_words(plain: str, zone: tzinfo | None, now: datetime) -> datetime | None:
    clock = _CLOCK.fullmatch(plain)
    today = now.astimezone(zone).date()
    day = _day((clock[1] or "today") if clock else plain, today)
    if day is None:
        return None
    at = time(0)
    if clock:
        seconds = float(clock[4] or 0)
        at = time(int(clock[2]), int(clock[3]), int(seconds), round(seconds % 1 * 1_000_000))
    return _placed(datetime.combine(day, at), zone)


def _day(words: str, today: date) -> date | None:
    named: dict[str, Callable[[], date]] = {
        "today": lambda: today,
        "yesterday": lambda: today - timedelta(days=1),
        "tomorrow": lambda: today + timedelta(days=1),
        "this week": lambda: today - timedelta(days=today.weekday()),
        "last week": lambda: today - timedelta(days=today.weekday() + 7),
        "this month": lambda: today.replace(day=1),
        "last month": lambda: (today.replace(day=1) - timedelta(days=1)).replace(day=1),
        "this year": lambda: today.replace(month=1, day=1),
        "last year": lambda: today.replace(year=today.year - 1, month=1, day=1),
    }
    if words in named:
        return named[words]()
    last, _, name = words.rpartition(" ")
    matching = [index for index, weekday in enumerate(_DAYS) if len(name) > 2 and weekday.startswith(name)]
    if matching and last in {"", "last"}:
        # `monday` on a Monday is today, `last monday` is a week ago.
        back = (today.weekday() - matching[0]) % 7
        return today - timedelta(days=back or (7 if last else 0))
    try:
        return date.fromisoformat(words)
    except ValueError:
        return None


def _placed(naive: datetime, zone: tzinfo | None) -> datetime:
    return naive.astimezone() if zone is None else naive.replace(tzinfo=zone)
