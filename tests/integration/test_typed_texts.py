"""A typed actor or text over long ranges: found by what days know of names, and in the newest events only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.dashboard_world import DAY, HOUR, NOON, World, opened_world

START, END = NOON - 40 * DAY, NOON + HOUR


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with opened_world(database) as made:
        yield made


def listed(world: World, values: dict[str, str], start: datetime = START) -> list[str]:
    rows = world.rows("audit-events", "List", start, END, values)
    return sorted(row["Message"] for row in rows if row["event_id"])


def found(world: World, values: dict[str, str], start: datetime = START) -> Any:
    return world.rows("audit-events", "Events", start, END, values)[0]


@pytest.mark.parametrize("counted", [False, True], ids=["from the events", "from the summaries"])
@pytest.mark.parametrize("late", [False, True], ids=["all in time", "some late"])
def test_a_typed_actor_is_found_by_id_name_email_and_whom_it_acted_for(
    world: World, database: str, counted: bool, late: bool
) -> None:
    for ago in (0, 3, 12, 33):
        moment = NOON - ago * DAY
        world.event(moment, actor_id="u-1", actor_name="Ada Lovelace", message=f"id {ago}")
        world.event(moment, actor_id="u-2", actor_email="ada@example.com", message=f"email {ago}")
        world.event(moment, actor_id="root", on_behalf_of="ada", message=f"instead {ago}")
        world.event(moment, actor_id="u-3", actor_name="Grace", message=f"other {ago}")
    for ago in (5, 20):
        world.event(NOON - ago * DAY, actor_name="Ada without id", message=f"name {ago}")
    if counted:
        world.count()
    if late:
        world.event(NOON - 12 * DAY, actor_id="u-4", actor_name="adage", message="late 12")
        world.event(NOON - 21 * DAY, actor_id="", actor_name="Ada, late", message="late 21")
        with psycopg.connect(database) as owner:
            owner.execute(
                "SELECT audit.recount('default', %s, %s)", ((NOON - 21 * DAY).date(), (NOON - 12 * DAY).date())
            )
    named = [f"{kind} {ago}" for kind in ("id", "email") for ago in (0, 3, 12, 33)] + ["name 20", "name 5"]
    expected = sorted(
        [*named, *(f"instead {ago}" for ago in (0, 3, 12, 33)), *(["late 12", "late 21"] if late else [])]
    )
    assert listed(world, {"actor": "ada"}) == expected
    assert found(world, {"actor": "ada"}) == {"Found": len(expected), "In the list": "all"}
    assert listed(world, {"actor": "u-1"}) == [f"id {ago}" for ago in (0, 12, 3, 33)]
    assert listed(world, {"actor": "nobody"}) == []
    totals = world.rows("audit-overview", "Top actors", START, END, {"actor": "ada"})
    assert sum(row["Events"] for row in totals) == len(expected)


def test_a_text_is_looked_for_in_the_newest_events_and_the_panel_says_since_when(world: World, database: str) -> None:
    for ago in (0, 1, 30):
        world.event(NOON - ago * DAY, message=f"needle {ago}")
    world.count()
    assert found(world, {"q": "needle"}) == {"Found": 3, "In the list": "all"}
    # As if there were that many events of that hour.
    since = NOON - DAY
    with psycopg.connect(database) as owner:
        owner.execute("UPDATE audit.hour_rollups SET events = 200000 WHERE bucket = %s", (since,))
        owner.execute("UPDATE audit.day_counts SET events = 200000 WHERE day = %s", (since.date(),))
    assert found(world, {"q": "needle"}) == {"Found": 2, "In the list": f"all, since {since:%Y-%m-%d %H}:00 UTC"}
    assert listed(world, {"q": "needle"}) == ["needle 0", "needle 1"]
    assert found(world, {})["Found"] > 2
    assert found(world, {"q": "needle"}, NOON - timedelta(hours=2)) == {"Found": 1, "In the list": "all"}


@pytest.mark.parametrize(("message", "typed"), [("Öl ÄNDERN", "öl ändern"), ("CASE", "case"), ("É", "é"), ("É x", "X")])
def test_letters_are_found_in_both_cases(world: World, message: str, typed: str) -> None:
    world.event(NOON, message=message)
    world.event(NOON, message="another")
    assert listed(world, {"q": typed}) == [message]
    assert listed(world, {"q": typed.upper()}) == [message]
