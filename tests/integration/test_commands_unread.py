"""Commands whose reader has left, as `| head` does."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.collector_process import ROOT
from tests.integration.forgotten import ALICE
from tests.integration.retained import execute, fill, line, messages, variables
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


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["text", "json"])
def test_a_verification_comes_to_its_end_and_says_by_its_code_what_it_found(
    store: Store, database: str, more: tuple[str, ...]
) -> None:
    store.write(request(record("one", **ALICE)))
    assert unread(database, "verify", *more) == (0, b"")
    execute(database, "UPDATE audit.events_default SET actor_id = 'mallory'")
    assert unread(database, "verify", *more) == (1, b"")
    assert len(fetch(database, "SELECT FROM audit.verifications")) == 2


def test_the_doctor_says_by_its_code_whether_there_are_problems(database: str) -> None:
    assert unread(database, "doctor") == (0, b"")
    execute(database, "DROP TABLE audit.quarantine CASCADE")
    assert unread(database, "doctor") == (1, b"")


def test_the_doctor_speaks_to_terminals_that_know_no_arrows(database: str) -> None:
    done = subprocess.run(
        line(("doctor",), None),
        cwd=ROOT,
        env=variables(database, {"PYTHONIOENCODING": "ascii"}),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u2192 start it" in done.stdout
