"""How `auditgraf tail` ends, as a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from collector.config import as_role
from tests.integration.committed import Store, event
from tests.integration.tailing import WAIT, wait_until_listening


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    made = Store(database)
    yield made
    made.close()


PROGRAM = """
import sys
from rich.console import Console
from collector.tail import TailFilter, follow
follow(sys.argv[1], TailFilter(), last=10, count=None, as_json=True, console=Console())
"""


@contextmanager
def tail_process(database: str) -> Iterator[subprocess.Popen[bytes]]:
    url = as_role(database, "auditgraf_reader")
    command = [sys.executable, "-c", PROGRAM, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            wait_until_listening(database)
            yield process
        finally:
            process.kill()


def test_ctrl_c_ends_quietly(database: str, store: Store) -> None:
    store.add(event("user.login"))
    with tail_process(database) as process:
        assert process.stdout is not None
        assert b"user.login" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=WAIT)
    assert (process.returncode, out, err) == (0, b"", b"")


def test_a_closed_pipe_ends_it_quietly_without_waiting_for_an_event(database: str, store: Store) -> None:
    store.add(event("user.login"))
    with tail_process(database) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"user.login" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(WAIT) == 0
        assert process.stderr.read() == b""
