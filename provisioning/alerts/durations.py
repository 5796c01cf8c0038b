"""Durations as Grafana's files have them: 30s, 5m, 1h30m, 4h, 1d, 2w."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_UNITS = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
# Largest unit first and each once: Prometheus's model.ParseDuration takes no other order.
_DURATION = re.compile("".join(rf"(?:(?P<{unit}>\d{{1,6}}){unit})?" for unit in _UNITS))


def seconds(text: str) -> int:
    """How long it is. Raises ValueError for what Grafana can't read."""
    found = _DURATION.fullmatch(text)
    if found is None or not text:
        raise ValueError(f"{text!r} is no duration of Grafana's; write e.g. 30s, 5m, 4h or 1d")
    return sum(int(number) * _UNITS[unit] for unit, number in found.groupdict().items() if number)


def _duration(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a time with its unit, e.g. 30s, 5m, 4h or 1d")
    if not seconds(value):
        # Alertmanager refuses intervals of no length, and there is no other use of them here.
        raise ValueError(f"{value}: must be longer than that")
    return value


def _wait(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a time with its unit, e.g. 0s, 30s or 5m")
    seconds(value)
    return value


_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^(\d+[ywdhms])+$"})
Duration = Annotated[str, BeforeValidator(_duration), _SCHEMA]
Wait = Annotated[str, BeforeValidator(_wait), _SCHEMA]
