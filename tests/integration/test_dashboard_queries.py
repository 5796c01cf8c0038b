"""Every query of every dashboard, expanded as Grafana does it, run on a real PostgreSQL by Grafana's role."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

import psycopg
import pytest

from dashboards import colours
from dashboards.build import DashboardOptions
from tests.dashboard_panels import DASHBOARDS, HOSTILE, MACROS, Panels, open_panels
from tests.grafana_sql import MacroError, Values

# The others have tests of their own.
FILLED = ("audit-overview", "audit-map", "audit-events", "audit-event", "audit-actor", "audit-object")


@pytest.fixture
def empty(database: str) -> Iterator[Panels]:
    with open_panels(database) as opened:
        yield opened


@pytest.fixture
def fresh(empty: Panels) -> Panels:
    """The events of dashboard_events.sql, to add others to."""
    empty.fill()
    return empty


@pytest.fixture(scope="module")
def panels(shared_database: str) -> Iterator[Panels]:
    """The events of dashboard_events.sql, to be looked at only."""
    with open_panels(shared_database) as opened:
        opened.fill()
        yield opened


@pytest.fixture
def changing(panels: Panels) -> Values:
    """Variables that say: an event with changes and a place, the object that it changed, and who did it."""
    (event,) = panels.sql("SELECT id::text FROM audit.events WHERE target_id = '3' AND changes IS NOT NULL LIMIT 1")
    return {"event_id": str(event["id"]), "object": "order 3", "actor": "u-1"}


@pytest.mark.parametrize("since", [timedelta(hours=1), timedelta(hours=12), timedelta(days=90)], ids=str)
def test_every_query_runs_on_an_empty_database(empty: Panels, since: timedelta) -> None:
    assert [name for name, _, _ in empty.every({"event_id": str(uuid.uuid4())}, since=since)]
    assert empty.rows("audit-overview", "Who and where from")[0]["Failure share"] == 0
    assert [(row["Events"], row["Failures"]) for row in empty.rows("audit-overview", "Volume", since=since)] == [(0, 0)]
    (alarms,) = empty.rows("audit-security", "At a glance", since=since)
    assert sum(value for name, value in alarms.items() if name != "time") == 0


@pytest.mark.parametrize("values", [{}, {"actor": "nobody", "object": "nothing"}], ids=["no text", "a text"])
def test_variables_have_a_value_even_on_an_empty_database(empty: Panels, values: Values) -> None:
    """Grafana 9.4 shows an error for a variable whose query gives no row."""
    for name, item, rows in empty.every(values):
        if item["type"] == "query":
            assert rows, name


def test_every_query_runs_where_there_is_one_event_with_nothing_in_it(empty: Panels) -> None:
    empty.store()
    (event,) = empty.sql("SELECT id::text FROM audit.events")
    rows = {name: rows for name, _, rows in empty.every({"event_id": event["id"]})}
    assert len(rows["audit-events: List"]) == 1
    assert rows["audit-events: List"][0]["Action"] == "(none)"
    assert rows["audit-event: In short"][0]["Action"] == "(none)"


def test_every_query_gives_rows_where_there_are_events(panels: Panels, changing: Values) -> None:
    for name, _, rows in panels.every(changing):
        if name.startswith(tuple(f"{uid}: " for uid in FILLED)):
            assert rows or name == "audit-actor: Sessions", name


def test_columns_have_types_that_every_grafana_reads(panels: Panels, changing: Values) -> None:
    for name, _, rows in panels.every(changing):
        for column, value in (item for row in rows for item in row.items()):
            plain = isinstance(value, str | int | float | datetime) and not isinstance(value, bool)
            assert value is None or plain or column == "time", (name, column, value)


def test_overrides_name_columns_that_the_query_gives(panels: Panels, changing: Values) -> None:
    for name, panel, rows in panels.every(changing):
        if rows and panel["type"] in {"table", "geomap", "stat"}:
            overrides = panel["fieldConfig"]["overrides"]
            named = {item["matcher"]["options"] for item in overrides if item["matcher"]["id"] == "byName"}
            assert named <= set(rows[0]), name


def test_links_take_columns_that_the_query_gives(panels: Panels, changing: Values) -> None:
    for name, panel, rows in panels.every(changing):
        for override in panel.get("fieldConfig", {}).get("overrides", ()) if rows else ():
            for item in (item for item in override["properties"] if item["id"] == "links"):
                for link in item["value"]:
                    assert {part.split(":")[0] for part in link["url"].split("__data.fields.")[1:]} <= set(rows[0]), (
                        name
                    )


def test_time_series_come_in_order_of_time(panels: Panels) -> None:
    for name, panel, rows in panels.every():
        if panel.get("targets", [{}])[0].get("format") == "time_series":
            times = [row["time"] for row in rows]
            assert times == sorted(times), name


def test_plain_logs_are_no_audit_events(panels: Panels) -> None:
    assert "a plain log" not in [row["Message"] for row in panels.rows("audit-events", "List")]
    assert panels.rows("audit-events", "Events") == [{"Found": 241, "In the list": "all"}]


@pytest.mark.parametrize("since", [timedelta(hours=4), timedelta(hours=23), timedelta(days=90)], ids=str)
def test_the_same_events_are_counted_in_every_panel(panels: Panels, since: timedelta) -> None:
    everything = panels.rows("audit-events", "Events", since=since)[0]["Found"]
    assert everything == 241
    for uid, title, column in (
        ("audit-overview", "Volume", "Events"),
        ("audit-overview", "Events by type", "Value"),
        ("audit-events", "Volume", "Value"),
        ("audit-overview", "Outcomes", "value"),
        ("audit-overview", "Top actors", "Events"),
        ("audit-map", "Countries", "Events"),
    ):
        assert sum(row[column] for row in panels.rows(uid, title, since=since)) == everything, title
    assert sum(row["Events"] for row in panels.rows("audit-map", "Places", since=since)) == everything - 1


@pytest.mark.parametrize(
    ("values", "condition"),
    [
        ({"service": "shop", "action": ["user.login", "model.updated"]}, "action IN ('user.login', 'model.updated')"),
        ({"action": "(none)"}, "action IS NULL"),
        ({"outcome": "failure"}, "outcome = 'failure'"),
        ({"country": ["BR", "JP"]}, "country IN ('BR', 'JP')"),
        ({"actor": "u-2"}, "'u-2' IN (actor_id, on_behalf_of)"),
        ({"actor": "CHIARA@"}, "actor_name = 'Chiara'"),
        ({"q": "são"}, "city = 'São Paulo'"),
        ({"q": "SÃO"}, "city = 'São Paulo'"),
        ({"q": "203.0.113.2"}, "client_ip = '203.0.113.2'"),
        ({"q": "http.request"}, "attributes <> '{}'"),
        ({"q": "no such text"}, "false"),
        ({"severity": "unspecified"}, "severity = 0"),
        ({"severity": ["info", "fatal"]}, "severity BETWEEN 9 AND 12"),
        ({"class": "security"}, "retention_class = 'security'"),
        ({"object": "order 3"}, "target_id = '3'"),
        ({"object": "3"}, "target_id = '3'"),
        ({"object": "ORD"}, "target_type = 'order'"),
        ({"address": "203.0.113.2"}, "client_ip = '203.0.113.2'"),
        ({"address": "203.0.113.2/31"}, "client_ip <<= '203.0.113.2/31'"),
        ({"address": "203.0"}, "client_ip <<= '203.0.0.0/16'"),
        ({"address": "203.0.113."}, "client_ip <<= '203.0.113.0/24'"),
        ({"address": "2001:db8::/32"}, "false"),
        ({"address": "999.1.2.3"}, "false"),
        ({"address": "::g"}, "false"),
        ({"address": "proxy"}, "false"),
    ],
    ids=str,
)
@pytest.mark.parametrize("since", [timedelta(hours=4), timedelta(hours=23)], ids=["from the events", "from the counts"])
def test_variables_filter_to_exactly_what_they_say(
    panels: Panels, values: Values, condition: str, since: timedelta
) -> None:
    (expected,) = panels.sql(f"SELECT count(*) AS n FROM audit.events WHERE retention_class <> 'log' AND {condition}")
    assert panels.rows("audit-events", "Events", values, since=since)[0]["Found"] == expected["n"]
    listed = [row for row in panels.rows("audit-events", "List", values, since=since) if row["event_id"]]
    assert len(listed) == expected["n"]


@pytest.mark.parametrize(
    ("variable", "column"),
    [("q", "message"), ("actor", "actor_name"), ("actor", "actor_id"), ("address", "client_address")],
)
def test_hostile_text_finds_the_event_that_has_it_and_no_other(fresh: Panels, variable: str, column: str) -> None:
    values = [*HOSTILE, *MACROS]
    for value in values:
        fresh.store(**{column: value})
    for value in values:
        assert len(fresh.rows("audit-events", "List", {variable: value})) == 1, value
    for value in (values[1], "".join(values)):
        assert [name for name, _, _ in fresh.every({variable: value})]


def test_a_nul_in_a_text_is_left_out(panels: Panels) -> None:
    assert panels.rows("audit-events", "List", {"q": "event\0 240"})[0]["Message"] == "event 240"


@pytest.mark.parametrize("column", ["service", "action", "country"])
def test_hostile_choice_finds_the_event_that_has_it_and_no_other(fresh: Panels, column: str) -> None:
    for value in HOSTILE:
        fresh.store(**{column: value})
    for value in HOSTILE:
        for chosen in (value, [value, value], [value, "' OR true --"]):
            assert len(fresh.rows("audit-events", "List", {column: chosen})) == 1, value
    assert [name for name, _, _ in fresh.every({column: HOSTILE})]


@pytest.mark.parametrize("choice", ["service", "action", "outcome", "country", "severity", "class"])
def test_a_macro_in_a_choice_gives_nothing_or_an_error_but_never_other_events(panels: Panels, choice: str) -> None:
    for value in MACROS:
        try:
            rows = panels.rows("audit-events", "List", {choice: value})
        except (MacroError, psycopg.errors.SyntaxError):
            continue
        assert rows == []


def test_long_and_foreign_texts_are_shown_and_found(fresh: Panels) -> None:
    long, name = "ä" * 10_000, "<img src=x onerror=alert(1)> שלום"
    fresh.store(
        message=long, actor_id="u-9", actor_name=name, target_type="t", target_id="9", action=name, target_name=long
    )
    for name_, _, rows in fresh.every({"actor": "u-9", "object": "t 9", "q": long[:2000]}):
        assert rows or not name_.startswith("audit-actor: Who")
    (row,) = fresh.rows("audit-events", "List", {"actor": "u-9"})
    assert (row["Actor"], row["Action"], len(row["Message"])) == (name, name, 500)
    assert fresh.rows("audit-object", "Object", {"object": "t 9"})[0]["Name"] == long


def test_a_hundred_types_are_twenty_series_and_one_for_the_rest(fresh: Panels) -> None:
    for number in range(100):
        fresh.store(action=f"rare.{number:02}")
    for uid, title in (("audit-overview", "Events by type"), ("audit-events", "Volume")):
        rows = fresh.rows(uid, title)
        slots = {row["action"]: row["slot"] for row in rows}
        assert len(slots) == 21
        assert slots["other"] == str(colours.NEUTRAL_SLOT)
        assert sum(row["Value"] for row in rows) == 341
    assert len(fresh.rows("audit-events", "$action")) == 105


@pytest.mark.parametrize(
    ("uid", "title", "values"),
    [
        ("audit-actor", "By action", {"who": "id:u-1"}),
        ("audit-object", "By action", {"which": "id:5:order 3"}),
        ("audit-events", "List", {"address": "203.0.113.2"}),
    ],
)
def test_one_actor_object_or_address_is_looked_up_in_an_index(
    panels: Panels, uid: str, title: str, values: Values
) -> None:
    panels.sql("SELECT set_config('enable_seqscan', 'off', false)")
    (panel,) = [panel for panel in DASHBOARDS[uid]["panels"] if panel["title"] == title]
    sql = panels.expanded(DASHBOARDS[uid], panel["targets"][0]["rawSql"], values)
    plan = "\n".join(str(row["QUERY PLAN"]) for row in panels.sql(f"EXPLAIN {sql}"))
    panels.sql("SELECT set_config('enable_seqscan', 'on', false)")
    assert re.search(r"Index Cond: .*\b(actor_id = |target_id = |client_ip >= )", plan)


def test_an_action_has_the_same_slot_in_chart_table_and_map(panels: Panels) -> None:
    chart = {row["action"]: int(row["slot"]) for row in panels.rows("audit-overview", "Events by type")}
    table = {row["Action"]: row["slot"] for row in panels.rows("audit-events", "List")}
    places = {row["Most frequent"]: row["slot"] for row in panels.rows("audit-map", "Places")}
    actions = {row["Action"]: row["slot"] for row in panels.rows("audit-actor", "By action", {"actor": "u-1"})}
    assert chart == table
    assert places.items() <= chart.items()
    assert actions.items() <= chart.items()


def test_the_colours_of_released_versions_never_change(fresh: Panels) -> None:
    for action in ("stock.counted", "Überweisung", "a", ""):
        fresh.store(action=action)
    slots = {row["Action"]: row["slot"] for row in fresh.rows("audit-events", "List")}
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
    slots = {row["Action"]: row["slot"] for row in panels.rows("audit-events", "List", options=options)}
    assert colours.palette(options)[slots["stock.counted"]] == "#123456"
    assert slots["user.login"] == 0


def test_the_reader_cannot_write_whatever_a_query_says(empty: Panels) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        empty.sql("DELETE FROM audit.events_default")
    empty.sql("SELECT set_config('default_transaction_read_only', 'off', false)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        empty.sql("DELETE FROM audit.events_default")


def test_a_value_of_a_choice_of_one_is_no_sql(panels: Panels) -> None:
    for value, kind in itertools.product([*HOSTILE, *MACROS], ("", "id:", "name:", "id:1:", "id:99999:")):
        assert panels.rows("audit-actor", "By action", {"who": kind + value}) == []
        assert panels.rows("audit-object", "By action", {"which": kind + value}) == []
