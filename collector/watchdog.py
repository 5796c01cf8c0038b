"""Ends what takes too long, from another thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOOKS_EVERY_S = 0.5


class Watchdog:
    """Calls `bite` when what is done `within` a time lasts longer, again and again until it ends. For one thread."""

    def __init__(self, bite: Callable[[], None]) -> None:
        self._bite = bite
        self._lock = threading.Lock()
        self._busy = False
        self._until = self._most = float("inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    @contextmanager
    def within(self, seconds: float | None) -> Iterator[None]:
        """What is done in the block may take so long; None: as long as it likes."""
        with self._lock:
            self._until = time.monotonic() + min(self._most if seconds is None else seconds, self._most)
            self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def only(self, seconds: float) -> None:
        """What is under way, and all that follows, may take so long from now on. Another thread may call."""
        with self._lock:
            self._most = seconds
            self._until = min(self._until, time.monotonic() + seconds)

    def _run(self) -> None:
        while not self._stopping.wait(_LOOKS_EVERY_S):
            if self._busy and time.monotonic() > self._until:
                self._bite()
