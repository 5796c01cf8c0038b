"""What is to be verified, how far it is, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from exporter.store.integrity.heads import Heads


@dataclass(frozen=True, slots=True)
class Scope:
    """Which partitions are compared: days, both included, and classes; None is all. Chains are always walked whole."""

    since: date | None = None
    until: date | None = None
    retention_class: str | None = None

    def has(self, retention_class: str, day: date | None) -> bool:
        """Whether a class's day is in it. Held events have no day: they are in it wherever their class is."""
        if self.retention_class not in (None, retention_class):
            return False
        return day is None or ((self.since is None or self.since <= day) and (self.until is None or day <= self.until))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: events compared, of how many; which class and day is next (None: the chains, the last checks)."""

    events: int = 0
    total: int = 0
    retention_class: str | None = None
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was verified. `unsealed`: events from before there were digests, by class and day; `orders`: events
    pseudonymised by the number of their order; `uncompared`: links kept elsewhere that have expired here; `unproven`:
    restored events by their archive, of which no link says that it is the one that was written here; `leaving`: class,
    day and since when retention is about to drop what is detached by now.
    """

    started_at: datetime
    events: int
    links: int
    partitions: int
    findings: int
    heads: Heads
    unsealed: tuple[tuple[str, date | None, int], ...] = ()
    orders: dict[int, int] = field(default_factory=dict)
    uncompared: int = 0
    unproven: dict[str, int] = field(default_factory=dict)
    leaving: tuple[tuple[str, date | None, datetime], ...] = ()
