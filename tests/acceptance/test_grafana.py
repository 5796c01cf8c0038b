"""The rendered folder in a real Grafana: it starts without a complaint, and every panel gets its data."""

from __future__ import annotations

import os
import re

import pytest

from tests.grafana_server import DASHBOARDS, Grafana, Json
from tests.grafana_sql import Values

pytestmark = [
    pytest.mark.grafana,
    pytest.mark.skipif(
        not (os.environ.get("GRAFANA_HOME") or os.environ.get("GRAFANA_URL")),
        reason="no Grafana: set GRAFANA_HOME to its folder or GRAFANA_URL to a running one",
    ),
]

# What a healthy collector has nothing to tell of.
MAY_BE_EMPTY = {"What became of the rest", "What retention did", "Holds", "Quarantine"}

each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: str(dashboard["uid"]))


@pytest.fixture(scope="module")
def chosen(grafana: Grafana) -> Values:
    """An event that has everything, its actor, who also failed at something, and its object, as variables want them."""
    ((event, actor, kind, target),) = grafana.rows(
        "SELECT id::text, actor_id, coalesce(target_type, ''), target_id FROM audit.events WHERE changes IS NOT NULL"
        " AND latitude IS NOT NULL AND session_id IS NOT NULL AND $__timeFilter(occurred_at) AND actor_id IN ("
        "SELECT actor_id FROM audit.events WHERE outcome = 'failure' AND $__timeFilter(occurred_at)) LIMIT 1"
    )
    return {"event_id": event, "who": f"id:{actor}", "which": f"id:{len(kind)}:{kind} {target}"}


def test_provisioning_logs_no_error_and_no_warning(grafana: Grafana) -> None:
    if grafana.log is None:
        pytest.skip("the log of a Grafana at GRAFANA_URL is not at hand")
    lines = grafana.log.read_text(encoding="utf-8").splitlines()
    concerned = [line for line in lines if re.search(r"logger=(provisioning|dashboard|tsdb)", line)]
    assert concerned
    assert [line for line in concerned if re.search(r"level=(warn|error|crit)|lvl=(warn|eror|crit)", line)] == []


def test_the_data_source_works_and_cannot_be_edited(grafana: Grafana) -> None:
    found = grafana.call("/api/datasources/uid/auditgraf")
    assert found["readOnly"]
    assert found["user"] == "auditgraf_reader"
    # Newer versions make the only one the default, whatever its file says.
    assert not found["isDefault"] or len(grafana.call("/api/datasources")) == 1


@each_dashboard
def test_a_dashboard_is_there_as_it_was_rendered(grafana: Grafana, dashboard: Json) -> None:
    found = grafana.call(f"/api/dashboards/uid/{dashboard['uid']}")
    assert found["meta"]["provisioned"]
    assert found["meta"]["folderUid"] == "auditgraf"
    assert found["dashboard"]["title"] == dashboard["title"]
    assert [panel["id"] for panel in found["dashboard"]["panels"]] == [panel["id"] for panel in dashboard["panels"]]


@each_dashboard
def test_every_panel_gets_frames_without_an_error(grafana: Grafana, chosen: Values, dashboard: Json) -> None:
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            result = grafana.query(dashboard, target, chosen)
            assert "error" not in result, panel["title"]
            assert result["frames"] or panel["title"] in MAY_BE_EMPTY, panel["title"]


def test_series_carry_action_and_slot_as_labels(grafana: Grafana) -> None:
    """Colours depend on it: the panel's overrides look for the label."""
    overview = next(dashboard for dashboard in DASHBOARDS if dashboard["uid"] == "audit-overview")
    (panel,) = [panel for panel in overview["panels"] if panel["title"] == "Events by type"]
    (frame,) = grafana.query(overview, panel["targets"][0], {})["frames"]
    labels = [field["labels"] for field in frame["schema"]["fields"] if field["type"] == "number"]
    assert {"action": "user.login", "slot": "0"} in labels
    assert all(set(label) == {"action", "slot"} for label in labels)


@pytest.mark.parametrize("value", ["$__timeFilter(x)", "$__unknown(1)", "'; DROP TABLE x; --", '" \\" ${x} [[x]]'])
def test_hostile_text_is_no_error_in_grafana_either(grafana: Grafana, value: str) -> None:
    for dashboard in DASHBOARDS:
        typed = {v["name"]: value for v in dashboard["templating"]["list"] if v["type"] == "textbox"}
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                result = grafana.query(dashboard, target, typed)
                assert "error" not in result, panel["title"]
