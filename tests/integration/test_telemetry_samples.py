"""Samples in PostgreSQL: none is lost, none is counted twice, and none holds anybody up."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psycopg
import pytest

from collector.config import as_role
from collector.embedded import EmbeddedPostgres
from collector.telemetry.process import identify
from collector.telemetry.registry import Registry
from collector.telemetry.samples import Sampler
from exporter.store.migrate import migrate
from tests.collector_process import WAIT, collector, wait_until
from tests.conftest import CLASSES, server_folder
from tests.sending import fetch, messages, record, request

WAITS = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'auditgraf telemetry'"


def sampler(url: str, registry: Registry) -> Sampler:
    return Sampler(as_role(url, "auditgraf_writer"), registry, identify())


def stored(registry: Registry, records: int) -> None:
    registry.written(0.1, stored=records, duplicates=0, quarantined={})


def rows(url: str) -> list[dict[str, Any]]:
    return fetch(url, "SELECT * FROM audit.collector_health ORDER BY sampled_at")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL that a test may stop."""
    with server_folder() as folder:
        started = EmbeddedPostgres(folder / "postgres", settings=["fsync=off"])
        started.start()
        migrate(started.url(), CLASSES)
        yield started
        started.stop()


def test_each_sample_is_about_what_came_since_the_one_before(database: str) -> None:
    registry = Registry()
    made = sampler(database, registry)
    stored(registry, 3)
    registry.arrived(np.array([7.0]))
    assert made.sample()
    registry.dropped({"probes": 2})
    assert made.sample()
    first, second = rows(database)
    assert (first["stored"], first["dropped_by"], first["lag_seconds"], first["commit_seconds"]) == (3, {}, 7.0, 0.1)
    assert (second["stored"], second["dropped_by"], second["lag_seconds"]) == (0, {"probes": 2}, None)
    assert second["commit_seconds"] is None
    assert second["spool_bytes"] is None
    assert (first["instance"], first["started_at"]) == (second["instance"], second["started_at"])
    assert 0 < second["seconds"] <= (second["sampled_at"] - first["started_at"]).total_seconds()


def test_while_postgresql_is_away_counts_are_kept_and_added_up(server: EmbeddedPostgres) -> None:
    registry = Registry()
    made = sampler(server.url(), registry)
    stored(registry, 1)
    assert made.sample()
    server.stop()
    try:
        for records in (10, 20, 40):
            stored(registry, records)
            registry.arrived(np.array([float(records)]))
            assert not made.sample()
        stored(registry, 80)
    finally:
        server.start()
    assert made.sample()
    found = rows(server.url())
    assert [row["stored"] for row in found] == [1, 10, 20 + 40 + 80]
    assert [row["lag_seconds"] for row in found] == [None, 10.0, 40.0]


def test_a_sample_cut_off_in_the_middle_is_counted_once(database: str) -> None:
    registry = Registry()
    made = sampler(database, registry)
    stored(registry, 5)
    with psycopg.connect(database) as blocking, ThreadPoolExecutor(1) as thread:
        blocking.execute("LOCK TABLE audit.collector_samples IN ACCESS EXCLUSIVE MODE")
        writing = thread.submit(made.sample)
        wait_until(lambda: fetch(database, WAITS), "the sample waits")
        fetch(database, f"SELECT pg_terminate_backend(pid) FROM ({WAITS}) AS waiting")
        assert not writing.result(30)
    assert made.sample()
    assert sum(row["stored"] for row in rows(database)) == 5


def _pass_on(client: socket.socket, server: socket.socket, *, cut_at: bytes | None) -> None:
    """Both ways until one of them ends; once `cut_at` was sent and answered, the answer is kept back."""
    while True:
        for source in select.select([client, server], [], [], WAIT)[0]:
            data = source.recv(1 << 16)
            if not data:
                return
            (server if source is client else client).sendall(data)
            if source is client and cut_at is not None and cut_at in data:
                server.recv(1 << 16)
                return


@contextmanager
def losing_the_first_answer(url: str, statement: bytes) -> Iterator[str]:
    """The same database over a network that breaks off the first session after `statement` was committed."""
    parts = urlsplit(url)
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as thread:

        def serve() -> None:
            for cut_at in (statement, None):
                client, _ = listening.accept()
                with client, socket.create_connection((parts.hostname, parts.port)) as server:
                    _pass_on(client, server, cut_at=cut_at)

        serving = thread.submit(serve)
        credentials = parts.netloc.rpartition("@")[0]
        yield parts._replace(netloc=f"{credentials}@127.0.0.1:{listening.getsockname()[1]}").geturl()
        serving.result(WAIT)


def test_a_sample_whose_commit_was_not_heard_of_is_counted_once(database: str) -> None:
    registry = Registry()
    with losing_the_first_answer(database, b"INSERT INTO audit.collector_samples") as url:
        made = sampler(url, registry)
        stored(registry, 5)
        assert not made.sample()
        assert [row["stored"] for row in rows(database)] == [5]
        stored(registry, 7)
        assert made.sample()
    assert [row["stored"] for row in rows(database)] == [5, 7]


def test_a_lock_on_the_samples_holds_up_neither_senders_nor_the_end(database: str) -> None:
    with collector(database) as process, psycopg.connect(database) as blocking:
        blocking.execute("LOCK TABLE audit.collector_samples IN ACCESS EXCLUSIVE MODE")
        process.ask_to_stop()
        assert process.wait() == 0
    with collector(database) as process, psycopg.connect(database) as blocking:
        blocking.execute("LOCK TABLE audit.collector_samples IN ACCESS EXCLUSIVE MODE")
        wait_until(lambda: fetch(database, WAITS), "a sample waits")
        assert process.post(request(record("meanwhile")))[0] == 200
    assert messages(database) == ["meanwhile"]


def test_between_two_samples_there_is_no_session(database: str) -> None:
    made = sampler(database, Registry())
    assert made.sample()
    sessions = "SELECT FROM pg_stat_activity WHERE application_name = 'auditgraf telemetry'"
    wait_until(lambda: not fetch(database, sessions), "the session is gone")


def test_samples_older_than_a_week_are_forgotten(database: str) -> None:
    made = sampler(database, Registry())
    assert made.sample()
    with psycopg.connect(database) as owner:
        owner.execute("UPDATE audit.collector_samples SET sampled_at = now() - interval '169 hours'")
    younger = sampler(database, Registry())
    assert younger.sample()
    with psycopg.connect(database) as owner:
        owner.execute("UPDATE audit.collector_samples SET sampled_at = now() - interval '167 hours'")
    assert sampler(database, Registry()).sample()
    ages = fetch(database, "SELECT now() - sampled_at > interval '1 day' AS old FROM audit.collector_health ORDER BY 1")
    assert [row["old"] for row in ages] == [False, True]
