"""Times as people write them: `2h`, `3 days ago`, `yesterday at 6pm`, `last monday`, `1 Nov 10:00`, `2026-11-01`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from exporter.durations import parse_duration

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_SPELT = {
    **{"second": "s", "sec": "s", "minute": "m", "min": "m", "hour": "h", "hr": "h"},
    **{"day": "d", "week": "w", "year": "y"},
}
_UNIT = re.compile(rf"(?<![a-z])({'|'.join(_SPELT)})s?\b")
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBER = re.compile(rf"\b({'|'.join(_NUMBERS)})\b")
_AGO = re.compile(r"(?:an? +)?(.+?) *ago")
# `last week` is a week of the calendar, `last 7 days` and `past week` reach back from now.
_BACK = re.compile(r"(?:the )?(?:(?:last|past) (?=\d)|past (?=[a-z])|last (?=(?:day|hour|minute)$))")
_MONTHS_BACK = re.compile(r"(?:(\d{1,4}) ?|an? )(?:months?|mo)(?: ago)?")
_DAYS_BACK = re.compile(r"(?:(\d{1,6}) ?|an? )(days?|d|weeks?|w) ago")
_CLOCK = re.compile(r"(?:(.*?)[ t])??([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d(?:\.\d{1,6})?))?(?: ?([ap])m)?")
_HOUR = re.compile(r"(?:(.*?) )??(\d{1,2}) ?([ap])m")
_MONTH = re.compile(r"((?:19|20)\d{2})(?:-(\d{2}))?")
_DATE = re.compile(r"(?:(\d{1,2})(?:st|nd|rd|th)? )?([a-z]{3,9})\.?(?: (\d{1,2})(?:st|nd|rd|th)?)?(?: (\d{4}))?")
_ZONE = re.compile(r"(.*\S) +([A-Za-z]+(?:/[A-Za-z_/+\-0-9]+)|[A-Z]{3,4}|utc|gmt|Z)")
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})")
_EPOCH = re.compile(r"@(\d{1,12})(\.\d{1,6})?")
_BARE_EPOCH = re.compile(r"\d{9,11}")
_ANY_TIME = frozenset({"ever", "all", "beginning"})
_REMEDY = "write e.g. 2h, '3 days ago', yesterday, 'last monday', 2026-11-01 or '2026-11-01 10:00'"


def parse_zone(name: str | None) -> tzinfo | None:
    """`UTC`, `Europe/Berlin`, ...; None stands for this machine's zone, and so does `local`. Raises ValueError."""
    if name is None or name.lower() == "local":
        return None
    if name.upper() in {"UTC", "GMT", "Z"}:
        return UTC
    offset = _OFFSET.fullmatch(name)
    if offset and int(offset[2]) < 24 and int(offset[3]) < 60:
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(ahead if offset[1] == "+" else -ahead)
    try:
        return ZoneInfo(_as_filed(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; write e.g. UTC, Europe/Berlin, +01:00 or local") from None


def _as_filed(name: str) -> str:
    """The zone's name in the case that it has: `europe/berlin` is there under another one."""
    return next((known for known in available_timezones() if known.lower() == name.lower()), name)


def parse_range(text: str, zone: tzinfo | None, now: datetime) -> datetime | None:
    """As parse_moment; None, no bound at all, for `ever`, `all` or `beginning`."""
    return None if text.strip().lower() in _ANY_TIME else parse_moment(text, zone, now)


def parse_moment(text: str, zone: tzinfo | None, now: datetime) -> datetime:
    """The time that the text means, in `zone` (None: this machine's); a day alone is its first moment.

    Durations, with or without `ago`, reach back from `now`. Raises ValueError that shows what can be written.
    """
    written, zone = _without_zone(" ".join(text.replace(",", " ").split()) if "-" not in text else text.strip(), zone)
    plain = _plain(written)
    found: datetime | None
    try:
        found = _relative(plain, zone, now) or _absolute(written, zone) or _in_words(plain, zone, now)
    except (OverflowError, OSError, ValueError):
        raise ValueError(f"{text!r} is further away than the calendar goes; write ever for no bound") from None
    if found is None:
        remedy = f"write @{written} for seconds since 1970" if _BARE_EPOCH.fullmatch(written) else _REMEDY
        raise ValueError(f"{text!r} is no time; {remedy}")
    return found.astimezone(UTC)


def _without_zone(text: str, zone: tzinfo | None) -> tuple[str, tzinfo | None]:
    """The text without a zone at its end, and that zone: `2026-11-01 10:00 Europe/Berlin`, `yesterday UTC`."""
    found = _ZONE.fullmatch(text)
    if found:
        try:
            return found[1], parse_zone(found[2])
        except ValueError:
            pass
    return text, zone


def _plain(text: str) -> str:
    """The words that matter, in lower case, numbers as digits."""
    plain = " ".join(text.lower().split()).replace("half an hour", "30 minutes")
    plain = re.sub(r"^(?:on|at) | at(?= )", "", plain)
    plain = plain.replace("midnight", "00:00").replace("noon", "12:00")
    return _NUMBER.sub(lambda word: str(_NUMBERS.index(word[1]) + 1), plain)


def shown(moment: datetime, zone: tzinfo | None) -> datetime:
    """The moment in the zone that times are shown in."""
    return moment.astimezone(zone)


def _relative(plain: str, zone: tzinfo | None, now: datetime) -> datetime | None:
    if plain == "now":
        return now
    plain = re.sub("^(now ?)?- ?", "", plain)  # now-2h, as Grafana has it
    back = _BACK.match(plain)
    plain = plain[back.end() :] if back else plain
    months = _MONTHS_BACK.fullmatch("1 month" if back and plain == "month" else plain)
    if months:
        local = now.astimezone(zone)
        return _placed(datetime.combine(_months_before(local.date(), int(months[1] or 1)), local.time()), zone)
    found = _AGO.fullmatch(plain)
    spelt = _UNIT.sub(lambda unit: _SPELT[unit[1]], found[1] if found else plain).replace(" and ", " ")
    if (found or back) and spelt in _SPELT.values():
        spelt = f"1{spelt}"
    try:
        span = parse_duration(spelt)
    except ValueError:
        return None
    return None if span is None else now - span


def _months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or the last one that it has."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    last = ((date(year, month + 1, 1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))


def _absolute(text: str, zone: tzinfo | None) -> datetime | None:
    epoch = _EPOCH.fullmatch(text)
    if epoch:
        return datetime.fromtimestamp(int(epoch[1]), UTC) + timedelta(seconds=float(epoch[2] or 0))
    month = _MONTH.fullmatch(text)
    try:
        found = datetime.fromisoformat(f"{month[1]}-{month[2] or '01'}-01" if month else text)
    except ValueError:
        return None
    return found if found.tzinfo else _placed(found, zone)


def _in_words(plain: str, zone: tzinfo | None, now: datetime) -> datetime | None:
    clock, hour = _CLOCK.fullmatch(plain), _HOUR.fullmatch(plain)
    today = now.astimezone(zone).date()
    at = time(0)
    words = plain
    if clock:
        seconds = float(clock[4] or 0)
        at = time(int(clock[2]), int(clock[3]), int(seconds), round(seconds % 1 * 1_000_000))
        words = clock[1] or "today"
    elif hour:
        at = time(int(hour[2])) if 1 <= int(hour[2]) <= 12 else at
        words = (hour[1] or "today") if 1 <= int(hour[2]) <= 12 else ""
    half = (clock and clock[5]) or (hour and hour[3])
    if half and at.hour > 12:
        return None
    if half:
        at = at.replace(hour=at.hour % 12 + (12 if half == "p" else 0))
    day = _day(words, today)
    return None if day is None else _placed(datetime.combine(day, at), zone)


def _day(words: str, today: date) -> date | None:
    named: dict[str, Callable[[], date]] = {
        "today": lambda: today,
        "yesterday": lambda: today - timedelta(days=1),
        "day before yesterday": lambda: today - timedelta(days=2),
        "tomorrow": lambda: today + timedelta(days=1),
        "this week": lambda: today - timedelta(days=today.weekday()),
        "last week": lambda: today - timedelta(days=today.weekday() + 7),
        "this month": lambda: today.replace(day=1),
        "last month": lambda: (today.replace(day=1) - timedelta(days=1)).replace(day=1),
        "this year": lambda: today.replace(month=1, day=1),
        "last year": lambda: today.replace(year=today.year - 1, month=1, day=1),
    }
    words = words.removeprefix("the ")
    if words in named:
        return named[words]()
    back = _DAYS_BACK.fullmatch(words)
    if back:
        return today - timedelta(days=int(back[1] or 1) * (7 if back[2].startswith("w") else 1))
    last, _, name = words.rpartition(" ")
    matching = [index for index, weekday in enumerate(_DAYS) if len(name) > 2 and weekday.startswith(name)]
    if matching and last in {"", "last", "this"}:
        # `monday` on a Monday is today, `last monday` is a week ago.
        days = (today.weekday() - matching[0]) % 7
        return today - timedelta(days=days or (7 if last == "last" else 0))
    try:
        return date.fromisoformat(words)
    except ValueError:
        return _day_of_month(words, today)


def _day_of_month(words: str, today: date) -> date | None:
    """`1 nov`, `november 1 2026`, `november`: without a year, the last one that has begun."""
    found = _DATE.fullmatch(words)
    month = next((at for at, name in enumerate(_MONTHS, 1) if found and name.startswith(found[2])), None)
    if not found or month is None or (found[1] and found[3]):
        return None
    try:
        day = date(int(found[4] or today.year), month, int(found[1] or found[3] or 1))
        return day if found[4] or day <= today else day.replace(year=today.year - 1)
    except ValueError:
        return None


def _placed(naive: datetime, zone: tzinfo | None) -> datetime:
    return naive.astimezone() if zone is None else naive.replace(tzinfo=zone)
