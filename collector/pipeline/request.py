"""A request between its arrival and its answer, and what the threads hand to each other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from collector.batch import Batch
from exporter.errors import AuditgrafError


@dataclass(eq=False, slots=True)
class Request:
    """One request that waits for its answer."""

    payload: bytes
    answer: asyncio.Future[None]
    failure: AuditgrafError | None = None
    handed_over: bool = False  # the other thread answers it, once


@dataclass(slots=True)
class Part:
    """What goes from one thread to the other: events of a group, and whether the group ends with them."""

    requests: list[Request]
    batch: Batch | None
    last: bool
    dropped_by: Mapping[str, int] = field(default_factory=dict)  # records left out beside the events, by rule

    @property
    def records(self) -> int:
        return sum(self.dropped_by.values()) + (0 if self.batch is None else len(self.batch))


def fail(requests: Sequence[Request], failure: AuditgrafError) -> None:
    """The first failure of a request is what its sender is told."""
    for request in requests:
        if request.failure is None:
            request.failure = failure


def settle(requests: Sequence[Request]) -> None:
    """Answers; in the event loop that serves."""
    for request in requests:
        if request.answer.done():  # its sender went away
            continue
        if request.failure is None:
            request.answer.set_result(None)
        else:
            request.answer.set_exception(request.failure)
