"""What overview, map and live show of known events, and how much of it they read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.dashboard_world import BERLIN, DASHBOARDS, DAY, HOUR, MINUTE, NOON, TOKYO, World, asking, opened_world
from tests.grafana_sql import expand, interpolate

OURS = ("audit-overview", "audit-map", "audit-security", "audit-health", "audit-live")


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with opened_world(database) as made:
        yield made


@pytest.fixture(scope="module")
def nothing(shared_database: str) -> Iterator[World]:
    """Where there is nothing yet, to be looked at only."""
    with opened_world(shared_database) as made:
        yield made


@pytest.mark.parametrize("uid", OURS)
@pytest.mark.parametrize("length", [HOUR, 12 * HOUR, 90 * DAY], ids=["hour", "half day", "90 days"])
def test_every_query_runs_where_there_is_nothing_yet(nothing: World, uid: str, length: timedelta) -> None:
    for panel in asking(uid):
        nothing.rows(uid, panel["title"], NOON - length, NOON)
    for variable in DASHBOARDS[uid]["templating"]["list"]:
        if variable["type"] == "query":
            nothing.run(expand(interpolate(variable["query"], [], {}), NOON - length, NOON))


@pytest.mark.parametrize(
    "length", [5 * HOUR, 7 * HOUR, 3 * DAY, 6 * DAY], ids=["5 hours", "7 hours", "3 days", "6 days"]
)
@pytest.mark.parametrize("cut", [timedelta(0), 2 * MINUTE, timedelta(minutes=4, seconds=59, milliseconds=999)])
def test_short_and_long_ranges_count_exactly_the_events_within(world: World, length: timedelta, cut: timedelta) -> None:
    start, end = NOON - length + cut, NOON + cut
    for moment in (start, end, start - MINUTE, end + MINUTE, start + MINUTE, end - MINUTE, start + length / 2):
        world.event(moment, actor_id="a", target_type="t", target_id="1", client_ip="203.0.113.1", **BERLIN)
    world.count()
    volume = world.rows("audit-overview", "Volume", start, end)
    assert sum(row["Events"] for row in volume) == 5
    for title in ("Types", "Top actors", "Top objects", "Services", "Top addresses", "Places"):
        assert [row["Events"] for row in world.rows("audit-overview", title, start, end)] == [5], title


def test_plain_logs_are_counted_nowhere_but_live(world: World) -> None:
    world.event(NOON, None, "log", message="a log", severity=5, actor_id="a", client_ip="203.0.113.1", **BERLIN)
    world.count()
    for length in (HOUR, 2 * DAY):
        for uid in ("audit-overview", "audit-map"):
            for panel in asking(uid):
                rows = world.rows(uid, panel["title"], NOON - length, NOON + HOUR)
                assert not any(row.get("Events") for row in rows), panel["title"]
    (row,) = world.rows("audit-live", "Records", NOON - HOUR, NOON + HOUR)
    assert (row["line"], row["level"], row["class"]) == ("a log", "debug", "log")


def test_live_shows_audit_events_logs_or_both(world: World) -> None:
    world.event(NOON, "user.login", service="shop", message="hello", severity=9)
    world.event(NOON, None, "log", service="shop", message="slow", severity=13)
    shown = {
        show: {row["line"] for row in world.rows("audit-live", "Records", NOON - HOUR, NOON + HOUR, {"show": show})}
        for show in ("all", "audit", "logs")
    }
    assert shown["audit"] == {"shop  user.login  hello"}
    assert shown["logs"] == {"shop  slow"}
    assert shown["all"] == shown["audit"] | shown["logs"]
    warnings = world.rows("audit-live", "Records by level", NOON - HOUR, NOON + HOUR, {"severity": "warn"})
    assert [(row["metric"], row["value"]) for row in warnings] == [("warn", 1.0)]


def test_long_ranges_read_no_event_but_at_their_ends(world: World) -> None:
    for hours in range(0, 72, 6):
        world.event(NOON - hours * HOUR)
    world.count()
    days = set(re.findall(r"events_default_p(\d{8})", world.plan("audit-overview", "Outcomes", NOON - 3 * DAY, NOON)))
    assert days <= {f"{NOON - 3 * DAY:%Y%m%d}", f"{NOON:%Y%m%d}"}
    assert "rollups" in world.plan("audit-overview", "Outcomes", NOON - 3 * DAY, NOON)
    assert "rollups" not in world.plan("audit-overview", "Outcomes", NOON - HOUR, NOON)


def test_a_week_before_is_drawn_at_the_same_time(world: World) -> None:
    world.event(NOON)
    world.event(NOON - 7 * DAY)
    world.event(NOON - 7 * DAY)
    rows = world.rows("audit-overview", "Compared with a week before", NOON - HOUR, NOON + HOUR)
    assert [(int(row["time"]), row["This time"], row["A week before"]) for row in rows] == [
        (int(NOON.timestamp()), 1.0, 2.0)
    ]


def test_the_heat_map_counts_weekdays_and_hours_in_utc(world: World) -> None:
    world.event(NOON)
    world.event(NOON + 13 * MINUTE)
    world.event(NOON - DAY - 5 * HOUR)
    world.count()
    rows = {
        row.pop("Day"): row
        for row in world.rows("audit-overview", "Weekdays and hours (UTC)", NOON - 2 * DAY, NOON + HOUR)
    }
    assert list(rows) == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert rows[f"{NOON:%a}"]["12"] == 2
    assert rows[f"{NOON - DAY:%a}"]["07"] == 1
    assert sum(sum(row.values()) for row in rows.values()) == 3


def test_places_are_coloured_by_type_or_by_the_share_of_failures(world: World) -> None:
    for action, outcome in (("user.login", "success"), ("user.login", "success"), ("order.created", "failure")):
        world.event(NOON, action, outcome=outcome, **BERLIN)
    world.event(NOON, "order.created", outcome="failure", **TOKYO)
    by_type = {row["Place"]: row["slot"] for row in world.rows("audit-map", "Places", NOON - HOUR, NOON + HOUR)}
    values = {"colour": "outcome"}
    by_outcome = {
        row["Place"]: row["slot"] for row in world.rows("audit-map", "Places", NOON - HOUR, NOON + HOUR, values)
    }
    assert by_type == {"Berlin, DE": 0, "Tokyo, JP": 2}
    assert by_outcome == {"Berlin, DE": -3, "Tokyo, JP": -4}
