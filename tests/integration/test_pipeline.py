"""Group commit: what requests that wait together do to each other, and what they don't."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psycopg
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from polars.exceptions import PanicException
from psycopg import sql

from collector.config import Limits
from collector.pipeline import Pipeline
from exporter.errors import (
    MalformedRequestError,
    RejectedRequestError,
    RequestTooLargeError,
    StoreUnavailableError,
)
from exporter.identity import Repetitions
from exporter.mapping.compile import Mapper
from exporter.mapping.rules import load_all
from exporter.mapping.trace import Trace
from exporter.otlp.decode import Records
from exporter.transform import Transform, Transformed
from tests.collector_process import wait_until
from tests.conftest import CLASSES
from tests.sending import MALFORMED, Store, fetch, messages, record, request


@asynccontextmanager
async def pipeline(
    url: str, *, transform: Transform | None = None, limits: Limits | None = None, unmatched: str = "keep"
) -> AsyncIterator[Pipeline]:
    """A pipeline that is not started yet: what is submitted before it is becomes one group."""
    store = Store(url)
    made = transform or Transform(Mapper(load_all((), CLASSES)), CLASSES, unmatched=unmatched)
    running = Pipeline(made, store.catalogue, store.writer, limits or Limits())
    try:
        yield running
    finally:
        await running.stop()
        store.close()


async def submit(to: Pipeline, *payloads: bytes) -> list[asyncio.Task[None]]:
    """Tasks that have submitted their requests, in order."""
    tasks = [asyncio.create_task(to.submit(payload)) for payload in payloads]
    for _ in tasks:
        await asyncio.sleep(0)
    return tasks


async def outcomes(tasks: Sequence[asyncio.Task[None]]) -> list[type[Any]]:
    """What became of each request: NoneType, or the exception's class."""
    answers = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)
    return [MalformedRequestError if isinstance(answer, MalformedRequestError) else type(answer) for answer in answers]


async def until(condition: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_until, condition, what)


Stored = type(None)


@contextmanager
def without_connections(url: str) -> Iterator[None]:
    """PostgreSQL refuses every session of this database, and ends those there are."""
    name = urlsplit(url).path.removeprefix("/")
    allow = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    with psycopg.connect(urlsplit(url)._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        connection.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", (name,))
        yield
        connection.execute(allow.format(sql.Identifier(name), sql.SQL("true")))


@contextmanager
def held_writes(url: str) -> Iterator[None]:
    """No event is stored within the block."""
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE audit.events_default IN SHARE MODE")
        yield


async def test_requests_that_wait_together_are_one_transaction(database: str) -> None:
    async with pipeline(database) as running:
        tasks = await submit(running, *(request(record(f"{number}")) for number in range(5)))
        running.start()
        assert await outcomes(tasks) == [Stored] * 5
    assert messages(database) == ["0", "1", "2", "3", "4"]
    assert len(fetch(database, "SELECT DISTINCT xmin::text FROM audit.events_default")) == 1


async def test_a_malformed_request_harms_none_of_its_group(database: str) -> None:
    nested = record("c")
    nested.attributes.add(key="list").value.array_value.values.add(string_value="no text")
    broken_inside = request(nested).replace(b"no text", b"\xff" * 7)
    payloads = [MALFORMED, request(record("a")), MALFORMED + b"x", request(record("b")), broken_inside]
    async with pipeline(database) as running:
        tasks = await submit(running, *payloads)
        running.start()
        assert await outcomes(tasks) == [
            MalformedRequestError,
            Stored,
            MalformedRequestError,
            Stored,
            MalformedRequestError,
        ]
    assert messages(database) == ["a", "b"]
    assert running.counts.stored == 2


async def test_a_group_of_malformed_requests_is_refused_and_the_next_is_taken(database: str) -> None:
    async with pipeline(database) as running:
        tasks = await submit(running, MALFORMED, MALFORMED)
        running.start()
        assert await outcomes(tasks) == [MalformedRequestError] * 2
        assert await outcomes(await submit(running, request(record("next")))) == [Stored]
    assert messages(database) == ["next"]


@pytest.mark.parametrize("shape", ["nothing", "resource", "scope"])
async def test_a_request_without_records_is_acknowledged_alone_and_among_others(database: str, shape: str) -> None:
    empty = ExportLogsServiceRequest()
    if shape != "nothing":
        resource_logs = empty.resource_logs.add()
        resource_logs.resource.attributes.add(key="service.name").value.string_value = "idle"
        if shape == "scope":
            resource_logs.scope_logs.add().scope.name = "idle"
    payload = empty.SerializeToString()
    async with pipeline(database) as running:
        running.start()
        assert await outcomes(await submit(running, payload)) == [Stored]
        assert await outcomes(await submit(running, payload, request(record("a")), payload)) == [Stored] * 3
    assert messages(database) == ["a"]
    assert running.counts.stored == 1


async def test_where_unmatched_records_are_rejected_only_their_request_is(database: str) -> None:
    async with pipeline(database, unmatched="reject") as running:
        tasks = await submit(
            running,
            request(record("a")),
            request(record("b"), record("no event", event="")),
            request(record("c"), record("d")),
        )
        running.start()
        assert await outcomes(tasks) == [Stored, RejectedRequestError, Stored]
    assert messages(database) == ["a", "c", "d"]


async def test_where_unmatched_records_are_dropped_they_are_counted(database: str) -> None:
    async with pipeline(database, unmatched="drop") as running:
        tasks = await submit(running, request(record("a"), record("no event", event="")))
        running.start()
        assert await outcomes(tasks) == [Stored]
    assert messages(database) == ["a"]
    assert (running.counts.stored, running.counts.dropped) == (1, 1)


async def test_past_the_bound_requests_are_refused_until_those_before_are_committed(database: str) -> None:
    text = "x" * (700 << 10)
    first, second = request(record(f"1{text}")), request(record(f"2{text}"))
    async with pipeline(database, limits=Limits(max_waiting_bytes=1 << 20)) as running:
        tasks = await submit(running, first, second)
        assert await outcomes(tasks[1:]) == [StoreUnavailableError]
        running.start()
        assert await outcomes(tasks[:1]) == [Stored]
        assert await outcomes(await submit(running, second)) == [Stored]
    assert len(messages(database)) == 2


async def test_a_request_larger_than_the_bound_is_taken_when_nothing_waits(database: str) -> None:
    async with pipeline(database, limits=Limits(max_waiting_bytes=1 << 20)) as running:
        running.start()
        assert await outcomes(await submit(running, request(record("x" * (2 << 20))))) == [Stored]


async def test_a_request_given_up_on_while_it_waits_is_stored_once_with_its_retry(database: str) -> None:
    payload = request(record("a"))
    async with pipeline(database) as running:
        [waiting] = await submit(running, payload)
        waiting.cancel()
        retry = await submit(running, payload)
        running.start()
        assert await outcomes(retry) == [Stored]
        assert waiting.cancelled()
    assert messages(database) == ["a"]


async def test_a_request_given_up_on_during_its_commit_is_stored_once_with_its_retry(database: str) -> None:
    """G12."""
    payload = request(record("a"))
    async with pipeline(database) as running:
        running.start()
        with held_writes(database):
            [waiting] = await submit(running, payload)
            blocked = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'audit.events_default'::regclass"
            await until(lambda: fetch(database, blocked), "the commit is under way")
            waiting.cancel()
            retry = await submit(running, payload)
        assert await outcomes(retry) == [Stored]
    assert messages(database) == ["a"]


async def test_stopping_commits_and_answers_whatever_waits(database: str) -> None:
    async with pipeline(database) as running:
        payloads = [request(record(f"{number:03}", text="x" * 100_000)) for number in range(150)]
        tasks = await submit(running, *payloads)
        running.start()
        await running.stop()
        assert await outcomes(tasks) == [Stored] * 150
        assert await outcomes(await submit(running, request(record("late")))) == [StoreUnavailableError]
    assert messages(database) == [f"{number:03}" for number in range(150)]


async def test_without_postgresql_requests_are_refused_and_it_goes_on_by_itself(database: str) -> None:
    payload = request(record("a"))
    async with pipeline(database) as running:
        running.start()
        assert await outcomes(await submit(running, request(record("before")))) == [Stored]
        with without_connections(database):
            assert await outcomes(await submit(running, payload, MALFORMED)) == [
                StoreUnavailableError,
                MalformedRequestError,
            ]
        assert await outcomes(await submit(running, payload)) == [Stored]
    assert messages(database) == ["a", "before"]
    assert running.counts.unavailable == 1


async def test_records_that_cant_be_stored_now_are_counted_whichever_step_finds_out(database: str) -> None:
    async with pipeline(database) as running:
        running.start()
        assert await outcomes(await submit(running, request(record("a")))) == [Stored]
        with without_connections(database):
            payloads = (request(record("b"), record("c")), request(record("d"), service="not seen before"))
            for payload in payloads:
                assert await outcomes(await submit(running, payload)) == [StoreUnavailableError]
    assert (running.counts.stored, running.counts.unavailable, running.counts.records) == (1, 3, 4)


class _Panicking(Transform):
    """A transform in which a library gives up on one kind of record."""

    def __call__(
        self,
        records: Records,
        source_ids: np.ndarray,
        arrival_ns: int,
        repetitions: Repetitions | None = None,
        trace: Trace | None = None,
    ) -> Transformed:
        if "panic" in records.columns["body"].to_list():
            raise PanicException("index out of bounds")
        return super().__call__(records, source_ids, arrival_ns, repetitions, trace)


async def test_a_request_on_which_a_library_panics_harms_no_other(database: str) -> None:
    """Polars' PanicException is no Exception: it would end the thread, and nobody would be answered any more."""
    transform = _Panicking(Mapper(load_all((), CLASSES)), CLASSES)
    async with pipeline(database, transform=transform) as running:
        tasks = await submit(running, request(record("a")), request(record("panic")), request(record("b")))
        running.start()
        assert await outcomes(tasks) == [Stored, StoreUnavailableError, Stored]
        assert await outcomes(await submit(running, request(record("c")))) == [Stored]
    assert messages(database) == ["a", "b", "c"]


async def test_a_request_refused_while_postgresql_is_away_gives_its_room_back_once(database: str) -> None:
    limits = Limits(max_waiting_bytes=1 << 20, max_request_records=2)
    text = "x" * (200 << 10)
    large = request(*(record(text) for _ in range(3)))
    async with pipeline(database, limits=limits) as running:
        with without_connections(database):
            tasks = await submit(running, large, request(record("a")))
            running.start()
            assert await outcomes(tasks) == [RequestTooLargeError, StoreUnavailableError]
        with held_writes(database):
            tasks = await submit(running, *(request(record(f"{number}{text}{text}")) for number in range(3)))
            assert await outcomes(tasks[2:]) == [StoreUnavailableError]
        assert await outcomes(tasks[:2]) == [Stored] * 2


async def test_one_answer_comes_for_each_request_under_load(database: str) -> None:
    """Many senders at once, some of whom send twice, send rubbish or go away."""
    payloads = [request(*(record(f"{number}-{index}") for index in range(20))) for number in range(60)]
    async with pipeline(database) as running:
        running.start()

        async def sender(number: int) -> None:
            for payload in payloads[number::6]:
                impatient = (await submit(running, payload))[0]
                impatient.cancel()
                assert await outcomes(await submit(running, payload, MALFORMED)) == [
                    Stored,
                    MalformedRequestError,
                ]

        await asyncio.gather(*(sender(number) for number in range(6)))
    assert len(messages(database)) == 60 * 20
    assert running.counts.stored == 60 * 20
