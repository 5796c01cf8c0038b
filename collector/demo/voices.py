"""How the demonstration's services speak: the same facts, in the attribute names that each was written with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeAlias
from uuid import UUID

from collector.demo.people import Person, ServiceAccount, address_in, networks_by_city

AnyValue: TypeAlias = "str | bool | int | float | Sequence[AnyValue] | Mapping[str, AnyValue] | None"
Attributes: TypeAlias = dict[str, AnyValue]
Severity = Literal["DEBUG", "INFO", "WARN", "ERROR"]
# semconv: today's semantic conventions. former: their names before 2023. draft: OpenTelemetry's audit proposal.
Dialect = Literal["semconv", "former", "draft"]


@dataclass(frozen=True, slots=True)
class Service:
    """One of the applications; becomes an OpenTelemetry resource and scope."""

    name: str
    version: str
    instance: str
    environment: str
    scope: str
    dialect: Dialect


SERVICES = {
    service.name: service
    for service in (
        Service("identity", "4.8.1", "identity-7d9f-x2k4q", "production", "identity.audit", "semconv"),
        Service("shop", "2026.11.2", "shop-5c6b-9mzt7", "production", "shop.events", "semconv"),
        Service("billing", "3.2.0", "billing-0", "production", "com.example.billing", "former"),
        Service("platform-console", "1.31.4", "console-66f8-qq1np", "production", "platform.audit", "draft"),
        Service("documents", "12.0.3", "documents-2", "staging", "documents.activity", "semconv"),
    )
}


@dataclass(frozen=True, slots=True)
class DemoEvent:
    """What a service says once; when is for the sender to decide."""

    service: str
    name: str | None  # None: a plain log line
    severity: Severity | None
    body: str
    attributes: Mapping[str, AnyValue]
    trace_id: int  # 0: not part of a trace
    span_id: int
    pause: float  # seconds since the event before it in the same story


@dataclass(frozen=True, slots=True)
class Story:
    """Events that belong together, in their order, and the hours of the day (UTC) in which they begin."""

    events: tuple[DemoEvent, ...]
    from_hour: float = 0.0
    hours: float = 24.0


@dataclass(frozen=True, slots=True)
class Request:
    """The HTTP request in which something happened."""

    method: str
    path: str
    status: int = 200


@dataclass(frozen=True, slots=True)
class Target:
    """What was acted on."""

    type: str
    id: str
    name: str | None = None


class Visit:
    """One actor, from one address, in one session; collects what the services say about it."""

    def __init__(
        self, draw: Random, actor: Person | ServiceAccount, address: str | None = None, pace: float = 40.0
    ) -> None:
        """The address defaults to the actor's own, now and then on a journey; `pace`: seconds from act to act."""
        self.draw = draw
        self.actor = actor
        if address is None and isinstance(actor, Person) and draw.random() < 0.015:
            city = draw.choice(sorted(networks_by_city()))
            address = address_in(draw.choice(networks_by_city()[city]), draw)
        self.address = address or actor.address
        self.session = f"{draw.getrandbits(64):016x}" if isinstance(actor, Person) else None
        self.pace = pace
        self.events: list[DemoEvent] = []

    def tell(
        self,
        service: str,
        name: str,
        body: str,
        *,
        target: Target | None = None,
        changes: Mapping[str, AnyValue] | None = None,
        request: Request | None = None,
        error: str | None = None,
        severity: Severity | None = None,
        login: str | None = None,
        more: Mapping[str, AnyValue] | None = None,
    ) -> None:
        """Adds an event. `error` makes it a failure; `login`: nobody is signed in, this is what was typed."""
        dialect = SERVICES[service].dialect
        attributes = self._who(dialect, login) | self._where(dialect, login is None)
        if request is not None:
            attributes |= _request(dialect, request)
        if dialect == "draft":
            attributes |= self._draft(error)
        elif error is None:
            # A failure is told by error.type; only success has to be said.
            attributes["event.outcome"] = "success"
        if target is not None:
            attributes |= {"audit.target.type": target.type, "audit.target.id": target.id}
            if target.name is not None:
                attributes["audit.target.name"] = target.name
        if error is not None:
            attributes["error.type"] = error
        if changes is not None:
            attributes["audit.changes"] = changes
        attributes |= more or {}
        if severity is None and dialect != "draft":  # the draft asks for none
            severity = "INFO" if error is None else "WARN"
        self._add(service, name, body, severity, attributes)

    def log(self, service: str, severity: Severity, body: str, attributes: Mapping[str, AnyValue]) -> None:
        """Adds a plain log line, which is no audit event."""
        self._add(service, None, body, severity, attributes)

    def story(self) -> Story:
        """All that was told, begun in the actor's working hours, or any hour for a service account."""
        if isinstance(self.actor, Person):
            return Story(tuple(self.events), self.actor.morning_utc, 10.0)
        return Story(tuple(self.events))

    def _add(
        self,
        service: str,
        name: str | None,
        body: str,
        severity: Severity | None,
        attributes: Mapping[str, AnyValue],
    ) -> None:
        pause = 0.0 if not self.events else self.draw.uniform(0.2, 1.8) * self.pace
        trace, span = self.draw.getrandbits(128), self.draw.getrandbits(64)
        self.events.append(DemoEvent(service, name, severity, body, attributes, trace, span, pause))

    def _who(self, dialect: Dialect, login: str | None) -> Attributes:
        actor = self.actor
        who: Attributes = {"user.name": login}
        if login is not None:
            return who
        if dialect == "former":
            who = {"enduser.id": actor.id}
            return who | ({"enduser.role": actor.role} if isinstance(actor, Person) else {})
        who = {"audit.actor.id" if dialect == "draft" else "user.id": actor.id}
        if isinstance(actor, ServiceAccount):
            return who | {"user.name": actor.id, "audit.actor.type": "service"}
        who |= {"user.name": actor.name, "user.full_name": actor.full_name, "user.email": actor.email}
        return who | ({"audit.actor.type": "user"} if dialect == "draft" else {"user.roles": [actor.role]})

    def _where(self, dialect: Dialect, signed_in: bool) -> Attributes:
        agent = self.actor.browser if isinstance(self.actor, Person) else self.actor.agent
        session: Attributes = {"session.id": self.session} if self.session and signed_in else {}
        if dialect == "former":
            return session | {"http.client_ip": self.address, "http.user_agent": agent}
        if dialect == "draft":
            kind = "ipv6" if ":" in self.address else "ipv4"
            return session | {"audit.source.id": self.address, "audit.source.type": kind}
        return session | {
            "client.address": self.address,
            "client.port": self.draw.randrange(32768, 61000),
            "user_agent.original": agent,
        }

    def _draft(self, error: str | None) -> Attributes:
        return {
            "audit.record.id": str(UUID(int=self.draw.getrandbits(128), version=4)),
            "audit.schema.version": "1.0.0",
            "audit.outcome": "success" if error is None else "failure",
        }


def _request(dialect: Dialect, request: Request) -> Attributes:
    if dialect == "former":
        return {
            "http.method": request.method,
            "http.target": request.path,
            "http.status_code": request.status,
        }
    return {
        "http.request.method": request.method,
        "url.path": request.path,
        "http.response.status_code": request.status,
    }
