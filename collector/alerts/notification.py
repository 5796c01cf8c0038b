"""A test notification: what it says, and how Grafana is asked to send it with the secrets that only it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from collector.alerts.annotations import expanded
from collector.alerts.grafana_api import GrafanaApi, MissingApiError, receivers_path, without_secrets
from collector.alerts.known import Known, chosen
from collector.alerts.report import print_json
from collector.config import Grafana
from collector.terminal import say
from exporter.errors import AuditgrafError, ConfigError
from exporter.mapping.section import nearest
from provisioning.alerts import message
from provisioning.alerts.rule import Rule

_CONFIGURATION = "/api/alertmanager/grafana/config/api/v1/alerts"
_TEST = "/api/alertmanager/grafana/config/api/v1/receivers/test"
# Addresses are from RFC 5737's range for examples; the event is one that nobody has.
_SAMPLES = {
    "actor": "alice",
    "actor_key": "alice",
    "actor_name": "alice",
    "on_behalf_of": "bob",
    "action": "user.role_granted",
    "outcome": "success",
    "target": "account carol",
    "target_key": "account carol",
    "service": "shop",
    "environment": "production",
    "address": "192.0.2.7",
    "place": "Bern, CH",
    "left_place": "Tokyo, JP",
    "city": "Bern",
    "country": "CH",
    "event_id": "00000000-0000-7000-8000-000000000000",
    "what": "collector",
}
_VALUE = 7.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The alert that is sent."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def written(self) -> dict[str, Any]:
        """As both forms of the API have it."""
        return {"labels": dict(self.labels), "annotations": dict(self.annotations)}


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one integration of a contact point; `reason` is Grafana's where it failed."""

    kind: str
    uid: str
    is_sent: bool
    reason: str = ""


def sample_rule(known: Sequence[Known], contact_point: str, name: str | None) -> Rule:
    """The rule of this id; without one, a rule that tells this contact point, else one about single events.

    Raises ConfigError for an id that there is not.
    """
    if name is not None:
        return chosen(known, name).rule
    told = [each.rule for each in known if each.is_on and each.rule.contact_point == contact_point]
    return next(iter([*told, *(each.rule for each in known if each.rule.per_event)]))


def sample(rule: Rule, contact_point: str, grafana: Grafana) -> Sample:
    """An alert as the rule raises them, which says that it is a test."""
    names = {*rule.told(), *(f"{name}_key" for name in rule.told())} & (rule.told() | _SAMPLES.keys())
    labels = {name: _SAMPLES.get(name, "sample") for name in sorted(names - {"tenant"})}
    if "at" in labels:
        labels["at"] = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    texts = {
        "summary": f"Test: {message.summary(rule)}",
        "event_url": message.event_url(grafana.url) if "event_id" in rule.told() else "",
        "dashboard_url": message.events_url(rule, grafana.url),
        "runbook_url": message.plain(rule.runbook or ""),
        "count": message.count(rule),
    }
    annotations = {name: text for name, template in texts.items() if (text := expanded(template, labels, _VALUE))}
    annotations["description"] = f"A test of {contact_point} by auditgraf alerts test. Nothing has happened."
    constant = {"severity": rule.severity, "source": "auditgraf", "rule_id": rule.id, "kind": rule.kind}
    named = {"alertname": rule.name, "grafana_folder": grafana.alert_folder}
    return Sample({**labels, **rule.labels, **constant, **named}, annotations)


def send(api: GrafanaApi, contact_point: str, alert: Sample) -> tuple[Sent, ...]:
    """Sends it through each integration of the contact point as Grafana has it.

    Raises ConfigError where Grafana has none of that name, AuditgrafError where it does not answer or refuses.
    """
    try:
        return tuple(_send_by_receiver(api, contact_point, alert))
    except MissingApiError:
        pass
    try:
        return tuple(_send_by_configuration(api, contact_point, alert))
    except MissingApiError as failure:
        raise AuditgrafError(
            f"this Grafana has no API to test contact points that is known here ({failure}); "
            "test it in Grafana: Alerting, Contact points"
        ) from None


def _send_by_receiver(api: GrafanaApi, contact_point: str, alert: Sample) -> Iterator[Sent]:
    """As Grafana 13 has it: one test for each integration, whose stored secrets are found by its uid."""
    namespace = api.namespace()
    items = api.read(receivers_path(namespace))["items"]
    found = {item["spec"]["title"]: item for item in items}
    receiver = _named(found, contact_point)
    for integration in receiver["spec"]["integrations"]:
        path = receivers_path(namespace, receiver["metadata"]["name"])
        result = api.read(path, {"integration": integration, "alert": alert.written()})
        reason = without_secrets(str(result.get("error") or ""))
        is_sent = result.get("status") == "success"
        yield Sent(str(integration.get("type", "")), str(integration.get("uid", "")), is_sent, reason)


def _send_by_configuration(api: GrafanaApi, contact_point: str, alert: Sample) -> Iterator[Sent]:
    """As it was up to 12: the contact point as it is stored, whose secrets Grafana adds by the uids."""
    stored = api.read(_CONFIGURATION)["alertmanager_config"].get("receivers") or []
    receiver = _named({each["name"]: each for each in stored}, contact_point)
    integrations = [
        {key: integration[key] for key in ("uid", "name", "type", "disableResolveMessage", "settings")}
        | {"secureSettings": {}}
        for integration in receiver.get("grafana_managed_receiver_configs") or []
    ]
    asked = {"name": contact_point, "grafana_managed_receiver_configs": integrations}
    result = api.read(_TEST, {"receivers": [asked], "alert": alert.written()})
    kinds = {integration["uid"]: integration["type"] for integration in integrations}
    for each in result["receivers"]:
        for told in each.get("grafana_managed_receiver_configs") or []:
            reason = without_secrets(str(told.get("error") or ""))
            yield Sent(kinds.get(told["uid"], ""), told["uid"], told.get("status") == "ok", reason)


def _named(found: Mapping[str, Any], contact_point: str) -> Any:
    if contact_point not in found:
        raise ConfigError(
            f"Grafana has no contact point called {contact_point!r}; {nearest(contact_point, found)} "
            "(was it rendered, and Grafana restarted?)"
        )
    return found[contact_point]


def print_sent(console: Console, contact_point: str, sent: Sequence[Sent], *, as_json: bool) -> None:
    """A line for each integration."""
    if as_json:
        print_json(console, [asdict(each) for each in sent])
        return
    for each in sent:
        what = "sent" if each.is_sent else f"failed: {each.reason}"
        style = "green" if each.is_sent else "bold red"
        say(console, f"{contact_point}: {each.kind}: {what}", style)
