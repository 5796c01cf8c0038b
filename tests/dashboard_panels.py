"""What panels get: the queries of the dashboards, expanded as Grafana does it, run by Grafana's role."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from collector.config import as_role
from dashboards.build import DashboardOptions, build
from tests.grafana_sql import Values, expand, interpolate

Json = dict[str, Any]
Rows = list[dict[str, Any]]
DASHBOARDS: dict[str, Json] = {name.removesuffix(".json"): json.loads(content) for name, content in build().items()}
EVENTS = (Path(__file__).parent / "dashboard_events.sql").read_text(encoding="utf-8")

# Each would do harm, or break the query, where it became part of the SQL.
HOSTILE = [
    "' OR '1'='1",
    "'; DROP TABLE audit.events_default; --",
    "x') OR true --",
    "\\'; SELECT 1; --",
    'quote " and \\" and \\',
    "%' OR 1=1 %27 _ %00",
    "/* comment",
    "E'\\047",
    "{a,b}",
    "Zoë <b>שלום</b> 💥",
    "<script>alert(1)</script>",
    "line\nbreak\ttab",
]
# Grafana expands macros in values of choices too: an error, never another result.
MACROS = ["$__timeFilter(x)", "$__unknown(1)", "$__timeGroup(a,''5m'')", "$x(') OR true --)"]


class Panels:
    """Runs queries of the dashboards as the reader, over the last 23 hours and the next one unless told otherwise."""

    def __init__(self, owner: psycopg.Connection[Any], reader: psycopg.Connection[dict[str, Any]]) -> None:
        self._owner = owner
        self._reader = reader

    def store(self, **columns: Any) -> str:
        """Stores an event of this moment with these columns, and counts it; its id."""
        self._owner.execute("SELECT audit.ensure_partitions('default', ARRAY[(now() AT TIME ZONE 'UTC')::date])")
        given = {"outcome": "success", "attributes": "{}"} | columns
        names, marks = ", ".join(given), ", ".join(["%s"] * len(given))
        moment = datetime.now(UTC)
        event_id = uuid.UUID(f"{int(moment.timestamp() * 1000):012x}7000a{uuid.uuid4().hex[:15]}")
        self._owner.execute(
            "INSERT INTO audit.events_default (id, occurred_at, received_at, occurred_ns, source_id, severity, flags, "
            f"{names}) VALUES (%s, %s, %s, 0, 1, 9, '{{}}', {marks})".encode(),
            [event_id, moment, moment, *given.values()],
        )
        self.count()
        return str(event_id)

    def fill(self) -> None:
        """Stores the events of dashboard_events.sql."""
        self._owner.execute(EVENTS.encode())
        self.count()

    def count(self) -> None:
        """Counts all that is stored, as the writer does with what it stores."""
        self._owner.execute(
            "SELECT audit.recount(retention_class, day, day) FROM ("
            "SELECT DISTINCT retention_class, (occurred_at AT TIME ZONE 'UTC')::date AS day FROM audit.events) AS days"
        )

    def rows(
        self,
        uid: str,
        title: str,
        values: Values | None = None,
        *,
        options: DashboardOptions | None = None,
        since: timedelta = timedelta(hours=23),
    ) -> Rows:
        """What the panel with this title gets; `title` may be a `$variable` too."""
        dashboard = DASHBOARDS[uid] if options is None else json.loads(build(options)[f"{uid}.json"])
        return self.sql(self.expanded(dashboard, _named(dashboard, title), values or {}, since))

    def every(
        self, values: Values | None = None, *, since: timedelta = timedelta(hours=23)
    ) -> Iterator[tuple[str, Json, Rows]]:
        """Name, panel or variable, and rows of every query there is."""
        for uid, dashboard in DASHBOARDS.items():
            chosen = self._chosen(dashboard, values or {}, since)
            for variable in dashboard["templating"]["list"]:
                if variable["type"] == "query":
                    sql = self.expanded(dashboard, variable["query"], chosen, since)
                    yield f"{uid}: ${variable['name']}", variable, self.sql(sql)
            for panel in (panel for panel in dashboard["panels"] if panel.get("targets")):
                sql = self.expanded(dashboard, panel["targets"][0]["rawSql"], chosen, since)
                yield f"{uid}: {panel['title']}", panel, self.sql(sql)

    def expanded(self, dashboard: Json, sql: str, values: Values, since: timedelta = timedelta(hours=23)) -> str:
        """What PostgreSQL is asked."""
        now = datetime.now(UTC)
        text = interpolate(sql, dashboard["templating"]["list"], self._chosen(dashboard, values, since))
        return expand(text, now - since, now + timedelta(hours=1))

    def sql(self, text: str) -> Rows:
        """The answer to any question."""
        return list(self._reader.execute(text.encode()))

    def _chosen(self, dashboard: Json, values: Values, since: timedelta) -> Values:
        """With a value for each choice of one: as Grafana does, the first that its query gives."""
        chosen = dict(values)
        now = datetime.now(UTC)
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query" and not variable["multi"] and variable["name"] not in chosen:
                sql = interpolate(variable["query"], dashboard["templating"]["list"], chosen)
                found = self.sql(expand(sql, now - since, now + timedelta(hours=1)))
                chosen[variable["name"]] = found[0]["__value"] if found else ""
        return chosen


def _named(dashboard: Json, title: str) -> str:
    if title.startswith("$"):
        (query,) = [item["query"] for item in dashboard["templating"]["list"] if item["name"] == title[1:]]
        return str(query)
    (panel,) = [panel for panel in dashboard["panels"] if panel["title"] == title]
    return str(panel["targets"][0]["rawSql"])


@contextmanager
def open_panels(database: str) -> Iterator[Panels]:
    """Panels of the database with this owner URL."""
    with (
        psycopg.connect(database, autocommit=True) as owner,
        psycopg.connect(as_role(database, "auditgraf_reader"), autocommit=True, row_factory=dict_row) as reader,
    ):
        yield Panels(owner, reader)
