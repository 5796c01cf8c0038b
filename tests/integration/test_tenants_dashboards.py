"""A tenant's dashboards show what they would show if there were nobody's events but the tenant's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from dashboards.build import DashboardOptions, build
from exporter.store.migrate import migrate
from tests.conftest import CLASSES, new_database
from tests.grafana_sql import Values, expand, interpolate
from tests.tenant_world import ACME, NOW, PASSWORDS, TENANTS, fill, login

Connection = psycopg.Connection[Any]
Json = dict[str, Any]
# As short ranges are answered from the events, and long ones from counts and summaries.
RANGES = {"hours": timedelta(hours=5), "a day": timedelta(hours=24), "days": timedelta(days=4, hours=7)}
OURS = build(DashboardOptions(datasource_uid="auditgraf-acme", schema=ACME.schema, tenant=ACME.name))
DASHBOARDS: list[Json] = [json.loads(content) for content in OURS.values()]


def of_the_operator(dashboard: Json) -> Json:
    """The same dashboard for whoever sees everything."""
    found: Json = json.loads(build()[f"{dashboard['uid'].removeprefix('acme-')}.json"])
    return found


@pytest.fixture(scope="module")
def crowd(shared_database: str) -> Iterator[Connection]:
    """The tenant's session, in a database with everybody's events."""
    migrate(shared_database, CLASSES, passwords=PASSWORDS, tenants=TENANTS)
    with psycopg.connect(shared_database, autocommit=True) as owner:
        fill(owner)
    yield from login(shared_database, ACME.role)


@pytest.fixture(scope="module")
def alone(postgres: str, migrated: str) -> Iterator[Connection]:
    """The reader's session, in a database with nobody's events but the tenant's."""
    with new_database(postgres, migrated) as url:
        migrate(url, CLASSES, passwords=PASSWORDS)
        with psycopg.connect(url, autocommit=True) as owner:
            fill(owner, ["acme"])
        yield from login(url, "auditgraf_reader")


def rows(connection: Connection, dashboard: Json, text: str, values: Values, span: timedelta) -> list[Json]:
    """What Grafana gets, in some order."""
    sql = expand(interpolate(text, dashboard["templating"]["list"], values), NOW - span, NOW)
    found = connection.cursor(row_factory=dict_row).execute(sql.encode()).fetchall()
    return sorted(found, key=repr)


def chosen(connection: Connection, span: timedelta) -> Values:
    """An event, an actor and an object that are there."""
    event, actor, target = connection.execute(
        "SELECT id::text, actor_id, target_id FROM events WHERE changes IS NOT NULL AND occurred_at > %s"
        " ORDER BY occurred_at DESC LIMIT 1",
        (NOW - timedelta(days=4),),
    ).fetchone() or ("", "", "")
    return {"event_id": event, "who": f"id:{actor}", "which": f"id:5:model {target}"}


def queries(dashboard: Json) -> Iterator[tuple[str, str]]:
    """Title and text of everything that the dashboard asks PostgreSQL."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield f"${variable['name']}", variable["query"]
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["rawSql"]


@pytest.mark.parametrize("span", RANGES.values(), ids=RANGES.keys())
@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: str(dashboard["uid"]))
def test_every_query_answers_as_if_the_tenant_were_alone(
    crowd: Connection, alone: Connection, dashboard: Json, span: timedelta
) -> None:
    operators = of_the_operator(dashboard)
    values = chosen(crowd, span)
    asked = dict(queries(operators))
    told = 0
    for title, text in queries(dashboard):
        mine = rows(crowd, dashboard, text, values, span)
        operators_rows = rows(alone, operators, asked[title], values, span)
        for row in (*mine, *operators_rows) if title == "New countries" else ():
            # Failures are left out by whole days, but a tenant's day is known by action and outcome too.
            del row["Events"]
        assert mine == operators_rows, title
        told += len(mine)
    assert told > 0


def test_an_event_of_somebody_else_is_no_event_for_the_tenant(crowd: Connection, shared_database: str) -> None:
    [event] = [dashboard for dashboard in DASHBOARDS if dashboard["uid"] == "acme-audit-event"]
    with psycopg.connect(shared_database) as owner:
        foreign = owner.execute("SELECT id::text FROM audit.events WHERE tenant = 'umbrella' LIMIT 1").fetchone()
    assert foreign
    for title, text in queries(event):
        found = rows(crowd, event, text, {"event_id": foreign[0]}, timedelta(days=5))
        assert "umbrella" not in repr(found), title
