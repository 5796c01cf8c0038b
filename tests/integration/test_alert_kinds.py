"""What each kind of alert rule tells of, and what not: asked as Grafana asks, as the role that Grafana has."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.alert_history import MICROSECOND, NOON, SECOND, AlertHistory, at, labels, rule
from tests.dashboard_world import DAY, MINUTE

pytestmark = pytest.mark.usefixtures("emptied_history")

FAILED: dict[str, Any] = {"outcome": "failure", "action": "user.login_failed"}


def test_any_tells_of_each_event_that_came_in_since_the_evaluation_before(history: AlertHistory) -> None:
    any_deletion = rule("{kind: any, filter: {action: user.deleted}}")
    history.event(at(minutes=1), "user.deleted", actor_id="u-1", actor_name="Ada", target_type="user", target_id="7")
    history.event(at(minutes=1), "user.created", actor="Ada")
    [alert] = history.alerts(any_deletion)
    assert alert["value"] == 1
    assert (alert["actor"], alert["actor_key"]) == ("Ada", "u-1")
    assert (alert["target"], alert["target_key"]) == ("user 7", "user 7")
    assert alert["at"] == f"{at(minutes=1):%Y-%m-%d %H:%M:%S} UTC"
    assert len(alert["event_id"]) == 36
    assert history.alerts(any_deletion, NOON + DAY) == []


def test_any_looks_back_to_the_microsecond(history: AlertHistory) -> None:
    every = rule("{kind: any, filter: all}")
    first, last = NOON - every.lookback, NOON
    for name, moment in (
        ("early", first - MICROSECOND),
        ("first", first),
        ("last", last),
        ("late", last + MICROSECOND),
    ):
        history.event(at(minutes=30), actor=name, received_at=moment)
    assert labels(history.alerts(every), "actor") == [("last",), ("first",)]


def test_any_tells_of_an_event_that_came_a_day_late_and_of_none_that_is_older(history: AlertHistory) -> None:
    every = rule("{kind: any, filter: all}")
    history.event(at(days=1) + MINUTE, actor="within", received_at=NOON)
    history.event(at(days=2), actor="beyond", received_at=NOON)
    history.event(NOON + DAY, actor="fast clock", received_at=NOON)
    assert set(labels(history.alerts(every), "actor")) == {("within",), ("fast clock",)}


def test_any_tells_of_plain_logs_only_where_the_rule_says_so(history: AlertHistory) -> None:
    history.event(at(minutes=1), None, class_="log", severity=17, message="out of memory")
    assert history.alerts(rule("{kind: any, filter: {severity: {at_least: 17}}}")) == []
    [alert] = history.alerts(rule("{kind: any, logs: true, filter: {severity: {at_least: 17}}}"))
    assert (alert["action"], alert["actor"]) == ("", "")


def test_any_tells_of_fifty_and_how_many_more_there_are(history: AlertHistory) -> None:
    history.events(53, NOON, actor="Ada")
    alerts = history.alerts(rule("{kind: any, filter: all}"))
    [rest] = [alert for alert in alerts if alert["more"]]
    assert (len(alerts), rest["value"], rest["more"], rest["event_id"], rest["actor"]) == (51, 3, "true", "", "")
    # The rest are those that came first.
    assert min(alert["at"] for alert in alerts if alert["at"]) == f"{at(seconds=49):%Y-%m-%d %H:%M:%S} UTC"


def test_change_tells_of_the_named_fields_only(history: AlertHistory) -> None:
    for name, changes in (
        ("role", '{"role": {"before": "user", "after": "admin"}}'),
        ("groups", '{"groups": {"added": ["wheel"], "removed": []}}'),
        ("title", '{"title": {"before": "a", "after": "b"}}'),
        ("nothing", "{}"),
        ("a list", '["role"]'),
        ("unchanged", None),
    ):
        history.event(at(minutes=1), "user.updated", actor=name, changes=changes)
    told = history.alerts(rule("{kind: change, filter: all, fields: [role, groups]}"))
    assert set(labels(told, "actor")) == {("role",), ("groups",)}
    told = history.alerts(rule("{kind: change, filter: all}"))
    assert set(labels(told, "actor")) == {("role",), ("groups",), ("title",), ("a list",)}


def test_outside_hours_goes_by_the_clock_and_the_days_of_its_zone(history: AlertHistory) -> None:
    # Monday 2 November 2026 is in winter, Monday 29 June in summer: 08:00 in Zurich is 07:00, then 06:00 UTC.
    nights = rule('{kind: outside_hours, filter: all, hours: "08:00-18:00", zone: Europe/Zurich}')
    monday = NOON.replace(year=2026, month=11, day=2, hour=7)
    cases = {
        "just before": monday - MICROSECOND,
        "at eight": monday,
        "just in time": monday + timedelta(hours=10) - MICROSECOND,
        "at six": monday + timedelta(hours=10),
        "saturday": monday - 2 * DAY + timedelta(hours=3),
    }
    for name, moment in cases.items():
        history.event(moment, actor=name)
    told = {
        name for name, moment in cases.items() for alert in history.alerts(nights, moment) if alert["actor"] == name
    }
    assert told == {"just before", "at six", "saturday"}


def test_count_tells_of_more_than_so_many_of_one_group_within_any_window(history: AlertHistory) -> None:
    guesses = rule("{kind: count, about: failed_sign_in, group_by: [actor], above: 3, window: 10m}")
    history.events(4, at(minutes=9), **FAILED, actor="four")
    history.events(3, at(minutes=1), **FAILED, actor="three")
    history.events(9, at(minutes=1), actor="succeeded")
    history.events(9, at(minutes=1), **FAILED)
    assert history.alerts(guesses) == [{"actor": "four", "actor_key": "four", "value": 4.0}]


def test_count_takes_events_that_are_exactly_a_window_apart_together(history: AlertHistory) -> None:
    pair = rule("{kind: count, filter: all, group_by: [actor], above: 1, window: 10m}")
    last = at(minutes=1)
    for name, moment in (("exactly", last - 10 * MINUTE), ("longer", last - 10 * MINUTE - MICROSECOND)):
        history.event(moment, actor=name)
        history.event(last, actor=name)
    assert labels(history.alerts(pair), "actor") == [("exactly",)]


def test_count_waits_for_late_events_and_forgets_after_that(history: AlertHistory) -> None:
    burst = rule("{kind: count, filter: all, group_by: [actor], above: 1, window: 10m, late: 5m}")
    first = at(minutes=15)
    history.event(first, actor="Ada")
    history.event(first + 10 * MINUTE, actor="Ada", received_at=NOON)
    assert len(history.alerts(burst, NOON)) == 1
    assert history.alerts(burst, NOON + MICROSECOND) == []


def test_count_without_groups_counts_everything(history: AlertHistory) -> None:
    history.events(4, at(minutes=1))
    assert history.alerts(rule("{kind: count, filter: all, above: 3}")) == [{"value": 4.0}]
    assert history.alerts(rule("{kind: count, filter: all, above: 4}")) == []


def test_count_takes_somebody_with_two_names_for_one(history: AlertHistory) -> None:
    history.events(2, at(minutes=1), actor_id="u-1", actor_name="b.later")
    history.events(2, at(minutes=2), actor_id="u-1", actor_name="a.former")
    [alert] = history.alerts(rule("{kind: count, filter: all, group_by: [actor], above: 3}"))
    assert alert == {"actor": "a.former", "actor_key": "u-1", "value": 4.0}


def test_count_raises_five_hundred_alerts_at_most_those_that_began_last(history: AlertHistory) -> None:
    for number in range(502):
        history.event(at(seconds=number / 2), actor=f"actor-{number:03}")
    alerts = history.alerts(rule("{kind: count, filter: all, group_by: [actor], above: 0}"))
    assert labels(alerts, "actor") == [(f"actor-{number:03}",) for number in range(500)]


def test_distinct_counts_values_and_not_events(history: AlertHistory) -> None:
    spraying = rule(
        "{kind: distinct, about: failed_sign_in, of: actor_name, group_by: [address], above: 2, window: 10m}"
    )
    for name in ("ada", "bob", "eve", "ada"):
        history.event(at(minutes=1), **FAILED, actor_name=name, client_ip="192.0.2.1")
    for again in ("ada", "bob", "ada", "ada", None):
        history.event(at(minutes=1), **FAILED, actor_name=again, client_ip="192.0.2.2")
    for name in ("ada", "bob", "eve"):
        history.event(at(minutes=1), **FAILED, actor_name=name)
    assert history.alerts(spraying) == [{"address": "192.0.2.1", "value": 3.0}]


def test_distinct_counts_within_a_window_to_the_microsecond(history: AlertHistory) -> None:
    two = rule("{kind: distinct, filter: all, of: actor, group_by: [service], above: 1, window: 10m}")
    last = at(minutes=1)
    for name, gap in (("exactly", 10 * MINUTE), ("longer", 10 * MINUTE + MICROSECOND)):
        history.event(last - gap, actor="ada", service=name)
        history.event(last, actor="bob", service=name)
    assert labels(history.alerts(two), "service", "value") == [("exactly", 2.0)]


def test_distinct_takes_a_value_that_comes_back_for_one(history: AlertHistory) -> None:
    two = rule("{kind: distinct, filter: all, of: actor, above: 2, window: 5m, late: 20m}")
    # Ada all along, then Bob and Eve, who never meet.
    history.events(20, at(minutes=1), MINUTE, actor="ada")
    history.event(at(minutes=15), actor="bob")
    history.event(at(minutes=5), actor="eve")
    assert history.alerts(two) == []
    history.event(at(minutes=10), actor="bob")
    assert history.alerts(two) == [{"value": 3.0}]


def test_sequence_tells_of_the_success_after_so_many_failures(history: AlertHistory) -> None:
    guessed = rule(
        "{kind: sequence, group_by: [actor_name], window: 30m, first: {about: failed_sign_in, times: 3},"
        " then: {about: sign_in, filter: {outcome: success}}}"
    )
    cases = {"enough": (3, "success"), "too few": (2, "success"), "never in": (3, "failure")}
    for name, (failures, outcome) in cases.items():
        history.events(failures, at(minutes=3), **FAILED, actor_name=name)
        history.event(at(minutes=2), actor_name=name, actor_id=f"id of {name}", outcome=outcome, service="shop")
    history.events(3, at(minutes=1), **FAILED, actor_name="success first")
    history.event(at(minutes=3), actor_name="success first")
    history.events(3, at(minutes=1), **FAILED)
    history.event(at(seconds=30))
    [alert] = history.alerts(guessed)
    assert (alert["actor_name"], alert["actor"], alert["service"], alert["value"]) == ("enough", "enough", "shop", 3)
    assert alert["at"] == f"{at(minutes=2):%Y-%m-%d %H:%M:%S} UTC"


def test_sequence_counts_failures_that_are_a_window_old_and_none_older(history: AlertHistory) -> None:
    pair = rule(
        "{kind: sequence, group_by: [actor], window: 30m, first: {filter: {action: a}}, then: {filter: {action: b}}}"
    )
    for name, gap in (("exactly", 30 * MINUTE), ("longer", 30 * MINUTE + MICROSECOND)):
        history.event(at(minutes=1) - gap, "a", actor=name)
        history.event(at(minutes=1), "b", actor=name)
    assert labels(history.alerts(pair), "actor") == [("exactly",)]


def test_sequence_tells_of_one_event_where_both_steps_fit_it(history: AlertHistory) -> None:
    alike = rule("{kind: sequence, group_by: [actor], first: {filter: all, times: 2}, then: {filter: all}}")
    history.events(2, at(minutes=2), actor="two")
    assert history.alerts(alike) == []
    history.event(at(minutes=1), actor="two")
    assert labels(history.alerts(alike), "actor", "value") == [("two", 2.0)]


def test_absence_tells_of_who_was_there_and_is_not_any_more(history: AlertHistory) -> None:
    silent = rule(
        "{kind: absence, filter: {severity_text: {exists: false}}, group_by: [service], window: 10m, baseline: 2d}"
    )
    for name, moment in (
        ("exactly", at(minutes=10)),
        ("longer", at(minutes=10) - SECOND),
        ("forgotten", at(days=2) - SECOND),
        ("remembered", at(days=2)),
        (None, at(hours=3)),
    ):
        history.event(moment, service=name)
    assert labels(history.alerts(silent), "service", "value") == [("longer", 601 / 60), ("remembered", 2880.0)]


def test_absence_from_the_counts_waits_until_it_is_certain(history: AlertHistory) -> None:
    silent = rule("{kind: absence, filter: all, group_by: [service], window: 30m}")
    history.event(at(minutes=31), service="maybe")
    history.event(at(minutes=36), service="certain")
    history.event(at(hours=20), service="long ago")
    history.count()
    assert set(labels(history.alerts(silent), "service")) == {("certain",), ("long ago",)}


def test_absence_of_everything_is_told_once(history: AlertHistory) -> None:
    silent = rule("{kind: absence, filter: {actor_id: {exists: true}}, window: 10m}")
    assert history.alerts(silent) == []
    history.event(at(minutes=20), actor="ada")
    assert history.alerts(silent) == [{"value": 20.0}]
