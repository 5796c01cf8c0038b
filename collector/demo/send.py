"""Emits the demonstration's events as an application would: one LoggerProvider, resource and exporter a service."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import Literal
from urllib.parse import urlsplit

from collector.demo.events import history, stream
from collector.demo.voices import SERVICES, DemoEvent, Service
from exporter.errors import AuditgrafError

try:
    from opentelemetry._logs import Logger, SeverityNumber
    from opentelemetry.context import Context
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter
    from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
    from opentelemetry.sdk._logs.export import (
        BatchLogRecordProcessor,
        LogRecordExporter,
        LogRecordExportResult,
    )
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
except ImportError as missing:
    raise AuditgrafError(
        f"the demonstration sends by the OpenTelemetry SDK, and {missing.name} is not installed; "
        "pip install 'auditgraf[demo]'"
    ) from None

# The SDK drops the oldest records in silence when its queue is full: it is flushed long before that.
_QUEUE = 16_384
_FLUSH_EVERY = 2_000
_BATCH = 512
_SEND_EVERY_MS = 500


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What to send, and where to."""

    endpoint: str  # gRPC: host:port or http(s)://host:port; HTTP: http(s)://host:port, with or without a path
    protocol: Literal["grpc", "http"]
    rate: float = 5.0  # events per second of the stream
    count: int | None = None  # events of the stream; None: until stopped
    seed: int | None = None  # the same seed gives the same events, times aside
    backfill: timedelta = timedelta(0)  # before the stream: events of the past, spread over this long
    backfill_count: int = 0
    timeout: float = 10.0  # seconds that one request may take, the SDK's retries included


def run(options: DemoOptions, *, stop: threading.Event, progress: Callable[[int], None] | None = None) -> int:
    """Sends until `count` is reached or `stop` is set; returns how many records were accepted.

    `progress` gets the number emitted so far. Raises AuditgrafError where the options make no sense, or records
    could not be delivered.
    """
    _check(options)
    seen = progress or (lambda emitted: None)
    with _senders(options) as sender:
        _emit_history(options, sender, stop, seen)
        _emit_stream(options, sender, stop, seen)
        sender.flush()
        return sender.emitted


def _check(options: DemoOptions) -> None:
    if not (math.isfinite(options.rate) and options.rate > 0):
        raise AuditgrafError(f"rate: {options.rate} is no number of events per second; give one above 0")
    if options.count is not None and options.count < 0:
        raise AuditgrafError(f"count: {options.count} is below 0; leave it out for an endless stream")
    if options.backfill_count < 0 or options.backfill < timedelta(0):
        raise AuditgrafError("backfill: neither the time nor the number of events can be below 0")
    if options.backfill_count > 0 and not options.backfill:
        raise AuditgrafError("backfill: over how long? Give the time too, e.g. 24h")


def _emit_history(
    options: DemoOptions, sender: _Sender, stop: threading.Event, progress: Callable[[int], None]
) -> None:
    if not options.backfill_count:
        return
    for moment, event in history(options.seed, options.backfill_count, datetime.now(UTC), options.backfill):
        if stop.is_set():
            return
        sender.emit(event, int(moment.timestamp() * 1_000_000) * 1000)
        if sender.emitted == 1 or sender.emitted % _FLUSH_EVERY == 0:
            sender.flush()
            progress(sender.emitted)
    progress(sender.emitted)


def _emit_stream(options: DemoOptions, sender: _Sender, stop: threading.Event, progress: Callable[[int], None]) -> None:
    # Real senders don't tick; drawn apart from the events, so that these depend on the seed alone.
    gaps = Random(options.seed)
    due = time.monotonic()
    first = sender.emitted + 1
    for event in islice(stream(options.seed), options.count):
        if stop.wait(max(0.0, due - time.monotonic())):
            return
        due += gaps.expovariate(options.rate)
        sender.emit(event, time.time_ns())
        # After the first, to say at once that nobody listens; then before the queue can overflow.
        if sender.emitted == first or sender.emitted % _FLUSH_EVERY == 0:
            sender.flush()
        sender.check()
        progress(sender.emitted)


class _Watched(LogRecordExporter):
    """An exporter whose results are kept: the SDK's batch processor throws them away."""

    def __init__(self, exporter: LogRecordExporter) -> None:
        self._exporter = exporter
        self.accepted = 0
        self.lost = 0
        self.given_up = False

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        if self.given_up:
            return LogRecordExportResult.FAILURE
        try:
            result = self._exporter.export(batch)
        except Exception:
            self.lost += len(batch)
            raise
        if result is LogRecordExportResult.SUCCESS:
            self.accepted += len(batch)
        else:
            self.lost += len(batch)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _Sender:
    """The services' loggers."""

    def __init__(self, options: DemoOptions) -> None:
        self.emitted = 0
        self._where = f"{options.endpoint} ({'gRPC' if options.protocol == 'grpc' else 'HTTP'})"
        self._watched: list[_Watched] = []
        self._providers: list[LoggerProvider] = []
        self._loggers = {name: self._logger(service, options) for name, service in SERVICES.items()}

    def emit(self, event: DemoEvent, time_ns: int) -> None:
        """Hands one record to the SDK, which sends it soon."""
        self._loggers[event.service].emit(
            timestamp=time_ns,
            observed_timestamp=time_ns,
            context=_context(event),
            severity_number=None if event.severity is None else SeverityNumber[event.severity],
            severity_text=event.severity,
            body=event.body,
            attributes=dict(event.attributes),
            event_name=event.name,
        )
        self.emitted += 1

    def flush(self) -> None:
        """Sends what waits; raises AuditgrafError unless all that was emitted is accepted."""
        for provider in self._providers:
            provider.force_flush()
            self.check()
        accepted = sum(watched.accepted for watched in self._watched)
        if accepted != self.emitted:
            raise AuditgrafError(
                f"{self.emitted - accepted} of {self.emitted} records never left the OpenTelemetry SDK; "
                "unset OTEL_SDK_DISABLED and other OTEL_* variables"
            )

    def check(self) -> None:
        """Raises AuditgrafError if a request has failed for good."""
        lost = sum(watched.lost for watched in self._watched)
        if lost:
            raise AuditgrafError(
                f"{self._where}: {lost} of {self.emitted} records could not be delivered; is the collector running "
                "(auditgraf up, or auditgraf serve), and is this its address and protocol? gRPC is on port 4317 "
                "and HTTP on 4318 unless configured otherwise; `auditgraf doctor` tells more"
            )

    def give_up(self) -> None:
        """Lets what still waits go, so that the end does not take one timeout a service."""
        for watched in self._watched:
            watched.given_up = True

    def shutdown(self) -> None:
        for provider in self._providers:
            provider.shutdown()

    def _logger(self, service: Service, options: DemoOptions) -> Logger:
        watched = _Watched(_exporter(options))
        provider = LoggerProvider(
            Resource.create(
                {
                    "service.name": service.name,
                    "service.namespace": "auditgraf-demo",
                    "service.version": service.version,
                    "service.instance.id": service.instance,
                    "deployment.environment.name": service.environment,
                }
            ),
            shutdown_on_exit=False,
        )
        provider.add_log_record_processor(
            BatchLogRecordProcessor(
                watched,
                schedule_delay_millis=_SEND_EVERY_MS,
                max_export_batch_size=_BATCH,
                max_queue_size=_QUEUE,
            )
        )
        self._watched.append(watched)
        self._providers.append(provider)
        return provider.get_logger(service.scope, service.version)


@contextmanager
def _senders(options: DemoOptions) -> Iterator[_Sender]:
    sender = _Sender(options)
    try:
        yield sender
    except AuditgrafError:
        sender.give_up()
        raise
    finally:
        sender.shutdown()


def _exporter(options: DemoOptions) -> LogRecordExporter:
    endpoint = options.endpoint if "://" in options.endpoint else f"http://{options.endpoint}"
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise AuditgrafError(
            f"endpoint: {options.endpoint!r} is no address; "
            "write e.g. http://127.0.0.1:4318, or 127.0.0.1:4317 for gRPC"
        )
    if options.protocol == "grpc":
        return GrpcExporter(endpoint=endpoint, timeout=options.timeout)
    if parts.path in {"", "/"}:
        endpoint = parts._replace(path="/v1/logs").geturl()
    return HttpExporter(endpoint=endpoint, timeout=options.timeout)


def _context(event: DemoEvent) -> Context:
    if not event.trace_id:
        return Context()
    span = SpanContext(event.trace_id, event.span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(span), Context())
