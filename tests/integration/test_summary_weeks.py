"""Summaries of weeks, and the objects that days were busiest with: exact, and forgotten with their events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.rows import dict_row

from collector.config import as_role
from tests.conftest import new_database
from tests.integration.summarised import DAY, TABLES, TODAY, assert_exact, summarise
from tests.sending import Store, fetch, record, request

DAYS = 62
OLDEST = TODAY - timedelta(days=DAYS)
# All, months that cut weeks at both ends, two whole weeks and a day, and a range within a week.
RANGES = [
    (OLDEST - timedelta(days=30), TODAY + timedelta(days=1)),
    (OLDEST + timedelta(days=3, hours=5), TODAY - timedelta(hours=5)),
    (TODAY - timedelta(days=15), TODAY - timedelta(microseconds=1)),
    (TODAY - timedelta(days=3), TODAY),
]


def at(ago: float) -> int:
    """Nanoseconds of the moment so many days before TODAY."""
    return int(TODAY.timestamp() * 10**9 - ago * DAY)


def day_of_events(ago: int) -> bytes:
    """Events of one day: the more of an object the smaller its number; some fail, some objects have a name alone."""
    records = [
        record(
            f"{ago} {n}",
            at_ns=at(ago) + (n + 1) * 10**12,
            outcome="failure" if n == 3 else "success",
            user__id=f"u-{n % 3}",
            client__address=f"81.2.69.{n}",
            audit__target__type="order",
            **{f"audit.target.{'name' if n == 2 else 'id'}": f"{min(n, ago % 4)}"},
        )
        for n in range(5)
    ]
    return request(*records)


@pytest.fixture(scope="module")
def filled(postgres: str, migrated: str) -> Iterator[str]:
    """The name of a database with two months of events, summarised as far as they are over."""
    with new_database(postgres, migrated) as url:
        store = Store(url)
        store.write(*(day_of_events(ago) for ago in range(DAYS + 1)))
        summarise(store)
        store.close()
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
def database(postgres: str, filled: str) -> Iterator[str]:
    """The owner URL of a copy of it."""
    with new_database(postgres, filled) as url:
        yield url


@pytest.fixture
def weeks(store: Store) -> Store:
    return store


def read(database: str, since: datetime, until: datetime) -> list[int]:
    """How many days each of the summaries has that are read for a range, the longest first."""
    statement = (
        "SELECT s.days FROM audit.covering(%s, %s) AS c JOIN audit.summaries AS s ON s.id = c.summary ORDER BY 1 DESC"
    )
    return [row["days"] for row in fetch(database, statement, since, until)]


def weeks_with(database: str, day: date) -> int:
    """How many longer summaries there are that a day is in, whether they are read or not."""
    statement = "SELECT FROM audit.summaries WHERE days > 1 AND %s >= day AND %s < day + days"
    return len(fetch(database, statement, day, day))


def a_day_in_four_weeks(database: str) -> date:
    [found] = fetch(database, "SELECT day + 10 AS day FROM audit.summaries WHERE days = 28 ORDER BY day DESC LIMIT 1")
    day: date = found["day"]
    return day


def busiest(database: str, since: datetime, until: datetime, wanted: int) -> tuple[list[Any], list[Any], int]:
    """The objects with the most events, by audit.busiest_targets and by the events; how many rows the former took."""
    most = """
        SELECT target_type, coalesce(nullif(target_id, ''), target_name) AS key, sum(events)::int AS events,
               sum(failures)::int AS failures, min(first_at) AS first_at, max(last_at) AS last_at
        FROM {} GROUP BY 1, 2 ORDER BY 3 DESC, 2 LIMIT %(wanted)s"""
    events = """(SELECT *, 1 AS events, (outcome = 'failure')::int AS failures, occurred_at AS first_at,
                        occurred_at AS last_at
                 FROM audit.events WHERE occurred_at BETWEEN %(since)s AND %(until)s
                     AND coalesce(target_id, target_name) IS NOT NULL) AS e"""
    named = "audit.busiest_targets(%(since)s, %(until)s, %(wanted)s)"
    given = {"since": since, "until": until, "wanted": wanted}
    with psycopg.connect(as_role(database, "auditgraf_reader"), row_factory=dict_row) as reader:
        quick, plain, taken = (
            reader.execute(statement.encode(), given).fetchall()
            for statement in (most.format(named), most.format(events), f"SELECT FROM {named}")
        )
    return quick, plain, len(taken)


def test_months_are_read_from_weeks_and_give_the_answers_of_their_events(weeks: Store, database: str) -> None:
    assert 28 in read(database, *RANGES[0])
    assert sum(read(database, *RANGES[0])) == DAYS
    assert 7 in read(database, *RANGES[2])
    assert sum(read(database, *RANGES[2])) == 14
    assert_exact(database, RANGES)
    assert summarise(weeks) == []


def test_weeks_in_which_an_event_comes_late_are_read_by_the_day_until_they_are_made_anew(
    weeks: Store, database: str
) -> None:
    day = a_day_in_four_weeks(database)
    ago = (TODAY.date() - day).days
    weeks.write(request(record("late", at_ns=at(ago) + 10**9, user__id="late")))
    assert sum(read(database, *RANGES[0])) == DAYS - 1
    assert_exact(database, RANGES)
    with psycopg.connect(database) as owner:
        owner.execute("UPDATE audit.summaries SET made_at = made_at - interval '6 hours'")
    assert len(summarise(weeks)) == 3
    assert sum(read(database, *RANGES[0])) == DAYS
    assert 28 in read(database, *RANGES[0])
    assert_exact(database, RANGES)


def test_a_week_is_not_made_anew_for_every_late_event(weeks: Store, database: str) -> None:
    day = a_day_in_four_weeks(database)
    weeks.write(request(record("late", at_ns=at((TODAY.date() - day).days) + 10**9)))
    with psycopg.connect(database) as owner:
        owner.execute("UPDATE audit.summaries SET made_at = made_at - interval '11 minutes'")
    assert summarise(weeks) == [f"summarised {day} of class default: 6 events"]
    assert_exact(database, RANGES)


def test_what_is_changed_in_events_is_gone_from_the_weeks_at_once(weeks: Store, database: str) -> None:
    day = a_day_in_four_weeks(database)
    assert weeks_with(database, day) == 2
    with psycopg.connect(database) as owner:
        owner.execute(f"UPDATE audit.events_default_p{day:%Y%m%d} SET actor_id = 'pseudonym', target_id = 'x'".encode())
        owner.execute("SELECT audit.forget_summaries('default', ARRAY[%s::date])", (day,))
    assert weeks_with(database, day) == 0
    for table in TABLES:
        left = fetch(database, f"SELECT FROM audit.{table} WHERE summary NOT IN (SELECT id FROM audit.summaries)")
        assert left == [], table
    assert_exact(database, RANGES)
    summarise(weeks)
    assert weeks_with(database, day) == 2
    assert_exact(database, RANGES)


def test_nothing_is_summarised_while_events_are_being_changed(weeks: Store, database: str) -> None:
    day = a_day_in_four_weeks(database)
    with psycopg.connect(database) as forgetting:
        forgetting.execute("SELECT audit.forget_summaries('default', ARRAY[%s::date])", (day,))
        assert summarise(weeks) == []
    assert len(summarise(weeks)) == 3


def test_weeks_go_with_the_first_of_their_days(weeks: Store, database: str) -> None:
    [oldest] = fetch(database, "SELECT min(day) AS day FROM audit.summaries WHERE days = 7")
    with psycopg.connect(database) as owner:
        for ago in range((TODAY.date() - oldest["day"]).days, DAYS + 1):
            day = TODAY - timedelta(days=ago)
            owner.execute(f"DROP TABLE audit.events_default_p{day:%Y%m%d}".encode())
    done = summarise(weeks)
    assert f"removed {oldest['day']} of class default" in done
    assert all(line.startswith("removed") for line in done)
    assert weeks_with(database, oldest["day"]) == 0
    assert_exact(database, RANGES)


def test_days_that_an_earlier_version_summarised_are_read_and_made_anew(weeks: Store, database: str) -> None:
    with psycopg.connect(database) as owner:
        owner.execute("DELETE FROM audit.summaries WHERE days > 1")
        owner.execute("UPDATE audit.summaries SET unlisted = NULL; DELETE FROM audit.day_objects")
    assert_exact(database, RANGES)
    quick, plain, _ = busiest(database, *RANGES[1], 3)
    assert quick == plain
    assert len(summarise(weeks)) >= DAYS
    assert fetch(database, "SELECT FROM audit.summaries WHERE days = 1 AND unlisted IS NULL") == []
    assert 28 in read(database, *RANGES[0])


def test_the_busiest_objects_are_the_ones_of_the_events(weeks: Store, database: str) -> None:
    for range_ in RANGES:
        for wanted in (1, 2, 4, 20):
            quick, plain, _ = busiest(database, *range_, wanted)
            assert quick == plain, (range_, wanted)


def test_objects_that_no_day_lists_are_among_the_busiest_where_they_belong(weeks: Store, database: str) -> None:
    with psycopg.connect(database) as owner:
        # As if a day listed its first object alone.
        owner.execute("""
            DELETE FROM audit.day_objects AS o WHERE ctid <> (
                SELECT ctid FROM audit.day_objects WHERE summary = o.summary
                ORDER BY events DESC, target_key LIMIT 1)""")
        owner.execute("""
            UPDATE audit.summaries AS s SET unlisted = coalesce((
                SELECT max(events) FROM (
                    SELECT sum(t.events) AS events FROM audit.day_targets AS t
                    WHERE t.summary = s.id AND NOT EXISTS (
                        SELECT FROM audit.day_objects AS o WHERE o.summary = s.id
                            AND o.target_key = coalesce(nullif(t.target_id, ''), t.target_name))
                    GROUP BY coalesce(nullif(t.target_id, ''), t.target_name)) AS others), 0)
            WHERE days = 1""")
    everything = len(fetch(database, "SELECT FROM audit.target_totals(%s, %s)", *RANGES[0]))
    quick, plain, taken = busiest(database, *RANGES[0], 1)
    assert quick == plain
    assert taken < everything
    quick, plain, taken = busiest(database, *RANGES[0], 20)
    assert quick == plain
    assert taken == everything
