"""Conditions on stored events: those of rules (exporter/mapping/conditions.py), and one for each column of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator, Field, StrictBool

from exporter.document import Location
from exporter.mapping.conditions import Condition, Glob, Match, Number, Regex, TextCondition
from exporter.mapping.section import kind

Network = IPv4Network | IPv6Network


def _choices(value: object) -> object:
    if isinstance(value, list | tuple) and not value:
        raise ValueError("an empty list matches nothing; name the values")
    return value


def _network(value: object) -> object:
    if isinstance(value, Network):
        return value
    try:
        return ip_network(str(value).strip())
    except ValueError:
        raise ValueError(f"{value!r} is no address and no network; write e.g. 192.0.2.7 or 192.0.2.0/24") from None


def _moment(value: object) -> object:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError(f"{value!r} is no time; write e.g. 2026-11-01T10:00:00Z") from None
    if not isinstance(value, datetime):
        raise ValueError(f"must be a time, not {kind(value)}; write e.g. 2026-11-01T10:00:00Z")
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone; add Z or e.g. +02:00")
    return value


def _id(value: object) -> object:
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is no event's id; write it in full, with or without the dashes") from None


NetworkValue = Annotated[Network, BeforeValidator(_network)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Id = Annotated[UUID, BeforeValidator(_id)]


class AddressCondition(Condition):
    """A condition on an address: a network as a value holds for every address in it."""

    equals: NetworkValue | None = None
    one_of: Annotated[tuple[NetworkValue, ...] | None, BeforeValidator(_choices)] = None
    glob: Glob | None = None
    regex: Regex | None = None
    exists: StrictBool | None = None


class MomentCondition(Condition):
    """A condition on a time."""

    equals: Moment | None = None
    at_least: Moment | None = None
    at_most: Moment | None = None


class NumberCondition(Condition):
    """A condition on a column of numbers."""

    equals: Number | None = None
    one_of: Annotated[tuple[Number, ...] | None, BeforeValidator(_choices)] = None
    at_least: Number | None = None
    at_most: Number | None = None
    exists: StrictBool | None = None


class IdCondition(Condition):
    """A condition on an event's id."""

    equals: Id | None = None
    one_of: Annotated[tuple[Id, ...] | None, BeforeValidator(_choices)] = None


class EventMatch(Match):
    """Which stored events are meant: every key of a rule's match, and every column of audit.events.

    A condition on `flags` holds where any of them is like that; one on `changes` sees its JSON text.
    """

    id: IdCondition | None = None
    occurred_at: MomentCondition | None = None
    received_at: MomentCondition | None = None
    occurred_ns: NumberCondition | None = None
    observed_ns: NumberCondition | None = None
    source_id: NumberCondition | None = None
    retention_class: TextCondition | None = None
    severity_text: TextCondition | None = None
    action: TextCondition | None = None
    outcome: TextCondition | None = None
    actor_id: TextCondition | None = None
    actor_name: TextCondition | None = None
    actor_email: TextCondition | None = None
    actor_type: TextCondition | None = None
    on_behalf_of: TextCondition | None = None
    client_ip: AddressCondition | None = None
    client_address: TextCondition | None = None
    country: TextCondition | None = None
    city: TextCondition | None = None
    latitude: NumberCondition | None = None
    longitude: NumberCondition | None = None
    asn: NumberCondition | None = None
    as_org: TextCondition | None = None
    target_type: TextCondition | None = None
    target_id: TextCondition | None = None
    target_name: TextCondition | None = None
    environment: TextCondition | None = None
    tenant: TextCondition | None = None
    session_id: TextCondition | None = None
    trace_id: TextCondition | None = None
    span_id: TextCondition | None = None
    user_agent: TextCondition | None = None
    message: TextCondition | None = None
    changes: TextCondition | None = None
    flags: TextCondition | None = None
    any_of: tuple[EventMatch, ...] = Field((), alias="any")
    all_of: tuple[EventMatch, ...] = Field((), alias="all")
    negated: EventMatch | None = Field(None, alias="not")

    def own(self) -> Iterator[tuple[str, Location, Condition]]:
        """As Match, and the conditions on columns under the columns' names."""
        yield from super().own()
        for key in COLUMNS:
            condition: Condition | None = getattr(self, key)
            if condition is not None and key not in Match.model_fields:
                yield key, (key,), condition


# Every column of audit.events that has a condition of its own; `attributes` has one for each key.
COLUMNS = tuple(
    name for name in EventMatch.model_fields if name in {"service", "severity"} or name not in Match.model_fields
)
