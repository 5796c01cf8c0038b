"""Summaries of whole days: what charts read over long ranges is what they would read from the events."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.rows import dict_row

from collector.config import as_role
from tests.sending import Store, fetch, record, request

HOUR = 3600 * 10**9
DAY = 24 * HOUR
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
KIND = "retention_class, service, environment, tenant, action, outcome, severity, country"
ACTOR = f"{KIND}, city, latitude, longitude, client_ip, actor_id, actor_name, actor_email, actor_type, on_behalf_of"
PLACE = "country, city, latitude, longitude"
TARGET = "target_type, target_id, target_name"
HAS_TARGET = "coalesce(target_id, target_name) IS NOT NULL"
# Function, the columns that it counts by, and the events that it counts.
QUESTIONS = {
    "volume_actors": (ACTOR, "true"),
    "volume_targets": (TARGET, "coalesce(target_id, target_name) IS NOT NULL"),
    "actor_totals": (
        "retention_class, actor_id, actor_name, actor_email, actor_type, country, city, latitude, longitude",
        "true",
    ),
    "target_totals": (
        "retention_class, target_type, target_id, target_name",
        "coalesce(target_id, target_name) IS NOT NULL",
    ),
    "address_totals": ("retention_class, client_ip, country", "client_ip IS NOT NULL"),
    "place_totals": ("retention_class, country, city, latitude, longitude, action", "true"),
}
RANGES = [
    (TODAY - timedelta(days=30), TODAY + timedelta(days=1)),
    (TODAY - timedelta(days=2), TODAY - timedelta(microseconds=1)),
    (TODAY - timedelta(days=2, hours=7), TODAY - timedelta(hours=5)),
    (TODAY - timedelta(hours=30), TODAY - timedelta(hours=28)),
]


def events(at_ns: int, number: int = 40) -> list[bytes]:
    """Requests of distinct events of two services, within four hours from that moment on."""
    made = [
        record(
            f"{at_ns} {n}",
            at_ns=at_ns + n * HOUR // 10,
            event=f"order.{n % 3}",
            outcome="failure" if n % 7 == 0 else "success",
            user__id=f"u-{n % 5}",
            user__name=f"User {n % 5}",
            client__address=f"81.2.69.{n % 6}",
            audit__target__type="order",
            audit__target__id=f"{n % 4}",
        )
        for n in range(number)
    ]
    return [request(*made[::2]), request(*made[1::2], service="billing")]


def rows(connection: psycopg.Connection[dict[str, Any]], statement: str, range_: Sequence[datetime]) -> list[Any]:
    given = {"since": range_[0], "until": range_[1]}
    return sorted(map(repr, connection.execute(statement.encode(), given).fetchall()))


def assert_exact(database: str) -> None:
    """That the reader gets the same answers from summaries and from events, over all ranges."""
    with psycopg.connect(as_role(database, "auditgraf_reader"), autocommit=True, row_factory=dict_row) as reader:
        for name, (columns, counted) in QUESTIONS.items():
            summed = f"""
                SELECT {columns}, sum(events) AS events, min(first_at) AS first_at, max(last_at) AS last_at
                FROM audit.{name}(%(since)s, %(until)s) GROUP BY {columns}"""
            plain = f"""
                SELECT {columns}, count(*)::numeric AS events, min(occurred_at) AS first_at, max(occurred_at) AS last_at
                FROM audit.events WHERE occurred_at BETWEEN %(since)s AND %(until)s AND {counted} GROUP BY {columns}"""
            for range_ in RANGES:
                assert rows(reader, summed, range_) == rows(reader, plain, range_), (name, range_)


def summarise(store: Store) -> list[str]:
    """Runs all steps that are due; what they did."""
    return list(iter(store.catalogue.summarise_next, None))


def summarised(database: str) -> set[tuple[str, int]]:
    """Class and days ago of every summary that is read."""
    found = fetch(database, "SELECT retention_class, current_date - day AS ago FROM audit.valid_summaries")
    return {(row["retention_class"], row["ago"]) for row in found}


@pytest.fixture
def days(store: Store, database: str) -> Store:
    """Three days of events, of which the two that are over are summarised."""
    start = int(TODAY.timestamp()) * 10**9
    for ago in range(3):
        store.write(*events(start - ago * DAY - (0 if ago == 0 else -10 * HOUR)))
    store.write(request(record("a log", event="", at_ns=start - DAY)))
    assert summarise(store)
    return store


def test_days_that_are_over_are_summarised_and_give_the_answers_of_their_events(days: Store, database: str) -> None:
    assert {("default", 1), ("default", 2), ("log", 1)} <= summarised(database)
    assert ("default", 0) not in summarised(database)
    assert_exact(database)
    assert summarise(days) == []


def test_what_is_summarised_is_not_read_from_the_events(days: Store, database: str) -> None:
    with psycopg.connect(database) as owner:
        owner.execute("DELETE FROM audit.events_default WHERE occurred_at < current_date")
    until_today = "audit.actor_totals(current_date - 2, current_date) WHERE last_at < current_date"
    [found] = fetch(database, f"SELECT sum(events) FROM {until_today}")
    assert found["sum"] == 81


def test_a_late_event_counts_at_once(days: Store, database: str) -> None:
    days.write(request(record("late", at_ns=int(TODAY.timestamp()) * 10**9 - 5 * HOUR, user__id="late")))
    assert ("default", 1) not in summarised(database)
    assert ("default", 2) in summarised(database)
    assert_exact(database)


def test_a_day_with_late_events_is_summarised_again_but_not_at_every_turn(days: Store, database: str) -> None:
    days.write(request(record("late", at_ns=int(TODAY.timestamp()) * 10**9 - 5 * HOUR)))
    assert summarise(days) == []
    with psycopg.connect(database) as owner:
        owner.execute("UPDATE audit.summaries SET made_at = made_at - interval '11 minutes'")
    assert len(summarise(days)) == 1
    assert ("default", 1) in summarised(database)
    assert_exact(database)


def test_the_summaries_of_a_day_whose_events_are_gone_go_too(days: Store, database: str) -> None:
    day = TODAY - timedelta(days=1)
    with psycopg.connect(database) as owner:
        owner.execute(f"DROP TABLE audit.events_default_p{day:%Y%m%d}".encode())
    assert summarise(days) == [f"removed {day:%Y-%m-%d} of class default"]
    assert_exact(database)
    for table in ("actor_days", "target_days", "day_actors", "day_targets", "day_addresses", "day_places"):
        left = fetch(database, f"SELECT FROM audit.{table} WHERE summary NOT IN (SELECT id FROM audit.summaries)")
        assert left == [], table


def test_a_day_whose_events_were_changed_is_summarised_anew(days: Store, database: str) -> None:
    with psycopg.connect(database) as owner:
        owner.execute("UPDATE audit.events_default SET actor_id = 'pseudonym' WHERE actor_id = 'u-1'")
        owner.execute("SELECT audit.forget_summaries('default', ARRAY[current_date - 1, current_date - 2])")
    assert fetch(database, "SELECT FROM audit.actor_days WHERE actor_id = 'u-1'") == []
    assert_exact(database)
    summarise(days)
    assert ("default", 1) in summarised(database)
    assert_exact(database)


def test_a_day_with_events_outside_of_its_partition_is_read_from_the_events(days: Store, database: str) -> None:
    with psycopg.connect(database) as owner:
        owner.execute("SELECT audit.leave_unsummarised(ARRAY[current_date - 1])")
    assert summarise(days) == []
    assert summarised(database).isdisjoint({("default", 1), ("log", 1)})
    assert_exact(database)


def test_only_one_session_summarises_at_a_time(store: Store, database: str) -> None:
    store.write(*events(int(TODAY.timestamp()) * 10**9 - DAY))
    with psycopg.connect(database) as other:
        assert other.execute("SELECT audit.summarise_next()").fetchone() != (None,)
        assert summarise(store) == []
        other.rollback()
    assert summarise(store)


def test_counts_expire_by_the_month_and_not_before(store: Store, database: str) -> None:
    now = time.time_ns()
    for ago in (0, 100, 200):
        store.write(request(record(f"{ago}", at_ns=now - ago * DAY)))
    with psycopg.connect(database, autocommit=True) as owner:
        assert owner.execute("SELECT audit.drop_expired_rollups(NULL)").fetchone() == (0,)
        assert owner.execute("SELECT audit.drop_expired_rollups(interval '150 days')").fetchone() == (1,)
    for view in ("volume", "volume_hours"):
        found = fetch(database, f"SELECT (current_date - bucket::date) / 50 AS part FROM audit.{view} ORDER BY part")
        assert [row["part"] for row in found] == [0, 2], view
    assert len(fetch(database, "SELECT FROM audit.events")) == 3


def test_expiry_gives_up_soon_where_somebody_holds_on_to_the_counts(store: Store, database: str) -> None:
    store.write(request(record("old", at_ns=time.time_ns() - 200 * DAY)))
    with psycopg.connect(database) as holding, psycopg.connect(database, autocommit=True) as owner:
        holding.execute("SELECT FROM audit.volume")
        with pytest.raises(errors.LockNotAvailable):
            owner.execute("SELECT audit.drop_expired_rollups(interval '150 days')")
        holding.rollback()
        assert owner.execute("SELECT audit.drop_expired_rollups(interval '150 days')").fetchone() == (1,)
