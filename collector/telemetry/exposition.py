"""What is counted, as Prometheus scrapes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from collector.receivers.status import REJECTED_WHERE
from collector.telemetry.counts import SUCCESS, Counts, Distribution
from collector.telemetry.process import Identity, cpu_seconds, memory_bytes
from collector.telemetry.registry import Reading, Registry
from exporter.store.writer import QUARANTINED_WHERE

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Exposition:
    """The registry in Prometheus' text format. No label has a value that a sender chooses."""

    def __init__(self, registry: Registry, identity: Identity) -> None:
        self._registry = registry
        self._identity = identity
        self._families = CollectorRegistry(auto_describe=True)
        self._families.register(self)

    def text(self) -> bytes:
        """All metrics as they are now."""
        return generate_latest(self._families)

    def describe(self) -> list[Metric]:
        """For prometheus_client, which would collect once only to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """For prometheus_client: every metric, those included that have counted nothing yet."""
        reading = self._registry.reading()
        yield InfoMetricFamily(
            "auditgraf_collector",
            "This start of this collector; `instance` is as in audit.collector_health.",
            {"instance": self._identity.instance, "version": self._identity.version},
        )
        yield from _requests(reading.counts)
        yield from _records(reading.counts)
        yield _histogram(
            "auditgraf_commit_seconds", "Time to write and commit a group of requests to PostgreSQL.", reading.commits
        )
        yield _histogram(
            "auditgraf_event_lag_seconds", "Time from a record's own time to its arrival, by record.", reading.lags
        )
        waiting = "Requests that are not answered yet"
        yield GaugeMetricFamily("auditgraf_waiting_requests", f"{waiting}.", reading.waiting_requests)
        yield GaugeMetricFamily("auditgraf_waiting_bytes", f"{waiting}: their size.", reading.waiting_bytes)
        yield from _spool(reading)
        yield CounterMetricFamily("process_cpu_seconds", "Processor time used, user and system.", cpu_seconds())
        yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory.", memory_bytes())
        yield GaugeMetricFamily(
            "process_start_time_seconds", "Start, in seconds since 1970.", self._identity.started_at.timestamp()
        )


def _spool(reading: Reading) -> Iterator[Metric]:
    size, records = reading.spool or (0, 0)
    yield GaugeMetricFamily("auditgraf_spool_bytes", "What waits on disk for PostgreSQL: its size.", size)
    yield GaugeMetricFamily("auditgraf_spool_records", "What waits on disk for PostgreSQL: records.", records)
    yield CounterMetricFamily(
        "auditgraf_spooled_records", "Records that were put into the spool.", reading.counts.spooled
    )


def _requests(counts: Counts) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "auditgraf_requests", "Export requests by how they were answered.", labels=["protocol", "status"]
    )
    for protocol, status in sorted({*SUCCESS.items(), *counts.answers}):
        requests.add_metric([protocol, status], counts.answers[protocol, status])
    yield requests
    yield _by(
        "auditgraf_rejected_requests",
        "Requests that were refused for good, by reason.",
        "reason",
        dict.fromkeys(REJECTED_WHERE, 0) | counts.rejected_by,
    )


def _records(counts: Counts) -> Iterator[Metric]:
    results = {
        "stored": counts.stored,
        "duplicate": counts.duplicates,
        "dropped": counts.dropped,
        "quarantined": counts.quarantined,
        "unavailable": counts.unavailable,
    }
    yield _by("auditgraf_records", "Records by what became of them.", "result", results)
    yield _by(
        "auditgraf_dropped_records",
        "Records that the configuration leaves out, by rule.",
        "rule",
        {"unmatched": 0} | counts.dropped_by,
    )
    yield _by(
        "auditgraf_quarantined_records",
        "Records that PostgreSQL can't take, set aside in audit.quarantine, by its name of the reason.",
        "reason",
        dict.fromkeys(QUARANTINED_WHERE.values(), 0) | counts.quarantined_by,
    )


def _by(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in sorted(values.items()):
        family.add_metric([value], count)
    return family


def _histogram(name: str, text: str, distribution: Distribution) -> Metric:
    return HistogramMetricFamily(name, text, buckets=distribution.cumulative(), sum_value=distribution.total)
