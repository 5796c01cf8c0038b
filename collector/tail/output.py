"""Where events go: a terminal, a file, or a pipe whose reader may leave."""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Iterable
from datetime import datetime, tzinfo
from uuid import UUID

from rich.console import Console

from collector.tail.line import Event, LineRenderer, json_line
from collector.terminal import discard, file_of, write

# About 15 MB. Enough for whatever can come twice: the start's events, a group stored in parts, what a lost
# connection interrupted.
_REMEMBERED = 100_000


class Output:
    """Prints events, each once, and counts them."""

    def __init__(self, console: Console, *, as_json: bool, count: int | None, zone: tzinfo | None = None) -> None:
        """`count`: how many events are printed at most."""
        self._console = console
        self._as_json = as_json
        self._left = count
        self._zone = zone
        self._renderer = LineRenderer(ascii_only=console.options.ascii_only)
        self._ids: set[UUID] = set()
        self._order: deque[tuple[UUID, datetime]] = deque()
        self._printed_until: datetime | None = None
        self._forgotten_until: datetime | None = None

    @property
    def full(self) -> bool:
        """`count` events were printed."""
        return self._left is not None and self._left <= 0

    def limit(self, wanted: int) -> int:
        """How many of `wanted` events may still be printed."""
        return wanted if self._left is None else min(wanted, self._left)

    def print(self, events: Iterable[Event]) -> None:
        """Prints the events that were not printed before, in one write. Raises BrokenPipeError."""
        fresh = [event for event in events if self._is_new(event)]
        if self._left is not None:
            fresh = fresh[: self._left]
            self._left -= len(fresh)
        if fresh:
            write(self._console, self._as_lines(fresh))

    def horizon(self, since: datetime, overlap: float) -> datetime:
        """From which received_at on events may be missing, if none received before `since` is wanted.

        `overlap` seconds before the last one printed, as groups are not committed in the order of their arrival; but
        no earlier than what is still remembered.
        """
        if self._printed_until is not None:
            since = max(since, datetime.fromtimestamp(self._printed_until.timestamp() - overlap, since.tzinfo))
        return since if self._forgotten_until is None else max(since, self._forgotten_until)

    def wait(self, descriptor: int | None, timeout: float) -> None:
        """Waits until `descriptor` can be read or `timeout` seconds are over.

        Raises BrokenPipeError as soon as nobody reads the output any more.
        """
        poll = select.poll()
        if descriptor is not None:
            poll.register(descriptor, select.POLLIN)
        output = file_of(self._console)
        if output is not None:
            poll.register(output, 0)  # errors and hang-ups only
        for ready, what in poll.poll(timeout * 1000):
            if ready == output and what & (select.POLLERR | select.POLLHUP):
                raise BrokenPipeError

    def discard(self) -> None:
        """After a BrokenPipeError: lets the interpreter flush what is left without a word."""
        discard(self._console)

    def _is_new(self, event: Event) -> bool:
        if event["id"] in self._ids:
            return False
        if len(self._order) >= _REMEMBERED:
            oldest, received_at = self._order.popleft()
            self._ids.remove(oldest)
            self._forgotten_until = max(received_at, self._forgotten_until or received_at)
        self._ids.add(event["id"])
        self._order.append((event["id"], event["received_at"]))
        self._printed_until = max(event["received_at"], self._printed_until or event["received_at"])
        return True

    def _as_lines(self, events: list[Event]) -> str:
        if self._as_json:
            return "".join(f"{json_line(event)}\n" for event in events)
        width = self._console.width if self._console.is_terminal else None
        today = datetime.now().astimezone(self._zone)
        with self._console.capture() as captured:
            for event in events:
                line = self._renderer.line(event, width=width, today=today)
                self._console.print(line, soft_wrap=True, highlight=False, end="\n")
        return captured.get()
