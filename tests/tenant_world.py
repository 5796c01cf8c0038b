"""Events of several tenants, in each of which every text says whose it is; and who may look at them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from collector.config import as_login
from exporter.store.tenants import Tenant

ACME = Tenant("acme", ("acme",))
UMBRELLA = Tenant("umbrella", ("umbrella", "umb'r$$ella"))
TENANTS = (ACME, UMBRELLA)
PASSWORDS = {tenant.role: f"{tenant.name}'s" for tenant in TENANTS} | {"auditgraf_reader": "reader"}
# Whose events are stored; None: nobody's.
EVERYBODY = ("acme", "umbrella", "umb'r$$ella", None)
# The same moment for all databases of a run; late enough that the last day is under way and the ones before are over.
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

_ACTIONS = (
    "user.login",
    "user.login",
    "model.updated",
    "model.deleted",
    "secret.viewed",
    "role.granted",
    "config.changed",
)
_PLACES = (
    {"country": "DE", "city": "Berlin", "latitude": 52.52, "longitude": 13.4},
    {"country": "JP", "city": "Tokyo", "latitude": 35.68, "longitude": 139.65},
    {"country": "BR", "city": "Recife", "latitude": -8.05, "longitude": -34.9},
)


def fill(owner: psycopg.Connection[Any], whose: Sequence[str | None] = EVERYBODY) -> None:
    """Five days of events of each, counted, and summarised where a day is over."""
    columns: list[str] = []
    rows = []
    for tenant in whose:
        _source(owner, tenant)
        for number in range(150):
            event = _event(tenant, number)
            columns = list(event)
            rows.append(list(event.values()))
    days = [(NOW - timedelta(days=ago)).date() for ago in range(7)]
    owner.execute("SELECT audit.ensure_partitions('default', %s)", (days,))
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    with owner.cursor() as cursor:
        cursor.executemany(f"INSERT INTO audit.events_default ({names}) VALUES ({marks})".encode(), rows)
    for day in days:
        owner.execute("SELECT audit.recount('default', %s, %s)", (day, day))
    while owner.execute("SELECT audit.summarise_next()").fetchone() != (None,):
        pass
    owner.execute("ANALYZE")


def _source(owner: psycopg.Connection[Any], tenant: str | None) -> None:
    number = EVERYBODY.index(tenant) + 1
    owner.execute(
        "INSERT INTO audit.sources (id, digest, tenant, resource, resource_schema_url, scope, scope_schema_url,"
        " first_seen) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, '', '{}', '', %s)",
        (number, bytes([number]), tenant, Jsonb({"host.name": f"{tenant}'s host"}), NOW),
    )


def _event(tenant: str | None, number: int) -> dict[str, Any]:
    at = NOW - timedelta(minutes=5) - timedelta(minutes=43 * number + EVERYBODY.index(tenant))
    person, thing = number % 4, number % 5
    identity = hashlib.sha256(f"{tenant} {number}".encode()).hexdigest()
    of = f"of {tenant}"
    return {
        "id": f"{int(at.timestamp() * 1000):012x}7{identity[:3]}a{identity[3:18]}",
        "occurred_at": at,
        "received_at": at,
        "occurred_ns": int(at.timestamp()) * 10**9,
        "source_id": EVERYBODY.index(tenant) + 1,
        "severity": 13 if number % 6 == 0 else 9,
        "severity_text": of,
        "action": f"{_ACTIONS[number % 7]}",
        "outcome": "failure" if number % 6 == 0 else "success",
        "actor_id": f"{person} {of}",
        "actor_name": f"Person {person} {of}",
        "actor_email": f"{person}@{tenant}.example",
        "actor_type": "user",
        "on_behalf_of": of if number % 50 == 0 else None,
        "client_ip": f"10.{EVERYBODY.index(tenant)}.0.{person + thing}",
        "as_org": of,
        "target_type": "model",
        "target_id": f"{thing} {of}",
        "target_name": f"Thing {thing} {of}",
        "service": f"service {number % 3} {of}",
        "environment": of,
        "tenant": tenant,
        "session_id": f"{number // 9} {of}",
        "trace_id": identity[:32],
        "span_id": identity[:16],
        "user_agent": of,
        "message": f"{number} {of}",
        "changes": Jsonb({"price": {"before": of, "after": f"{number} {of}"}}) if number % 7 == 2 else None,
        "attributes": Jsonb({"secret": of}),
        "flags": [of],
        **_PLACES[(person + number // 30) % 3],
    }


def login(url: str, role: str) -> Iterator[psycopg.Connection[Any]]:
    """A session of that role, which may leave read-only mode: that is no border."""
    with psycopg.connect(as_login(url, role, PASSWORDS[role]), autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        yield connection
