"""Mail and HTTP requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import StrictBool

from exporter.mapping.section import Problem, Section
from provisioning.alerts.contacts.settings import TEXT, TITLE, Settings, apart, together
from provisioning.alerts.contacts.values import Address, Addresses, Mails, Secret, Text, number
from provisioning.version import Version


class Email(Settings):
    """Mail through the server of Grafana's [smtp] section."""

    addresses: Mails
    singleEmail: StrictBool | None = None
    subject: Text = TITLE
    message: Text = TEXT


class _Request(Settings):
    """A request to an address of the administrator's: Grafana's JSON with title and message in it."""

    url: Address
    httpMethod: Literal["POST", "PUT"] | None = None
    username: Text | None = None
    password: Secret | None = None
    authorization_scheme: Text | None = None
    authorization_credentials: Secret | None = None
    maxAlerts: Annotated[int | None, *number(0, 1_000_000)] = None
    title: Text = TITLE
    message: Text = TEXT

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from together(data, "username", "password")
        yield from apart(data, "password", "authorization_credentials")
        if "authorization_scheme" in data and "authorization_credentials" not in data:
            yield ("authorization_credentials",), "is needed with authorization_scheme"


class Tls(Section):
    """How the other side is known, and how it knows Grafana; the certificates are PEM text."""

    insecureSkipVerify: StrictBool | None = None
    caCertificate: Secret | None = None
    clientCertificate: Secret | None = None
    clientKey: Secret | None = None


class Signature(Section):
    """An HMAC over the body."""

    secret: Secret
    header: Text | None = None
    timestampHeader: Text | None = None


class Payload(Section):
    """A body of one's own; only text variables."""

    template: Text
    vars: dict[str, Text] | None = None


class Webhook(_Request):
    """Any HTTP server."""

    newer: ClassVar[Mapping[str, Version]] = {
        "headers": Version(12, 0),
        "tlsConfig": Version(12, 0),
        "hmacConfig": Version(12, 0),
        "payload": Version(12, 0),
    }

    headers: dict[str, Text] | None = None
    tlsConfig: Tls | None = None
    hmacConfig: Signature | None = None
    payload: Payload | None = None

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from super().conflicts(data)
        headers = data.get("headers")
        for name in headers if isinstance(headers, dict) else ():
            if str(name).lower() == "authorization":
                yield ("headers", str(name)), "Grafana refuses this header here; write authorization_credentials"


class OnCall(_Request):
    """Grafana OnCall."""

    since: ClassVar[Version] = Version(10, 2)


class Alertmanager(Settings):
    """An Alertmanager of Prometheus."""

    url: Addresses
    basicAuthUser: Text | None = None
    basicAuthPassword: Secret | None = None

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from together(data, "basicAuthUser", "basicAuthPassword")
