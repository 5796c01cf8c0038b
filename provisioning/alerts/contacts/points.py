"""The section `contact_points` of the rules file, and the contact points that it means."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictBool

from exporter.errors import ConfigError
from exporter.mapping.section import Problem, Section, kind
from provisioning.alerts.contacts import chat, paging, sending, services
from provisioning.alerts.contacts.settings import Settings
from provisioning.alerts.contacts.values import VARIABLE
from provisioning.alerts.models import ContactPoint, Receiver
from provisioning.version import Version
from provisioning.yaml_file import literal

# The second contact point of a name, for rules that tell of each event once: an event is never over.
OF_EVENTS = " (events)"
_GRAFANAS_OWN = "grafana-default-email"


class Integration(Section):
    """One way to tell people: a mapping with one key, the kind; `resolved`: also tells when an alert is over."""

    email: sending.Email | None = None
    webhook: sending.Webhook | None = None
    slack: chat.Slack | None = None
    pagerduty: paging.PagerDuty | None = None
    teams: chat.Teams | None = None
    discord: chat.Discord | None = None
    telegram: chat.Telegram | None = None
    opsgenie: paging.Opsgenie | None = None
    alertmanager: sending.Alertmanager | None = Field(None, alias="prometheus-alertmanager")
    googlechat: chat.GoogleChat | None = None
    kafka: services.Kafka | None = None
    victorops: paging.VictorOps | None = None
    pushover: paging.Pushover | None = None
    threema: chat.Threema | None = None
    sensugo: services.SensuGo | None = None
    dingding: chat.DingDing | None = None
    wecom: chat.WeCom | None = None
    webex: chat.Webex | None = None
    LINE: chat.Line | None = None
    mqtt: services.Mqtt | None = None
    sns: services.Sns | None = None
    jira: services.Jira | None = None
    oncall: sending.OnCall | None = None
    resolved: StrictBool = True

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        kinds = [key for key in data if key != "resolved"]
        if len(kinds) != 1:
            given = f"has {' and '.join(kinds)}; begin another item with -" if kinds else "names no kind"
            yield (), f"{given}; an integration is one kind, e.g. - email: {{addresses: someone@example.com}}"
        yield from (((key,), "nothing given; write its settings") for key in kinds if data[key] is None)

    @property
    def kind(self) -> str:
        """Grafana's name for the kind."""
        return next(name for name, _ in self._given())

    @property
    def settings(self) -> Settings:
        """The settings of the kind."""
        return next(settings for _, settings in self._given())

    def _given(self) -> Iterator[tuple[str, Settings]]:
        for name, field in type(self).model_fields.items():
            settings = getattr(self, name)
            if isinstance(settings, Settings):
                yield field.alias or name, settings


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or value != value.strip() or not value.isprintable():
        raise ValueError(f"{value!r} is no name for a contact point; write one line of text")
    if value == _GRAFANAS_OWN:
        raise ValueError(f"{value} is Grafana's own contact point; choose another name")
    if value.endswith(OF_EVENTS):
        raise ValueError(f"{value!r}: names that end with {OF_EVENTS.strip()} are made from the others; choose another")
    return value


def _some(value: object) -> object:
    if isinstance(value, dict):
        raise ValueError("must be a list of integrations: put a - before the kind")
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list of integrations, not {kind(value)}")
    if not value:
        raise ValueError("an empty list tells nobody; add an integration or remove the contact point")
    return value


ContactPoints = dict[Annotated[str, BeforeValidator(_name)], Annotated[tuple[Integration, ...], BeforeValidator(_some)]]


def version_problems(points: ContactPoints, version: Version) -> Iterator[Problem]:
    """What the Grafana of that version does not know, each at its place below `contact_points`."""
    remedy = f"grafana.version is {version}"
    for name, integrations in points.items():
        for position, integration in enumerate(integrations):
            settings, place = integration.settings, (name, position, integration.kind)
            if not version.has(settings.since):
                yield place, f"needs Grafana {settings.since}, {remedy}; set it to the version that you have"
            for key, since in settings.newer.items():
                if key in settings.model_fields_set and not version.has(since):
                    yield (*place, key), f"needs Grafana {since}, {remedy}; set it to the version that you have"


def needed_variables(points: ContactPoints) -> frozenset[str]:
    """The variables that Grafana's server needs for them; one that is missing there is an empty text to it."""
    settings = [integration.settings.written() for integrations in points.values() for integration in integrations]
    return frozenset(_variables(settings))


def contact_points(points: ContactPoints, *, without_resolved: Collection[str], version: Version) -> list[ContactPoint]:
    """Grafana's contact points, in the file's order.

    Those that `without_resolved` names have a second one beside them, called the same with OF_EVENTS at its end, which
    does not tell when something is over. Raises ConfigError for what the Grafana of that version does not know.
    """
    for place, problem in version_problems(points, version):
        raise ConfigError(f"contact_points.{'.'.join(map(str, place))}: {problem}")
    made = []
    for name, integrations in points.items():
        made.append(_contact_point(name, integrations, silent=False))
        if name in without_resolved:
            made.append(_contact_point(name + OF_EVENTS, integrations, silent=True))
    return made


def uids(names: Collection[str], most: int) -> frozenset[str]:
    """Of all integrations that contact points of these names could ever have had, `most` of a kind."""
    kinds = [field.alias or key for key, field in Integration.model_fields.items() if key != "resolved"]
    return frozenset(_uid(name, kind_of, at) for name in names for kind_of in kinds for at in range(most))


def _contact_point(name: str, integrations: tuple[Integration, ...], *, silent: bool) -> ContactPoint:
    seen: dict[str, int] = {}
    receivers = []
    for integration in integrations:
        position = seen[integration.kind] = seen.get(integration.kind, -1) + 1
        receivers.append(
            Receiver(
                uid=_uid(name, integration.kind, position),
                type=integration.kind,
                settings=integration.settings.written(),
                disableResolveMessage=silent or not integration.resolved,
            )
        )
    return ContactPoint(name=literal(name), receivers=receivers)


def _uid(name: str, kind_of: str, position: int) -> str:
    """The same for the nth of a kind in a contact point, whatever stands before and behind it."""
    digest = hashlib.sha256(json.dumps([name, kind_of, position]).encode()).hexdigest()
    return f"auditgraf-{digest[:20]}"


def _variables(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from _variables(part)
    elif isinstance(value, str):
        for part in re.split("[,;]", value):
            found = VARIABLE.fullmatch(part)
            if found:
                yield found[1]
