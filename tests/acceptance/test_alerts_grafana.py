"""Every kind of alert rule in a real Grafana: events sent over OTLP, a webhook that is told of them, once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest

from exporter.store.migrate import migrate
from provisioning.alerts.file import load_alerts
from provisioning.version import ANY
from provisioning.write import ProvisioningOptions, render
from tests.collector_process import CollectorProcess, collector, wait_until
from tests.conftest import CLASSES, new_database
from tests.grafana_alerting import MailSink, WebhookSink, alerting_grafana
from tests.grafana_server import READER_PASSWORD, Grafana
from tests.sending import MALFORMED, fetch, record, request

pytestmark = pytest.mark.grafana

# A day of the week that is neither today nor tomorrow, when nobody works here.
_ANOTHER_DAY = (datetime.now(UTC) + timedelta(days=3)).strftime("%A").lower()

RULES = f"""
contact_point: hook
contact_points:
  hook:
    - webhook: {{url: $ALERT_WEBHOOK_URL}}
    - email: {{addresses: [oncall@example.com]}}
policies: {{replace: true, default: hook, group_wait: 0s, group_interval: 10s}}
rules:
  - {{id: each, name: Secret viewed, kind: any, about: secret_view, severity: critical, interval: 10s, late: 10s,
     description: "Somebody looked at a secret.", labels: {{team: "a$b {{{{c}}}}"}},
     message: "{{actor}} looked at {{target}} in {{place}}, for $HOME {{{{x}}}}"}}
  - {{id: often, name: Brute force, kind: count, about: failed_sign_in, group_by: [actor], above: 4,
     interval: 10s, late: 20s, window: 1m}}
  - {{id: spray, name: Password spraying, kind: distinct, about: failed_sign_in, of: actor, group_by: [address],
     above: 2, interval: 10s, late: 20s, window: 1m}}
  - {{id: fresh, name: New country, kind: new, about: sign_in, filter: {{outcome: success}}, of: country,
     group_by: [actor], interval: 10s, late: 20s, baseline: 30d}}
  - {{id: quiet, name: Service silent, kind: absence, filter: {{service: pump}}, group_by: [service],
     interval: 10s, window: 1m, baseline: 1h}}
  - {{id: more, name: More than last week, kind: rate, filter: {{action: report.opened}}, above: 3, at_least: 5,
     interval: 10s, late: 10s, window: 1m}}
  - {{id: cracked, name: Sign-in after failures, kind: sequence, group_by: [actor],
     first: {{about: failed_sign_in, times: 5}}, then: {{about: sign_in, filter: {{outcome: success}}}},
     interval: 10s, late: 20s, window: 1m}}
  - {{id: travel, name: Impossible travel, kind: travel, about: sign_in, filter: {{outcome: success}},
     interval: 10s, late: 20s, window: 10m}}
  - {{id: night, name: Outside working hours, kind: outside_hours, filter: {{action: payroll.run}},
     days: [{_ANOTHER_DAY}], interval: 10s, late: 10s}}
  - {{id: touched, name: Role changed, kind: change, filter: {{target_type: account}}, fields: [role],
     interval: 10s, late: 10s}}
  - {{id: refused, name: Requests rejected, kind: ingestion, check: rejected, interval: 10s, window: 1m}}
"""
# What happened once, and is never over.
ONCE = {"each", "night", "touched", "fresh", "cracked", "travel"}
# What goes on for as long as nothing is heard.
LASTING = {"quiet"}
KINDS = {*ONCE, *LASTING, "often", "spray", "more", "refused"}


@dataclass(slots=True)
class World:
    """A database, a collector and a Grafana with the rules, and all that its webhook was told."""

    url: str
    collector: CollectorProcess
    grafana: Grafana
    sink: WebhookSink
    mails: MailSink
    folder: Path

    def told(self, status: str, rule: str) -> list[dict[str, Any]]:
        """The alerts of a rule that were told of as firing or resolved, each as often as it was."""
        return [
            alert
            for message in self.sink.received
            for alert in message.json["alerts"]
            if alert["labels"].get("rule_id") == rule and alert["status"] == status
        ]

    def send(self, *records: Any, service: str = "shop") -> None:
        body = request(*records, service=service)
        call = Request(f"{self.collector.http_url}/v1/logs", body, {"Content-Type": "application/x-protobuf"})
        with urlopen(call, timeout=30) as answer:
            assert answer.status == 200


@pytest.fixture(scope="module")
def world(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("alerts")
    (folder / "alerts.yaml").write_text(RULES)
    with new_database(postgres) as owner:
        migrate(owner, CLASSES, passwords={"auditgraf_reader": READER_PASSWORD})
        sink, mails = WebhookSink(), MailSink()
        with collector(owner) as running, sink.listening(), mails.listening():
            provision(folder, owner)
            variables = {
                "ALERT_WEBHOOK_URL": f"{sink.url}/hook",
                "AUDITGRAF_READER_PASSWORD": READER_PASSWORD,
                "GF_SMTP_ENABLED": "true",
                "GF_SMTP_HOST": f"127.0.0.1:{mails.port}",
                "GF_SMTP_FROM_ADDRESS": "grafana@example.com",
            }
            with alerting_grafana(folder, variables) as grafana:
                made = World(owner, running, grafana, sink, mails, folder)
                happen(made)
                yield made


def provision(folder: Path, owner: str) -> None:
    parts = urlsplit(owner)
    options = ProvisioningOptions(
        database_host=f"{parts.hostname}:{parts.port or 5432}",
        database_name=parts.path[1:],
        grafana_url="http://grafana.example",
        alerts=load_alerts([folder / "alerts.yaml"], ANY),
    )
    render(folder / "provisioning", options)


def happen(world: World) -> None:
    """What each of the rules is about, and beside it what it must pass over."""

    def sign_in(who: str, outcome: str, ago: float = 0, **more: str) -> Any:
        at = time.time_ns() - int(ago * 1e9)
        name = "user.login" if outcome == "success" else "user.login_failed"
        return record(name, at_ns=at, event=name, user__id=who, event__outcome=outcome, **more)

    now = time.time_ns()
    day, week, minute = 86400.0, 7 * 86400 * 10**9, 60 * 10**9
    world.send(record("pumping", at_ns=now - 10 * minute, event="pump.cycle"), service="pump")
    last_week = now - week - 30 * 10**9
    world.send(*(record("opened", at_ns=last_week, event="report.opened") for _ in range(2)))
    world.send(sign_in("nora", "success", 5 * day, geo__country__iso_code="CH"), sign_in("olga", "success", 5 * day))
    secret: dict[str, Any] = {"user__id": "mia", "audit__target__type": "secret", "audit__target__name": "db<!channel>"}
    world.send(
        record("looked", event="secret.viewed", geo__locality__name="Bern", geo__country__iso_code="CH", **secret),
        *(sign_in("ben", "failure", index, client__address="192.0.2.7") for index in range(5)),
        *(sign_in(who, "failure", client__address="203.0.113.9") for who in ("ann", "bob", "cat")),
        *(sign_in("dan", "failure", index + 1, client__address="198.51.100.1") for index in range(4)),
        sign_in("nora", "success", geo__country__iso_code="JP"),
        # Where somebody without a past is from is no news.
        sign_in("newcomer", "success", geo__country__iso_code="BR"),
        sign_in("ben", "success"),
        sign_in("dan", "success"),
        sign_in("tess", "success", 300, geo__location__lat="47.4", geo__location__lon="8.5"),
        sign_in("tess", "success", geo__location__lat="35.7", geo__location__lon="139.7"),
        sign_in("walt", "success", 300, geo__location__lat="47.4", geo__location__lon="8.5"),
        sign_in("walt", "success", geo__location__lat="47.1", geo__location__lon="8.3"),
        record("paid", event="payroll.run", user__id="pat"),
        record("promoted", event="account.updated", user__id="mia", audit__target__type="account",
               audit__target__id="7", audit__changes='{"role": {"before": "user", "after": "admin"}}'),
        record("renamed", event="account.updated", user__id="mia", audit__target__type="account",
               audit__target__id="8", audit__changes='{"title": {"before": "a", "after": "b"}}'),
        # Counted up to ten seconds ago.
        *(record("opened", at_ns=now - (11 + index) * 10**9, event="report.opened") for index in range(12)),
    )  # fmt: skip
    call = Request(f"{world.collector.http_url}/v1/logs", MALFORMED, {"Content-Type": "application/x-protobuf"})
    with pytest.raises(Exception, match="400"):
        urlopen(call, timeout=30)


def labels(world: World, rule: str) -> list[dict[str, str]]:
    """The labels of a rule's alerts, those that each of ours has left out."""
    usual = {"alertname", "grafana_folder", "kind", "rule_id", "severity", "source"}
    alerts = {alert["fingerprint"]: alert["labels"] for alert in world.told("firing", rule)}
    return [{name: text for name, text in each.items() if name not in usual and text} for each in alerts.values()]


@pytest.mark.parametrize("rule", sorted(KINDS))
def test_each_kind_of_rule_reaches_the_webhook(world: World, rule: str) -> None:
    wait_until(lambda: world.told("firing", rule), f"{rule} fires", 90)
    [alert] = {alert["fingerprint"]: alert for alert in world.told("firing", rule)}.values()
    assert alert["labels"]["source"] == "auditgraf"
    assert alert["labels"]["kind"] == next(each.kind for each in loaded(world) if each.id == rule)
    assert alert["annotations"]["summary"]
    assert "no value" not in str(alert["annotations"])


def loaded(world: World) -> Any:
    return load_alerts([world.folder / "alerts.yaml"], ANY).rules


def test_an_alert_says_who_did_what_and_leads_to_the_event(world: World) -> None:
    wait_until(lambda: world.told("firing", "each"), "the rule fires", 90)
    [alert] = world.told("firing", "each")
    [event] = fetch(world.url, "SELECT id::text FROM audit.events WHERE action = 'secret.viewed'")
    assert labels(world, "each") == [
        {
            "action": "secret.viewed",
            "actor": "mia",
            "actor_key": "mia",
            "at": alert["labels"]["at"],
            "event_id": event["id"],
            "outcome": "unknown",
            "place": "Bern, CH",
            "service": "shop",
            "target": "secret db<!channel>",
            "target_key": "secret db<!channel>",
            "team": "a$b {{c}}",
        }
    ]
    assert alert["labels"]["severity"] == "critical"
    assert alert["annotations"]["summary"] == "mia looked at secret db<!channel> in Bern, CH, for $HOME {x}"
    assert alert["annotations"]["description"] == "Somebody looked at a secret."
    assert alert["annotations"]["event_url"] == f"http://grafana.example/d/audit-event?var-event_id={event['id']}"
    asked = parse_qs(urlsplit(alert["annotations"]["dashboard_url"]).query)
    assert asked["var-actor"] == ["mia"]
    assert asked["var-action"] == ["secret.viewed"]


def test_a_mail_says_so_too(world: World) -> None:
    def of_the_secret() -> list[str]:
        return [text for mail in world.mails.received if "looked at secret" in (text := mail["Subject"])]

    wait_until(of_the_secret, "a mail has come", 90)
    assert len(of_the_secret()) == 1
    [mail] = [mail for mail in world.mails.received if "looked at secret" in mail["Subject"]]
    body = mail.get_body(("html",))
    assert body is not None
    text = body.get_content()
    for said in ("Actor: mia", "Object: secret db", "Place: Bern, CH", "/d/audit-event?var-event_id="):
        assert said in text
    # Nobody can make up a tag, nor ping anybody.
    assert "<!channel>" not in mail.as_string()


@pytest.mark.parametrize(
    ("rule", "expected", "summary"),
    [
        ("often", {"actor": "ben", "actor_key": "ben"}, "ben: 5 events within 1m"),
        ("spray", {"address": "203.0.113.9"}, "203.0.113.9: 3 different actors within 1m"),
        ("quiet", {"service": "pump"}, "pump: no events for 10 minutes"),
        ("more", {}, "6.0 times the events of the week before"),
        ("refused", {"what": "malformed"}, "requests refused for good: 1 (malformed)"),
    ],
)
def test_an_alert_of_a_group_names_it_and_its_number(
    world: World, rule: str, expected: dict[str, str], summary: str
) -> None:
    wait_until(lambda: world.told("firing", rule), f"{rule} fires", 90)
    assert labels(world, rule) == [expected]
    assert world.told("firing", rule)[0]["annotations"]["summary"] == summary


def test_each_alert_is_told_once_and_is_over_when_its_time_has_passed(world: World) -> None:
    for rule in KINDS:
        wait_until(partial(world.told, "firing", rule), f"{rule} fires", 90)
    for rule in KINDS - ONCE - LASTING:
        wait_until(partial(world.told, "resolved", rule), f"{rule} is over", 240)
    for rule in KINDS:
        starts = Counter((alert["fingerprint"], alert["startsAt"]) for alert in world.told("firing", rule))
        assert len(starts) == 1, f"{rule}: {world.told('firing', rule)}"
    assert not any(world.told("resolved", rule) for rule in ONCE)


def test_what_happened_once_has_a_message_of_its_own(world: World) -> None:
    for rule in ONCE:
        wait_until(partial(world.told, "firing", rule), f"{rule} fires", 90)
    told = [[alert["labels"].get("rule_id") for alert in message.json["alerts"]] for message in world.sink.received]
    assert [rules for rules in told if ONCE & set(rules) and len(rules) > 1] == []


def test_a_service_that_is_heard_again_is_no_longer_missed(world: World) -> None:
    wait_until(lambda: world.told("firing", "quiet"), "the rule fires", 90)
    world.send(record("pumping", event="pump.cycle"), service="pump")
    wait_until(lambda: world.told("resolved", "quiet"), "the service is heard", 90)


def test_what_is_removed_from_the_file_is_removed_from_grafana(world: World) -> None:
    rules = "/api/v1/provisioning/alert-rules"
    before = {rule["uid"] for rule in world.grafana.call(rules)}
    assert before == {f"auditgraf-{rule}" for rule in KINDS}
    text = (world.folder / "alerts.yaml").read_text()
    # Under another id, and by the name that the one has that goes.
    kept = text[: text.index("  - {id: often")].replace("{id: each", "{id: every")
    (world.folder / "alerts.yaml").write_text(kept)
    provision(world.folder, world.url)
    # The one call that needs the server's administrator, by the login that a fresh Grafana has.
    admin = Grafana(world.grafana.url.replace("http://", "http://admin:admin@"), None)
    admin.call("/api/admin/provisioning/alerting/reload", {})
    assert {rule["uid"] for rule in world.grafana.call(rules)} == {"auditgraf-every"}


def test_grafana_starts_without_a_complaint(world: World) -> None:
    assert world.grafana.log is not None
    lines = world.grafana.log.read_text().splitlines()
    assert any("finished to provision alerting" in line for line in lines)
    assert [line for line in lines if "level=error" in line or ("level=warn" in line and "provisioning" in line)] == []
