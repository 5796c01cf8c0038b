"""What goes wrong around the spool: locks, a single session that hangs, a disk or a folder that fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from collector.spool import spooler
from tests.integration.test_pipeline import Stored, held_writes, outcomes, submit, until, without_connections
from tests.integration.test_spool import empty, put, spooling
from tests.sending import Store, fetch, messages, record, request
from tests.spooling import files

FIRST = "000000000001.events"
BLOCKED = """SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE NOT granted AND locktype = %s AND datname = current_database()"""
DAY_NS = 86400 * 10**9


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that is refused is tried again in no time."""
    monkeypatch.setattr(spooler, "_LONGEST_REFUSED_S", 0.2)


def lock_timeout(url: str, setting: str) -> None:
    """How long the writer waits for a lock in this database."""
    statement = sql.SQL("ALTER ROLE auditgraf_writer IN DATABASE {} SET lock_timeout = {}")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.format(sql.Identifier(urlsplit(url).path.removeprefix("/")), setting))


@contextmanager
def held_partitions(url: str) -> Iterator[None]:
    """No partition is made within the block."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT FROM audit.locks WHERE kind = 'partitions' FOR UPDATE")
        yield


def blocked(url: str, kind: str = "relation") -> Callable[[], list[int]]:
    """The sessions that wait for a lock of that kind."""
    return lambda: [row["pid"] for row in fetch(url, BLOCKED, kind)]


def said(caplog: pytest.LogCaptureFixture, text: str) -> Callable[[], bool]:
    return lambda: text in caplog.text


async def test_a_folder_removed_under_it_keeps_nothing_from_postgresql_once_that_is_back(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "spool"
    async with spooling(database, folder) as running:
        with without_connections(database):
            assert await outcomes(await submit(running, request(record("lost")))) == [Stored]
            (folder / FIRST).unlink()
            folder.rmdir()
        await until(said(caplog, f"{FIRST} can't be stored: it can't be read: No such file"), "the loss is told")
        assert await outcomes(await submit(running, request(record("after")))) == [Stored]
    assert messages(database) == ["after"]


async def test_a_folder_put_in_the_place_of_its_own_is_not_written_to(database: str, tmp_path: Path) -> None:
    """Nobody has locked that one, and what is flushed is the other."""
    folder, moved = tmp_path / "spool", tmp_path / "moved"
    async with spooling(database, folder) as running:
        folder.rename(moved)
        folder.mkdir()
        with without_connections(database):
            assert await outcomes(await submit(running, request(record("a")))) == [Stored]
            assert (files(folder), files(moved)) == ([], [FIRST])
        await empty(moved)
    assert messages(database) == ["a"]


async def test_a_stored_batch_whose_file_can_not_be_removed_keeps_nothing_else_waiting(
    database: str, tmp_path: Path, soon: None, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, request(record("a")), request(record("b")))
    file = tmp_path / FIRST
    with ExitStack() as held:
        held.enter_context(held_writes(database))
        async with spooling(database, tmp_path) as running:
            await until(blocked(database), "the first batch is on its way")
            file.unlink()
            file.mkdir()
            held.close()
            await until(lambda: files(tmp_path) == [FIRST], "the other is stored")
            assert said(caplog, "batch 1 of the spool")()
            assert await outcomes(await submit(running, request(record("c")))) == [Stored]
            file.rmdir()
    assert messages(database) == ["a", "b", "c"]


async def test_while_a_lock_is_held_it_is_not_said_that_postgresql_is_back(
    database: str, tmp_path: Path, soon: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    lock_timeout(database, "50ms")
    async with spooling(database, tmp_path) as running:
        with held_writes(database):
            for number in range(3):
                assert await outcomes(await submit(running, request(record(f"{number}")))) == [Stored]
            await until(said(caplog, "batch 3 of the spool"), "each was tried")
            assert not said(caplog, "takes events again")()
        await empty(tmp_path)
    assert messages(database) == ["0", "1", "2"]
    assert caplog.text.count("takes events again") <= 1


async def test_a_refused_batch_does_not_make_those_wait_that_come_in_a_later_outage(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spooler, "_SHORTEST_S", 1000.0)
    monkeypatch.setattr(spooler, "_LONGEST_REFUSED_S", 1000.0)
    monkeypatch.setattr(spooler, "_LONGEST_S", 0.2)
    put(tmp_path, request(record("no class", event="")))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON audit.events_log FROM auditgraf_writer")
    async with spooling(database, tmp_path) as running:
        with without_connections(database):
            assert await outcomes(await submit(running, request(record("a")))) == [Stored]
        await until(lambda: files(tmp_path) == [FIRST], "the other is stored")
        assert await outcomes(await submit(running, request(record("b")))) == [Stored]
    assert messages(database) == ["a", "b"]


async def test_what_comes_out_of_the_spool_and_hangs_holds_up_nobody_who_sends(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, request(record("of a day without a partition", at_ns=time.time_ns() - 50 * DAY_NS)))
    with ExitStack() as held:
        held.enter_context(held_partitions(database))
        async with spooling(database, tmp_path) as running:
            await until(blocked(database, "transactionid"), "the batch is on its way")
            assert await outcomes(await submit(running, request(record("a")))) == [Stored]
            assert messages(database) == ["a"]
            held.close()
            await empty(tmp_path)
    assert not said(caplog, "has not answered")()


def test_a_connection_ended_by_the_watchdog_while_it_lay_idle_is_replaced(database: str) -> None:
    """Else the first to come after an outage would be told that it goes on."""
    store = Store(database)
    store.write(request(record("a")))
    store.catalogue.abort()
    store.writer.abort()
    store.write(request(record("b"), service="new"))
    store.close()
    assert messages(database) == ["a", "b"]
