"""Durations as people write them: 12h, 7d, 1h 30m, never."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhdwy])", re.IGNORECASE)


def parse_duration(value: object) -> timedelta | None:
    """'90d', '1h 30m', '2w', '1y' as a timedelta; 'never' as None. Raises ValueError for anything else."""
    if isinstance(value, timedelta) or value is None:
        return value
    text = str(value).strip()
    if text.lower() in {"never", "forever"}:
        return None
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text).strip():
        raise ValueError(f"{text!r} is no duration; write e.g. 12h, 7d, 8w, 1y or never")
    try:
        # Decimal: a float has no microseconds left after three hundred years.
        seconds = sum(Decimal(number) * _UNITS[unit.lower()] for number, unit in parts)
        return timedelta(microseconds=round(seconds * 1_000_000))
    except (ArithmeticError, ValueError):
        raise ValueError(f"{text[:40]!r} is too long; write never for what has no end") from None


def format_duration(span: timedelta | None) -> str:
    """The shortest text that parse_duration reads back."""
    if span is None:
        return "never"
    seconds, fraction = divmod(span // timedelta(microseconds=1), 1_000_000)
    if fraction:
        return f"{seconds}.{fraction:06d}".rstrip("0") + "s"
    unit = next((unit for unit in ("d", "h", "m") if seconds and seconds % _UNITS[unit] == 0), "s")
    return f"{seconds // _UNITS[unit]}{unit}"
