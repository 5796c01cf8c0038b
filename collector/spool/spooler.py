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
from exporter.errors import StoreUnavailableError
from exporter.store.catalogue import Catalogue
from exporter.store.writer import Writer

log = logging.getLogger(__name__)

# Between two tries; longer where PostgreSQL is in order and refuses what it is given.
_SHORTEST_S, _LONGEST_S, _LONGEST_REFUSED_S = 0.5, 5.0, 60.0

_LAST_PATIENCE_S = 1.0
_LEAST_ROOM = 1 << 20  # bytes; a group of requests takes less


class Spooler:
    """A spool, and the thread that empties it."""

    def __init__(self, spool: Spool, catalogue: Catalogue, writer: Writer, registry: Registry) -> None:
        """Owns the spool, and the writer, which nobody else uses."""
        self._spool = spool
        self._catalogue = catalogue
        self._writer = writer
        self._registry = registry
        self._away = False
        self._wake = threading.Condition()
        self._stopping = threading.Event()
        self._refused: set[Entry] = set()
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
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; what waits is there for the next process."""
        with self._wake:
            self._stopping.set()
            self._wake.notify()
        while self._thread.is_alive():
            self._thread.join(_LAST_PATIENCE_S)
            # It may wait for a PostgreSQL that says nothing. Whether it has committed is found out the next time.
            self._writer.abort()
            self._catalogue.abort()
        self._writer.close()
        self._spool.close()

    def keep(self, batch: Batch) -> None:
        """Takes a batch that PostgreSQL can't take now. Raises StoreUnavailableError where the spool can't either."""
        self._spool.add(batch)
        self._registry.spooled(len(batch))
        with self._wake:
            self._away = True
            self._wake.notify()

    def _run(self) -> None:
        pause = _SHORTEST_S
        while self._wait(pause):
            stored = self._store_all()
            longest = _LONGEST_S if self._away else _LONGEST_REFUSED_S
            pause = _SHORTEST_S if stored else min(2 * pause, longest)

    def _wait(self, pause: float) -> bool:
        """Waits for so long, and until there is something to do; False at the end."""
        until = time.monotonic() + pause
        with self._wake:
            while not self._stopping.is_set() and (not len(self._spool) or time.monotonic() < until):
                self._wake.wait(max(until - time.monotonic(), 0.0) if len(self._spool) else None)
            return not self._stopping.is_set()

    def _store_all(self) -> int:
        """Stores what waits, as far as PostgreSQL takes it; how many batches it took."""
        stored = 0
        for entry in self._spool.entries():
            if self._stopping.is_set():
                break
            refusal = self._store(entry)
            if refusal is None:
                stored += 1
            elif self._stopping.is_set():
                break
            elif self._catalogue.missing(()) is not None:
                self._away = True
                break
            elif entry not in self._refused:
                # The others shall not wait for it.
                self._refused.add(entry)
                log.error(
                    "batch %d of the spool %s is refused, and tried again: %s", entry.number, self._spool.path, refusal
                )
            if self._away:
                self._away = False
                log.info("PostgreSQL takes events again; %d batches wait in the spool", len(self._spool))
        if stored and not len(self._spool):
            log.info("the spool is empty")
        return stored

    def _store(self, entry: Entry) -> Exception | None:
        """Moves one batch; where that can't be done, why not."""
        started = time.monotonic()
        try:
            events = self._spool.read(entry).placed(self._catalogue)
            written = self._writer.write(events.after_waiting(datetime.now(UTC)))
        except DamagedError as failure:
            self._spool.set_aside(entry, str(failure))
            return None
        except StoreUnavailableError as failure:
            return failure
        except Exception as failure:
            log.exception("batch %d of the spool can't be stored", entry.number)
            return failure
        self._registry.written(
            time.monotonic() - started,
            stored=written.stored,
            duplicates=written.duplicates,
            quarantined=written.quarantined_by,
        )
        self._spool.remove(entry)
        self._refused.discard(entry)
        return None
