"""Explanations of live traffic, in the collector's log: of one service, and not more than a person can read."""

from __future__ import annotations

import logging
import time

import numpy as np
import orjson

from exporter.explain import explanations
from exporter.mapping.trace import Trace
from exporter.otlp.decode import Records

log = logging.getLogger(__name__)

_PER_SECOND = 5.0
_AT_ONCE = 10.0


class LiveTrace:
    """Chooses records to explain. For the thread that transforms."""

    def __init__(self, service: str) -> None:
        """`service`: whose records (service.name)."""
        self._service = service
        self._allowance = _AT_ONCE
        self._since = time.monotonic()
        self._skipped = 0
        self._chosen: list[int] = []

    def start(self, records: Records) -> Trace | None:
        """What to trace a group with; None where it has nothing to explain, or no more is to be said this second."""
        now = time.monotonic()
        self._allowance = min(_AT_ONCE, self._allowance + (now - self._since) * _PER_SECOND)
        self._since = now
        theirs = [source.resource_text("service.name") == self._service for source in records.sources]
        found = np.flatnonzero(np.array(theirs, bool)[records.source]) if any(theirs) else np.empty(0, np.int64)
        self._chosen = found[: int(self._allowance)].tolist()
        self._skipped += len(found) - len(self._chosen)
        return Trace() if self._chosen else None

    def finish(self, trace: Trace) -> None:
        """Logs the explanations of the chosen records, one JSON object each."""
        for explanation in explanations(trace, self._chosen):
            self._allowance -= 1
            log.info("trace: %s", orjson.dumps(explanation.as_json(), default=str).decode())
        if self._skipped:
            log.info("trace: %d more records of %s were not shown", self._skipped, self._service)
            self._skipped = 0
