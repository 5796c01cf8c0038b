"""Counts for charts over long ranges: exact whatever way the events took, and cheap to keep."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import polars as pl
import psycopg
import pytest
from psycopg import errors

from collector.config import as_role
from exporter.errors import StoreUnavailableError
from exporter.events import Events
from exporter.store.writer import Written
from tests.benchmarks import load
from tests.collector_process import wait_until
from tests.sending import Store, count, fetch, record, request

EVENTS = (Path(__file__).parents[1] / "dashboard_events.sql").read_text(encoding="utf-8")
MINUTE = 60 * 10**9
DAY = 24 * 60 * MINUTE

# Rows that the counts and the events themselves disagree about, by every column that there are counts for.
DIFFERENCES = {
    "volume": """
        SELECT bucket, retention_class, service, environment, tenant, action, outcome, severity, country, sum(events)
        FROM audit.volume GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9""",
    "events": """
        SELECT date_bin('5 minutes', occurred_at, 'epoch'::timestamptz), retention_class, service, environment, tenant,
               action, outcome, severity, country, count(*)
        FROM audit.events GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9""",
}
# Of what `record` makes, in the order of audit.read_kinds.
KIND = '[["default", "shop", null, null, "user.login", "unknown", 0, null]]'
COUNTS = """
    SELECT (SELECT count(*) FROM audit.events) AS events,
           (SELECT coalesce(sum(events), 0) FROM audit.volume) AS volume,
           (SELECT coalesce(sum(events), 0) FROM audit.volume_hours) AS hours,
           (SELECT coalesce(sum(events), 0) FROM audit.volume_days) AS days
"""


def assert_exact(database: str) -> None:
    """That all counts are those of the events that are stored."""
    [counts] = fetch(database, COUNTS)
    assert set(counts.values()) == {counts["events"]}, counts
    volume, events = DIFFERENCES["volume"], DIFFERENCES["events"]
    assert fetch(database, f"({volume} EXCEPT {events}) UNION ALL ({events} EXCEPT {volume})") == []


def with_column(events: Events, name: str, values: list[str | None]) -> Events:
    """The same events with another column."""
    return replace(events, frame=events.frame.with_columns(pl.Series(name, values, pl.String)))


def test_a_group_is_counted_by_all_that_charts_ask_for(store: Store, database: str) -> None:
    now = time.time_ns()
    payloads = [
        request(*(record("a", at_ns=now - n * MINUTE, event=f"order.{n % 3}") for n in range(30)), service="shop"),
        request(
            record("b", outcome="failure"), record("log", event=""), record("old", at_ns=now - 40 * DAY), service="b"
        ),
    ]
    store.write(*payloads)
    assert_exact(database)
    assert len(fetch(database, "SELECT DISTINCT service, action, outcome FROM audit.volume")) > 4


def test_an_empty_label_and_none_are_counted_apart(store: Store, database: str) -> None:
    events = store.events([request(*(record(f"{n}") for n in range(4)))])
    store.writer.write(with_column(events, "tenant", ["", "", "", None]))
    found = fetch(database, "SELECT tenant, events FROM audit.volume ORDER BY tenant")
    assert [(row["tenant"], row["events"]) for row in found] == [("", 3), (None, 1)]


def test_what_is_stored_already_is_not_counted_again(store: Store, database: str) -> None:
    old, new = record("old"), record("new")
    assert store.write(request(old)) == Written(stored=1)
    assert store.write(request(old), request(new), request(new)) == Written(stored=1, duplicates=2)
    assert store.write(request(old, new)) == Written(duplicates=2)
    assert count(database) == 2
    assert_exact(database)


def test_a_retry_of_an_event_that_is_filed_under_its_arrival_is_not_counted_again(store: Store, database: str) -> None:
    payload = request(record("undated", at_ns=0), record("dated"))
    store.write(payload)
    assert store.write(payload) == Written(duplicates=2)
    assert_exact(database)


def test_rows_that_postgresql_refuses_are_not_counted(store: Store, database: str) -> None:
    records = [record(f"{n}") for n in range(7)]
    store.write(request(records[1]))
    events = store.events([request(*records)])
    store.writer.write(with_column(events, "client_ip", ["300.1.2.3" if n in {0, 5} else None for n in range(7)]))
    assert count(database) == 5
    assert_exact(database)


def test_a_group_that_is_not_committed_is_not_counted(store: Store, database: str) -> None:
    with psycopg.connect(database) as blocking:
        blocking.execute("LOCK TABLE audit.rollups IN ACCESS EXCLUSIVE MODE")
        with ThreadPoolExecutor(1) as thread:
            writing = thread.submit(store.write, request(record("a")))
            waiting = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            wait_until(lambda: fetch(database, f"SELECT {waiting}"), "the writer waits for the rollups")
            fetch(database, f"SELECT pg_cancel_backend(pid) {waiting}")
            with pytest.raises(StoreUnavailableError):
                writing.result(30)
    assert count(database) == 0
    assert_exact(database)
    store.write(request(record("a")))
    assert_exact(database)


def test_two_collectors_at_once_lose_no_count(database: str) -> None:
    payloads = [load.request(50, seed, time.time_ns()) for seed in range(24)]
    stores = [Store(database), Store(database)]
    together = threading.Barrier(2)

    def write(number: int) -> None:
        own = payloads if number else payloads[::-1]
        together.wait()
        for start in range(0, len(own), 3):
            stores[number].write(*own[start : start + 6])
        stores[number].close()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, range(2)))
    assert count(database) == 24 * 50
    assert_exact(database)


def test_a_collector_does_not_wait_for_the_commit_of_another(store: Store, database: str) -> None:
    store.write(request(record("a")))
    with psycopg.connect(as_role(database, "auditgraf_writer")) as other:
        [slot, kind] = other.execute(
            "SELECT extract(epoch FROM now())::int / 300, audit.kind_ids(%s)", (KIND,)
        ).fetchall()[0]
        other.execute("SELECT audit.count_events(ARRAY[%s], %s, ARRAY[1])", (slot, kind))
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(store.write, request(record("b"))).result(5) == Written(stored=1)
        other.rollback()
    assert_exact(database)


def test_a_sender_of_countless_actions_gets_one_name_for_those_beyond_the_limit(store: Store, database: str) -> None:
    store.write(request(record("first", event="user.login")))
    events = store.events([request(*(record(f"{n}") for n in range(10_040)))])
    store.writer.write(with_column(events, "action", [f"action {n}" for n in range(10_040)]))
    store.write(
        request(record("known", event="user.login")), request(record("other service", event="new"), service="b")
    )
    [other] = fetch(
        database, "SELECT sum(events) AS events, min(service) AS service FROM audit.volume WHERE action = '(other)'"
    )
    assert other == {"events": 41, "service": "shop"}
    [named] = fetch(database, "SELECT count(DISTINCT action) FROM audit.volume WHERE service = 'shop'")
    assert named == {"count": 10_001}
    found = fetch(
        database,
        "SELECT action, sum(events) AS events FROM audit.volume WHERE action IN ('user.login', 'new') GROUP BY 1",
    )
    assert {row["action"]: row["events"] for row in found} == {"user.login": 2, "new": 1}
    [counts] = fetch(database, COUNTS)
    assert set(counts.values()) == {10_043}


def test_an_endless_label_is_cut(store: Store, database: str) -> None:
    events = store.events([request(record("a"), record("b"))])
    assert store.writer.write(with_column(events, "action", ["x" * 100_000, "y" * 256])) == Written(stored=2)
    assert {row["action"] for row in fetch(database, "SELECT action FROM audit.volume")} == {"x" * 256, "y" * 256}


def test_the_writer_is_told_of_no_event_but_those_it_has_just_stored(store: Store, database: str) -> None:
    store.write(request(record("a")))
    [event] = fetch(database, "SELECT id, occurred_at FROM audit.events")
    with psycopg.connect(as_role(database, "auditgraf_writer")) as writer:
        given = ([event["id"]], [event["occurred_at"]])
        found = writer.execute("SELECT * FROM audit.just_stored('default', %s::uuid[], %s::timestamptz[])", given)
        assert found.fetchall() == []
        with pytest.raises(errors.InsufficientPrivilege):
            writer.execute("SELECT * FROM audit.rollups")


def test_events_that_came_by_another_way_are_counted_on_demand(store: Store, database: str) -> None:
    store.write(request(record("a"), record("b", at_ns=time.time_ns() - DAY)))
    with psycopg.connect(database) as owner:
        owner.execute("DELETE FROM audit.events_default WHERE message = 'a'")
        owner.execute(EVENTS.encode())
        owner.execute("SELECT audit.recount(retention_class, day, day) FROM audit.event_days")
    assert_exact(database)
