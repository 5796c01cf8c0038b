"""The second thread: events into PostgreSQL, or into the spool while it is away; then the answers."""

from __future__ import annotations

import logging
import threading
import time
from queue import Queue

from collector.batch import Batch
from collector.pipeline.intake import Intake
from collector.pipeline.request import Part, fail
from collector.spool import Spooler
from collector.telemetry.registry import Registry
from collector.watchdog import Watchdog
from exporter.errors import AuditgrafError, StoreUnavailableError
from exporter.store.catalogue import Catalogue
from exporter.store.writer import Writer

log = logging.getLogger(__name__)

# Half of what senders wait by default (OTEL_EXPORTER_OTLP_TIMEOUT): with a spool, nobody has to wait for a PostgreSQL
# that says nothing. What it committed all the same is recognised when it comes out of the spool.
_PATIENCE_S = 5.0
# At the end; then whoever sends is told to try again.
_LAST_PATIENCE_S = 10.0


class Storing:
    """Stores parts in the order in which they come."""

    def __init__(
        self,
        intake: Intake,
        prepared: Queue[Part | None],
        catalogue: Catalogue,
        writer: Writer,
        registry: Registry,
        spooler: Spooler | None,
    ) -> None:
        self._intake = intake
        self._prepared = prepared
        self._catalogue = catalogue
        self._writer = writer
        self._registry = registry
        self._spooler = spooler
        self._away = False  # whether the last part could not be stored
        self._leaving = False
        self._watchdog = Watchdog(self._abort)
        self._patience = _PATIENCE_S if spooler else None
        self._thread = threading.Thread(target=self._run, name="write", daemon=True)

    def start(self) -> None:
        self._watchdog.start()
        self._thread.start()

    def hurry(self) -> None:
        """From now on PostgreSQL has to take what comes in time, or it is not stored."""
        self._leaving = True
        self._patience = self._patience or _LAST_PATIENCE_S
        self._watchdog.only(self._patience)

    def join(self) -> None:
        """Waits until all that was prepared is stored."""
        self._thread.join()
        self._watchdog.stop()

    def _abort(self) -> None:
        log.warning("PostgreSQL has not answered within %g s: the connection is closed", self._patience)
        self._writer.abort()
        self._catalogue.abort()

    def _run(self) -> None:
        while (part := self._prepared.get()) is not None:
            if part.batch is not None:
                # Where an earlier part of a group failed, its senders will send all of it again.
                if all(request.failure for request in part.requests) or not self._keep(part, part.batch):
                    self._registry.unavailable(part.records)
                else:
                    self._registry.dropped(part.dropped_by)
            part.batch = None
            if part.last:
                self._intake.answer(part.requests)

    def _keep(self, part: Part, batch: Batch) -> bool:
        """Whether the events are committed, or in the spool; else their senders are told why not."""
        try:
            if len(batch):
                self._store_or_spool(batch)
        except AuditgrafError as failure:
            fail(part.requests, failure)
        except BaseException as failure:
            log.exception("a group of %d events could not be written", len(batch))
            fail(part.requests, StoreUnavailableError(f"internal error: {type(failure).__name__}"))
        else:
            return True
        return False

    def _store_or_spool(self, batch: Batch) -> None:
        if self._spooler is not None and self._spooler.away:
            self._spooler.keep(batch)
            return
        try:
            if self._leaving and self._away:
                raise StoreUnavailableError("the collector is stopping, and PostgreSQL is away")
            self._store(batch)
        except AuditgrafError as failure:
            if not self._away:
                then = f"they go into the spool {self._spooler.path}" if self._spooler else "senders are asked to retry"
                log.warning("events can't be stored for now, %s: %s", then, failure)
            self._away = True
            if self._spooler is None:
                raise
            self._spooler.keep(batch)
        else:
            if self._away:
                log.info("events are stored again")
            self._away = False

    def _store(self, batch: Batch) -> None:
        started = time.monotonic()
        with self._watchdog.within(self._patience):
            written = self._writer.write(batch.placed(self._catalogue))
        self._registry.written(
            time.monotonic() - started,
            stored=written.stored,
            duplicates=written.duplicates,
            quarantined=written.quarantined_by,
        )
