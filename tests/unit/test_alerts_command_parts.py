"""What `auditgraf alerts` works out by itself: texts of alerts, spans from evaluations, what is kept back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.alerts.annotations import expanded
from collector.alerts.grafana_api import without_secrets
from collector.alerts.history import Active, Span, Spans, walk
from collector.alerts.told import grouped, short, verdict
from collector.alerts.trial import Firing, Trial, stride
from provisioning.alerts import message
from provisioning.alerts.file import default_rules
from provisioning.alerts.rule import CountRule, Distinct
from tests.alert_history import rule

DAY = timedelta(days=1)
START = datetime(2026, 11, 2, tzinfo=UTC)
GUESSES = rule("{kind: count, about: failed_sign_in, group_by: [actor], above: 3, window: 10m}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{actor} did {value}", "Ada did 7"),
        ("{{x}} costs $HOME ${actor} {name}", "{x} costs $HOME $Ada Tested"),
    ],
)
def test_a_message_is_shown_as_grafana_would_expand_it(text: str, shown: str) -> None:
    told = GUESSES.model_copy(update={"message": text})
    assert expanded(message.summary(told), {"actor": "Ada"}, 7) == shown


def test_the_rest_of_many_events_has_a_text_of_its_own() -> None:
    every = rule('{kind: any, filter: all, message: "{actor} did {action}"}')
    template = message.summary(every)
    assert expanded(template, {"actor": "Ada", "action": "x"}, 1) == "Ada did x"
    assert expanded(template, {"more": "true"}, 12) == "Tested: 12 more of these events"


def test_a_link_has_what_labels_say_and_leaves_out_what_they_do_not() -> None:
    template = message.events_url(GUESSES, "https://grafana.example")
    assert expanded(template, {"actor_key": "a b&c"}, 1).endswith("&to=now&var-actor=a+b%26c")
    assert expanded(template, {}, 1).endswith("&to=now")


def test_the_link_of_what_happened_once_leads_to_its_day() -> None:
    once = rule("{kind: any, filter: all}")
    template = message.events_url(once, "https://grafana.example")
    late = expanded(template, {"at": "2026-11-22 12:48:56 UTC", "actor_key": "x"}, 1)
    assert late.endswith("?from=2026-11-22%2000:00:00&to=2026-11-22%2023:59:59&var-actor=x")
    assert "from=now-" in expanded(template, {"more": "true"}, 12)


def test_every_template_of_every_default_rule_is_understood() -> None:
    for each in default_rules().values():
        texts = [message.summary(each), message.events_url(each, "https://g"), message.event_url("https://g")]
        for text in texts:
            assert "{{" not in expanded(text, dict.fromkeys(each.told(), "x"), 1)


def test_an_action_that_is_none_of_ours_is_refused() -> None:
    with pytest.raises(ValueError, match="no action of ours"):
        expanded("{{ len $labels }}", {}, 1)


A, B = (("actor", "a"),), (("actor", "b"),)


def spans(fires: dict[int, set[str]], last: int, step: int, pending: int = 0) -> list[Span]:
    def evaluate(index: int) -> Active:
        return {(("actor", name),): float(index) for name in fires.get(index, ())}

    found = Spans()
    for index, active in walk(evaluate, 0, last, step):
        found.add(index, active)
    return found.fired(pending)


@given(st.sets(st.integers(0, 12)), st.sets(st.integers(0, 12)), st.integers(1, 5), st.integers(0, 4))
def test_what_lasts_for_a_step_is_found_with_its_exact_begin_and_end(
    first: set[int], second: set[int], step: int, pending: int
) -> None:
    # Blocks as long as a step, with longer gaps between them.
    fires: dict[int, set[str]] = {}
    for name, blocks in (("a", first), ("b", second)):
        for block in blocks:
            for index in range(3 * block * step, (3 * block + 1) * step + 1):
                fires.setdefault(index, set()).add(name)
    last = 39 * step
    assert spans(fires, last, step, pending) == spans(fires, last, 1, pending)


def test_an_alert_fires_once_it_has_lasted_for_the_rules_time() -> None:
    fires = {index: {"a"} for index in range(2, 8)} | {10: {"b"}}
    assert spans(fires, 12, 1) == [Span(A, 2, 7, 7.0), Span(B, 10, 10, 10.0)]
    assert spans(fires, 12, 1, pending=3) == [Span(A, 5, 7, 7.0)]


def test_no_evaluations_are_further_apart_than_an_alert_lasts() -> None:
    for each in default_rules().values():
        visible = each.interval if each.kind in {"absence", "rate", "ingestion"} else each.recent
        if isinstance(each, CountRule | Distinct):
            visible = each.lookback - each.window
        if not each.per_event:
            assert each.interval <= stride(each) * each.interval <= visible


def trial(*firings: Firing, days: float) -> Trial:
    return Trial(GUESSES, START, START + days * DAY, firings, 1)


def firing(actor: str, hours: float, value: float = 4) -> Firing:
    labels = (("actor", actor), ("at", f"{hours}"), ("event_id", f"{hours}"))
    return Firing(labels, START + timedelta(hours=hours), timedelta(minutes=5), value)


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        (trial(days=7), "would not have fired in 7 days"),
        (trial(firing("a", 1), days=7), "would have fired 1 time for 1 actor in 7 days: about 1 a week"),
        (
            trial(*(firing("ab"[hour % 2], hour) for hour in range(14)), days=7),
            "would have fired 14 times for 2 actors in 7 days: about 2 a day",
        ),
        (trial(firing("a", 1), days=90), "would have fired 1 time for 1 actor in 90 days: less than once a month"),
        (trial(firing("a", 1), days=0.5), "would have fired 1 time for 1 actor in 12 hours"),
    ],
)
def test_a_trial_is_summed_up_in_a_sentence(tried: Trial, said: str) -> None:
    assert verdict(tried) == said


def test_firings_of_the_same_actor_are_one_line_with_the_greatest_value() -> None:
    [ada, bob] = grouped(GUESSES, [firing("bob", 1), firing("ada", 2, 9), firing("ada", 3, 5)])
    assert (ada.labels, ada.times, ada.value, ada.duration) == ((("actor", "ada"),), 2, 9, timedelta(minutes=10))
    assert (ada.first, ada.last) == (START + timedelta(hours=2), START + timedelta(hours=3))
    assert bob.times == 1


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (90, "1m 30s"), (3600, "1h"), (90061, "1d 1h")])
def test_a_duration_is_told_in_two_units(seconds: int, text: str) -> None:
    assert short(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        (
            'Post "https://hooks.example.com/services/T0/B0/hush": dial tcp: refused',
            'Post "https://hooks.example.com/...": dial tcp: refused',
        ),
        ("https://u:hush@api.example.com?key=hush failed", "https://api.example.com/... failed"),
        ("no address at all", "no address at all"),
    ],
)
def test_a_reason_has_no_address_behind_which_a_secret_may_be(reason: str, shown: str) -> None:
    assert without_secrets(reason) == shown
