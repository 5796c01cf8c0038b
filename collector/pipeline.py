"""Group commit: requests that wait together are decoded, mapped and committed together.

Two threads, so that one group is prepared while the one before it is on its way into PostgreSQL. There is no timer:
whatever came in while the threads were busy is the next group, so a lone request is committed at once, and under load
groups grow by themselves up to a bound.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from queue import Queue

from exporter.errors import (
    AuditgrafError,
    MalformedRequestError,
    RejectedRequestError,
    StoreUnavailableError,
)
from exporter.events import Events
from exporter.otlp.decode import Records, decode
from exporter.store.catalogue import Catalogue
from exporter.store.writer import Writer, Written
from exporter.transform import Transform, Transformed

log = logging.getLogger(__name__)

# Measured: larger groups cost more memory and no less time per record (about 11,000 records of 360 bytes).
GROUP_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of records and requests since the start."""

    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    dropped: int = 0  # records that `unmatched: drop` left out
    malformed: int = 0  # requests
    rejected: int = 0  # requests that `unmatched: reject` refused
    unavailable: int = 0  # requests


@dataclass(eq=False, slots=True)
class _Waiting:
    """One request between its arrival and its answer."""

    payload: bytes
    answer: asyncio.Future[None]
    failure: AuditgrafError | None = None


@dataclass(slots=True)
class _Group:
    requests: list[_Waiting]
    events: Events | None = None


class Pipeline:
    """Takes requests as bytes; answers each once all of its records are committed."""

    def __init__(self, transform: Transform, catalogue: Catalogue, writer: Writer, *, max_waiting_bytes: int) -> None:
        self._transform = transform
        self._catalogue = catalogue
        self._writer = writer
        self._max_waiting_bytes = max_waiting_bytes
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._wake = threading.Condition()
        self._stopping = False
        self._prepared: Queue[_Group | None] = Queue(maxsize=1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = [
            threading.Thread(target=self._prepare_forever, name="prepare", daemon=True),
            threading.Thread(target=self._write_forever, name="write", daemon=True),
        ]
        self.counts = Counts()

    def start(self) -> None:
        """Starts the threads; to be called where the event loop runs."""
        self._loop = asyncio.get_running_loop()
        for thread in self._threads:
            thread.start()

    async def stop(self) -> None:
        """Commits what is waiting, then ends the threads."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    async def submit(self, payload: bytes) -> None:
        """Returns once all records of one ExportLogsServiceRequest (protobuf) are committed.

        Raises MalformedRequestError, RejectedRequestError, or StoreUnavailableError. Who stops waiting does not stop
        the commit.
        """
        if not payload:
            return
        waiting = _Waiting(payload, asyncio.get_running_loop().create_future())
        with self._wake:
            if self._stopping:
                raise StoreUnavailableError("the collector is stopping")
            if self._waiting_bytes and self._waiting_bytes + len(payload) > self._max_waiting_bytes:
                self._count(unavailable=1)
                raise StoreUnavailableError(f"{self._waiting_bytes >> 20} MiB of requests wait for PostgreSQL already")
            self._waiting.append(waiting)
            self._waiting_bytes += len(payload)
            self._wake.notify()
        await waiting.answer

    def _take(self) -> list[_Waiting]:
        """The next group's requests, waiting for the first; none at the end."""
        with self._wake:
            while not self._waiting and not self._stopping:
                self._wake.wait()
            taken: list[_Waiting] = []
            size = 0
            while self._waiting and (not taken or size + len(self._waiting[0].payload) <= GROUP_BYTES):
                taken.append(self._waiting.popleft())
                size += len(taken[-1].payload)
            return taken

    def _prepare_forever(self) -> None:
        while requests := self._take():
            group = _Group(requests)
            try:
                self._prepare(group)
            except AuditgrafError as failure:
                _fail(group.requests, failure)
            except Exception:
                log.exception("a group of %d requests could not be prepared; trying one by one", len(requests))
                self._prepare_one_by_one(requests)
                continue
            self._prepared.put(group)
        self._prepared.put(None)

    def _prepare_one_by_one(self, requests: Sequence[_Waiting]) -> None:
        """After a fault of ours: whichever request brings it about must not take its neighbours along."""
        for request in requests:
            group = _Group([request])
            try:
                self._prepare(group)
            except AuditgrafError as failure:
                _fail([request], failure)
            except Exception as failure:
                log.exception("a request of %d bytes can't be prepared", len(request.payload))
                _fail([request], StoreUnavailableError(f"internal error: {type(failure).__name__}"))
            self._prepared.put(group)

    def _prepare(self, group: _Group) -> None:
        arrival_ns = time.time_ns()
        good, records = self._decode(group.requests)
        if records is None or not len(records):
            return
        mapper = self._transform.mapper
        columns = [mapper.source_columns(source) for source in records.sources]
        source_ids = self._catalogue.source_ids(records.sources, columns)
        transformed = self._transform(records, source_ids, arrival_ns)
        self._refuse(transformed, good)
        if len(transformed.events):
            self._catalogue.ensure_partitions(transformed.events.days())
            group.events = transformed.events

    def _decode(self, requests: list[_Waiting]) -> tuple[list[_Waiting], Records | None]:
        """All requests in one call; where one of them is malformed, the others without it."""
        try:
            return requests, decode([request.payload for request in requests])
        except MalformedRequestError as failure:
            if len(requests) == 1:
                self._count(malformed=1)
                _fail(requests, failure)
                return [], None
        good = []
        for request in requests:
            try:
                decode([request.payload])
                good.append(request)
            except MalformedRequestError as failure:
                self._count(malformed=1)
                _fail([request], failure)
        return good, decode([request.payload for request in good]) if good else None

    def _refuse(self, transformed: Transformed, requests: list[_Waiting]) -> None:
        for index in transformed.rejected:
            _fail(
                [requests[index]],
                RejectedRequestError("a record is no audit event by any rule, and the collector takes only those"),
            )
        self._count(dropped=transformed.dropped, rejected=len(transformed.rejected))

    def _write_forever(self) -> None:
        while (group := self._prepared.get()) is not None:
            if group.events is not None:
                self._write(group, group.events)
            group.events = None
            self._answer(group.requests)

    def _write(self, group: _Group, events: Events) -> None:
        try:
            written: Written = self._writer.write(events)
        except AuditgrafError as failure:
            _fail(group.requests, failure)
        except Exception as failure:
            log.exception("a group of %d events could not be written", len(events))
            _fail(group.requests, StoreUnavailableError(f"internal error: {type(failure).__name__}"))
        else:
            self._count(stored=written.stored, duplicates=written.duplicates, quarantined=written.quarantined)

    def _answer(self, requests: list[_Waiting]) -> None:
        with self._wake:
            self._waiting_bytes -= sum(len(request.payload) for request in requests)
        self._count(unavailable=sum(isinstance(request.failure, StoreUnavailableError) for request in requests))
        assert self._loop is not None
        self._loop.call_soon_threadsafe(_settle, requests)

    def _count(self, **more: int) -> None:
        # Under the lock of _wake, which is re-entrant: both threads and the loop count.
        with self._wake:
            self.counts = replace(
                self.counts,
                **{name: getattr(self.counts, name) + count for name, count in more.items() if count},
            )


def _fail(requests: Sequence[_Waiting], failure: AuditgrafError) -> None:
    for request in requests:
        if request.failure is None:
            request.failure = failure


def _settle(requests: list[_Waiting]) -> None:
    for request in requests:
        if request.answer.done():  # its sender went away
            continue
        if request.failure is None:
            request.answer.set_result(None)
        else:
            request.answer.set_exception(request.failure)
