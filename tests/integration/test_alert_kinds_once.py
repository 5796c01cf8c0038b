"""No event is told of twice: rules that are asked each minute, while events come in late and out of order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.alert_history import NOON, AlertHistory, rule
from tests.dashboard_world import BERLIN, TOKYO

CARACAS = {"country": "VE", "city": "Caracas", "latitude": 10.48, "longitude": -66.90}
LATE = 120
# The last events come in after twelve minutes; no rule looks back for more than ten.
MINUTES = 24
# Kinds whose alerts are about a group, which may well begin again.
GOING_ON = {"count", "distinct"}
RULES = {
    "any": "{kind: any, filter: all, late: 2m}",
    "change": "{kind: change, filter: all, late: 2m}",
    "count": "{kind: count, filter: {outcome: failure}, group_by: [actor], above: 2, window: 2m, late: 2m}",
    "distinct": "{kind: distinct, filter: all, of: country, group_by: [actor], above: 1, window: 2m, late: 2m}",
    "new": "{kind: new, filter: all, of: country, group_by: [actor], late: 2m}",
    "new of counts": "{kind: new, filter: all, of: country, group_by: [outcome], late: 2m}",
    "sequence": "{kind: sequence, first: {filter: {outcome: failure}, times: 2}, then: {filter: {outcome: success}},"
    " group_by: [actor], window: 2m, late: 2m}",
    "travel": "{kind: travel, filter: all, window: 3m, late: 2m}",
}


@dataclass(frozen=True, slots=True)
class Happening:
    """An event `second` seconds after the beginning, which arrives `delay` seconds later."""

    second: int
    delay: int
    actor: str
    outcome: str
    place: int

    @property
    def arrival(self) -> int:
        return self.second + self.delay


happenings = st.lists(
    st.builds(
        Happening,
        second=st.integers(0, 600),
        delay=st.just(0) | st.integers(0, LATE),
        actor=st.sampled_from(["ada", "bob"]),
        outcome=st.sampled_from(["failure", "failure", "success"]),
        place=st.integers(0, 2),
    ),
    min_size=3,
    max_size=14,
)


def _moment(second: int) -> datetime:
    return NOON + timedelta(seconds=second)


def _store(history: AlertHistory, happening: Happening) -> None:
    place = (BERLIN, TOKYO, CARACAS)[happening.place]
    history.event(
        _moment(happening.second),
        actor=happening.actor,
        outcome=happening.outcome,
        received_at=_moment(happening.arrival),
        changes=json.dumps({"country": {"after": place["country"]}}),
        **place,
    )


@pytest.mark.parametrize("kind", RULES)
def test_an_alert_begins_when_an_event_comes_in_and_never_again_without(history: AlertHistory, kind: str) -> None:
    tested = rule(RULES[kind])

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(happenings)
    def holds(story: list[Happening]) -> None:
        history.clear()
        waiting = sorted(story, key=lambda each: each.arrival)
        before: set[str] = set()
        told: set[str] = set()
        for minute in range(1, MINUTES):
            arrived = [each for each in waiting if (minute - 1) * 60 <= each.arrival < minute * 60]
            for each in arrived:
                _store(history, each)
            if arrived and tested.kind == "new":
                history.count()
            now = {
                str(alert.get("event_id") or alert["actor"]) for alert in history.alerts(tested, _moment(minute * 60))
            }
            assert arrived or now <= before, f"{now - before} begins in minute {minute}, when nothing came in"
            again = (now - before) & told
            assert not again or tested.kind in GOING_ON, f"{again} is told of again in minute {minute}"
            before = now
            told |= now
        if tested.per_event:
            assert len(told) == len(story)

    holds()
