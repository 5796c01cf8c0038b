"""A stretch of time cut into hours, days, weeks or months, as the calendar of a time zone has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Literal

Unit = Literal["hour", "day", "week", "month"]

_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = ".:-=+*#@"
# The longest stretch that is still cut into that unit: about as many bars as a line has room for.
_LONGEST: tuple[tuple[Unit, timedelta], ...] = (
    ("hour", timedelta(hours=49)),
    ("day", timedelta(days=62)),
    ("week", timedelta(days=420)),
)
# More bars than this would not fit a line: what is older is counted in the first one.
_MOST = 120


@dataclass(frozen=True, slots=True)
class Slots:
    """The beginnings of the parts, in order."""

    unit: Unit
    starts: tuple[datetime, ...]


def cut(since: datetime, until: datetime, zone: tzinfo | None) -> Slots:
    """The parts from the one that `since` is in to the one that `until` is in."""
    unit: Unit = next((unit for unit, longest in _LONGEST if until - since <= longest), "month")
    local = since.astimezone(zone).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    if unit != "hour":
        local = local.replace(hour=0)
    if unit == "week":
        local -= timedelta(days=local.weekday())
    if unit == "month":
        local = local.replace(day=1)
    starts: list[datetime] = []
    while (start := _placed(local, zone)) < until or not starts:
        starts.append(start)
        local = _next(local, unit)
    return Slots(unit, tuple(starts[-_MOST:]))


def bars(counts: Sequence[int], *, ascii_only: bool) -> str:
    """A bar for each count, as high as its part of the greatest; nothing for none."""
    greatest = max(counts, default=0)
    heights = _ASCII_BARS if ascii_only else _BARS
    # Rounded up: what is there is seen.
    return "".join(heights[-(-count * len(heights) // greatest) - 1] if count else " " for count in counts)


def _next(local: datetime, unit: Unit) -> datetime:
    if unit == "month":
        return (local + timedelta(days=32)).replace(day=1)
    return local + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}[unit]


def _placed(naive: datetime, zone: tzinfo | None) -> datetime:
    return naive.astimezone() if zone is None else naive.replace(tzinfo=zone)
