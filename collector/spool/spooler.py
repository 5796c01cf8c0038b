"""Batches into the spool while PostgreSQL is away, and out of it as soon as that is there again, the oldest first."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from collector.batch import Batch
from collector.spool.file import DamagedError
from collector.spool.folder import Entry, Spool
from collector.telemetry.registry import Registry
from collector.watchdog import Watchdog
from exporter.errors import AuditgrafError, StoreUnavailableError
from exporter.store.catalogue import Catalogue
from exporter.store.writer import Writer

log = logging.getLogger(__name__)

# Between two tries; longer where PostgreSQL is in order and refuses what it is given.
_SHORTEST_S, _LONGEST_S, _LONGEST_REFUSED_S = 0.5, 5.0, 60.0

# For one batch; longer than any takes that PostgreSQL does not leave lying. After that a new connection may do better.
_PATIENCE_S = 120.0
_LAST_PATIENCE_S = 1.0
_REMINDED_EVERY_S = 60.0
_LEAST_ROOM = 1 << 20  # bytes; a group of requests takes less


class Spooler:
    """A spool, and the thread that empties it."""

    def __init__(self, spool: Spool, catalogue: Catalogue, writer: Writer, registry: Registry) -> None:
        """Owns the spool, the catalogue and the writer: nobody else waits for what hangs there."""
        self._spool = spool
        self._catalogue = catalogue
        self._writer = writer
        self._registry = registry
        self._away = False
        self._told_until = 0.0  # the log knows until then that senders are asked to send again
        self._wake = threading.Condition()
        self._stopping = threading.Event()
        self._refused: set[Entry] = set()
        self._watchdog = Watchdog(self._abort)
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)

    @property
    def path(self) -> Path:
        return self._spool.path

    @property
    def full(self) -> bool:
        """Whether hardly anything more can be kept."""
        return self._spool.room < _LEAST_ROOM

    @property
    def away(self) -> bool:
        """Whether it makes no sense to write past the spool: PostgreSQL does not take what is in it."""
        return self._away and len(self._spool) > 0

    def start(self) -> None:
        """Begins with what an earlier process left."""
        if len(self._spool):
            events = sum(entry.events for entry in self._spool.entries())
            log.info("%d events wait in the spool %s", events, self._spool.path)
        self._watchdog.start()
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; what waits is there for the next process."""
        with self._wake:
            self._stopping.set()
            self._wake.notify()
        while self._thread.is_alive():
            self._thread.join(_LAST_PATIENCE_S)
            # It may wait for a PostgreSQL that says nothing. Whether it has committed is found out the next time.
            self._abort()
        self._watchdog.stop()
        self._writer.close()
        self._catalogue.close()
        self._spool.close()

    def keep(self, batch: Batch) -> None:
        """Takes a batch that PostgreSQL can't take now. Raises StoreUnavailableError where the spool can't either."""
        self._away = True  # first: while the disk is flushed it may turn out to be back
        try:
            self._spool.add(batch)
        except StoreUnavailableError as failure:
            if time.monotonic() > self._told_until:
                self._told_until = time.monotonic() + _REMINDED_EVERY_S
                log.error("senders are asked to send again: %s", failure)
            raise
        self._registry.spooled(len(batch))
        with self._wake:
            self._wake.notify()

    def _abort(self) -> None:
        self._writer.abort()
        self._catalogue.abort()

    def _run(self) -> None:
        pause = _SHORTEST_S
        while self._wait(pause):
            stored = self._store_all()
            longest = _LONGEST_S if self._away else _LONGEST_REFUSED_S
            pause = _SHORTEST_S if stored else min(2 * pause, longest)

    def _wait(self, pause: float) -> bool:
        """Waits for so long, and until there is something to do; False at the end."""
        since = time.monotonic()
        with self._wake:
            while not self._stopping.is_set():
                # It may have gone away while nothing but what it refuses waited.
                left = since + (min(pause, _LONGEST_S) if self._away else pause) - time.monotonic()
                if len(self._spool) and left <= 0:
                    return True
                self._wake.wait(left if len(self._spool) else None)
            return False

    def _store_all(self) -> int:
        """Stores what waits, as far as PostgreSQL takes it; how many batches it took."""
        stored = 0
        # What was refused before comes last: the others shall not wait for it.
        for entry in sorted(self._spool.entries(), key=self._refused.__contains__):
            with self._watchdog.within(_PATIENCE_S):
                refusal = self._store(entry)
                if isinstance(refusal, DamagedError):
                    self._spool.set_aside(entry, str(refusal))
                    continue
                if self._stopping.is_set() or (refusal and self._catalogue.missing(()) is not None):
                    self._away = True
                    break
            if refusal is None:
                stored += 1
                continue
            self._tell(entry, refusal)
            if isinstance(refusal, OSError):
                break  # the disk's: the next would fare no better, and be stored in vain each time
        else:
            self._away = False  # it answers: whether it takes what is new is found out when that comes
        if stored and not len(self._spool):
            log.info("the spool is empty")
        return stored

    def _tell(self, entry: Entry, refusal: BaseException) -> None:
        if entry in self._refused:
            return
        self._refused.add(entry)
        where = f"batch {entry.number} of the spool {self._spool.path}"
        trace = None if isinstance(refusal, AuditgrafError | OSError) else refusal
        log.error("%s can't be moved to PostgreSQL, and is tried again: %s", where, refusal, exc_info=trace)

    def _store(self, entry: Entry) -> BaseException | None:
        """Moves one batch; where that can't be done, why not."""
        started = time.monotonic()
        try:
            events = self._spool.read(entry).placed(self._catalogue)
            written = self._writer.write(events.after_waiting(datetime.now(UTC)))
            if self._away:
                self._away = False
                log.info("PostgreSQL takes events again; %d batches wait in the spool", len(self._spool))
            self._registry.written(
                time.monotonic() - started,
                stored=written.stored,
                duplicates=written.duplicates,
                quarantined=written.quarantined_by,
            )
            self._spool.remove(entry)
        except BaseException as failure:  # a panic in Polars is no Exception; without this thread nothing is stored
            return failure
        self._refused.discard(entry)
        return None
