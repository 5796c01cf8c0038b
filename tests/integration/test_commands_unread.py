"""Commands whose reader has left, as `| head` does."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.collector_process import ROOT
from tests.integration.forgotten import ALICE
from tests.integration.retained import fill, line, messages, variables
from tests.sending import Store, fetch, record, request


def unread(database: str, *arguments: str) -> tuple[int, bytes]:
    """The exit code, and what is on standard error."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as nobody:
        done = subprocess.run(
            line(arguments, None),
            cwd=ROOT,
            env=variables(database),
            stdout=nobody,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    return done.returncode, done.stderr


def test_an_order_to_forget_is_not_stopped_half_way(store: Store, database: str) -> None:
    store.write(request(record("one", **ALICE), record("two", **ALICE)))
    assert unread(database, "forget", "--actor", "alice", "--yes") == (0, b"")
    assert fetch(database, "SELECT FROM audit.events WHERE actor_id = 'alice'") == []


def test_a_run_of_retention_comes_to_its_end(database: str) -> None:
    fill(database, "log", 30)
    fill(database, "log", 40)
    assert unread(database, "retention", "run") == (0, b"")
    assert messages(database) == []


@pytest.mark.parametrize("arguments", [("retention", "plan"), ("hold", "list"), ("query", "--logs"), ("stats",)])
def test_whatever_only_shows_something_ends_quietly(store: Store, database: str, arguments: tuple[str, ...]) -> None:
    store.write(request(record("one", **ALICE)))
    assert unread(database, *arguments) == (0, b"")
