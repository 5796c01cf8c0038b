"""With a spool, requests are acknowledged while PostgreSQL is away, and stored once it is back."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from collector.config import Limits
from collector.pipeline import Pipeline
from collector.spool import Spool, Spooler
from collector.telemetry.registry import Registry
from exporter.errors import StoreUnavailableError
from exporter.store.catalogue import Catalogue
from exporter.store.writer import Writer
from tests.collector_process import wait_until
from tests.integration.test_pipeline import Stored, held_writes, outcomes, submit, without_connections
from tests.sending import MALFORMED, Store, fetch, messages, record, request
from tests.spooling import batch, files

ROOM = 8 << 20
NS = 10**9


@asynccontextmanager
async def spooling(url: str, folder: Path, max_bytes: int = ROOM) -> AsyncIterator[Pipeline]:
    """A pipeline with a spool, started."""
    store, registry = Store(url), Registry()
    catalogue = Catalogue(store.url)
    spooler = Spooler(Spool(folder, max_bytes, registry.spool), catalogue, Writer(store.url, catalogue), registry)
    running = Pipeline(store.transform, store.catalogue, store.writer, Limits(), registry, spooler=spooler)
    running.start()
    spooler.start()
    try:
        yield running
    finally:
        await running.stop()
        await asyncio.to_thread(spooler.stop)
        store.close()


async def empty(folder: Path) -> None:
    await asyncio.to_thread(wait_until, lambda: files(folder) == [], "the spool is empty")


def put(folder: Path, *payloads: bytes, arrival_ns: int | None = None) -> None:
    """Leaves each request in the spool, as a collector that is gone did."""
    spool = Spool(folder, ROOM)
    for payload in payloads:
        spool.add(batch(payload, arrival_ns=arrival_ns))
    spool.close()


async def test_without_postgresql_requests_are_kept_and_stored_when_it_is_back(database: str, tmp_path: Path) -> None:
    async with spooling(database, tmp_path) as running:
        assert await outcomes(await submit(running, request(record("before")))) == [Stored]
        with without_connections(database):
            for number in range(3):
                payload = request(record(f"{number}"), service=f"new service {number}")
                assert await outcomes(await submit(running, payload)) == [Stored]
            assert len(files(tmp_path)) == 3
        await empty(tmp_path)
        assert await outcomes(await submit(running, request(record("after")))) == [Stored]
    assert messages(database) == ["0", "1", "2", "after", "before"]
    sources = fetch(database, "SELECT service FROM audit.events WHERE message = '1'")
    assert sources == [{"service": "new service 1"}]
    counts = running.counts
    assert (counts.stored, counts.spooled, counts.unavailable, counts.records) == (5, 3, 0, 5)


async def test_what_must_not_be_sent_again_is_still_refused_at_once(database: str, tmp_path: Path) -> None:
    async with spooling(database, tmp_path) as running:
        with without_connections(database):
            tasks = await submit(running, request(record("a")), MALFORMED)
            assert [kind.__name__ for kind in await outcomes(tasks)] == ["NoneType", "MalformedRequestError"]
        await empty(tmp_path)
    assert messages(database) == ["a"]


async def test_what_an_earlier_collector_left_is_stored_at_the_start(database: str, tmp_path: Path) -> None:
    put(tmp_path, request(record("a"), record("b", at_ns=0)), request(record("c"), service="till"))
    async with spooling(database, tmp_path):
        await empty(tmp_path)
    assert messages(database) == ["a", "b", "c"]


async def test_an_event_is_as_it_would_have_been_on_the_straight_way(database: str, tmp_path: Path) -> None:
    given = record("a", user__id="jane", client__address="no address", order__total="}")
    arrival = time.time_ns()
    put(tmp_path, request(given), arrival_ns=arrival)
    async with spooling(database, tmp_path):
        await empty(tmp_path)
    [spooled] = fetch(database, "SELECT * FROM audit.events")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DELETE FROM audit.events_default")
    store = Store(database)
    store.write(request(given), arrival_ns=arrival)
    store.close()
    [straight] = fetch(database, "SELECT * FROM audit.events")
    came = straight.pop("received_at")
    assert spooled.pop("received_at") > came
    assert datetime.fromisoformat(spooled["attributes"].pop("auditgraf.arrived_at")) == came
    assert (straight.pop("flags"), spooled.pop("flags")) == (["bad_ip"], ["bad_ip", "spooled"])
    assert spooled == straight


async def test_what_was_stored_and_comes_out_of_the_spool_again_is_recognised(database: str, tmp_path: Path) -> None:
    """As after a crash between PostgreSQL's commit and the file's removal."""
    payload = request(record("dated"), record("undated", at_ns=0), record("old", at_ns=NS))
    arrival = time.time_ns() - 3600 * NS
    for _ in range(2):
        put(tmp_path, payload, arrival_ns=arrival)
        async with spooling(database, tmp_path) as running:
            await empty(tmp_path)
    assert messages(database) == ["dated", "old", "undated"]
    assert (running.counts.stored, running.counts.duplicates) == (0, 3)


async def test_a_retry_that_overtakes_its_original_is_recognised(database: str, tmp_path: Path) -> None:
    """The answer was lost: the sender sends again, and that is stored before the spool's turn comes."""
    payload = request(record("dated"), record("undated", at_ns=0))
    put(tmp_path, payload, arrival_ns=time.time_ns() - 60 * NS)
    store = Store(database)
    store.write(payload)
    store.close()
    async with spooling(database, tmp_path):
        await empty(tmp_path)
    assert messages(database) == ["dated", "undated"]


async def test_the_same_text_without_a_time_an_hour_later_is_another_event(database: str, tmp_path: Path) -> None:
    """It comes into PostgreSQL before the one that waits in the spool, and is no retry of it."""
    payload = request(record("tick", at_ns=0))
    put(tmp_path, payload, arrival_ns=time.time_ns() - 3600 * NS)
    store = Store(database)
    store.write(payload)
    store.close()
    async with spooling(database, tmp_path):
        await empty(tmp_path)
    assert messages(database) == ["tick", "tick"]


async def test_a_full_spool_asks_senders_to_try_again(database: str, tmp_path: Path) -> None:
    async with spooling(database, tmp_path, max_bytes=1 << 20) as running:
        with without_connections(database):
            found: Sequence[type] = ()
            while StoreUnavailableError not in found:
                assert len(files(tmp_path)) < 1000
                noise = record(os.urandom(50_000).hex())
                found = await outcomes(await submit(running, request(noise)))
            assert running.counts.unavailable == 1
        kept = len(files(tmp_path))
        await empty(tmp_path)
    assert len(messages(database)) == running.counts.spooled
    assert 0 < kept <= running.counts.spooled


async def test_a_batch_that_postgresql_refuses_does_not_keep_the_others_waiting(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, request(record("a")), request(record("no class", event="")), request(record("b")))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON audit.events_log FROM auditgraf_writer")
        async with spooling(database, tmp_path) as running:
            await asyncio.to_thread(wait_until, lambda: len(messages(database)) == 2, "the others are stored")
            assert files(tmp_path) == ["000000000002.events"]
            assert await outcomes(await submit(running, request(record("c")))) == [Stored]
            connection.execute("GRANT INSERT ON audit.events_log TO auditgraf_writer")
            await empty(tmp_path)
    assert messages(database) == ["a", "b", "c", "no class"]
    assert caplog.text.count("batch 2 of") == 1


async def test_a_damaged_file_is_set_aside_and_told_and_the_others_are_stored(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, request(record("a")), request(record("b")))
    first = tmp_path / "000000000001.events"
    first.write_bytes(first.read_bytes()[:-10])
    async with spooling(database, tmp_path):
        await asyncio.to_thread(wait_until, lambda: messages(database) == ["b"], "the other is stored")
    assert files(tmp_path) == ["000000000001.damaged"]
    assert "does not match its SHA-256" in caplog.text


async def test_where_postgresql_says_nothing_the_request_is_kept_before_its_sender_gives_up(
    database: str, tmp_path: Path
) -> None:
    async with spooling(database, tmp_path) as running:
        with held_writes(database):
            tasks = await submit(running, request(record("a"), record("b", at_ns=0)))
            done = asyncio.gather(*tasks)
            await asyncio.wait_for(done, 9)
            assert len(files(tmp_path)) == 1
        await empty(tmp_path)
    assert messages(database) == ["a", "b"]
