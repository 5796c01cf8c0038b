"""Acknowledged means stored, and stored once: whatever is killed, and whenever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import grpc
import psycopg
import pytest

from collector.embedded import EmbeddedPostgres
from tests.collector_process import WAIT, CollectorProcess, collector, wait_until
from tests.sending import fetch, messages, record, request

EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
BLOCKED = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'audit.events_default'::regclass"
RECORDS = 200
REQUESTS = 120


def numbered(requests: int, records: int = RECORDS) -> tuple[list[bytes], list[str]]:
    """Requests, and the bodies of all their records, sorted. Some have no time of their own."""
    bodies = [[f"{number:04}-{index:04}" for index in range(records)] for number in range(requests)]
    made = [
        request(*(record(body, at_ns=0 if index % 10 == 0 else None) for index, body in enumerate(each)))
        for each in bodies
    ]
    return made, sorted(body for each in bodies for body in each)


def accepted(process: CollectorProcess, payload: bytes) -> bool:
    return process.post(payload)[0] == 200


def reached(acknowledged: Sequence[bytes], goal: int) -> None:
    """Waits until so many requests are acknowledged."""
    wait_until(lambda: len(acknowledged) >= goal, f"{goal} requests are acknowledged")


@contextmanager
def senders(process: CollectorProcess, payloads: Sequence[bytes], acknowledged: list[bytes]) -> Iterator[None]:
    """Four senders, each of which sends a request until it is acknowledged, and then the next; waits for all."""

    def send(sender: int) -> None:
        for payload in payloads[sender::4]:
            wait_until(partial(accepted, process, payload), "the request is acknowledged", 60)
            acknowledged.append(payload)

    with ThreadPoolExecutor(4) as threads:
        under_way = [threads.submit(send, sender) for sender in range(4)]
        yield
        for each in under_way:
            each.result(90)


def test_what_was_acknowledged_survives_the_collectors_kill(database: str) -> None:
    """D1."""
    payloads, bodies = numbered(5)
    process = CollectorProcess(database)
    try:
        for number, payload in enumerate(payloads, start=1):
            process.start()
            assert process.post(payload)[0] == 200
            process.kill()
            assert len(messages(database)) == number * RECORDS
    finally:
        process.close()
    assert messages(database) == bodies


def test_a_collector_killed_under_load_loses_nothing_and_its_senders_retries_are_stored_once(
    database: str,
) -> None:
    """D2."""
    payloads, bodies = numbered(REQUESTS)
    acknowledged: list[bytes] = []
    with collector(database) as process, senders(process, payloads, acknowledged):
        for goal in (REQUESTS // 4, REQUESTS // 2):
            reached(acknowledged, goal)
            process.kill()
            assert len(acknowledged) < REQUESTS, "all was sent before the kill"
            process.start()
    assert len(acknowledged) == REQUESTS
    assert messages(database) == bodies


def test_a_request_committed_but_never_acknowledged_is_stored_once_with_its_retry(database: str) -> None:
    """D2, at the worst moment: PostgreSQL has committed, and the collector dies before it can say so."""
    [payload], bodies = numbered(1)
    with collector(database) as process, ThreadPoolExecutor(1) as thread:
        with psycopg.connect(database) as connection:
            connection.execute("LOCK TABLE audit.events_default IN SHARE MODE")
            answer = thread.submit(process.post, payload)
            wait_until(lambda: fetch(database, BLOCKED), "the commit is under way")
            process.kill()
            assert answer.result(WAIT)[0] == 0
        process.start()
        assert process.post(payload)[0] == 200
    assert messages(database) == bodies


def test_a_client_that_gives_up_during_the_commit_and_retries_gets_its_records_stored_once(
    database: str,
) -> None:
    """G12."""
    [payload], bodies = numbered(1)
    with collector(database) as process, grpc.insecure_channel(process.grpc_target) as channel:
        export: Any = channel.unary_unary(EXPORT)
        with psycopg.connect(database) as connection:
            connection.execute("LOCK TABLE audit.events_default IN SHARE MODE")
            with pytest.raises(grpc.RpcError) as given_up:
                export(payload, timeout=0.5)
            error: Any = given_up.value
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert fetch(database, BLOCKED), "the deadline came before the commit was under way"
            retry = export.future(payload, timeout=WAIT)
        assert retry.result() == b""
    assert messages(database) == bodies


def test_postgresql_killed_under_load_loses_nothing_and_stores_nothing_twice(crashing: EmbeddedPostgres) -> None:
    """D3."""
    payloads, bodies = numbered(REQUESTS)
    acknowledged: list[bytes] = []
    with collector(crashing.url()) as process, senders(process, payloads, acknowledged):
        for goal in (REQUESTS // 4, REQUESTS // 2):
            reached(acknowledged, goal)
            crashing.kill()
            assert len(acknowledged) < REQUESTS, "all was sent before the kill"
            before = len(acknowledged)
            crashing.start()
            reached(acknowledged, before + 1)
    assert messages(crashing.url()) == bodies
