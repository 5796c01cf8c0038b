"""The first thread: requests to events, without PostgreSQL."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from queue import Queue

import numpy as np

from collector.batch import Batch, Origin
from collector.explain.live import LiveTrace
from collector.pipeline.intake import Intake
from collector.pipeline.request import Part, Request, fail
from collector.telemetry.registry import Registry
from exporter.errors import (
    AuditgrafError,
    MalformedRequestError,
    RejectedRequestError,
    RequestTooLargeError,
    StoreUnavailableError,
)
from exporter.identity import Repetitions
from exporter.otlp.decode import Envelope, Records, RequestLimits, Source, open_requests
from exporter.transform import Transform, Transformed

log = logging.getLogger(__name__)

_REJECTED = RejectedRequestError("a record is no audit event by any rule, and the collector takes only those")


class Preparation:
    """Takes groups of requests, and hands over what they say."""

    def __init__(
        self,
        intake: Intake,
        prepared: Queue[Part | None],
        transform: Transform,
        limits: RequestLimits,
        registry: Registry,
        live: LiveTrace | None,
    ) -> None:
        self._intake = intake
        self._prepared = prepared
        self._transform = transform
        self._limits = limits
        self._registry = registry
        self._live = live
        self._thread = threading.Thread(target=self._run, name="prepare", daemon=True)
        self.start, self.join = self._thread.start, self._thread.join

    def _run(self) -> None:
        while requests := self._intake.take():
            try:
                self._prepare(requests)
            except BaseException:  # a panic in Polars is no Exception, and without this thread nobody is answered
                log.exception("a group of %d requests could not be prepared; trying one by one", len(requests))
                self._one_by_one([request for request in requests if not request.handed_over])
        self._prepared.put(None)

    def _one_by_one(self, requests: Sequence[Request]) -> None:
        """After a fault of ours: whichever request brings it about must not take its neighbours along."""
        for request in requests:
            try:
                self._prepare([request])
            except BaseException as failure:
                log.exception("a request of %d bytes can't be prepared", len(request.payload))
                self._give_up([request], StoreUnavailableError(f"internal error: {type(failure).__name__}"))

    def _prepare(self, requests: list[Request]) -> None:
        try:
            self._together(requests)
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

    def _is_well_formed(self, request: Request) -> bool:
        try:
            envelope = open_requests([request.payload], self._limits)
            for part in envelope.parts():
                envelope.records(part)
        except (MalformedRequestError, RequestTooLargeError) as failure:
            self._give_up([request], failure)
            return False
        return True

    def _together(self, requests: list[Request]) -> None:
        """Hands a group over as events, in parts where it is large: memory is bounded by a part, not by the group.

        Nothing is handed over before all of the group is known to be well-formed and wanted.
        """
        if not requests:
            return
        arrival_ns = time.time_ns()
        envelope = open_requests([request.payload for request in requests], self._limits)
        parts = envelope.parts()
        unwanted = self._rejected(envelope, parts) if len(parts) > 1 else {}
        if unwanted:
            for index, failure in unwanted.items():
                self._give_up([requests[index]], failure)
            self._together([request for index, request in enumerate(requests) if index not in unwanted])
            return
        origins = tuple(self._origin(source) for source in envelope.sources)
        repetitions = Repetitions() if len(parts) > 1 else None
        for part in parts:
            transformed = self._transformed(envelope.records(part), len(origins), arrival_ns, repetitions)
            self._hand_over(self._part(requests, transformed, origins, arrival_ns, last=part is parts[-1]))

    def _origin(self, source: Source) -> Origin:
        stored = self._transform.source(source)
        return Origin(stored, self._transform.mapper.source_columns(stored))

    def _transformed(
        self, records: Records, origins: int, arrival_ns: int, repetitions: Repetitions | None
    ) -> Transformed:
        trace = self._live.start(records) if self._live else None
        places = np.arange(origins, dtype=np.int32)
        transformed = self._transform(records, places, arrival_ns, repetitions, trace)
        if self._live is not None and trace is not None:
            self._live.finish(trace)
        return transformed

    def _part(
        self,
        requests: list[Request],
        transformed: Transformed,
        origins: tuple[Origin, ...],
        arrival_ns: int,
        *,
        last: bool,
    ) -> Part:
        for index in transformed.rejected:
            fail([requests[index]], _REJECTED)
        events = transformed.events
        self._registry.arrived((arrival_ns // 1000 - events.occurred_us) / 1e6)
        return Part(requests, Batch(events, origins), last, transformed.dropped_by)

    def _rejected(self, envelope: Envelope, parts: list[slice]) -> dict[int, AuditgrafError]:
        """Decodes every part for the sake of its errors, and asks which requests the configuration refuses."""
        rejected: dict[int, AuditgrafError] = {}
        for part in parts:
            for index in self._transform.rejected(envelope.records(part)):
                rejected[int(index)] = _REJECTED
        return rejected

    def _give_up(self, requests: list[Request], failure: AuditgrafError) -> None:
        left = [request for request in requests if not request.handed_over]
        fail(left, failure)
        self._hand_over(Part(left, None, last=True))

    def _hand_over(self, part: Part) -> None:
        if part.last:
            for request in part.requests:
                request.handed_over = True
        self._prepared.put(part)
