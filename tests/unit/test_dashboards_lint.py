"""The rules that every panel of every dashboard keeps, whoever wrote it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from dashboards.build import build
from dashboards.queries import SQL_FOLDER
from tests.grafana_dashboard import Dashboard

Json = dict[str, Any]
DASHBOARDS: list[Json] = [json.loads(content) for content in build().values()]
PANELS = [(dashboard, panel) for dashboard in DASHBOARDS for panel in dashboard["panels"]]
ASKING = [(dashboard, panel) for dashboard, panel in PANELS if panel["type"] != "alertlist"]
# All that Grafana expands that our queries use; anything else that looks like a macro is an error in the panel.
MACROS = {
    "__timeFilter",
    "__timeFrom",
    "__timeTo",
    "__timeGroup",
    "__timeGroupAlias",
    "__unixEpochFrom",
    "__unixEpochTo",
}
# What makes a query read a bounded number of partitions.
BOUNDS = ("$__timeFilter(", "$__timeFrom()", "$__unixEpochFrom()", "audit.event_time(")


def name_of(item: object) -> str | None:
    if isinstance(item, dict):
        return str(item.get("uid") or item.get("title"))
    return None


each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=name_of)
each_panel = pytest.mark.parametrize(("dashboard", "panel"), ASKING, ids=name_of)


def queries(dashboard: Json) -> Iterator[str]:
    """Every SQL text of a dashboard."""
    yield from (target["rawSql"] for panel in dashboard["panels"] for target in panel.get("targets", []))
    yield from (item["query"] for item in dashboard["templating"]["list"] if item["type"] == "query")


@each_dashboard
def test_dashboard_is_in_the_dialect_that_grafana_9_4_reads(dashboard: Json) -> None:
    Dashboard.model_validate(dashboard)


@each_dashboard
def test_panel_ids_and_titles_are_unique(dashboard: Json) -> None:
    for key in ("id", "title"):
        values = [panel[key] for panel in dashboard["panels"]]
        assert len(set(values)) == len(values)


@each_dashboard
def test_panels_fit_the_grid_without_overlap_and_without_a_gap_on_top(dashboard: Json) -> None:
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert min(place["y"] for place in places) == 0
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


@each_dashboard
def test_no_panel_moves_up_when_grafana_closes_the_gaps(dashboard: Json) -> None:
    """Grafana pulls a panel up until it meets another: a place that isn't met would be another on screen."""
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    for place in places:
        above = [
            other["y"] + other["h"]
            for other in places
            if other["y"] < place["y"] and other["x"] < place["x"] + place["w"] and place["x"] < other["x"] + other["w"]
        ]
        assert place["y"] == max(above, default=0)


@each_dashboard
def test_every_variable_that_is_used_is_declared(dashboard: Json) -> None:
    used = set(re.findall(r"\$(?:\{)?([a-zA-Z]\w*)", json.dumps(dashboard)))
    declared = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert used == declared


@each_dashboard
def test_choices_of_several_offer_all_without_listing_every_value(dashboard: Json) -> None:
    for variable in dashboard["templating"]["list"]:
        if variable["type"] != "textbox":
            assert variable["includeAll"] == variable["multi"]
            assert not variable["multi"] or variable["allValue"] == "'__all__'"


@each_dashboard
def test_only_choices_of_several_reach_the_sql_other_than_percent_encoded(dashboard: Json) -> None:
    """Grafana quotes the values of a choice of several; of any other it doubles the quotes at most."""
    several = {variable["name"] for variable in dashboard["templating"]["list"] if variable.get("multi")}
    declared = {variable["name"] for variable in dashboard["templating"]["list"]}
    for sql in queries(dashboard):
        for braced, name, form in re.findall(r"\$(\{)?(\w+)(?::(\w+))?", sql):
            if name in several:
                assert not form and not braced
            elif name in declared:
                assert form == "percentencode"


@each_dashboard
def test_every_choice_of_several_stands_in_a_list_of_values(dashboard: Json) -> None:
    for variable in dashboard["templating"]["list"]:
        if variable.get("multi"):
            for sql in queries(dashboard):
                assert len(re.findall(rf"\${variable['name']}\b", sql)) == len(
                    re.findall(rf" IN \(\${variable['name']}\)", sql)
                )


@each_dashboard
def test_dashboards_are_linked_with_time_and_variables(dashboard: Json) -> None:
    (link,) = dashboard["links"]
    assert set(link["tags"]) <= set(dashboard["tags"])


@each_panel
def test_every_number_has_a_unit_and_texts_stay_as_they_are(dashboard: Json, panel: Json) -> None:
    """An id "007" or "1e5" is a number to Grafana under any unit but this."""
    if panel["type"] in {"table", "geomap"}:
        assert panel["fieldConfig"]["defaults"]["unit"] == "string"
        assert panel["fieldConfig"]["overrides"][0]["matcher"] == {"id": "byType", "options": "number"}
    elif panel["type"] != "logs":
        assert panel["fieldConfig"]["defaults"]["unit"]


@each_panel
def test_a_panel_without_rows_says_so_in_words_of_its_own(dashboard: Json, panel: Json) -> None:
    """Grafana shows `noValue` in place of a table or chart without rows, but in empty cells and points too."""
    if panel["type"] in {"table", "timeseries"}:
        assert re.fullmatch(r"[A-Z][a-z]+ [^$]{5,75}", panel["fieldConfig"]["defaults"]["noValue"])
        every = [item for item in panel["fieldConfig"]["overrides"] if item["matcher"]["options"] == "/.*/"]
        ((taken_back,),) = [item["properties"] for item in every]
        assert taken_back == {"id": "noValue", "value": "" if panel["type"] == "table" else "-"}


@each_panel
def test_no_column_is_narrower_than_grafana_draws_it(dashboard: Json, panel: Json) -> None:
    """Grafana 9.4 makes it 50 pixels wide, and moves the columns after it out of the panel."""
    for override in panel["fieldConfig"]["overrides"]:
        for item in override["properties"]:
            assert item["id"] != "custom.width" or item["value"] >= 50, override


@each_panel
def test_a_table_leaves_room_for_columns_without_a_width_on_a_small_screen(dashboard: Json, panel: Json) -> None:
    """On one of 1440 pixels a column of the grid has 58 and two thirds; gap and padding take 24 of a panel's."""
    if panel["type"] == "table":
        widths: dict[str, int] = {}
        for override in panel["fieldConfig"]["overrides"]:
            for item in override["properties"]:
                name = override["matcher"]["options"]
                if item["id"] == "custom.width":
                    widths[name] = item["value"]
                elif item["id"] == "custom.hidden":
                    widths[name] = 0
        assert sum(widths.values()) + 80 <= panel["gridPos"]["w"] * 58.67 - 24, widths


@each_panel
def test_panel_asks_the_data_source_of_the_options(dashboard: Json, panel: Json) -> None:
    (target,) = panel["targets"]
    assert target["rawSql"].startswith(("SELECT", "WITH"))
    assert target["datasource"] == panel["datasource"] == {"type": "postgres", "uid": "auditgraf"}


@each_panel
def test_series_are_in_order_of_time(dashboard: Json, panel: Json) -> None:
    sql = panel["targets"][0]["rawSql"]
    if panel["targets"][0]["format"] == "time_series":
        assert re.search(r"ORDER BY (1|time|\"time\")", sql)


@each_dashboard
def test_queries_that_read_events_are_bound_to_a_time(dashboard: Json) -> None:
    for sql in queries(dashboard):
        if re.search(r"audit\.(events|volume|volume_\w+|\w+_totals)\b", sql):
            assert any(bound in sql for bound in BOUNDS), sql


@each_dashboard
def test_queries_have_no_macro_that_grafana_does_not_know(dashboard: Json) -> None:
    for sql in queries(dashboard):
        assert set(re.findall(r"\$([_a-zA-Z0-9]+)\(", sql)) <= MACROS
        assert not re.search(r"\[\[\w+", sql)


@each_dashboard
def test_queries_are_one_statement_without_comments(dashboard: Json) -> None:
    for sql in queries(dashboard):
        assert ";" not in sql
        assert "--" not in sql
        assert "{{" not in sql


@each_panel
def test_links_lead_to_dashboards_of_the_set_and_keep_the_time(dashboard: Json, panel: Json) -> None:
    known = {dashboard["uid"]: dashboard for dashboard in DASHBOARDS}
    for override in panel["fieldConfig"]["overrides"]:
        for link in [link for item in override["properties"] if item["id"] == "links" for link in item["value"]]:
            path, _, parameters = link["url"].partition("?")
            aim = known[path.removeprefix("/d/")]
            assert "${__url_time_range}" in parameters
            names = re.findall(r"var-(\w+)=|\$\{(\w+):queryparam\}", parameters)
            declared = {variable["name"] for variable in aim["templating"]["list"]}
            assert {first or second for first, second in names} <= declared


@pytest.mark.parametrize("uid", ["audit-event", "audit-actor", "audit-object", "audit-events"])
def test_every_dashboard_that_lists_events_leads_there(uid: str) -> None:
    """Any event, actor, object or address in two clicks from wherever events are listed."""
    tables = [(dashboard, panel) for dashboard, panel in ASKING if panel["type"] == "table"]
    listing = [item for item in tables if re.search(r'AS "Time".*AS "Message"', _sql(item[1]), re.DOTALL)]
    assert listing
    for dashboard, panel in listing:
        assert dashboard["uid"] == uid or f'"/d/{uid}?' in json.dumps(dashboard), panel["title"]


def _sql(panel: Json) -> str:
    return str(panel["targets"][0]["rawSql"])


def test_every_part_of_a_query_is_used_and_says_what_it_is() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in SQL_FOLDER.rglob("*.sql"))
    for path in (SQL_FOLDER / "parts").glob("*.sql"):
        assert path.read_text(encoding="utf-8").startswith("-- "), path.name
        # A part may be named by another's argument, alone or with a prefix: {{@2long}}, {{@ 0}}.
        stem = path.stem
        named = re.search(r"\{\{(\w+ )*" + stem + r"[ }]", text) or re.search(
            r"\{\{@2" + stem.removeprefix("more_") + r"\}\}", text
        )
        assert named, path.name
