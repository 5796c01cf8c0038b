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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from queue import Queue

import numpy as np

from collector.config import Limits
from collector.explain import LiveTrace
from collector.telemetry.counts import Counts
from collector.telemetry.registry import Registry
from exporter.errors import (
    AuditgrafError,
    MalformedRequestError,
    RejectedRequestError,
    RequestTooLargeError,
    StoreUnavailableError,
)
from exporter.events import Events
from exporter.identity import Repetitions
from exporter.otlp.decode import Envelope, Records, RequestLimits, open_requests
from exporter.store.catalogue import Catalogue
from exporter.store.writer import Writer, Written
from exporter.transform import Transform, Transformed

log = logging.getLogger(__name__)

# Measured: larger groups cost more memory and no less time per record (about 11,000 records of 360 bytes).
GROUP_BYTES = 4 << 20
_REJECTED = RejectedRequestError("a record is no audit event by any rule, and the collector takes only those")


@dataclass(eq=False, slots=True)
class _Waiting:
    """One request between its arrival and its answer."""

    payload: bytes
    answer: asyncio.Future[None]
    failure: AuditgrafError | None = None
    handed_over: bool = False  # the other thread answers it, once


@dataclass(slots=True)
class _Part:
    """What goes from one thread to the other: events of a group, and whether the group ends with them."""

    requests: list[_Waiting]
    events: Events | None
    last: bool
    dropped_by: Mapping[str, int] = field(default_factory=dict)  # records left out beside the events, by rule


class Pipeline:
    """Takes requests as bytes; answers each once all of its records are committed.

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
    ) -> None:
        self._transform = transform
        self._live = live
        self._catalogue = catalogue
        self._writer = writer
        self._max_waiting_bytes = limits.max_waiting_bytes
        self._request_limits = RequestLimits(
            limits.max_request_records, limits.max_request_sources, limits.max_record_bytes
        )
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._unanswered = 0
        self._wake = threading.Condition()
        self._stopping = False
        self._away = False  # whether the last group could not be stored
        self._prepared: Queue[_Part | None] = Queue(maxsize=1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = [
            threading.Thread(target=self._prepare_forever, name="prepare", daemon=True),
            threading.Thread(target=self._write_forever, name="write", daemon=True),
        ]
        self._registry = registry or Registry()

    @property
    def counts(self) -> Counts:
        """What became of requests and records since the start."""
        return self._registry.counts

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
                raise StoreUnavailableError(f"{self._waiting_bytes >> 20} MiB of requests wait for PostgreSQL already")
            self._waiting.append(waiting)
            self._unanswered += 1
            self._waiting_bytes += len(payload)
            self._registry.waiting(self._unanswered, self._waiting_bytes)
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
            try:
                self._prepare(requests)
            except BaseException:  # a panic in Polars is no Exception, and without this thread nobody is answered
                log.exception("a group of %d requests could not be prepared; trying one by one", len(requests))
                self._prepare_one_by_one([request for request in requests if not request.handed_over])
        self._prepared.put(None)

    def _prepare_one_by_one(self, requests: Sequence[_Waiting]) -> None:
        """After a fault of ours: whichever request brings it about must not take its neighbours along."""
        for request in requests:
            try:
                self._prepare([request])
            except BaseException as failure:
                log.exception("a request of %d bytes can't be prepared", len(request.payload))
                self._give_up([request], StoreUnavailableError(f"internal error: {type(failure).__name__}"))

    def _prepare(self, requests: list[_Waiting]) -> None:
        try:
            self._prepare_together(requests)
        except (MalformedRequestError, RequestTooLargeError) as failure:
            if len(requests) == 1:
                self._give_up(requests, failure)
                return
            good = [request for request in requests if not request.handed_over and self._is_well_formed(request)]
            if len(good) == len(requests):
                raise  # together malformed, and none of them alone
            self._prepare(good)
        except AuditgrafError as failure:
            self._give_up(requests, failure)

    def _is_well_formed(self, request: _Waiting) -> bool:
        try:
            envelope = open_requests([request.payload], self._request_limits)
            for part in envelope.parts():
                envelope.records(part)
        except (MalformedRequestError, RequestTooLargeError) as failure:
            self._give_up([request], failure)
            return False
        return True

    def _prepare_together(self, requests: list[_Waiting]) -> None:
        """Hands a group over as events, in parts where it is large: memory is bounded by a part, not by the group.

        Nothing is handed over before all of the group is known to be well-formed and wanted.
        """
        if not requests:
            return
        arrival_ns = time.time_ns()
        envelope = open_requests([request.payload for request in requests], self._request_limits)
        parts = envelope.parts()
        unwanted = self._rejected(envelope, parts) if len(parts) > 1 else {}
        if unwanted:
            for index, failure in unwanted.items():
                self._give_up([requests[index]], failure)
            self._prepare_together([request for index, request in enumerate(requests) if index not in unwanted])
            return
        done = 0
        try:
            stored = [self._transform.source(source) for source in envelope.sources]
            origins = [self._transform.mapper.source_columns(source) for source in stored]
            source_ids = self._catalogue.source_ids(stored, origins)
            repetitions = Repetitions() if len(parts) > 1 else None
            for part in parts:
                transformed = self._transformed(envelope.records(part), source_ids, arrival_ns, repetitions)
                self._hand_over(self._part(requests, transformed, arrival_ns, last=part is parts[-1]))
                done = part.stop
        except StoreUnavailableError:
            self._registry.unavailable(len(envelope) - done)
            raise

    def _transformed(
        self, records: Records, source_ids: np.ndarray, arrival_ns: int, repetitions: Repetitions | None
    ) -> Transformed:
        trace = self._live.start(records) if self._live else None
        transformed = self._transform(records, source_ids, arrival_ns, repetitions, trace)
        if self._live is not None and trace is not None:
            self._live.finish(trace)
        return transformed

    def _part(self, requests: list[_Waiting], transformed: Transformed, arrival_ns: int, *, last: bool) -> _Part:
        for index in transformed.rejected:
            _fail([requests[index]], _REJECTED)
        events = transformed.events
        self._registry.arrived((arrival_ns // 1000 - events.occurred_us) / 1e6)
        self._catalogue.ensure_partitions(events.days())
        return _Part(requests, events, last, transformed.dropped_by)

    def _rejected(self, envelope: Envelope, parts: list[slice]) -> dict[int, AuditgrafError]:
        """Decodes every part for the sake of its errors, and asks which requests the configuration refuses."""
        rejected: dict[int, AuditgrafError] = {}
        for part in parts:
            for index in self._transform.rejected(envelope.records(part)):
                rejected[int(index)] = _REJECTED
        return rejected

    def _give_up(self, requests: list[_Waiting], failure: AuditgrafError) -> None:
        left = [request for request in requests if not request.handed_over]
        _fail(left, failure)
        self._hand_over(_Part(left, None, last=True))

    def _hand_over(self, part: _Part) -> None:
        if part.last:
            for request in part.requests:
                request.handed_over = True
        self._prepared.put(part)

    def _write_forever(self) -> None:
        while (part := self._prepared.get()) is not None:
            if part.events is not None:
                # Where an earlier part of a group failed, its senders will send all of it again.
                if all(request.failure for request in part.requests) or not self._write(part.requests, part.events):
                    self._registry.unavailable(len(part.events) + sum(part.dropped_by.values()))
                else:
                    self._registry.dropped(part.dropped_by)
            part.events = None
            if part.last:
                self._answer(part.requests)

    def _write(self, requests: list[_Waiting], events: Events) -> bool:
        """Whether the events are committed; else their senders are told why not."""
        started = time.monotonic()
        try:
            written: Written = self._writer.write(events)
        except AuditgrafError as failure:
            if not self._away:
                log.warning("events can't be stored for now, senders are asked to retry: %s", failure)
            self._away = True
            _fail(requests, failure)
        except BaseException as failure:
            log.exception("a group of %d events could not be written", len(events))
            _fail(requests, StoreUnavailableError(f"internal error: {type(failure).__name__}"))
        else:
            if self._away:
                log.info("events are stored again")
            self._away = False
            self._registry.written(
                time.monotonic() - started,
                stored=written.stored,
                duplicates=written.duplicates,
                quarantined=written.quarantined_by,
            )
            return True
        return False

    def _answer(self, requests: list[_Waiting]) -> None:
        with self._wake:
            self._unanswered -= len(requests)
            self._waiting_bytes -= sum(len(request.payload) for request in requests)
            self._registry.waiting(self._unanswered, self._waiting_bytes)
        assert self._loop is not None
        self._loop.call_soon_threadsafe(_settle, requests)


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
