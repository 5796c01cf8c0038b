"""Each rule that comes with Auditgraf: a history that it is silent about, and then one that it tells of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from provisioning.alerts.file import default_rules
from tests.alert_history import AlertHistory, at, labels
from tests.dashboard_world import BERLIN, TOKYO

pytestmark = pytest.mark.usefixtures("emptied_history")

RULES = default_rules()
FAILED: dict[str, Any] = {"outcome": "failure"}
CHANGED = '{"role": {"before": "user", "after": "admin"}}'


@dataclass(frozen=True, slots=True)
class Some:
    """So many events, the last `ago` before the evaluation."""

    action: str | None
    count: int = 1
    ago: timedelta = timedelta(minutes=1)
    gap: timedelta = timedelta(seconds=1)
    of: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """`told`: a label of the one alert, and its value."""

    quiet: tuple[Some, ...]
    loud: tuple[Some, ...]
    told: tuple[str, str]


def some(action: str | None, count: int = 1, ago: float = 1, gap: float = 1 / 60, **of: Any) -> Some:
    """`ago`, `gap`: minutes."""
    return Some(action, count, timedelta(minutes=ago), timedelta(minutes=gap), of)


def fails(count: int, actor: str, address: str = "192.0.2.1", ago: float = 2) -> Some:
    """Failed attempts, which name somebody and have no id."""
    return some("user.login_failed", count, ago, actor_name=actor, client_ip=address, **FAILED)


def secrets(*names: str, **of: Any) -> tuple[Some, ...]:
    return tuple(some("secret.viewed", target_type="secret", target_id=name, **of) for name in names)


DAYS = 24 * 60
CASES = {
    "brute-force-actor": Case(
        (fails(8, "ada"), some("user.login", 20, actor="bob")), (fails(9, "eve"),), ("actor", "eve")
    ),
    "brute-force-address": Case(
        tuple(fails(2, f"user-{number}", "192.0.2.7") for number in range(10)),
        tuple(fails(3, f"user-{number}", "192.0.2.8") for number in range(7)),
        ("address", "192.0.2.8"),
    ),
    "password-spraying": Case(
        (*(fails(9, f"user-{number}", "192.0.2.7") for number in range(5)), fails(1, "ada", "192.0.2.9")),
        tuple(fails(1, f"user-{number}", "192.0.2.8", ago=number * 4 + 1) for number in range(6)),
        ("address", "192.0.2.8"),
    ),
    "guessed-password": Case(
        (fails(3, "ada"), some("user.login", actor_id="u-1", actor_name="ada"), fails(9, "bob", ago=0.5)),
        (fails(4, "eve"), some("user.login", actor_id="u-2", actor_name="eve", client_ip="192.0.2.66")),
        ("address", "192.0.2.66"),
    ),
    "new-country": Case(
        (
            some("user.login", ago=9 * DAYS, actor="ada", country="DE"),
            some("user.login", actor="ada", country="DE"),
            some("user.login", actor="bob", country="JP"),
            some("user.login", actor="ada", country="JP", **FAILED),
        ),
        (some("user.login", ago=9 * DAYS, actor="eve", country="DE"), some("user.login", actor="eve", country="JP")),
        ("country", "JP"),
    ),
    "impossible-travel": Case(
        (
            some("user.login", ago=700, actor="ada", **BERLIN),
            some("user.login", actor="ada", **TOKYO),
            some("user.login_failed", ago=20, actor="bob", **BERLIN, **FAILED),
            some("user.login", actor="bob", **TOKYO),
        ),
        (some("user.login", ago=60, actor="eve", **BERLIN), some("user.login", actor="eve", **TOKYO)),
        ("left_place", "Berlin, DE"),
    ),
    "second-factor-removed": Case(
        (
            some("mfa_device_added", actor="ada"),
            some("user.deleted"),
            some("DeactivateMFADevice", actor="bob", **FAILED),
        ),
        (some("user.mfa.factor.deactivate", actor="eve"),),
        ("actor", "eve"),
    ),
    "privilege-granted": Case(
        (
            some("role.revoked", actor="ada"),
            some("role.granted", actor="deployer", actor_type="service"),
            some("impersonation.started", actor="ada"),
            some("group_member.added", actor="ada", **FAILED),
        ),
        (some("AttachRolePolicy", actor="eve"),),
        ("actor", "eve"),
    ),
    "sensitive-change": Case(
        (
            some("user.updated", actor="ada", changes='{"title": {"before": "a", "after": "b"}}'),
            some("user.created", actor="ada", changes=CHANGED),
            some("role.granted", actor="ada", changes=CHANGED),
        ),
        (some("model_updated", actor="eve", changes=CHANGED),),
        ("actor", "eve"),
    ),
    "impersonation-started": Case(
        (some("impersonation_ended", actor="ada"),), (some("impersonation_started", actor="eve"),), ("actor", "eve")
    ),
    # Evaluated at noon, five hours after its day begins.
    "privilege-change-off-hours": Case(
        (some("user.login", actor="ada", received_at=at(minutes=1)),),
        (some("role.granted", ago=9 * 60, actor="eve", received_at=at(minutes=1)),),
        ("actor", "eve"),
    ),
    "audit-log-tampering": Case(
        (
            some("audit.log.viewed", actor="ada"),
            some("StopInstances", actor="ada"),
            some("catalog.deleted", actor="ada"),
            some("StopLogging", actor="ada", **FAILED),
            some("user.login", actor="ada"),
        ),
        (some("audit_log_streaming.destroy", actor="eve"),),
        ("actor", "eve"),
    ),
    "evidence-changed": Case(
        (some("hold.created", service="auditgraf"), some("hold.released", service="another")),
        (some("hold.released", service="auditgraf", actor="eve"),),
        ("actor", "eve"),
    ),
    "secret-new-viewer": Case(
        (
            some("secret.viewed", ago=9 * DAYS, actor="ada", target_id="smtp"),
            some("secret.viewed", actor="ada", target_id="smtp"),
            some("secret.viewed", actor="ada", target_id="never seen"),
        ),
        (some("secret.viewed", actor="eve", target_id="smtp"),),
        ("actor", "eve"),
    ),
    "many-secrets-viewed": Case(
        (*secrets("a", "b", "c", "a", "b", actor="ada"), *secrets(*"abcdef", actor="job", actor_type="service")),
        secrets("a", "b", "c", "d", actor="eve"),
        ("actor", "eve"),
    ),
    "mass-deletion": Case(
        (some("model.deleted", 10, actor="ada"), some("model.deleted", 99, actor="job", actor_type="service")),
        (some("model.deleted", 11, actor="eve"),),
        ("actor", "eve"),
    ),
    "configuration-error": Case(
        (some("config.changed", service="shop"),), (some("configuration_error", 3, service="sso"),), ("service", "sso")
    ),
    "application-exception": Case(
        (some("policy_execution", service="sso"),), (some("policy_exception", 2, service="sso"),), ("service", "sso")
    ),
    "many-exceptions": Case(
        (some(None, 50, class_="log", severity=17, service="shop", attributes='{"exception.type": "KeyError"}'),),
        (some(None, 51, class_="log", severity=17, service="pay", attributes='{"exception.type": "KeyError"}'),),
        ("attr_exception_type", "KeyError"),
    ),
    "update-available": Case(
        (some("model_updated", service="sso"),), (some("update_available", service="sso"),), ("service", "sso")
    ),
    "unseen-action": Case(
        (some("user.login", ago=9 * DAYS, service="shop"), some("user.login", service="shop")),
        (some("user.frozen", service="shop"),),
        ("action", "user.frozen"),
    ),
    "service-silent": Case(
        (some("user.login", ago=2.9 * DAYS, service="shop"), some("user.login", ago=20 * DAYS, service="gone")),
        (some("user.login", ago=4 * DAYS, service="pay"),),
        ("service", "pay"),
    ),
    "volume-surge": Case(
        (some("user.login", 999, 6, 0.04, service="shop"), some("user.login", ago=9 * DAYS)),
        (some("user.login", 1001, 6, 0.04, service="pay"), some("user.login", 9, 7 * DAYS + 6, service="pay")),
        ("service", "pay"),
    ),
}
# What a collector reports that is nothing, and what is told of.
SAMPLES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ingestion-lag": ({"lag_seconds": 600.0}, {"lag_seconds": 601.0}),
    "records-rejected": ({"rejected_by": {"malformed": 5}}, {"rejected_by": {"malformed": 1}}),
    "records-quarantined": ({"quarantined_by": {}}, {"quarantined_by": {"22P05": 1}}),
    "spool-not-emptied": ({"spool_bytes": 0}, {"spool_bytes": 1}),
    "store-unavailable": ({"unavailable": 0}, {"unavailable": 1}),
}
OTHERS = {"audit-events-changed", "collector-silent", "retention-failing", "verification-overdue"}


def _store(history: AlertHistory, stories: tuple[Some, ...]) -> None:
    for story in stories:
        history.events(story.count, at() - story.ago, story.gap, story.action, **story.of)
    history.count()


def test_every_rule_has_its_history() -> None:
    assert {*CASES, *SAMPLES, *OTHERS} == RULES.keys()


@pytest.mark.parametrize("name", CASES)
def test_a_rule_tells_of_what_it_is_meant_for_and_of_nothing_like_it(history: AlertHistory, name: str) -> None:
    case = CASES[name]
    _store(history, case.quiet)
    assert history.alerts(RULES[name]) == []
    _store(history, case.loud)
    label, value = case.told
    assert labels(history.alerts(RULES[name]), label) == [(value,)]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_rule_tells_of_a_collector_in_trouble(history: AlertHistory, name: str) -> None:
    quiet, loud = SAMPLES[name]
    history.sample(at(minutes=2), **quiet)
    assert history.alerts(RULES[name]) == []
    history.sample(at(minutes=1), **loud)
    assert len(history.alerts(RULES[name])) == 1


def test_collector_silent_waits_for_five_minutes(history: AlertHistory) -> None:
    history.sample(at(minutes=5))
    assert history.alerts(RULES["collector-silent"]) == []
    assert len(history.alerts(RULES["collector-silent"], at(minutes=-1))) == 1


def test_retention_failing_waits_for_the_second_failure(history: AlertHistory) -> None:
    history.retained(at(minutes=70), action="failed", retention_class="log")
    assert history.alerts(RULES["retention-failing"]) == []
    history.retained(at(minutes=10), action="failed", retention_class="log")
    assert labels(history.alerts(RULES["retention-failing"]), "what", "value") == [("retention log", 2)]


def test_audit_events_changed_goes_on_for_a_day_after_the_last_verification_that_found_something(
    history: AlertHistory,
) -> None:
    tested = RULES["audit-events-changed"]
    history.verified(at(hours=30), 2)
    history.verified(at(hours=5), 0)
    assert history.alerts(tested) == []
    history.verified(at(hours=4), 3)
    history.verified(at(hours=1), 0)
    assert labels(history.alerts(tested), "what", "value") == [("audit.events", 3)]
    assert history.alerts(tested, at(hours=-21)) == []


def test_verification_overdue_tells_where_verify_has_run_and_runs_no_more(history: AlertHistory) -> None:
    tested = RULES["verification-overdue"]
    _store(history, (some("integrity.verified", ago=9 * DAYS, service="another"), some("user.login", ago=3 * DAYS)))
    assert history.alerts(tested) == []
    _store(history, (some("integrity.verified", ago=47 * 60, service="auditgraf"),))
    assert history.alerts(tested) == []
    assert labels(history.alerts(tested, at(hours=-2)), "service") == [("auditgraf",)]
