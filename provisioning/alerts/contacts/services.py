"""Queues, trackers and monitoring systems."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictBool

from exporter.mapping.section import Problem, Section
from provisioning.alerts.contacts.sending import Tls
from provisioning.alerts.contacts.settings import TEXT, TITLE, Settings, apart, together
from provisioning.alerts.contacts.values import VARIABLE, Address, Secret, Text, number
from provisioning.alerts.durations import Duration
from provisioning.version import Version


class Kafka(Settings):
    """Kafka's REST proxy."""

    newer: ClassVar[Mapping[str, Version]] = {
        "username": Version(10, 0),
        "password": Version(10, 0),
        "apiVersion": Version(10, 0),
        "kafkaClusterId": Version(10, 0),
    }

    kafkaRestProxy: Address
    kafkaTopic: Text
    username: Text | None = None
    password: Secret | None = None
    apiVersion: Literal["v2", "v3"] | None = None
    kafkaClusterId: Text | None = None
    description: Text = TITLE
    details: Text = TEXT

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from together(data, "username", "password")
        if data.get("apiVersion") == "v3" and "kafkaClusterId" not in data:
            yield ("kafkaClusterId",), "is needed with apiVersion v3"


class SensuGo(Settings):
    """Sensu Go."""

    url: Address
    apikey: Secret
    entity: Text | None = None
    check: Text | None = None
    handler: Text | None = None
    namespace: Text | None = None
    message: Text = TEXT


class Jira(Settings):
    """Issues in Jira. Our summary and description are plain text."""

    since: ClassVar[Version] = Version(11, 6)

    api_url: Address
    user: Secret | None = None
    password: Secret | None = None
    api_token: Secret | None = None
    project: Text
    issue_type: Text
    labels: tuple[Text, ...] | None = None
    priority: Text | None = None
    resolve_transition: Text | None = None
    reopen_transition: Text | None = None
    reopen_duration: Duration | None = None
    wont_fix_resolution: Text | None = None
    dedup_key_field: Text | None = None
    fields_: dict[str, Text] | None = Field(None, alias="fields")
    summary: Text = TITLE
    description: Text = TEXT

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from together(data, "user", "password")
        yield from apart(data, "password", "api_token")
        if not data.keys() & {"user", "password", "api_token"}:
            yield (), "needs user and password, or api_token"
        field = data.get("dedup_key_field")
        if isinstance(field, str) and not re.fullmatch(r"\d+", field):
            yield ("dedup_key_field",), f"{field!r}: must be the number of a custom field, in quotes"


class AwsSignature(Section):
    """Who Grafana is to AWS; without keys, whom its server's environment says."""

    region: Text | None = None
    access_key: Secret | None = None
    secret_key: Secret | None = None
    profile: Text | None = None
    role_arn: Text | None = None

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from together(data, "access_key", "secret_key")


class Sns(Settings):
    """Amazon SNS."""

    since: ClassVar[Version] = Version(11, 1)

    api_url: Address | None = None
    sigv4: AwsSignature = AwsSignature()
    topic_arn: Text | None = None
    phone_number: Text | None = None
    target_arn: Text | None = None
    attributes: dict[str, Text] | None = None
    subject: Text = TITLE
    message: Text = TEXT

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        if not data.keys() & {"topic_arn", "phone_number", "target_arn"}:
            yield (), "needs topic_arn, target_arn or phone_number"
        for key in ("topic_arn", "target_arn"):
            given = data.get(key)
            if isinstance(given, str) and not re.match(rf"arn:[^:]+:[^:]+:|{VARIABLE.pattern}$", given):
                yield (key,), f"{given!r} is no ARN; it looks like arn:aws:sns:eu-west-1:123456789012:alerts"


class Mqtt(Settings):
    """A broker of MQTT."""

    since: ClassVar[Version] = Version(11, 3)

    brokerUrl: Text
    topic: Text
    clientId: Text | None = None
    messageFormat: Literal["json", "text"] | None = None
    username: Text | None = None
    password: Secret | None = None
    qos: Annotated[int | None, *number(0, 2)] = None
    retain: StrictBool | None = None
    tlsConfig: Tls | None = None
    message: Text = TEXT

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from together(data, "username", "password")
        broker = data.get("brokerUrl")
        if isinstance(broker, str) and not re.match(rf"(tcp|ssl|mqtts?|wss?)://[^@]+$|{VARIABLE.pattern}$", broker):
            yield ("brokerUrl",), "must be an address such as tcp://broker:1883, without user and password"
