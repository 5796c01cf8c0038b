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


class Proxy(Section):
    """What requests for a token go through."""

    proxy_url: Address | None = None
    proxy_from_environment: StrictBool | None = None
    no_proxy: Text | None = None
    proxy_connect_header: dict[str, Text] | None = None


class OAuth2(Section):
    """Where the token comes from that goes with the request (the client credentials of OAuth 2)."""

    token_url: Address
    client_id: Text
    client_secret: Secret
    scopes: tuple[Text, ...] | None = None
    endpoint_params: dict[str, Text] | None = None
    tls_config: Tls | None = None
    proxy_config: Proxy | None = None


class HttpConfig(Section):
    """How Grafana makes itself known."""

    oauth2: OAuth2


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
        "http_config": Version(12, 1),
    }

    headers: dict[str, Text] | None = None
    tlsConfig: Tls | None = None
    hmacConfig: Signature | None = None
    payload: Payload | None = None
    http_config: HttpConfig | None = None

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from super().conflicts(data)
        headers = data.get("headers")
        for name in headers if isinstance(headers, dict) else ():
            if str(name).lower() == "authorization":
                yield ("headers", str(name)), "Grafana refuses this header here; write authorization_credentials"
        for key in ("authorization_credentials", "username"):
            yield from apart(data, key, "http_config")


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
