"""The one place where the collector counts."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from collector.telemetry.counts import Counts, Distribution, Peaks

# Seconds. A lone record is committed within 10 ms, a group under load within 250; PostgreSQL waits 8 s for a lock.
_COMMIT_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# Seconds. Senders batch for a second to five and retry for minutes, and history comes in years late.
_LAG_BOUNDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0, 86400.0)


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything as it is now."""

    counts: Counts
    commits: Distribution  # seconds, by group
    lags: Distribution  # seconds, by record
    waiting_requests: int
    waiting_bytes: int
    spool: tuple[int, int] | None  # bytes and records in it; None: there is none


class Registry:
    """Counts from the start of the process on. Any thread may call, and waits for an addition at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, str]] = Counter()
        self._rejected: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._quarantined: Counter[str] = Counter()
        self._stored = self._duplicates = self._unavailable = self._spooled = 0
        self._commits = Distribution(_COMMIT_BOUNDS)
        self._lags = Distribution(_LAG_BOUNDS)
        self._waiting_requests = self._waiting_bytes = 0
        self._spool: tuple[int, int] | None = None
        self._peaks = Peaks()

    def answered(self, protocol: str, status: str, rejected: str | None = None) -> None:
        """A request got its answer; `rejected` is the reason where it must not come again as it is."""
        with self._lock:
            self._answers[protocol, status] += 1
            if rejected is not None:
                self._rejected[rejected] += 1

    def waiting(self, requests: int, size: int) -> None:
        """So many requests, of so many bytes together, have no answer yet."""
        with self._lock:
            self._waiting_requests, self._waiting_bytes = requests, size
            if requests > self._peaks.waiting_requests or size > self._peaks.waiting_bytes:
                self._peaks |= Peaks(waiting_requests=requests, waiting_bytes=size)

    def arrived(self, lags: np.ndarray) -> None:
        """Records came; for each the seconds (float64) since the time that it is filed under."""
        if not len(lags):
            return
        # A sender's clock that is ahead makes no record early.
        late = np.maximum(lags, 0.0)
        with self._lock:
            self._lags = self._lags.with_values(late)
            self._peaks |= Peaks(lag_seconds=float(late.max()))

    def written(self, seconds: float, *, stored: int, duplicates: int, quarantined: Mapping[str, int]) -> None:
        """A group's records are in PostgreSQL after so many seconds, or were before; `quarantined` by reason."""
        with self._lock:
            self._commits = self._commits.with_values(np.array([seconds]))
            self._peaks |= Peaks(commit_seconds=seconds)
            self._stored += stored
            self._duplicates += duplicates
            self._quarantined.update(quarantined)

    def dropped(self, by_rule: Mapping[str, int]) -> None:
        """Records that the configuration leaves out, by rule."""
        with self._lock:
            self._dropped.update(by_rule)

    def unavailable(self, records: int) -> None:
        """Records that can't be stored now; their senders are asked to send them again."""
        with self._lock:
            self._unavailable += records

    def spooled(self, records: int) -> None:
        """Records that are kept in the spool for now."""
        with self._lock:
            self._spooled += records

    def spool(self, size: int, records: int) -> None:
        """So many bytes and records wait in the spool."""
        with self._lock:
            self._spool = size, records
            self._peaks |= Peaks(spool_bytes=size)

    @property
    def counts(self) -> Counts:
        """The totals since the start."""
        with self._lock:
            return self._totals()

    def reading(self) -> Reading:
        """Everything there is."""
        with self._lock:
            waiting = self._waiting_requests, self._waiting_bytes
            return Reading(self._totals(), self._commits, self._lags, *waiting, self._spool)

    def interval(self) -> tuple[Counts, Peaks]:
        """The totals since the start, and the highest since the last call of this."""
        with self._lock:
            peaks = self._peaks
            self._peaks = Peaks(
                waiting_requests=self._waiting_requests,
                waiting_bytes=self._waiting_bytes,
                spool_bytes=None if self._spool is None else self._spool[0],
            )
            return self._totals(), peaks

    def _totals(self) -> Counts:
        return Counts(
            Counter(self._answers),
            Counter(self._rejected),
            self._stored,
            self._duplicates,
            self._unavailable,
            Counter(self._dropped),
            Counter(self._quarantined),
            self._spooled,
        )
