"""`auditgraf tail` from a time on, and by an expression."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from collector.query.expression import parse_expression
from collector.tail import TailFilter
from tests.integration.committed import Store, event
from tests.integration.tailing import tailing

HOUR_NS = 3_600_000_000_000


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    made = Store(database)
    yield made
    made.close()


def at(store: Store, hours: float, name: str) -> None:
    store.commit(store.prepare([event(name)], at_ns=time.time_ns() - int(hours * HOUR_NS)))


def test_tail_begins_with_all_events_since_a_time_and_goes_on(database: str, store: Store) -> None:
    at(store, 5, "a.early")
    at(store, 2, "a.second")
    at(store, 3, "a.first")
    with tailing(database, since=datetime.now(UTC) - timedelta(hours=4)) as tail:
        assert tail.actions(2) == ["a.first", "a.second"]
        store.add(event("a.new"))
        assert tail.actions(1) == ["a.new"]


def test_more_events_than_a_page_come_in_order_and_once(database: str, store: Store) -> None:
    store.add(*(event(f"a.{index:04}") for index in range(1100)))
    with tailing(database, since=datetime.now(UTC) - timedelta(hours=4)) as tail:
        assert tail.actions(1100) == [f"a.{index:04}" for index in range(1100)]


def test_an_expression_holds_for_what_is_there_and_for_what_comes(database: str, store: Store) -> None:
    group = [
        event("user.login", actor_name="Al", outcome="failure", severity="17"),
        event("user.login", actor_name="Al"),
        event("user.logout", actor_name="Bo", severity="17"),
    ]
    store.add(*group)
    chosen = TailFilter(match=parse_expression("actor~A* severity>=error or action=user.logout"))
    with tailing(database, chosen, last=10) as tail:
        assert tail.actions(2) == ["user.login", "user.logout"]
        store.add(*group)
        assert tail.actions(2) == ["user.login", "user.logout"]


def test_an_expression_and_the_options_both_have_to_hold(database: str, store: Store) -> None:
    store.add(event("a", actor_id="1"), event("b", actor_id="1"), event("b", actor_id="2"))
    chosen = TailFilter(actions=("b",), match=parse_expression("actor_id=1"))
    with tailing(database, chosen, last=10) as tail:
        [line] = tail.lines(1)
        assert (json.loads(line)["action"], json.loads(line)["actor_id"]) == ("b", "1")
        store.add(event("b", actor_id="2"), event("a", actor_id="1"), event("b", actor_id="1"))
        [line] = tail.lines(1)
        assert (json.loads(line)["action"], json.loads(line)["actor_id"]) == ("b", "1")


def test_an_expression_that_names_the_class_of_plain_records_finds_them(database: str, store: Store) -> None:
    store.add({"body": "just a line", "severity": "9"}, event("a.event"))
    with tailing(database, TailFilter(match=parse_expression("class=log")), last=10) as tail:
        [line] = tail.lines(1)
        assert json.loads(line)["message"] == "just a line"


def test_times_are_shown_in_the_zone_asked_for(database: str, store: Store) -> None:
    store.add(event("a.event"))
    for zone, shown in ((UTC, "+00:00"), (timezone(timedelta(hours=9)), "+09:00")):
        with tailing(database, last=1, as_json=False, zone=zone) as tail:
            assert shown in tail.line()
