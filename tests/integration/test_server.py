"""The collector as a process: ready or not, with PostgreSQL and without, and how it ends."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from google.protobuf.json_format import Parse
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from collector.embedded import EmbeddedPostgres
from exporter.store.migrate import migrate
from tests.collector_process import WAIT, CollectorProcess, collector, wait_until
from tests.conftest import CLASSES, server_folder
from tests.sending import fetch, messages, record, request

EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
BLOCKED = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'audit.events_default'::regclass"


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL that a test may stop; nothing is migrated in it at first."""
    with server_folder() as folder:
        started = EmbeddedPostgres(folder / "postgres", settings=["fsync=off"])
        started.start()
        yield started
        started.stop()


@pytest.fixture(scope="module")
def running(server: EmbeddedPostgres) -> Iterator[CollectorProcess]:
    """A collector that was started before anything was migrated, and saw it happen."""
    process = CollectorProcess(server.url())
    try:
        process.launch()
        wait_until(lambda: process.get("/healthz")[0] == 200, "the collector serves")
        assert "auditgraf migrate" in process.missing()
        assert process.post(request(record("too early")))[0] == 503
        migrate(server.url(), CLASSES)
        wait_until(lambda: process.missing() == "", "the collector sees the migration")
        yield process
        assert process.terminate() == 0
    finally:
        process.close()


def test_it_becomes_ready_by_itself_once_the_database_is_migrated(
    running: CollectorProcess, server: EmbeddedPostgres
) -> None:
    assert running.post(request(record("in time")))[0] == 200
    assert "in time" in messages(server.url())
    assert "too early" not in messages(server.url())


def test_it_is_not_ready_where_a_configured_class_is_missing(server: EmbeddedPostgres, tmp_path: Path) -> None:
    config = tmp_path / "auditgraf.yaml"
    config.write_text("retention: {unheard_of: 30d}\n", encoding="utf-8")
    process = CollectorProcess(server.url(), {"AUDITGRAF_CONFIG": str(config)})
    try:
        process.launch()
        wait_until(lambda: process.get("/healthz")[0] == 200, "the collector serves")
        assert process.missing() == "retention class unheard_of is not in the database: run auditgraf migrate"
    finally:
        process.close()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_while_postgresql_is_away_senders_are_told_to_retry_and_it_goes_on_by_itself(
    running: CollectorProcess, server: EmbeddedPostgres, end: str
) -> None:
    """G8, H13, H14."""
    assert running.post(request(record(f"before {end}")))[0] == 200
    payload = request(record(f"during {end}"))
    getattr(server, end)()
    try:
        assert "PostgreSQL can't" in running.missing()
        for _ in range(2):  # on the connection that broke, then without one
            _assert_told_to_retry_over_grpc(running, payload)
            _assert_told_to_retry_over_http(running, payload)
    finally:
        server.start()
    wait_until(lambda: running.missing() == "", "the collector is ready again")
    wait_until(lambda: running.post(payload)[0] == 200, "the request is taken")
    assert messages(server.url()).count(f"during {end}") == 1
    assert f"before {end}" in messages(server.url())


def _assert_told_to_retry_over_grpc(running: CollectorProcess, payload: bytes) -> None:
    with grpc.insecure_channel(running.grpc_target) as channel, pytest.raises(grpc.RpcError) as refused:
        export: Any = channel.unary_unary(EXPORT)
        export(payload, timeout=WAIT)
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    trailers = {item.key: item.value for item in error.trailing_metadata()}
    status, asked = Status.FromString(trailers["grpc-status-details-bin"]), RetryInfo()
    assert status.details[0].Unpack(asked)
    assert asked == RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])
    assert asked.retry_delay.ToMilliseconds() > 0


def _assert_told_to_retry_over_http(running: CollectorProcess, payload: bytes) -> None:
    code, headers, body = running.post(payload)
    assert code == 503
    assert int(headers["retry-after"]) >= 1
    assert Status.FromString(body).details[0].Is(RetryInfo.DESCRIPTOR)
    code, _, text = running.post(b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}', "application/json")
    assert code == 503
    assert Parse(text, Status()).details[0].Is(RetryInfo.DESCRIPTOR)


def test_readiness_is_answered_in_time_where_postgresql_hangs(
    running: CollectorProcess, server: EmbeddedPostgres
) -> None:
    """Each question that hung would hold a thread; once all were gone, nothing would be answered any more."""
    sessions = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'auditgraf%%' AND %s"
    pids = [row["pid"] for row in fetch(server.url(), sessions, True)]
    started = time.monotonic()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(40) as threads:
            answers = list(threads.map(lambda _: running.missing(), range(40)))
        assert all("PostgreSQL has not answered" in answer for answer in answers)
        assert time.monotonic() - started < WAIT / 2
        assert running.get("/healthz")[0] == 200
        assert (
            running.post(json.dumps({"resourceLogs": [], "x": "y" * (1 << 20)}).encode(), "application/json")[0] == 200
        )
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: running.missing() == "", "the collector is ready again")


def test_no_sender_waits_while_old_arrivals_are_forgotten(database: str) -> None:
    """On a busy database that takes minutes."""
    forgetting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%forget_arrivals%'"
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO audit.arrivals VALUES (gen_random_uuid(), now() - interval '30 days')")
        connection.commit()
        connection.execute("SELECT FROM audit.arrivals FOR UPDATE")
        with collector(database) as process:
            wait_until(lambda: fetch(database, forgetting), "the collector forgets arrivals")
            assert process.post(request(record("meanwhile")))[0] == 200
            assert fetch(database, forgetting), "it was over too soon to show anything"


def test_killed_and_started_again_it_is_ready_and_says_how_soon(
    running: CollectorProcess, server: EmbeddedPostgres, record_property: Any
) -> None:
    with collector(server.url()) as second:
        second.kill()
        seconds = second.start()
        record_property("ready_seconds", round(seconds, 2))
        assert second.terminate() == 0


def test_asked_to_stop_it_answers_what_is_under_way_and_ends_cleanly(database: str) -> None:
    """G13."""
    with collector(database) as process, ThreadPoolExecutor(1) as thread:
        with psycopg.connect(database) as connection:
            connection.execute("LOCK TABLE audit.events_default IN SHARE MODE")
            answer = thread.submit(process.post, request(record("under way")))
            wait_until(lambda: fetch(database, BLOCKED), "the commit is under way")
            process.ask_to_stop()
            wait_until(lambda: process.get("/healthz")[0] == 0, "nothing new is taken")
        assert answer.result(WAIT)[0] == 200
        assert process.wait() == 0
    assert messages(database) == ["under way"]


def test_asked_to_stop_under_load_all_that_it_acknowledged_is_stored(database: str) -> None:
    acknowledged: set[str] = set()
    with collector(database) as process, ThreadPoolExecutor(4) as threads:

        def send(sender: int) -> None:
            for number in itertools.count():
                body = f"{sender}-{number}"
                if process.post(request(record(body)))[0] == 200:
                    acknowledged.add(body)
                elif acknowledged:
                    return

        senders = [threads.submit(send, sender) for sender in range(4)]
        wait_until(lambda: len(acknowledged) >= 100, "a hundred requests are acknowledged")
        assert process.terminate() == 0
        for sender in senders:
            sender.result(WAIT)
    stored = messages(database)
    assert acknowledged <= set(stored)
    assert len(stored) == len(set(stored))
