"""Summaries of whole days: what charts read over long ranges is what they would read from the events."""

from __future__ import annotations

import time
from datetime import timedelta

import psycopg
import pytest
from psycopg import errors

from tests.integration.summarised import DAY, HOUR, TABLES, TODAY, assert_exact, events, summarise, summarised
from tests.sending import Store, fetch, record, request

YESTERDAY = TODAY - timedelta(days=1)


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
        owner.execute("DELETE FROM audit.events_default WHERE occurred_at < %s", (TODAY,))
    until_today = "SELECT sum(events) FROM audit.actor_totals(%s, %s) WHERE last_at < %s"
    [found] = fetch(database, until_today, TODAY - timedelta(days=2), TODAY, TODAY)
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
    with psycopg.connect(database) as owner:
        owner.execute(f"DROP TABLE audit.events_default_p{YESTERDAY:%Y%m%d}".encode())
    assert summarise(days) == [f"removed {YESTERDAY:%Y-%m-%d} of class default"]
    assert_exact(database)
    for table in TABLES:
        left = fetch(database, f"SELECT FROM audit.{table} WHERE summary NOT IN (SELECT id FROM audit.summaries)")
        assert left == [], table


def test_a_day_whose_events_were_changed_is_summarised_anew(days: Store, database: str) -> None:
    with psycopg.connect(database) as owner:
        owner.execute("UPDATE audit.events_default SET actor_id = 'pseudonym' WHERE actor_id = 'u-1'")
        days_ago = [(TODAY - timedelta(days=ago)).date() for ago in (1, 2)]
        owner.execute("SELECT audit.forget_summaries('default', %s)", (days_ago,))
    assert fetch(database, "SELECT FROM audit.actor_days WHERE actor_id = 'u-1'") == []
    assert_exact(database)
    summarise(days)
    assert ("default", 1) in summarised(database)
    assert_exact(database)


def test_a_day_with_events_outside_of_its_partition_is_read_from_the_events(days: Store, database: str) -> None:
    with psycopg.connect(database) as owner:
        owner.execute("SELECT audit.leave_unsummarised(ARRAY[%s::date])", (YESTERDAY,))
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
