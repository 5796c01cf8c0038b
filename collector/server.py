"""The collector as a whole: what it is made of, how it starts, how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

from collector.config import Config
from collector.explain.live import LiveTrace
from collector.pipeline import Pipeline
from collector.receivers.grpc import GrpcReceiver
from collector.receivers.http import HttpReceiver
from collector.retention.schedule import Schedule
from collector.spool import Spool, Spooler
from collector.telemetry.exposition import Exposition
from collector.telemetry.process import identify
from collector.telemetry.registry import Registry
from collector.telemetry.samples import Sampler
from collector.telemetry.scrape import MetricsServer
from collector.transformation import transform_of
from exporter.errors import StoreUnavailableError
from exporter.store.catalogue import Catalogue
from exporter.store.writer import Writer

log = logging.getLogger(__name__)

# What a sender waits at most by default (OTEL_EXPORTER_OTLP_TIMEOUT): an answer later than that reaches nobody.
_GRACE_S = 10.0
# A scrape takes milliseconds; who has not read it by then never will.
_METRICS_GRACE_S = 1.0
_MAINTENANCE_S = 1800.0
# The thread that writes needs the interpreter for moments only, between two waits for PostgreSQL: with Python's 5 ms it
# waits longer for its turn than for PostgreSQL, which meanwhile has nothing to do.
_SWITCH_S = 0.0005
_MAINTENANCE_RETRY_S = 30.0
# Orchestrators give up on a probe after a few seconds.
_PROBE_S = 3.0


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the receivers really listen, and where the metrics are, if anywhere."""

    grpc: int
    http: int
    metrics: int | None = None


class Collector:
    """One collector process. `start` and `stop` run in the event loop that serves."""

    def __init__(self, config: Config, trace: str | None = None) -> None:
        """Raises ConfigError where the configuration, the rules or a geo file can't be used.

        `trace` is the service whose records are explained in the log.
        """
        self._classes = tuple(config.classes)
        transform = transform_of(config)
        url = config.writer_url()
        self._catalogue = Catalogue(url)
        # Readiness has a session of its own: it must answer while the others wait.
        self._probe = Catalogue(url)
        # So has maintenance: to forget arrivals may take long, and no sender should wait for it.
        self._upkeep = Catalogue(url)
        self._writer = Writer(url, self._catalogue)
        registry = Registry()
        identity = identify()
        self._spooler: Spooler | None = None
        if config.spool.path is not None:
            spool = Spool(config.spool.path, config.spool.max_bytes, registry.spool)
            # It has sessions of its own: nobody who sends now should wait for what was sent before.
            catalogue = Catalogue(url)
            self._spooler = Spooler(spool, catalogue, Writer(url, catalogue), registry)
        self.pipeline = Pipeline(
            transform,
            self._catalogue,
            self._writer,
            config.limits,
            registry,
            live=LiveTrace(trace) if trace else None,
            spooler=self._spooler,
        )
        self._sampler = Sampler(url, registry, identity)
        self._metrics: MetricsServer | None = None
        if config.telemetry.listen != "off":
            self._metrics = MetricsServer(Exposition(registry, identity), listen=config.telemetry.listen)
        limit = config.limits.max_request_bytes
        self._grpc = GrpcReceiver(
            self.pipeline, listen=config.grpc.listen, max_request_bytes=limit, answered=registry.answered
        )
        self._http = HttpReceiver(
            self.pipeline,
            listen=config.http.listen,
            max_request_bytes=limit,
            ready=self.unready,
            cors_allowed_origins=config.http.cors_allowed_origins,
            answered=registry.answered,
        )
        self._maintenance: asyncio.Task[None] | None = None
        self._probing: asyncio.Future[str | None] | None = None

    async def start(self) -> Ports:
        """Serves from now on, whether PostgreSQL is there yet or not. Raises ConfigError for a port that is taken."""
        async with contextlib.AsyncExitStack() as undo:
            grpc_port = await self._grpc.start()
            undo.push_async_callback(self._grpc.stop, 0)
            http_port = await self._http.start()
            undo.push_async_callback(self._http.stop, 0)
            metrics_port = await self._metrics.start() if self._metrics else None
            undo.pop_all()
        self.pipeline.start()
        if self._spooler is not None:
            self._spooler.start()
        self._sampler.start()
        self._maintenance = asyncio.create_task(self._maintain())
        return Ports(grpc_port, http_port, metrics_port)

    async def stop(self) -> None:
        """Takes nothing new, answers what is under way, commits what waits."""
        if self._maintenance is not None:
            self._maintenance.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._maintenance
        await asyncio.gather(self._grpc.stop(_GRACE_S), self._http.stop(_GRACE_S))
        await self.pipeline.stop()
        if self._spooler is not None:
            await asyncio.to_thread(self._spooler.stop)
        await asyncio.to_thread(self._sampler.stop)
        if self._metrics is not None:
            await self._metrics.stop(_METRICS_GRACE_S)
        for part in (self._writer, self._catalogue, self._probe, self._upkeep):
            part.abort()  # nothing that matters is under way, and a PostgreSQL that hangs would never let it end
            await asyncio.to_thread(part.close)
        log.info("stopped; since the start: %s", self.pipeline.counts)

    async def unready(self) -> str | None:
        """Why no requests should be sent here, None where they may: what can go into the spool is taken."""
        if self._spooler is not None and not self._spooler.full:
            return None
        return await self.missing()

    async def missing(self) -> str | None:
        """What keeps events from being written, None where nothing does. Answers in time even if PostgreSQL doesn't."""
        # One at a time: each that hangs holds a thread, of those that inflate and parse requests too.
        if self._probing is None or self._probing.done():
            self._probing = asyncio.ensure_future(asyncio.to_thread(self._probe.missing, self._classes))
        try:
            return await asyncio.wait_for(asyncio.shield(self._probing), _PROBE_S)
        except TimeoutError:
            return f"PostgreSQL has not answered within {_PROBE_S:g} s"

    async def _maintain(self) -> None:
        """Makes partitions ahead of time, so that no sender waits for one at midnight; summarises days gone by."""
        while True:
            pause = _MAINTENANCE_S
            try:
                await asyncio.to_thread(self._upkeep.ensure_ahead, self._classes)
                await asyncio.to_thread(self._upkeep.forget_arrivals)
                while done := await asyncio.to_thread(self._upkeep.summarise_next):
                    log.debug("for charts over long ranges: %s", done)
            except StoreUnavailableError as failure:
                pause = _MAINTENANCE_RETRY_S
                log.warning("partitions or summaries could not be made ahead of time: %s", failure)
            except Exception:
                log.exception("partitions or summaries could not be made ahead of time")
            await asyncio.sleep(pause)


async def serve(
    config: Config, *, trace: str | None = None, started: Callable[[Ports], None] = lambda ports: None
) -> None:
    """Runs a collector until SIGINT or SIGTERM; `trace` is the service whose records are explained in the log."""
    sys.setswitchinterval(_SWITCH_S)
    collector = Collector(config, trace)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    ports = await collector.start()
    log.info(
        "OTLP over gRPC on %s, over HTTP on %s; metrics %s",
        config.grpc.listen,
        config.http.listen,
        config.telemetry.listen,
    )
    problem = await collector.missing()
    if problem:
        log.warning("not ready: %s", problem)
    retention = Schedule(config)
    retention.start()
    started(ports)
    await stop.wait()
    log.info("stopping: no new requests are taken, those under way are answered")
    await retention.stop()
    await collector.stop()
