"""Texts that mean something to SQL, to Grafana's macros or to its templates mean nothing in an alert rule."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import yaml

from exporter.errors import ConfigError
from provisioning.alerts.rule import Rule
from provisioning.alerts.statements import statement
from tests.alert_history import AlertHistory, at, labels, rule
from tests.dashboard_world import BERLIN, DAY, TOKYO

pytestmark = pytest.mark.usefixtures("emptied_history")

HOSTILE = {
    "quotes": 'O\'Brien "the" `boss`',
    "comment": "'; DROP TABLE audit.events; --",
    "macro": "$__timeFrom() $__timeFilter(x) $__interval ${__from} [[x]]",
    "dollars": "$$ $1 $tag$ \\x24 100$",
    "backslashes": "a\\b\\'c\\",
    "template": "{{ $labels.actor }} {{ end }} ${AUDITGRAF_READER_PASSWORD}",
    "placeholders": "%s %(match_0)s {x} :name",
    "pattern": "a.*(b|c)[d]{2}^$",
    "letters": "Zoë 東京 \U0001f512",
}
KINDS = {
    "any": "{kind: any, filter: all}",
    "change": "{kind: change, filter: all}",
    "count": "{kind: count, filter: all, above: 0, group_by: [actor, service, address, action, target]}",
    "distinct": "{kind: distinct, filter: all, above: 0, of: action, group_by: [actor, service, address, target]}",
    "new": "{kind: new, filter: all, of: country, group_by: [actor, service, address, action, target]}",
    "absence": "{kind: absence, filter: all, window: 1d, group_by: [actor, service, address, action, target]}",
    "rate": "{kind: rate, filter: all, above: 1.5, at_least: 2, window: 1d, group_by: [actor, service, target]}",
    "sequence": "{kind: sequence, first: {filter: {country: DE}}, then: {filter: {country: JP}}, window: 7d,"
    " group_by: [actor, service, address, action, target]}",
    "travel": "{kind: travel, filter: all, window: 7d, above_kmh: 1}",
}


def about(text: str) -> dict[str, Any]:
    """Columns of an event that has this text wherever senders can put one."""
    names = ("actor_id", "actor_name", "actor_email", "service", "client_address", "target_type", "target_id", "tenant")
    return dict.fromkeys(names, text) | {"action": text, "changes": '{"a": {"before": 1, "after": 2}}'}


def twice(history: AlertHistory, text: str) -> None:
    """The same in Berlin, a week and two days before, and in Tokyo, twice as often."""
    for ago in (7, 2):
        history.event(at(days=ago, minutes=5.5), **about(text), **BERLIN)
    for minute in (5.4, 5.6):  # news, and within what is compared with last week
        history.event(at(minutes=minute), received_at=at(minutes=1), **about(text), **TOKYO)
    history.event(at(days=9), "user.login")


def told(tested: Rule, history: AlertHistory) -> list[dict[str, Any]]:
    """What there is at noon, or, for those who fall silent, three days later."""
    return history.alerts(tested, at(days=-2 if tested.kind == "absence" else 0))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_text_comes_out_as_a_label_as_it_is(history: AlertHistory, kind: str, text: str) -> None:
    twice(history, text)
    tested = rule(
        KINDS[kind].replace("all,", "{actor_id: {exists: true}},").replace("all}", "{actor_id: {exists: true}}}")
    )
    alerts = told(tested, history)
    assert alerts
    for alert in alerts:
        for name in alert.keys() & {"actor", "actor_key", "service", "address", "action", "tenant"}:
            assert alert[name] == text
        assert alert.get("target", f"{text} {text}") == f"{text} {text}"


@pytest.mark.parametrize("kind", KINDS)
def test_long_texts_are_cut_and_control_characters_become_spaces(history: AlertHistory, kind: str) -> None:
    twice(history, "a\r\nb\tc\x1b[31m\x7f" + "x" * 300)
    alerts = told(rule(KINDS[kind]), history)
    assert alerts
    for alert in alerts:
        for name in alert.keys() & {"actor", "actor_key", "service", "address", "action", "target"}:
            assert alert[name].startswith("a b c [31m xxx")
            assert len(alert[name]) == 200
            assert alert[name].isprintable()


def test_groups_that_are_cut_to_the_same_text_are_one(history: AlertHistory) -> None:
    for end in "ab":
        history.event(at(minutes=1), actor="x" * 300 + end)
    for kind in ("count", "distinct"):
        [alert] = history.alerts(rule(KINDS[kind].replace("service, address, ", "").replace(", target", "")))
        assert alert["actor"] == "x" * 200


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_filter_finds_a_text_and_nothing_else(history: AlertHistory, text: str) -> None:
    for each in (*HOSTILE.values(), "ada"):
        history.event(at(minutes=1), actor=each, target_name=f"{each} {each}")
    for condition in (
        {"actor_id": text},
        {"actor_id": {"one_of": [text, "nobody"]}},
        {"target_name": f"{text} {text}"},
    ):
        found = history.alerts(rule(yaml.safe_dump({"kind": "any", "filter": condition})))
        assert labels(found, "actor") == [(text,)]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_an_attribute_and_a_changed_field_may_be_called_anything(history: AlertHistory, text: str) -> None:
    history.event(
        at(minutes=1), actor="ada", attributes=json.dumps({text: "here"}), changes=json.dumps({text: {"after": 1}})
    )
    history.event(at(minutes=1), actor="bob", attributes="{}", changes='{"x": {"after": 1}}')
    change = rule(yaml.safe_dump({"kind": "change", "filter": "all", "fields": [text]}))
    assert labels(history.alerts(change), "actor") == [("ada",)]
    groups = {"kind": "count", "filter": "all", "above": 0, "group_by": [f"attributes.{text}"]}
    [alert] = history.alerts(rule(yaml.safe_dump(groups)))
    assert "here" in alert.values()


def test_a_text_with_a_nul_is_refused() -> None:
    for text in ('actor_id: "a\\0b"', 'attributes: {"a\\0b": x}'):
        with pytest.raises((ConfigError, ValueError), match="NUL"):
            statement(rule(f"{{kind: any, filter: {{{text}}}}}"))
    with pytest.raises((ConfigError, ValueError), match="NUL"):
        statement(rule('{kind: count, filter: all, above: 1, group_by: ["attributes.a\\0b"]}'))


def test_events_from_the_future_do_no_harm(history: AlertHistory) -> None:
    history.event(at() + DAY, actor="ada", received_at=at(minutes=1), **BERLIN)
    for kind, text in KINDS.items():
        found = history.alerts(rule(text))
        assert len(found) == (kind == "any"), kind
    count = rule("{kind: count, filter: all, above: 0, group_by: [actor]}")
    assert len(history.alerts(count, at() + DAY + timedelta(minutes=1))) == 1
