"""Rules that know what was before: new values, last week's numbers, distances, and how the collectors were doing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.alert_history import MICROSECOND, NOON, SECOND, AlertHistory, at, labels, rule
from tests.dashboard_world import BERLIN, DAY, HOUR, MINUTE, TOKYO

pytestmark = pytest.mark.usefixtures("emptied_history")

WEEK = 7 * DAY
NEAR_BERLIN: dict[str, Any] = {"country": "DE", "city": "Potsdam", "latitude": 52.39, "longitude": 13.06}


# By the actor's index, from everything that was, and from the counts.
NEW = {
    "actor": "{kind: new, filter: all, of: country, group_by: [actor], baseline: 30d}",
    "address": "{kind: new, filter: all, of: country, group_by: [address], baseline: 30d}",
    "service": "{kind: new, filter: all, of: country, group_by: [service], baseline: 30d}",
}


def _of(group: str, name: str | None) -> dict[str, Any]:
    return {{"actor": "actor", "address": "client_address", "service": "service"}[group]: name}


@pytest.mark.parametrize("group", NEW)
def test_new_tells_of_the_first_event_with_a_value_and_of_that_only(history: AlertHistory, group: str) -> None:
    for name, past, now in (
        ("moved", "DE", "JP"),
        ("stayed", "DE", "DE"),
        ("without a past", None, "JP"),
        ("nowhere", "DE", ""),
        (None, "DE", "JP"),
    ):
        if past:
            history.event(at(days=3), country=past, **_of(group, name))
        history.events(2, at(minutes=1), country=now, **_of(group, name))
    history.count()
    [alert] = history.alerts(rule(NEW[group]))
    assert (alert[group], alert["country"], alert["value"]) == ("moved", "JP", 1)
    assert alert["at"] == f"{at(minutes=1, seconds=1):%Y-%m-%d %H:%M:%S} UTC"


@pytest.mark.parametrize("group", NEW)
def test_new_forgets_what_was_before_the_baseline(history: AlertHistory, group: str) -> None:
    tested = rule(NEW[group])
    start = NOON - tested.lookback - tested.baseline  # type: ignore[attr-defined]
    for name, moment in (("forgotten", start - HOUR), ("remembered", start + HOUR)):
        history.event(at(days=1), country="DE", **_of(group, name))
        history.event(moment, country="JP", **_of(group, name))
        history.event(at(minutes=1), country="JP", **_of(group, name))
    history.count()
    assert labels(history.alerts(tested), group) == [("forgotten",)]


@pytest.mark.parametrize("group", NEW)
def test_new_tells_of_a_value_while_it_is_news_and_not_any_longer(history: AlertHistory, group: str) -> None:
    tested = rule(NEW[group])
    history.event(at(days=1), country="DE", **_of(group, "Ada"))
    for minute in range(12):
        history.event(NOON + minute * MINUTE, country="JP", **_of(group, "Ada"))
    history.count()
    told = {minute: history.alerts(tested, NOON + minute * MINUTE) for minute in range(20)}
    # From the counts it is news for up to five minutes more.
    assert [minute for minute, alerts in told.items() if alerts][:7] == list(range(7))
    assert not any(told[minute] for minute in range(12, 20))
    assert {alert["event_id"] for alerts in told.values() for alert in alerts} == {told[0][0]["event_id"]}


def test_new_without_groups_goes_by_everything_there_is(history: AlertHistory) -> None:
    tested = rule("{kind: new, filter: all, of: action}")
    history.event(at(minutes=1), "user.frozen")
    history.count()
    assert history.alerts(tested) == []
    history.event(at(days=1), "user.login")
    history.count()
    assert labels(history.alerts(tested), "action") == [("user.frozen",)]


def test_somebodys_first_two_events_are_no_news(history: AlertHistory) -> None:
    tested = rule(NEW["actor"])
    history.event(NOON, actor="Ada", country="DE")
    history.event(NOON + MINUTE, actor="Ada", country="JP")
    assert not any(history.alerts(tested, NOON + minute * MINUTE) for minute in range(15))


@pytest.mark.parametrize("group", ["service", "actor"])
def test_rate_compares_with_the_same_time_a_week_before(history: AlertHistory, group: str) -> None:
    tested = rule(f"{{kind: rate, filter: all, group_by: [{group}], above: 3, below: 0.5, window: 1h, at_least: 6}}")
    end = NOON - tested.late
    for name, before, now in (
        ("tripled", 2, 6),
        ("nearly tripled", 3, 8),
        ("halved", 8, 4),
        ("more than half", 7, 4),
        ("new", 0, 6),
        ("gone", 6, 0),
        ("few", 1, 5),
    ):
        history.events(before, end - WEEK - MINUTE, MINUTE, **{group: name})
        history.events(now, end - MINUTE, MINUTE, **{group: name})
    history.event(end - WEEK - 2 * DAY)
    history.count()
    told = dict(labels(history.alerts(tested), group, "value"))
    assert told == {"tripled": 3.0, "halved": 0.5, "new": 6.0, "gone": 0.0}


def test_rate_compares_with_nothing_in_the_first_week(history: AlertHistory) -> None:
    tested = rule("{kind: rate, filter: all, group_by: [service], above: 3, at_least: 6}")
    history.events(60, at(minutes=10), MINUTE, service="shop")
    history.count()
    assert history.alerts(tested) == []
    history.event(at(days=20), service="billing")
    history.count()
    assert labels(history.alerts(tested), "service") == [("shop",)]


def test_rate_counts_from_the_beginning_of_its_window_to_its_end(history: AlertHistory) -> None:
    tested = rule("{kind: rate, filter: {actor_id: {exists: true}}, above: 2, window: 1h, late: 5m, at_least: 1}")
    end = NOON - tested.late
    history.event(end - WEEK - HOUR, actor="ada")
    for moment in (end - HOUR - MICROSECOND, end - HOUR, end - MICROSECOND, end):
        history.event(moment, actor="ada")
    assert history.alerts(tested) == [{"value": 2.0}]


def test_travel_tells_of_two_places_too_far_apart_for_the_time_between(history: AlertHistory) -> None:
    travel = rule("{kind: travel, filter: all, window: 12h, above_km: 500, above_kmh: 1000}")
    for name, first, second, hours in (
        ("too fast", BERLIN, TOKYO, 2.0),
        ("by airliner", BERLIN, TOKYO, 11.0),
        ("next town", BERLIN, NEAR_BERLIN, 0.01),
        ("nowhere", BERLIN, {}, 0.1),
    ):
        history.event(at(minutes=1) - hours * HOUR, actor=name, **first)
        history.event(at(minutes=1), actor=name, client_ip="192.0.2.9", service="shop", **second)
    for place in (BERLIN, TOKYO):
        history.event(at(minutes=1), **place)
    [alert] = history.alerts(travel)
    assert (alert["actor"], alert["left_place"], alert["place"]) == ("too fast", "Berlin, DE", "Tokyo, JP")
    assert (alert["address"], alert["service"]) == ("192.0.2.9", "shop")
    # 8,919 km on a great circle.
    assert alert["value"] == pytest.approx(8919 / 2, rel=0.01)


def test_travel_counts_no_time_longer_than_its_window(history: AlertHistory) -> None:
    travel = rule("{kind: travel, filter: all, window: 2h}")
    for name, gap in (("exactly", 2 * HOUR), ("longer", 2 * HOUR + MICROSECOND)):
        history.event(at(minutes=1) - gap, actor=name, **BERLIN)
        history.event(at(minutes=1), actor=name, **TOKYO)
    assert labels(history.alerts(travel), "actor") == [("exactly",)]


def test_travel_to_and_fro_is_told_of_once_in_a_window(history: AlertHistory) -> None:
    travel = rule("{kind: travel, filter: all, window: 2h}")
    for number in range(4):
        history.event(NOON + number * 10 * MINUTE, actor="ada", **(BERLIN, TOKYO)[number % 2])
    told = [history.alerts(travel, NOON + minute * MINUTE) for minute in range(0, 300, 5)]
    assert {alert["at"] for alerts in told for alert in alerts} == {f"{NOON + 10 * MINUTE:%Y-%m-%d %H:%M:%S} UTC"}


def test_a_sequence_that_goes_on_is_told_of_once_in_a_window(history: AlertHistory) -> None:
    guessed = rule(
        "{kind: sequence, group_by: [actor], window: 30m, first: {filter: {outcome: failure}, times: 3},"
        " then: {filter: {outcome: success}}}"
    )
    story = "failure failure failure success failure success success"
    for minute, outcome in enumerate(story.split()):
        history.event(NOON + minute * MINUTE, actor="ada", outcome=outcome)
    told = [history.alerts(guessed, NOON + minute * MINUTE) for minute in range(90)]
    assert {alert["at"] for alerts in told for alert in alerts} == {f"{NOON + 3 * MINUTE:%Y-%m-%d %H:%M:%S} UTC"}


# The check, what a collector reports, and what is told of it.
SAMPLES: dict[str, tuple[dict[str, Any], str, float]] = {
    "lag": ({"lag_seconds": 901.0}, "one", 901),
    "refused": ({"refused": 901, "refused_by": {"grpc UNAUTHENTICATED": 901}}, "grpc UNAUTHENTICATED", 901),
    "rejected": ({"rejected": 901, "rejected_by": {"malformed": 901}}, "malformed", 901),
    "quarantined": ({"quarantined": 901, "quarantined_by": {"22P05": 901}}, "22P05", 901),
    "unavailable": ({"unavailable": 901}, "one", 901),
    "spool": ({"spool_bytes": 901}, "one", 901),
}


@pytest.mark.parametrize("check", SAMPLES)
def test_ingestion_tells_of_more_than_the_limit_within_the_window(history: AlertHistory, check: str) -> None:
    sample, what, value = SAMPLES[check]
    history.sample(at(minutes=10), **sample)
    tested, patient = (rule(f"{{kind: ingestion, check: {check}, above: {above}}}") for above in (900, 901))
    assert history.alerts(tested) == [{"what": what, "value": value}]
    assert history.alerts(patient) == []
    assert history.alerts(tested, NOON + SECOND) == []


def test_ingestion_is_silent_when_the_last_collector_has_been_for_the_window(history: AlertHistory) -> None:
    silent = rule("{kind: ingestion, check: silent, window: 5m}")
    assert history.alerts(silent) == []
    history.sample(at(minutes=30), instance="long gone")
    history.sample(at(minutes=5), instance="one")
    assert history.alerts(silent) == []
    assert history.alerts(silent, NOON + SECOND) == [{"what": "collector", "value": 301.0}]


def test_ingestion_tells_of_retention_that_failed_by_class_and_partition(history: AlertHistory) -> None:
    history.retained(at(minutes=5), action="failed", retention_class="log", partition="events_log_p20261101")
    history.retained(at(minutes=5), action="failed")
    history.retained(at(minutes=5), action="dropped", retention_class="default")
    told = history.alerts(rule("{kind: ingestion, check: retention}"))
    assert set(labels(told, "what", "value")) == {("retention log events_log_p20261101", 1), ("retention", 1)}
