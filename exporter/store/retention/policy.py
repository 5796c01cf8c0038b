"""How long classes are kept, as the configuration wants it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """`durations`: retention class to how long it is kept (None: for ever), or None where no file says anything: then
    what is in the database stays in force. `days_ahead`: for how many days to come partitions are made.
    `rollups`: how long counts outlive their events.
    """

    durations: Mapping[str, timedelta | None] | None
    days_ahead: int
    rollups: timedelta | None = None
