"""`auditgraf tail` in a thread, its output in a pipe."""

from __future__ import annotations

import json
import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from rich.console import Console

from collector.config import as_role
from collector.tail import TailFilter, follow

WAIT = 30.0
EVERYTHING = TailFilter()


class Tail:
    """A tail in a thread of its own, its output in a pipe. Ends when the pipe is closed."""

    def __init__(self, url: str, filter: TailFilter, options: dict[str, Any]) -> None:
        self._source, sink = os.pipe()
        self._rest = b""
        self._failure: BaseException | None = None
        self._file = os.fdopen(sink, "w", encoding="utf-8")
        console = Console(file=self._file, width=options.pop("width", None), **options.pop("terminal", {}))
        settings = {"last": 0, "count": None, "as_json": True, **options}

        def run() -> None:
            try:
                follow(url, filter, **settings, console=console)
            except BaseException as failure:
                self._failure = failure
            finally:
                self._file.close()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def line(self) -> str:
        """The next line; fails where none comes."""
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._source], [], [], WAIT)
            assert ready, f"no line within {WAIT} s; so far: {self._rest!r}"
            part = os.read(self._source, 1 << 20)
            assert part, f"the tail has ended: {self._failure!r}"
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def lines(self, count: int) -> list[str]:
        return [self.line() for _ in range(count)]

    def actions(self, count: int) -> list[str]:
        return [json.loads(line)["action"] for line in self.lines(count)]

    def rest(self) -> str:
        """What comes until the tail ends by itself."""
        while part := os.read(self._source, 1 << 20):
            self._rest += part
        return self._rest.decode()

    def stop(self) -> None:
        os.close(self._source)
        self._thread.join(WAIT)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure


@contextmanager
def tailing(database: str, filter: TailFilter = EVERYTHING, **options: Any) -> Iterator[Tail]:
    """A tail that listens already."""
    tail = Tail(as_role(database, "auditgraf_reader"), filter, options)
    try:
        wait_until_listening(database)
        yield tail
    finally:
        tail.stop()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {WAIT} s"
        threading.Event().wait(0.02)


def wait_until_listening(database: str) -> None:
    """Until the tail is past its LISTEN and waits for news."""
    statement = (
        "SELECT FROM pg_stat_activity WHERE application_name = 'auditgraf tail' AND datname = current_database()"
        " AND state = 'idle' AND query NOT LIKE '%set_config%'"
    )
    with psycopg.connect(database, autocommit=True) as connection:
        wait_until(lambda: connection.execute(statement).fetchone() is not None, "the tail listens")
