"""Groups of events into PostgreSQL: each event once, whatever happens on the way."""

from __future__ import annotations

import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from exporter.store.writer import Written
from tests.benchmarks import load
from tests.sending import Store, count, fetch, messages, record, request

MINUTE = 60 * 10**9
DAY = 24 * 60 * MINUTE


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


@pytest.mark.parametrize(
    "text", ["\r", "a\rb", "\\.", "\\N", "", '"', '","', "a\nb", "\n", " x ", "NULL", "💥", "\x01"]
)
def test_text_comes_back_as_it_was_sent(store: Store, database: str, text: str) -> None:
    """What CSV or COPY could take for something else."""
    made = record(f"-{text}", user__id=f"{text}u", other=text)
    assert store.write(request(made)) == Written(stored=1)
    [found] = fetch(database, "SELECT message, actor_id, attributes FROM audit.events")
    assert found == {"message": f"-{text}", "actor_id": f"{text}u", "attributes": {"other": text}}


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
