"""What the dashboards of one event, one actor and one object tell of known events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from tests.dashboard_panels import DASHBOARDS, HOSTILE, MACROS, Panels, open_panels
from tests.grafana_sql import Values

AROUND = "The same actor, ten minutes before and after"


@pytest.fixture
def fresh(database: str) -> Iterator[Panels]:
    """The events of dashboard_events.sql, to add others to."""
    with open_panels(database) as opened:
        opened.fill()
        yield opened


@pytest.fixture(scope="module")
def panels(shared_database: str) -> Iterator[Panels]:
    """The events of dashboard_events.sql, to be looked at only."""
    with open_panels(shared_database) as opened:
        opened.fill()
        yield opened


def id_of(panels: Panels, condition: str) -> Values:
    """The variable that says which: the newest event for which this holds."""
    (row,) = panels.sql(f"SELECT id::text FROM audit.events WHERE {condition} ORDER BY occurred_at DESC LIMIT 1")
    return {"event_id": str(row["id"])}


def test_an_event_id_that_is_none_shows_nothing_and_is_no_error(panels: Panels) -> None:
    titles = [panel["title"] for panel in DASHBOARDS["audit-event"]["panels"]]
    for value in ("", "x", "'", "0", "01a20484-40c7-7f0c-8923-dcc885e985b", "{" + "0" * 36 + "}", *HOSTILE, *MACROS):
        for title in titles:
            rows = [list(row.values())[1] for row in panels.rows("audit-event", title, {"event_id": value})]
            assert rows == (["No such event"] if title in {"Record", "Source"} else []), title


def test_several_event_ids_in_the_address_are_none(panels: Panels) -> None:
    ids = [row["id"] for row in panels.sql("SELECT id::text FROM audit.events LIMIT 2")]
    assert panels.rows("audit-event", "Event", {"event_id": ids}) == []


@pytest.mark.parametrize("title", ["Event", "In short", "Changes", "Record", "Source", "Place"])
def test_one_event_is_read_from_one_days_partition(panels: Panels, title: str) -> None:
    (panel,) = [panel for panel in DASHBOARDS["audit-event"]["panels"] if panel["title"] == title]
    sql = panels.expanded(DASHBOARDS["audit-event"], panel["targets"][0]["rawSql"], id_of(panels, "action IS NOT NULL"))
    plan = json.dumps([row["QUERY PLAN"] for row in panels.sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")])
    days = {name[-8:] for name in set(_scanned(json.loads(plan)[0][0]["Plan"])) if name.startswith("events_")}
    assert len(days) == 1


def _scanned(plan: Mapping[str, Any]) -> Iterator[str]:
    if "Relation Name" in plan and plan["Actual Loops"]:
        yield plan["Relation Name"]
    for child in plan.get("Plans", []):
        yield from _scanned(child)


def test_an_event_shows_its_fields_without_the_empty_ones(panels: Panels) -> None:
    rows = panels.rows("audit-event", "Event", id_of(panels, "retention_class = 'security'"))
    assert [row["Field"] for row in rows] == ["Time", "Outcome", "Retention class", "Received", "Event id"]


def test_an_events_head_leads_to_its_actor_and_its_object(panels: Panels) -> None:
    (row,) = panels.rows("audit-event", "In short", id_of(panels, "message = 'event 101'"))
    assert (row["actor_key"], row["target_key"]) == ("u-3", "order 3")
    assert (row["Actor"], row["Target"], row["Address"]) == ("Chiara", "order 3", "203.0.113.2")


def test_changes_are_a_row_for_each_value(panels: Panels) -> None:
    rows = panels.rows("audit-event", "Changes", id_of(panels, "changes IS NOT NULL"))
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


def test_an_event_without_changes_has_none(panels: Panels) -> None:
    assert panels.rows("audit-event", "Changes", id_of(panels, "changes IS NULL")) == []


@pytest.mark.parametrize("changes", ["[]", '"text"', "null", '{"a": 1}', '{"a": []}', '{"a": {"added": "x"}}', "{}"])
def test_changes_of_another_shape_are_no_error(fresh: Panels, changes: str) -> None:
    event = fresh.store(changes=changes, target_type="order", target_id="77")
    assert fresh.rows("audit-event", "Changes", {"event_id": event}) == []
    assert fresh.rows("audit-object", "Changes", {"object": "order 77"}) == []


def test_the_record_keeps_nulls_of_the_sender(panels: Panels) -> None:
    event = id_of(panels, "changes IS NOT NULL")
    (head, row) = panels.rows("audit-event", "Record", event)
    assert head["record"] == event["event_id"]
    assert head["time"] > row["time"]
    record = json.loads(row["record"])
    assert record["changes"]["note"] == {"before": None, "after": "new"}
    assert record["attributes"] == {"http.request.method": "POST"}
    assert "trace_id" not in record


def test_the_source_says_where_the_record_came_from(panels: Panels) -> None:
    (head, row) = panels.rows("audit-event", "Source", id_of(panels, "changes IS NOT NULL"))
    assert head["source"] == "shop"
    assert head["time"] > row["time"]
    assert json.loads(row["source"]) == {
        "resource": {"service.name": "shop", "host.name": "shop-1"},
        "scope": {"name": "shop.audit"},
    }


def test_around_an_event_are_ten_minutes_of_its_actor_alone(panels: Panels) -> None:
    rows = panels.rows("audit-event", AROUND, id_of(panels, "message = 'event 100'"))
    assert [row["Message"] for row in rows if row["this"]] == ["event 100"]
    numbers = sorted(int(row["Message"].split()[1]) for row in rows)
    assert numbers == [82, 85, 88, 91, 94, 97, 100, 103, 106, 109, 112, 115, 118]


def test_around_an_event_without_an_actor_is_nothing(panels: Panels) -> None:
    assert panels.rows("audit-event", AROUND, id_of(panels, "retention_class = 'security'")) == []


def test_the_same_object_has_its_whole_history_and_nothing_else(panels: Panels) -> None:
    rows = panels.rows("audit-event", "The same object", id_of(panels, "message = 'event 101'"))
    assert [row["Message"] for row in rows if row["this"]] == ["event 101"]
    assert sorted(int(row["Message"].split()[1]) for row in rows) == [17, 45, 73, 101, 129, 157, 185, 213]
    assert [row["Time"] for row in rows] == sorted((row["Time"] for row in rows), reverse=True)


def test_an_event_about_no_object_has_no_history(panels: Panels) -> None:
    assert panels.rows("audit-event", "The same object", id_of(panels, "message = 'event 100'")) == []


def test_a_link_to_an_actor_shows_that_one_though_others_contain_its_id(fresh: Panels) -> None:
    for number in range(30):
        fresh.store(actor_id=f"xx-u-1-{number}", actor_name="Ada")
    fresh.store(actor_id="b", actor_name="u-1")
    assert fresh.rows("audit-actor", "$who", {"actor": "u-1"})[0] == {"__text": "Ada", "__value": "id:u-1"}
    assert fresh.rows("audit-actor", "Who", {"actor": "u-1"})[0]["Id"] == "u-1"


def test_an_actor_without_id_is_found_by_name_and_is_nobody_else(fresh: Panels) -> None:
    fresh.store(actor_name="Chiara", action="user.login_failed", outcome="failure")
    assert fresh.rows("audit-actor", "$who", {"actor": "Chiara"})[:2] == [
        {"__text": "Chiara", "__value": "name:Chiara"},
        {"__text": "Chiara", "__value": "id:u-3"},
    ]
    rows = fresh.rows("audit-actor", "Events of this actor", {"actor": "Chiara"})
    assert [row["Action"] for row in rows] == ["user.login_failed"]


def test_without_a_search_the_most_active_actor_is_shown(fresh: Panels) -> None:
    fresh.store(actor_id="u-2", actor_name="Ben")
    assert [row["__value"] for row in fresh.rows("audit-actor", "$who")] == ["id:u-2", "id:u-1", "id:u-3"]


def test_an_actor_that_did_nothing_in_the_time_range_is_still_shown_by_name(panels: Panels) -> None:
    values = {"actor": "u-1"}
    (row,) = panels.rows("audit-actor", "Who", values, since=timedelta(seconds=-3599))
    (ever,) = panels.sql("SELECT min(occurred_at), max(occurred_at) FROM audit.events WHERE actor_id = 'u-1'")
    assert (row["Name"], row["First seen"], row["Last seen"]) == ("Ada", ever["min"], ever["max"])
    assert panels.rows("audit-actor", "In this time range", values, since=timedelta(seconds=-3599))[0]["Events"] == 0


def test_nobody_found_says_so(panels: Panels) -> None:
    assert panels.rows("audit-actor", "$who", {"actor": "nobody"}) == [{"__text": "(nobody found)", "__value": ""}]
    assert panels.rows("audit-object", "$which", {"object": "x"}) == [{"__text": "(nothing found)", "__value": ""}]
    assert panels.rows("audit-actor", "Who", {"actor": "nobody"})[0]["Name"] == "No such actor"
    assert panels.rows("audit-actor", "Events of this actor", {"actor": "nobody"}) == []


def test_what_an_actor_did_is_counted_the_same_in_every_panel(panels: Panels) -> None:
    values = {"actor": "u-1"}
    (totals,) = panels.rows("audit-actor", "In this time range", values)
    (real,) = panels.sql(
        "SELECT count(*) AS events, count(*) FILTER (WHERE outcome = 'failure') AS failures FROM audit.events "
        "WHERE actor_id = 'u-1'"
    )
    assert (totals["Events"], totals["Failures"]) == (real["events"], real["failures"])
    for title, column in (
        ("Timeline", "Value"),
        ("By action", "Events"),
        ("Places", "Events"),
        ("Addresses", "Events"),
    ):
        assert sum(row[column] for row in panels.rows("audit-actor", title, values)) == real["events"], title
    assert len(panels.rows("audit-actor", "Failures", values)) == real["failures"]
    assert len(panels.rows("audit-actor", "Events of this actor", values)) == real["events"]


def test_sessions_have_their_length_and_what_was_done_in_them(fresh: Panels) -> None:
    fresh.store(actor_id="s", session_id="one", client_ip="203.0.113.9", city="Oslo", country="NO")
    fresh.store(actor_id="s", session_id="one", client_ip="203.0.113.10", outcome="failure")
    (row,) = fresh.rows("audit-actor", "Sessions", {"actor": "s"})
    assert (row["Session"], row["Events"], row["Failures"], row["Addresses"]) == ("one", 2, 1, 2)
    assert row["Place"] == "Oslo, NO"
    assert row["Lasted"] > 0


@pytest.mark.parametrize("text", ["order 3", "3", "rder"])
def test_an_object_is_found_by_type_and_id_by_id_and_by_part_of_its_type(panels: Panels, text: str) -> None:
    found = [row["__value"] for row in panels.rows("audit-object", "$which", {"object": text})]
    assert "id:5:order 3" in found
    assert found[0] == "id:5:order 3" or text == "rder"


def test_objects_of_two_types_with_one_id_are_told_apart(fresh: Panels) -> None:
    fresh.store(target_type="invoice", target_id="3", action="invoice.paid")
    fresh.store(target_id="3", action="thing.done")
    for object_, actions in (("invoice 3", {"invoice.paid"}), ("3", {"thing.done"})):
        rows = fresh.rows("audit-object", "By action", {"object": object_})
        assert {row["Action"] for row in rows} == actions


def test_types_and_ids_with_spaces_and_colons_are_found_by_their_link(fresh: Panels) -> None:
    for type_, id_ in (("a type", "an id: 7"), ("", " x"), ("t:1:", "1"), ("type", "two  spaces")):
        event = fresh.store(target_type=type_ or None, target_id=id_, action=f"{type_}/{id_}")
        (head,) = fresh.rows("audit-event", "In short", {"event_id": event})
        rows = fresh.rows("audit-object", "By action", {"object": head["target_key"]})
        assert [row["Action"] for row in rows] == [f"{type_}/{id_}"]


def test_an_object_without_id_is_found_by_its_name(fresh: Panels) -> None:
    event = fresh.store(target_type="report", target_name="March 2026", action="report.read")
    (head,) = fresh.rows("audit-event", "In short", {"event_id": event})
    assert head["target_key"] == "report March 2026"
    assert [row["Action"] for row in fresh.rows("audit-object", "By action", {"object": "report March 2026"})] == [
        "report.read"
    ]


def test_the_changes_of_an_object_are_told_newest_first_with_who_made_them(panels: Panels) -> None:
    rows = panels.rows("audit-object", "Changes", {"object": "order 3"})
    assert len(rows) == 8 * 9
    assert [row["Time"] for row in rows] == sorted((row["Time"] for row in rows), reverse=True)
    assert {(row["Change"], row["After"]) for row in rows if row["Field"] == "tags"} == {
        ("added", "a"),
        ("added", "b"),
        ("removed", None),
    }
    assert {row["Actor"] for row in rows} == {"Ada", "Ben", "Chiara"}


def test_an_object_that_nobody_changed_has_no_changes(fresh: Panels) -> None:
    fresh.store(target_type="order", target_id="99", actor_id="u-1")
    assert fresh.rows("audit-object", "Changes", {"object": "order 99"}) == []


def test_a_service_is_shown_with_its_environment_and_tenant_where_they_are_known(fresh: Panels) -> None:
    for number, given in enumerate(({}, {"environment": "staging"}, {"environment": "staging", "tenant": "acme"})):
        fresh.store(service="depot", message=f"m{number}", **given)
    rows = fresh.rows("audit-events", "List", {"service": "depot"})
    assert {row["Service"] for row in rows} == {"depot", "depot · staging", "depot · staging · acme"}


def test_long_names_of_types_leave_room_for_the_chart(fresh: Panels) -> None:
    fresh.store(action="a" * 300)
    fresh.store(action="b" * 40)
    named = {row["action"] for row in fresh.rows("audit-overview", "Events by type")}
    assert {"a" * 39 + "…", "b" * 40} <= named


def test_where_nothing_came_in_live_says_so(panels: Panels) -> None:
    values = {"q": "no record has this"}
    (row,) = panels.rows("audit-live", "Records", values)
    assert (row["id"], row["line"].split(".")[0]) == (None, "No record in this time range")


def test_who_touched_an_object_is_everybody_who_did(panels: Panels) -> None:
    rows = panels.rows("audit-object", "Who touched it", {"object": "order 3"})
    assert sum(row["Events"] for row in rows) == 8
    assert {row["actor_key"] for row in rows} == {"u-1", "u-2", "u-3"}
    assert panels.rows("audit-object", "In this time range", {"object": "order 3"})[0]["Actors"] == 3


@pytest.mark.parametrize("value", [*HOSTILE, *MACROS])
def test_hostile_names_of_actors_and_objects_are_found_and_are_no_sql(fresh: Panels, value: str) -> None:
    fresh.store(actor_id=value, target_type="t", target_id=value, action="this.one")
    assert [row["Action"] for row in fresh.rows("audit-actor", "By action", {"actor": value})] == ["this.one"]
    assert [row["Action"] for row in fresh.rows("audit-object", "By action", {"object": f"t {value}"})] == ["this.one"]
