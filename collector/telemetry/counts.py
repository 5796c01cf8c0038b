"""What is counted, as values: totals since the start, the highest of an interval, and how numbers are distributed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeVar

import numpy as np

Number = TypeVar("Number", int, float)
# The answers that mean that all is committed, by protocol.
SUCCESS = {"grpc": "OK", "http": "200"}


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of requests and records. Minus an earlier reading: what became of them since."""

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)  # (protocol, status): requests
    rejected_by: Counter[str] = field(default_factory=Counter)  # reason: requests that must not come again as they are
    stored: int = 0  # records, as all that follow
    duplicates: int = 0
    unavailable: int = 0  # not stored, their senders asked to send them again
    dropped_by: Counter[str] = field(default_factory=Counter)  # rule, or `unmatched`
    quarantined_by: Counter[str] = field(default_factory=Counter)  # PostgreSQL's name of the condition
    spooled: int = 0  # kept on disk for a while; what becomes of them in the end is counted above

    @property
    def requests(self) -> int:
        return self.answers.total()

    @property
    def refused_by(self) -> dict[str, int]:
        """Answers other than success, by "protocol status"."""
        return {
            f"{protocol} {status}": count
            for (protocol, status), count in sorted(self.answers.items())
            if status != SUCCESS[protocol]
        }

    @property
    def refused(self) -> int:
        return sum(self.refused_by.values())

    @property
    def rejected(self) -> int:
        return self.rejected_by.total()

    @property
    def dropped(self) -> int:
        return self.dropped_by.total()

    @property
    def quarantined(self) -> int:
        return self.quarantined_by.total()

    @property
    def records(self) -> int:
        """All records of requests that were well-formed and wanted."""
        return self.stored + self.duplicates + self.unavailable + self.dropped + self.quarantined

    def __sub__(self, earlier: Counts) -> Counts:
        return Counts(
            self.answers - earlier.answers,
            self.rejected_by - earlier.rejected_by,
            self.stored - earlier.stored,
            self.duplicates - earlier.duplicates,
            self.unavailable - earlier.unavailable,
            self.dropped_by - earlier.dropped_by,
            self.quarantined_by - earlier.quarantined_by,
            self.spooled - earlier.spooled,
        )

    def __str__(self) -> str:
        """One line for the log; reasons in brackets, where there are any."""
        return (
            f"{self.requests} requests (refused {_counted(self.refused, self.refused_by)}), {self.records} records: "
            f"stored {self.stored}, duplicates {self.duplicates}, "
            f"dropped {_counted(self.dropped, self.dropped_by)}, "
            f"quarantined {_counted(self.quarantined, self.quarantined_by)}, to be sent again {self.unavailable}"
            + (f", by way of the spool {self.spooled}" if self.spooled else "")
        )


def _counted(total: int, by: Mapping[str, int]) -> str:
    return f"{total} [{', '.join(f'{name} {count}' for name, count in sorted(by.items()))}]" if by else str(total)


@dataclass(frozen=True, slots=True)
class Peaks:
    """The highest within an interval; None where nothing was measured. `|` joins two intervals."""

    lag_seconds: float | None = None
    commit_seconds: float | None = None
    waiting_requests: int = 0
    waiting_bytes: int = 0
    spool_bytes: int | None = None  # None: there is no spool

    def __or__(self, other: Peaks) -> Peaks:
        return Peaks(
            _higher(self.lag_seconds, other.lag_seconds),
            _higher(self.commit_seconds, other.commit_seconds),
            max(self.waiting_requests, other.waiting_requests),
            max(self.waiting_bytes, other.waiting_bytes),
            _higher(self.spool_bytes, other.spool_bytes),
        )


def _higher(one: Number | None, other: Number | None) -> Number | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


@dataclass(frozen=True, slots=True)
class Distribution:
    """How many values are within each bound and above the one before, as a Prometheus histogram has it."""

    bounds: tuple[float, ...]  # ascending; there is one bucket more, for what is above the last
    counts: tuple[int, ...] = ()
    total: float = 0.0  # the sum of all values

    def with_values(self, values: np.ndarray) -> Distribution:
        """The distribution with some more values (float64)."""
        places = np.searchsorted(self.bounds, values)
        more = np.bincount(places, minlength=len(self.bounds) + 1)
        counts = more + self.counts if self.counts else more
        return Distribution(self.bounds, tuple(counts.tolist()), self.total + float(values.sum()))

    def cumulative(self) -> list[tuple[str, float]]:
        """Prometheus' buckets: each bound as text with the number of values up to it, `+Inf` at the end."""
        names = [*map(str, self.bounds), "+Inf"]
        counts = self.counts or (0,) * len(names)
        return list(zip(names, map(float, accumulate(counts)), strict=True))
