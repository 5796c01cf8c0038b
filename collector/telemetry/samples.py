"""What is counted, as rows of audit.collector_samples: one each few seconds, none lost while PostgreSQL is away."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.types.json import Jsonb

from collector.telemetry.counts import Counts, Peaks
from collector.telemetry.process import Identity, cpu_seconds, memory_bytes
from collector.telemetry.registry import Registry
from exporter.errors import StoreUnavailableError
from exporter.store.queries import query
from exporter.store.session import Session

log = logging.getLogger(__name__)

_INTERVAL_S = 10.0
_KEPT = timedelta(days=7)
_FORGET_EVERY_S = 3600.0
# Whoever stops the process gives it a while, and the events come first.
_LAST_S = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One interval of one collector."""

    sampled_at: datetime  # its end
    seconds: float
    counts: Counts
    peaks: Peaks
    cpu_seconds: float
    memory_bytes: int


class Sampler:
    """A thread that writes samples. Neither it nor PostgreSQL's absence ever holds up whoever counts.

    Between two samples it has no connection. What can't be written is kept: one sample that may or may not have
    arrived, which is tried again as it is, and all that came after it, which becomes the next.
    """

    def __init__(self, url: str, registry: Registry, identity: Identity) -> None:
        """`url`: the writer's. Raises ConfigError for a URL that can't be read."""
        self._session = Session(url, "auditgraf telemetry")
        self._registry = registry
        self._identity = identity
        self._taken = Counts()
        self._taken_at = time.monotonic()
        self._taken_cpu = 0.0
        self._pending: Sample | None = None
        self._forgotten_at: float | None = None
        self._away = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Writes what was counted since the last sample, unless PostgreSQL keeps it waiting."""
        self._stopping.set()
        self._thread.join(_LAST_S)
        if self._thread.is_alive():
            log.warning("the last health sample is lost: PostgreSQL has not taken it within %g s", _LAST_S)

    def sample(self) -> bool:
        """Writes what was counted since the last sample; False where PostgreSQL can't take it and it is kept."""
        try:
            if self._pending is not None:
                self._write(self._pending)
            self._pending = self._take()
            self._write(self._pending)
            self._pending = None
            self._forget()
        except (StoreUnavailableError, psycopg.Error) as failure:
            if not self._away:
                log.warning("health samples can't be written for now, and are kept: %s", _reason(failure))
            self._away = True
            return False
        finally:
            self._session.close()
        if self._away:
            log.info("health samples are written again")
        self._away = False
        return True

    def _run(self) -> None:
        while not self._stopping.wait(_INTERVAL_S):
            self._sample_whatever_comes()
        if not self._sample_whatever_comes():
            log.warning("the health figures since the last sample are lost: PostgreSQL can't take them")

    def _sample_whatever_comes(self) -> bool:
        try:
            return self.sample()
        except Exception:
            log.exception("a health sample could not be taken")
            return False

    def _take(self) -> Sample:
        now, cpu = time.monotonic(), cpu_seconds()
        counts, peaks = self._registry.interval()
        made = Sample(
            sampled_at=datetime.now(UTC),
            seconds=now - self._taken_at,
            counts=counts - self._taken,
            peaks=peaks,
            cpu_seconds=cpu - self._taken_cpu,
            memory_bytes=memory_bytes(),
        )
        self._taken, self._taken_at, self._taken_cpu = counts, now, cpu
        return made

    def _write(self, sample: Sample) -> None:
        counts, peaks = sample.counts, sample.peaks
        row = {
            "sampled_at": sample.sampled_at,
            "instance": self._identity.instance,
            "started_at": self._identity.started_at,
            "version": self._identity.version,
            "seconds": sample.seconds,
            "requests": counts.requests,
            "refused": counts.refused,
            "refused_by": Jsonb(counts.refused_by),
            "rejected": counts.rejected,
            "rejected_by": Jsonb(counts.rejected_by),
            "records": counts.records,
            "stored": counts.stored,
            "duplicates": counts.duplicates,
            "dropped": counts.dropped,
            "quarantined": counts.quarantined,
            "unavailable": counts.unavailable,
            "dropped_by": Jsonb(counts.dropped_by),
            "quarantined_by": Jsonb(counts.quarantined_by),
            "lag_seconds": peaks.lag_seconds,
            "commit_seconds": peaks.commit_seconds,
            "waiting_requests": peaks.waiting_requests,
            "waiting_bytes": peaks.waiting_bytes,
            "spool_bytes": peaks.spool_bytes,
            "cpu_seconds": sample.cpu_seconds,
            "memory_bytes": sample.memory_bytes,
        }
        self._session.connection().execute(query("add_sample", __package__), row)

    def _forget(self) -> None:
        now = time.monotonic()
        if self._forgotten_at is None or now - self._forgotten_at >= _FORGET_EVERY_S:
            self._session.connection().execute(query("forget_samples", __package__), (_KEPT,))
            self._forgotten_at = now


def _reason(failure: Exception) -> str:
    primary = failure.diag.message_primary if isinstance(failure, psycopg.Error) else None
    return primary or str(failure).strip()
