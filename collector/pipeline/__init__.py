"""Group commit: requests that wait together are decoded, mapped and committed together.

Two threads, so that one group is prepared while the one before it is on its way into PostgreSQL. There is no timer:
whatever came in while the threads were busy is the next group, so a lone request is committed at once, and under load
groups grow by themselves up to a bound.
"""

from __future__ import annotations

import asyncio
from queue import Queue

from collector.config import Limits
from collector.explain.live import LiveTrace
from collector.pipeline.intake import Intake
from collector.pipeline.preparation import Preparation
from collector.pipeline.request import Part
from collector.pipeline.storing import Storing
from collector.spool import Spooler
from collector.telemetry.counts import Counts
from collector.telemetry.registry import Registry
from exporter.otlp.decode import RequestLimits
from exporter.store.catalogue import Catalogue
from exporter.store.writer import Writer
from exporter.transform import Transform

__all__ = ["Pipeline"]


class Pipeline:
    """Takes requests as bytes; answers each once all of its records are committed, or in the spool.

    What becomes of records is counted in `registry` once it is settled; answers are the receivers' to count.
    """

    def __init__(
        self,
        transform: Transform,
        catalogue: Catalogue,
        writer: Writer,
        limits: Limits,
        registry: Registry | None = None,
        *,
        live: LiveTrace | None = None,
        spooler: Spooler | None = None,
    ) -> None:
        """`spooler` takes what PostgreSQL can't take now; who made it starts and stops it."""
        self._registry = registry or Registry()
        self._intake = Intake(limits.max_waiting_bytes, self._registry)
        prepared: Queue[Part | None] = Queue(maxsize=1)
        most = RequestLimits(limits.max_request_records, limits.max_request_sources, limits.max_record_bytes)
        self._preparation = Preparation(self._intake, prepared, transform, most, self._registry, live)
        self._storing = Storing(self._intake, prepared, catalogue, writer, self._registry, spooler)

    @property
    def counts(self) -> Counts:
        """What became of requests and records since the start."""
        return self._registry.counts

    def start(self) -> None:
        """Starts the threads; to be called where the event loop runs."""
        self._intake.answers_in(asyncio.get_running_loop())
        self._preparation.start()
        self._storing.start()

    async def stop(self) -> None:
        """Commits what is waiting, then ends the threads."""
        self._intake.close()
        self._storing.hurry()  # else the first thread would wait for the second, and that for a PostgreSQL that hangs
        await asyncio.to_thread(self._preparation.join)
        await asyncio.to_thread(self._storing.join)

    async def submit(self, payload: bytes) -> None:
        """Returns once all records of one ExportLogsServiceRequest (protobuf) are committed, or in the spool.

        Raises MalformedRequestError, RejectedRequestError, or StoreUnavailableError. Who stops waiting does not stop
        the commit.
        """
        if payload:
            await self._intake.submit(payload)
