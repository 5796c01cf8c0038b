"""Groups of events into PostgreSQL: each event once, whatever happens on the way."""

from __future__ import annotations

import json
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import psycopg
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.embedded import EmbeddedPostgres
from exporter.errors import StoreUnavailableError
from exporter.events import Events
from exporter.store.migrate import migrate
from exporter.store.writer import Written
from tests.benchmarks import load
from tests.collector_process import wait_until
from tests.conftest import CLASSES
from tests.sending import Store, fetch, messages, record, request

MINUTE = 60 * 10**9
DAY = 24 * 60 * MINUTE


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    store = Store(database)
    yield store
    store.close()


def with_bad_address(events: Events, *rows: int) -> Events:
    """The same events, with a client_ip in these rows that PostgreSQL refuses."""
    numbers = pl.Series(range(len(events)))
    bad = pl.when(numbers.is_in(list(rows))).then(pl.lit("300.1.2.3")).alias("client_ip")
    return replace(events, frame=events.frame.with_columns(bad))


def count(url: str) -> int:
    return int(fetch(url, "SELECT count(*) FROM audit.events")[0]["count"])


def test_a_new_group_is_stored(store: Store, database: str) -> None:
    assert store.write(request(record("a"), record("b")), request(record("c"))) == Written(stored=3)
    assert messages(database) == ["a", "b", "c"]


def test_a_group_without_events_is_nothing(store: Store) -> None:
    events = store.events([request(record("a"))])
    assert store.writer.write(events.slice(0, 0)) == Written()


def test_a_retry_of_a_committed_group_stores_nothing_twice(store: Store, database: str) -> None:
    payload = load.request(1000, 1, time.time_ns())
    assert store.write(payload) == Written(stored=1000)
    assert store.write(payload) == Written(duplicates=1000)
    assert count(database) == 1000


def test_of_a_group_that_is_half_there_the_other_half_is_stored(store: Store, database: str) -> None:
    old, new = record("old"), record("new")
    store.write(request(old))
    assert store.write(request(old), request(new)) == Written(stored=1, duplicates=1)
    assert messages(database) == ["new", "old"]


def test_records_batched_anew_are_stored_once(store: Store, database: str) -> None:
    records = [record(f"{number}") for number in range(10)]
    store.write(request(*records[:5]), request(*records[5:]))
    assert store.write(request(*records[3:8]), request(*records[:3], *records[8:])) == Written(duplicates=10)
    assert count(database) == 10


def test_the_same_request_twice_in_one_group_is_stored_once(store: Store, database: str) -> None:
    payload = request(record("a"), record("b"))
    assert store.write(payload, payload) == Written(stored=2, duplicates=2)
    assert messages(database) == ["a", "b"]


def test_two_equal_records_of_one_request_are_both_kept_and_their_retry_adds_none(store: Store, database: str) -> None:
    again = record("again")
    payload = request(again, again)
    assert store.write(payload) == Written(stored=2)
    assert store.write(payload) == Written(duplicates=2)
    assert store.write(request(again)) == Written(duplicates=1)
    assert messages(database) == ["again", "again"]


def test_the_senders_own_id_tells_a_retry_whatever_else_it_says(store: Store, database: str) -> None:
    at = time.time_ns()
    first = record("first", at_ns=at, log__record__uid="01J8")
    second = record("second", at_ns=at, log__record__uid="01J8")
    assert store.write(request(first), request(second)) == Written(stored=1, duplicates=1)
    assert store.write(request(second)) == Written(duplicates=1)
    assert count(database) == 1


def test_a_group_of_several_classes_and_days_goes_where_each_event_belongs(store: Store, database: str) -> None:
    now = time.time_ns()
    events = store.events(
        [
            request(record("event"), record("event of last month", at_ns=now - 30 * DAY)),
            request(record("log", event=""), record("old log", event="", at_ns=now - 3 * DAY)),
        ]
    )
    security = events.classes.index("security")
    events.retention_class[0] = security
    assert store.writer.write(events) == Written(stored=4)
    found = fetch(database, "SELECT message, retention_class FROM audit.events ORDER BY message")
    assert [(row["message"], row["retention_class"]) for row in found] == [
        ("event", "security"),
        ("event of last month", "default"),
        ("log", "log"),
        ("old log", "log"),
    ]
    assert store.writer.write(events) == Written(duplicates=4)


def test_two_writers_of_overlapping_groups_store_each_event_once(database: str) -> None:
    payloads = [load.request(50, seed, time.time_ns()) for seed in range(24)]
    stores = [Store(database), Store(database)]
    together = threading.Barrier(2)

    def write(number: int) -> Written:
        own = payloads if number else payloads[::-1]
        together.wait()
        total = Written()
        for start in range(0, len(own), 3):
            total += stores[number].write(*own[start : start + 6])
        stores[number].close()
        return total

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(write, range(2))
    assert first.stored + second.stored == count(database) == 24 * 50


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


@pytest.mark.parametrize(
    "made",
    [
        record("undated", at_ns=0),
        record("of 1970", at_ns=1),
        record("of 2200", at_ns=7_258_118_400 * 10**9),
        record("beyond bigint", at_ns=2**64 - 1),
    ],
    ids=lambda made: made.body.string_value,
)
def test_a_retry_of_a_record_that_is_filed_under_its_arrival_is_stored_once(
    store: Store, database: str, made: LogRecord
) -> None:
    arrival = time.time_ns()
    payload = request(made, made, record("dated"))
    assert store.write(payload, arrival_ns=arrival) == Written(stored=3)
    assert store.write(payload, arrival_ns=arrival + 10 * MINUTE) == Written(duplicates=3)
    assert store.write(request(made), arrival_ns=arrival + 11 * MINUTE) == Written(duplicates=1)
    [found] = fetch(
        database,
        "SELECT count(*), min(occurred_ns), max(occurred_ns) FROM audit.events WHERE message <> 'dated'",
    )
    assert found == {"count": 2, "min": arrival, "max": arrival}


def test_an_undated_record_counts_as_new_once_no_sender_retries_any_more(store: Store, database: str) -> None:
    arrival = time.time_ns()
    payload = request(record("tick", at_ns=0))
    store.write(payload, arrival_ns=arrival)
    assert store.write(payload, arrival_ns=arrival + 16 * MINUTE) == Written(stored=1)
    assert store.write(payload, arrival_ns=arrival + 17 * MINUTE) == Written(duplicates=1)
    assert messages(database) == ["tick", "tick"]


def test_a_record_of_1970_counts_as_a_retry_for_days(store: Store, database: str) -> None:
    arrival = time.time_ns()
    payload = request(record("of 1970", at_ns=1))
    store.write(payload, arrival_ns=arrival)
    assert store.write(payload, arrival_ns=arrival + DAY // 2) == Written(duplicates=1)


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
    assert store.writer.write(events) == Written(stored=8, quarantined=1)
    assert messages(database) == [f"{number}" for number in range(9) if number != 4]
    [aside] = fetch(database, "SELECT * FROM audit.quarantine")
    assert LogRecord.FromString(aside["record"]) == records[4]
    assert aside["reason"].startswith("InvalidTextRepresentation: invalid input syntax for type inet")
    assert aside["source_id"] == events.source_id(4)
    assert aside["received_at"] == events.received_at


def test_several_refused_rows_among_duplicates_are_set_aside_alone(store: Store, database: str) -> None:
    records = [record(f"{number}") for number in range(6)]
    store.write(request(*records[:3]))
    events = with_bad_address(store.events([request(*records)]), 0, 5)
    assert store.writer.write(events) == Written(stored=2, duplicates=2, quarantined=2)
    assert messages(database) == ["0", "1", "2", "3", "4"]
    assert fetch(database, "SELECT count(*) FROM audit.quarantine") == [{"count": 2}]


@pytest.mark.parametrize(
    "text", ["\r", "a\rb", "\\.", "\\N", "", '"', '","', "a\nb", "\n", " x ", "NULL", "💥", "\x01"]
)
def test_text_comes_back_as_it_was_sent(store: Store, database: str, text: str) -> None:
    """What CSV or COPY could take for something else."""
    made = record(f"-{text}", user__id=f"{text}u", other=text)
    assert store.write(request(made)) == Written(stored=1)
    [found] = fetch(database, "SELECT message, actor_id, attributes FROM audit.events")
    assert found == {"message": f"-{text}", "actor_id": f"{text}u", "attributes": {"other": text}}


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


def test_two_collectors_that_see_a_source_first_give_it_one_id(database: str) -> None:
    payloads = [request(record(f"{number}"), service=f"service {number}") for number in range(20)]
    stores = [Store(database), Store(database)]
    together = threading.Barrier(2)

    def ids(store: Store) -> list[int]:
        together.wait()
        found = store.events(payloads).frame["source_id"].to_list()
        store.close()
        return found

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(ids, stores)
    assert first == second
    assert fetch(database, "SELECT count(*) FROM audit.sources") == [{"count": 20}]


def test_what_postgresql_says_of_a_row_is_not_told_to_other_senders(store: Store, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("ALTER TABLE audit.events_default ADD CONSTRAINT mine CHECK (message <> 'secret')")
    with pytest.raises(StoreUnavailableError) as refused:
        store.write(request(record("secret")))
    assert "secret" not in str(refused.value)


def test_followers_are_told_of_a_group_once_it_is_committed(store: Store, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as listening:
        listening.execute("LISTEN audit_events")
        payload = request(record("a"))
        store.write(payload)
        [told] = listening.notifies(timeout=10, stop_after=1)
        told_of = datetime.fromisoformat(json.loads(told.payload)["to"])
        assert abs(datetime.now(UTC) - told_of) < timedelta(minutes=1)
        store.write(payload)
        assert list(listening.notifies(timeout=0)) == []


def test_ids_are_uuids_of_version_7_that_carry_the_moment(store: Store, database: str) -> None:
    at = time.time_ns() - DAY
    store.write(request(record("a", at_ns=at)))
    [found] = fetch(database, "SELECT id, audit.event_time(id) AS moment, occurred_at FROM audit.events")
    assert isinstance(found["id"], uuid.UUID)
    assert found["id"].version == 7
    assert timedelta(0) <= found["occurred_at"] - found["moment"] < timedelta(milliseconds=1)


def test_events_of_more_days_than_postgresql_has_locks_for_are_stored_all_the_same() -> None:
    """Each partition and its indexes take a dozen locks; without them, PostgreSQL would refuse it again and again."""
    with tempfile.TemporaryDirectory(prefix="auditgraf-tests-") as folder:
        Path(folder).chmod(0o755)
        settings = ["fsync=off", "max_locks_per_transaction=10", "max_connections=20"]
        server = EmbeddedPostgres(Path(folder) / "postgres", settings=settings)
        server.start()
        migrate(server.url(), CLASSES)
        store, now = Store(server.url()), time.time_ns()
        payload = request(*(record(f"{day}", at_ns=now - day * DAY) for day in range(300)))
        assert store.write(payload) == Written(stored=300)
        assert store.write(payload) == Written(duplicates=300)
        store.close()
        server.stop()
