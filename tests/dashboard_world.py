"""A database with known events, and what the dashboards' panels show of it to Grafana's role."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from collector.config import as_role
from dashboards.build import build
from tests.grafana_sql import Values, expand, interpolate

Json = dict[str, Any]
Rows = list[dict[str, Any]]
DASHBOARDS: dict[str, Json] = {name.removesuffix(".json"): json.loads(content) for name, content in build().items()}
# Noon of yesterday: far enough from now for every test, and the same day for all that happens in one.
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
BERLIN: Json = {"country": "DE", "city": "Berlin", "latitude": 52.52, "longitude": 13.40}
TOKYO: Json = {"country": "JP", "city": "Tokyo", "latitude": 35.68, "longitude": 139.65}


def asking(uid: str) -> list[Json]:
    """The panels of a dashboard that ask the data source."""
    return [panel for panel in DASHBOARDS[uid]["panels"] if panel.get("targets")]


class World:
    """A database to put events into, and what the panels show of a time range."""

    def __init__(self, owner: psycopg.Connection[Any], reader: psycopg.Connection[dict[str, Any]]) -> None:
        self._owner = owner
        self._reader = reader
        self._stored = 0

    def event(
        self, moment: datetime, action: str | None = "user.login", class_: str = "default", **columns: Any
    ) -> None:
        """Stores one event, without counting it."""
        self._stored += 1
        day = moment.astimezone(UTC).date()
        self._owner.execute("SELECT audit.ensure_partitions(%s, ARRAY[%s::date])", (class_, day))
        given = {
            "id": f"{int(moment.timestamp() * 1000):012x}7000a{self._stored:015x}",
            "occurred_at": moment,
            "received_at": moment,
            "occurred_ns": 0,
            "source_id": 1,
            "severity": 9,
            "outcome": "success",
            "attributes": Jsonb({}),
            "flags": [],
            "action": action,
        } | columns
        names, marks = ", ".join(given), ", ".join(f"%({name})s" for name in given)
        self._owner.execute(f"INSERT INTO audit.events_{class_} ({names}) VALUES ({marks})".encode(), given)

    def count(self) -> None:
        """Counts what was stored, as the writer does with what it stores, and summarises its days."""
        days = self._owner.execute(
            "SELECT DISTINCT retention_class, (occurred_at AT TIME ZONE 'UTC')::date FROM audit.events"
        ).fetchall()
        for class_, day in days:
            self._owner.execute("SELECT audit.recount(%s, %s, %s)", (class_, day, day))
        for class_, day in days:
            self._owner.execute("SELECT audit.summarise(%s, %s)", (class_, day))

    def sample(self, moment: datetime, **columns: Any) -> None:
        """Stores one report of a collector."""
        requests = ("requests", "refused", "rejected")
        records = ("records", "stored", "duplicates", "dropped", "quarantined", "unavailable")
        given: dict[str, Any] = dict.fromkeys((*requests, *records), 0)
        given |= {name: Jsonb({}) for name in ("refused_by", "rejected_by", "dropped_by", "quarantined_by")}
        given |= {
            "sampled_at": moment,
            "instance": "one",
            "started_at": moment - HOUR,
            "version": "1.2.3",
            "seconds": 10.0,
            "waiting_requests": 0,
            "waiting_bytes": 0,
            "cpu_seconds": 1.0,
            "memory_bytes": 1 << 20,
        }
        given |= {name: Jsonb(value) if isinstance(value, dict) else value for name, value in columns.items()}
        names, marks = ", ".join(given), ", ".join(f"%({name})s" for name in given)
        self._owner.execute(f"INSERT INTO audit.collector_samples ({names}) VALUES ({marks})".encode(), given)

    def rows(self, uid: str, title: str, start: datetime, end: datetime, values: Values | None = None) -> Rows:
        """What the panel with this title gets."""
        return list(self._reader.execute(_panel_sql(uid, title, start, end, values).encode()))

    def plan(self, uid: str, title: str, start: datetime, end: datetime) -> str:
        """How PostgreSQL goes about the panel's query."""
        return "\n".join(
            str(row["QUERY PLAN"])
            for row in self._reader.execute(f"EXPLAIN {_panel_sql(uid, title, start, end, None)}".encode())
        )

    def run(self, sql: str) -> Rows:
        return list(self._reader.execute(sql.encode()))


def _panel_sql(uid: str, title: str, start: datetime, end: datetime, values: Values | None) -> str:
    (panel,) = [panel for panel in asking(uid) if panel["title"] == title]
    text = interpolate(panel["targets"][0]["rawSql"], DASHBOARDS[uid]["templating"]["list"], values or {})
    return expand(text, start, end)


@contextmanager
def opened_world(database: str) -> Iterator[World]:
    """The world in a migrated database; `database`: the owner's URL."""
    reader = as_role(database, "auditgraf_reader")
    with (
        psycopg.connect(database, autocommit=True) as owner,
        psycopg.connect(reader, autocommit=True, row_factory=dict_row) as grafana,
    ):
        yield World(owner, grafana)
