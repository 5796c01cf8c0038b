"""Every query of every dashboard, expanded as Grafana does it, run on a real PostgreSQL by Grafana's role."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from collector.config import as_role
from dashboards import colours
from dashboards.build import DashboardOptions, build
from tests.grafana_sql import MacroError, Values, expand, interpolate

Json = dict[str, Any]
Rows = list[dict[str, Any]]
EVENTS = (Path(__file__).parents[1] / "dashboard_events.sql").read_text(encoding="utf-8")
DASHBOARDS: dict[str, Json] = {name.removesuffix(".json"): json.loads(content) for name, content in build().items()}

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
    "line\nbreak\ttab",
]
# Grafana expands macros in values of choices too: an error, never another result.
MACROS = ["$__timeFilter(x)", "$__unknown(1)", "$__timeGroup(a,''5m'')", "$x(') OR true --)"]


class Panels:
    """Runs queries of the dashboards as the reader, over the last two days."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self._connection = connection

    def rows(self, uid: str, title: str, values: Values | None = None, options: DashboardOptions | None = None) -> Rows:
        """What the panel with this title gets."""
        dashboards = DASHBOARDS if options is None else {uid: json.loads(build(options)[f"{uid}.json"])}
        (panel,) = [panel for panel in dashboards[uid]["panels"] if panel["title"] == title]
        return self._run(panel["targets"][0]["rawSql"], DASHBOARDS[uid], values or {})

    def every(self, values: Values | None = None) -> Iterator[tuple[str, Json, Rows]]:
        """Name, panel or variable, and rows of every query there is."""
        for uid, dashboard in DASHBOARDS.items():
            for panel in dashboard["panels"]:
                sql = panel["targets"][0]["rawSql"]
                yield f"{uid}: {panel['title']}", panel, self._run(sql, dashboard, values or {})
            for variable in dashboard["templating"]["list"]:
                if variable["type"] == "query":
                    yield f"{uid}: ${variable['name']}", variable, self._run(variable["query"], dashboard, values or {})

    def sql(self, text: str) -> Rows:
        return list(self._connection.execute(text.encode()))

    def _run(self, sql: str, dashboard: Json, values: Values) -> Rows:
        now = datetime.now(UTC)
        text = interpolate(sql, dashboard["templating"]["list"], values)
        return self.sql(expand(text, now - timedelta(hours=23), now + timedelta(hours=1)))


@pytest.fixture
def empty(database: str) -> Iterator[Panels]:
    with psycopg.connect(as_role(database, "auditgraf_reader"), autocommit=True, row_factory=dict_row) as connection:
        yield Panels(connection)


@pytest.fixture
def panels(database: str, empty: Panels) -> Panels:
    with psycopg.connect(database) as owner:
        owner.execute(EVENTS.encode())
    return empty


def test_every_query_runs_on_an_empty_database(empty: Panels) -> None:
    assert [name for name, _, _ in empty.every({"event_id": str(uuid.uuid4())})]
    assert empty.rows("audit-overview", "Who and where from")[0]["Failure share"] == 0


def test_every_query_gives_rows_where_there_are_events(panels: Panels) -> None:
    event = panels.sql(
        "SELECT id::text FROM audit.events WHERE action = 'order.created' AND changes IS NOT NULL "
        "UNION ALL SELECT id::text FROM audit.events WHERE changes IS NOT NULL LIMIT 1"
    )[0]["id"]
    for name, _, rows in panels.every({"event_id": event}):
        assert rows, name


def test_columns_have_types_that_every_grafana_reads(panels: Panels) -> None:
    (event,) = panels.sql("SELECT id::text FROM audit.events WHERE changes IS NOT NULL LIMIT 1")
    for name, _, rows in panels.every({"event_id": event["id"]}):
        for column, value in ((column, value) for row in rows for column, value in row.items()):
            plain = isinstance(value, str | int | float | datetime) and not isinstance(value, bool)
            assert value is None or plain or column == "time", (name, column, value)


def test_overrides_name_columns_that_the_query_gives(panels: Panels) -> None:
    (event,) = panels.sql("SELECT id::text FROM audit.events WHERE changes IS NOT NULL LIMIT 1")
    for name, panel, rows in panels.every({"event_id": event["id"]}):
        if panel["type"] in {"table", "geomap", "stat"}:
            overrides = panel["fieldConfig"]["overrides"]
            named = {item["matcher"]["options"] for item in overrides if item["matcher"]["id"] == "byName"}
            assert named <= set(rows[0]), name


def test_time_series_come_in_order_of_time(panels: Panels) -> None:
    for name, panel, rows in panels.every():
        if panel.get("targets", [{}])[0].get("format") == "time_series":
            times = [row["time"] for row in rows]
            assert times == sorted(times), name


def test_plain_logs_are_no_audit_events(panels: Panels) -> None:
    messages = [row["Message"] for row in panels.rows("audit-overview", "Recent events")]
    assert "a plain log" not in messages
    counted = sum(row["Events"] for row in panels.rows("audit-overview", "Volume"))
    assert counted == 241


def test_the_same_events_are_counted_in_every_panel(panels: Panels) -> None:
    everything = sum(row["Events"] for row in panels.rows("audit-overview", "Volume"))
    assert sum(row["Value"] for row in panels.rows("audit-overview", "Events by type")) == everything
    assert sum(row["value"] for row in panels.rows("audit-overview", "Outcomes")) == everything
    assert sum(row["Events"] for row in panels.rows("audit-overview", "Top actors")) == everything
    assert sum(row["Events"] for row in panels.rows("audit-map", "Countries")) == everything
    assert sum(row["Events"] for row in panels.rows("audit-map", "Places")) == everything - 1  # one has no place


@pytest.mark.parametrize(
    ("values", "condition"),
    [
        ({"service": "shop", "action": ["user.login", "model.updated"]}, "action IN ('user.login', 'model.updated')"),
        ({"action": "(none)"}, "action IS NULL AND retention_class <> 'log'"),
        ({"outcome": "failure"}, "outcome = 'failure'"),
        ({"country": ["BR", "JP"]}, "country IN ('BR', 'JP')"),
        ({"actor": "u-2"}, "'u-2' IN (actor_id, on_behalf_of)"),
        ({"actor": "CHIARA@"}, "actor_name = 'Chiara'"),
        ({"q": "são"}, "city = 'São Paulo'"),
        ({"q": "203.0.113.2"}, "client_ip = '203.0.113.2'"),
        ({"q": "http.request"}, "attributes <> '{}'"),
        ({"q": "no such text"}, "false"),
    ],
)
def test_variables_filter_to_exactly_what_they_say(panels: Panels, values: Values, condition: str) -> None:
    (expected,) = panels.sql(f"SELECT count(*) AS events FROM audit.events WHERE {condition}")
    counted = sum(row["Events"] for row in panels.rows("audit-overview", "Volume", values))
    assert counted == expected["events"]


def _store(database: str, **columns: str) -> None:
    names = ", ".join(columns)
    marks = ", ".join(["%s"] * len(columns))
    statement = (
        "INSERT INTO audit.events_default (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome, "
        f"attributes, flags, {names}) "
        f"VALUES (gen_random_uuid(), now(), now(), 0, 1, 9, 'success', '{{}}', '{{}}', {marks})"
    )
    with psycopg.connect(database) as owner:
        owner.execute(statement.encode(), list(columns.values()))


@pytest.mark.parametrize(("variable", "column"), [("q", "message"), ("actor", "actor_name"), ("actor", "actor_id")])
def test_hostile_text_finds_the_event_that_has_it_and_no_other(
    database: str, panels: Panels, variable: str, column: str
) -> None:
    values = [*HOSTILE, *MACROS]
    for value in values:
        _store(database, **{column: value})
    for value in values:
        assert len(panels.rows("audit-overview", "Recent events", {variable: value})) == 1, value
        for _ in panels.every({variable: value}):
            pass


def test_a_nul_in_a_text_is_left_out(panels: Panels) -> None:
    assert panels.rows("audit-overview", "Recent events", {"q": "event\0 240"})[0]["Message"] == "event 240"


@pytest.mark.parametrize("column", ["service", "action", "country"])
def test_hostile_choice_finds_the_event_that_has_it_and_no_other(database: str, panels: Panels, column: str) -> None:
    for value in HOSTILE:
        _store(database, **{column: value})
    for value in HOSTILE:
        for chosen in (value, [value, value], [value, "' OR true --"]):
            assert len(panels.rows("audit-overview", "Recent events", {column: chosen})) == 1, value
        for _ in panels.every({column: [value, "x"]}):
            pass


def test_a_macro_in_a_choice_gives_nothing_or_an_error_but_never_other_events(panels: Panels) -> None:
    for choice, value in itertools.product(("service", "action", "outcome", "country"), MACROS):
        try:
            rows = panels.rows("audit-overview", "Recent events", {choice: value})
        except (MacroError, psycopg.errors.SyntaxError):
            continue
        assert rows == []


def test_an_event_id_that_is_none_shows_nothing_and_is_no_error(panels: Panels) -> None:
    for value in ("", "x", "'", "0", "01a20484-40c7-7f0c-8923-dcc885e985b", "{" + "0" * 36 + "}", *HOSTILE, *MACROS):
        for name, _, rows in panels.every({"event_id": value}):
            if name == "audit-event: Event":
                assert [row["Field"] for row in rows] == ["No such event"]
            elif name.startswith("audit-event"):
                assert rows == [], name


def test_several_event_ids_in_the_address_are_none(panels: Panels) -> None:
    ids = [row["id"] for row in panels.sql("SELECT id::text FROM audit.events LIMIT 2")]
    assert panels.rows("audit-event", "Event", {"event_id": ids})[0]["Field"] == "No such event"


def test_one_event_is_read_from_one_days_partition(panels: Panels) -> None:
    (event,) = panels.sql(
        "SELECT id::text FROM audit.events WHERE action IS NOT NULL ORDER BY occurred_at DESC LIMIT 1"
    )
    (panel,) = [panel for panel in DASHBOARDS["audit-event"]["panels"] if panel["title"] == "Event"]
    sql = interpolate(
        panel["targets"][0]["rawSql"], DASHBOARDS["audit-event"]["templating"]["list"], {"event_id": event["id"]}
    )
    plan = json.dumps([row["QUERY PLAN"] for row in panels.sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")])
    days = {name[-8:] for name in set(_scanned(json.loads(plan)[0][0]["Plan"]))}
    assert len(days) == 1


def _scanned(plan: Mapping[str, Any]) -> Iterator[str]:
    if "Relation Name" in plan and plan["Actual Loops"]:
        yield plan["Relation Name"]
    for child in plan.get("Plans", []):
        yield from _scanned(child)


def test_an_event_shows_its_fields_without_the_empty_ones(panels: Panels) -> None:
    (event,) = panels.sql(
        "SELECT id::text FROM audit.events WHERE outcome = 'unknown' AND retention_class = 'security'"
    )
    rows = panels.rows("audit-event", "Event", {"event_id": event["id"]})
    assert [row["Field"] for row in rows] == ["Time", "Outcome", "Retention class", "Received", "Event id"]


def test_changes_are_a_row_for_each_value(panels: Panels) -> None:
    (event,) = panels.sql("SELECT id::text FROM audit.events WHERE changes IS NOT NULL LIMIT 1")
    rows = panels.rows("audit-event", "Changes", {"event_id": event["id"]})
    assert {tuple(row.values()) for row in rows} == {
        ("address.city", "changed", "Bonn", "Berlin"),
        ("kind", "added", None, "plain"),
        ("kind.x", "removed", "1", None),
        ("note", "added", None, "new"),
        ("password", "secret", "••••••", "•••••• (changed)"),
        ("price", "changed", "1", "2"),
        ("tags", "added", None, "a"),
        ("tags", "added", None, "b"),
        ("tags", "removed", "c", None),
    }


def test_the_record_keeps_nulls_of_the_sender_and_shows_where_it_came_from(panels: Panels) -> None:
    (event,) = panels.sql("SELECT id::text FROM audit.events WHERE changes IS NOT NULL LIMIT 1")
    (row,) = panels.rows("audit-event", "Record", {"event_id": event["id"]})
    record = json.loads(row["record"])
    assert record["changes"]["note"] == {"before": None, "after": "new"}
    assert record["resource"] == {"service.name": "shop", "host.name": "shop-1"}
    assert record["scope"] == {"name": "shop.audit"}
    assert "trace_id" not in record


def test_around_an_event_are_ten_minutes_of_its_actor_alone(panels: Panels) -> None:
    (event,) = panels.sql("SELECT id::text, actor_id, occurred_at FROM audit.events WHERE message = 'event 100'")
    rows = panels.rows("audit-event", "The same actor, ten minutes before and after", {"event_id": event["id"]})
    assert [row["Message"] for row in rows if row["this"]] == ["event 100"]
    assert all(abs(row["Time"] - event["occurred_at"]) <= timedelta(minutes=10) for row in rows)
    numbers = sorted(int(row["Message"].split()[1]) for row in rows)
    assert numbers == [82, 85, 88, 91, 94, 97, 100, 103, 106, 109, 112, 115, 118]


def test_an_action_has_the_same_slot_in_chart_table_and_map(panels: Panels) -> None:
    chart = {row["action"]: int(row["slot"]) for row in panels.rows("audit-overview", "Events by type")}
    table = {row["Action"]: row["slot"] for row in panels.rows("audit-overview", "Recent events")}
    places = {row["Most frequent"]: row["slot"] for row in panels.rows("audit-map", "Places")}
    assert chart == table
    assert places.items() <= chart.items()


def test_the_colours_of_released_versions_never_change(database: str, panels: Panels) -> None:
    for action in ("stock.counted", "Überweisung", "a", ""):
        _store(database, action=action)
    slots = {row["Action"]: row["slot"] for row in panels.rows("audit-overview", "Recent events")}
    assert slots == {
        "user.login": 0,
        "model.updated": 4,
        "order.created": 2,
        "(none)": colours.NEUTRAL_SLOT,
        "stock.counted": 17,
        "Überweisung": 2,
        "a": 23,
        "": 16,
    }


def test_a_chosen_colour_wins_for_its_action(panels: Panels) -> None:
    options = DashboardOptions(colours=(("stock.counted", "#123456"), ("it's", "#654321")))
    rows = panels.rows("audit-overview", "Recent events", options=options)
    slots = {row["Action"]: row["slot"] for row in rows}
    assert colours.palette(options)[slots["stock.counted"]] == "#123456"
    assert slots["user.login"] == 0


def test_rare_actions_are_one_series_in_the_neutral_colour(database: str, panels: Panels) -> None:
    for number in range(20):
        _store(database, action=f"rare.{number:02}")
    rows = panels.rows("audit-overview", "Events by type")
    slots = {row["action"]: row["slot"] for row in rows}
    assert len(slots) == 21
    assert slots["other"] == str(colours.NEUTRAL_SLOT)
    assert sum(row["Value"] for row in rows) == 261


def test_the_reader_cannot_write_whatever_a_query_says(panels: Panels) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        panels.sql("DELETE FROM audit.events_default")
    panels.sql("SELECT set_config('default_transaction_read_only', 'off', false)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        panels.sql("DELETE FROM audit.events_default")
