"""Groups of events into PostgreSQL where something fails: a row, a statement, a connection."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import psycopg
import pytest

from collector.embedded import EmbeddedPostgres
from exporter.errors import StoreUnavailableError
from exporter.events import Events
from exporter.store.migrate import migrate
from exporter.store.writer import Written
from tests.benchmarks import load
from tests.collector_process import wait_until
from tests.conftest import CLASSES, server_folder
from tests.sending import Store, count, fetch, messages, record, request

MINUTE = 60 * 10**9
DAY = 24 * 60 * MINUTE


def with_bad_address(events: Events, *rows: int) -> Events:
    """The same events, with a client_ip in these rows that PostgreSQL refuses."""
    numbers = pl.Series(range(len(events)))
    bad = pl.when(numbers.is_in(list(rows))).then(pl.lit("300.1.2.3")).alias("client_ip")
    return replace(events, frame=events.frame.with_columns(bad))


def test_a_deadlock_with_another_collector_is_nothing_that_a_sender_sees(store: Store, database: str) -> None:
    events = store.events([request(record("a"), record("b"))])
    with psycopg.connect(database) as other:
        insert(other, events.slice(1, 1))
        with ThreadPoolExecutor(1) as thread:
            writing = thread.submit(store.writer.write, events)
            waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            wait_until(lambda: fetch(database, waits), "the writer waits for the other's event")
            # Now each waits for the other, and PostgreSQL ends the one that began to wait first.
            insert(other, events.slice(0, 1))
            other.commit()
            assert writing.result(30) == Written(duplicates=2)
    assert messages(database) == ["a", "b"]


def insert(connection: psycopg.Connection[tuple[object, ...]], event: Events) -> None:
    """One event of class default, as another collector would store it."""
    columns = ", ".join(event.frame.columns)
    values = ", ".join(["%s"] * len(event.frame.columns))
    connection.execute(f"INSERT INTO audit.events_default ({columns}) VALUES ({values})".encode(), event.frame.row(0))


def test_arrivals_of_a_group_that_was_not_committed_are_not_taken_for_stored(store: Store, database: str) -> None:
    payload = request(record("undated", at_ns=0))
    with psycopg.connect(database) as blocking:
        blocking.execute("LOCK TABLE audit.events_default IN ACCESS EXCLUSIVE MODE")
        with ThreadPoolExecutor(1) as thread:
            writing = thread.submit(store.write, payload)
            signal_backend(database, "pg_cancel_backend", "auditgraf writer", waiting_for_a_lock=True)
            with pytest.raises(StoreUnavailableError):
                writing.result(30)
    assert count(database) == 0
    assert store.write(payload) == Written(stored=1)


@pytest.mark.parametrize("at_ns", [None, 0], ids=["dated", "undated"])
def test_a_row_that_postgresql_refuses_is_set_aside_alone(store: Store, database: str, at_ns: int | None) -> None:
    records = [record(f"{number}", at_ns=at_ns) for number in range(9)]
    events = with_bad_address(store.events([request(*records)]), 4)
    assert store.writer.write(events) == Written(stored=8, quarantined_by={"data_exception": 1})
    assert messages(database) == [f"{number}" for number in range(9) if number != 4]
    [aside] = fetch(database, "SELECT * FROM audit.quarantine")
    assert json.loads(aside["record"])["message"] == "4"
    assert aside["reason"].startswith("InvalidTextRepresentation: invalid input syntax for type inet")
    assert aside["source_id"] == events.source_id(4)
    assert aside["received_at"] == events.received_at


def test_several_refused_rows_among_duplicates_are_set_aside_alone(store: Store, database: str) -> None:
    records = [record(f"{number}") for number in range(6)]
    store.write(request(*records[:3]))
    events = with_bad_address(store.events([request(*records)]), 0, 5)
    assert store.writer.write(events) == Written(stored=2, duplicates=2, quarantined_by={"data_exception": 2})
    assert messages(database) == ["0", "1", "2", "3", "4"]
    assert fetch(database, "SELECT count(*) FROM audit.quarantine") == [{"count": 2}]


def test_a_partition_that_was_dropped_behind_its_back_is_made_again(store: Store, database: str) -> None:
    last_week = time.time_ns() - 7 * DAY
    store.write(request(record("before", at_ns=last_week)))
    day = datetime.fromtimestamp(last_week / 1e9, UTC)
    with psycopg.connect(database) as connection:
        connection.execute(f"DROP TABLE audit.events_default_p{day:%Y%m%d}".encode())
    assert store.write(request(record("after", at_ns=last_week))) == Written(stored=1)
    assert messages(database) == ["after"]


def signal_backend(database: str, function: str, name: str, *, waiting_for_a_lock: bool = False) -> None:
    """Calls pg_cancel_backend or pg_terminate_backend for the session of that name, as an administrator would."""
    wanted = " AND wait_event_type = 'Lock'" if waiting_for_a_lock else ""
    statement = f"""
        SELECT pid, {function}(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = %s{wanted}
    """
    signalled: list[int] = []

    def found() -> bool:
        signalled.extend(row["pid"] for row in fetch(database, statement, name))
        return bool(signalled)

    wait_until(found, f"a session of the {name}")
    if function == "pg_terminate_backend":
        running = "SELECT FROM pg_stat_activity WHERE pid = ANY (%s)"
        wait_until(lambda: not fetch(database, running, signalled), f"the session of the {name} is over")


def test_a_connection_that_was_ended_while_idle_is_nothing_that_a_sender_sees(store: Store, database: str) -> None:
    store.write(request(record("a")))
    signal_backend(database, "pg_terminate_backend", "auditgraf writer")
    assert store.write(request(record("b"))) == Written(stored=1)
    assert messages(database) == ["a", "b"]


def test_a_connection_that_ends_during_the_copy_stores_nothing_twice(store: Store, database: str) -> None:
    payload = load.request(500, 1, time.time_ns())
    with psycopg.connect(database) as blocking:
        # The last row of the COPY waits for an equal one that is not committed yet.
        insert(blocking, store.events([payload]).slice(499, 1))
        with ThreadPoolExecutor(1) as thread:
            writing = thread.submit(store.write, payload)
            signal_backend(database, "pg_terminate_backend", "auditgraf writer", waiting_for_a_lock=True)
            blocking.rollback()
            assert writing.result(30) == Written(stored=500)
    assert count(database) == 500
    assert store.write(payload) == Written(duplicates=500)


def test_a_statement_that_was_cancelled_leaves_nothing_behind(store: Store, database: str) -> None:
    payload = load.request(500, 1, time.time_ns())
    with psycopg.connect(database) as blocking:
        insert(blocking, store.events([payload]).slice(499, 1))
        with ThreadPoolExecutor(1) as thread:
            writing = thread.submit(store.write, payload)
            signal_backend(database, "pg_cancel_backend", "auditgraf writer", waiting_for_a_lock=True)
            with pytest.raises(StoreUnavailableError):
                writing.result(30)
        blocking.rollback()
    assert count(database) == 0
    assert store.write(payload) == Written(stored=500)


def test_the_catalogues_connection_that_was_ended_is_nothing_that_a_sender_sees(store: Store, database: str) -> None:
    store.write(request(record("a")))
    signal_backend(database, "pg_terminate_backend", "auditgraf catalogue")
    assert store.write(request(record("b"), service="another")) == Written(stored=1)
    services = fetch(database, "SELECT service FROM audit.event_sources ORDER BY service")
    assert [row["service"] for row in services] == ["another", "shop"]


def test_what_postgresql_says_of_a_row_is_not_told_to_other_senders(store: Store, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("ALTER TABLE audit.events_default ADD CONSTRAINT mine CHECK (message <> 'secret')")
    with pytest.raises(StoreUnavailableError) as refused:
        store.write(request(record("secret")))
    assert "secret" not in str(refused.value)


def test_events_of_more_days_than_postgresql_has_locks_for_are_stored_all_the_same() -> None:
    """Each partition and its indexes take a dozen locks; without them, PostgreSQL would refuse it again and again."""
    with server_folder() as folder:
        settings = ["fsync=off", "max_locks_per_transaction=10", "max_connections=10"]
        server = EmbeddedPostgres(folder / "postgres", settings=settings)
        server.start()
        migrate(server.url(), CLASSES)
        store, now = Store(server.url()), time.time_ns()
        payload = request(*(record(f"{day}", at_ns=now - day * DAY) for day in range(200)))
        assert store.write(payload) == Written(stored=200)
        assert store.write(payload) == Written(duplicates=200)
        store.close()
        server.stop()
