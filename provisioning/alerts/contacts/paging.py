"""Services that call people, and messengers of theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool

from exporter.mapping.section import Problem, Section
from provisioning.alerts.contacts.settings import SEVERITY, TEXT, TITLE, Settings
from provisioning.alerts.contacts.values import Address, Secret, Text, number


class PagerDuty(Settings):
    """PagerDuty, by an integration's key."""

    integrationKey: Secret
    severity: Text = SEVERITY
    class_: Text | None = Field(None, alias="class")
    component: Text | None = None
    group: Text | None = None
    source: Text | None = None
    client: Text | None = None
    client_url: Text | None = None
    details: dict[str, Text] | None = None
    url: Address | None = None
    summary: Text = TITLE


class Responder(Section):
    """Whom Opsgenie calls."""

    type: Literal["team", "teams", "user", "escalation", "schedule"]
    id: Text | None = None
    name: Text | None = None
    username: Text | None = None

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        if not data.keys() & {"id", "name", "username"}:
            yield (), "needs id, name or username"
        if data.get("type") == "teams" and "name" not in data:
            yield ("name",), "is needed with type teams: their names, with commas between"


class Opsgenie(Settings):
    """Opsgenie."""

    apiKey: Secret
    apiUrl: Address = "https://api.opsgenie.com/v2/alerts"
    autoClose: StrictBool | None = None
    overridePriority: StrictBool | None = None
    sendTagsAs: Literal["tags", "details", "both"] | None = None
    responders: tuple[Responder, ...] | None = None
    message: Text = TITLE
    description: Text = TEXT


class VictorOps(Settings):
    """VictorOps (Splunk On-Call), by an address that holds a key."""

    url: Secret
    messageType: Text | None = None
    title: Text = TITLE
    description: Text = TEXT


_Priority = Annotated[int | None, *number(-2, 2)]
_EMERGENCY = 2


class Pushover(Settings):
    """Pushover."""

    apiToken: Secret
    userKey: Secret
    device: Text | None = None
    priority: _Priority = None
    okPriority: _Priority = None
    retry: Annotated[int | None, *number(30, 10_800)] = None
    expire: Annotated[int | None, *number(1, 10_800)] = None
    sound: Text | None = None
    okSound: Text | None = None
    uploadImage: StrictBool | None = None
    title: Text = TITLE
    message: Text = TEXT

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        if str(_EMERGENCY) in {str(data.get("priority")), str(data.get("okPriority"))}:
            yield from (((key,), "is needed with priority 2") for key in ("retry", "expire") if key not in data)
