"""The dashboards as people see them: in a browser, on the demonstration's events.

The browser is CHROMIUM's, else a Chromium or Chrome on PATH. Pictures of all dashboards go to GALLERY, else to
build/gallery.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.chromium import Page, chromium, find
from tests.grafana_server import DASHBOARDS, Grafana, Json

pytestmark = [
    pytest.mark.grafana,
    pytest.mark.skipif(
        not (os.environ.get("GRAFANA_HOME") or os.environ.get("GRAFANA_URL")),
        reason="no Grafana: set GRAFANA_HOME to its folder or GRAFANA_URL to a running one",
    ),
    pytest.mark.skipif(find() is None, reason="no browser: set CHROMIUM to a Chromium, or put one on PATH"),
]

GALLERY = Path(os.environ.get("GALLERY") or Path(__file__).parents[2] / "build" / "gallery")
WIDTH = 1600
# A row of the grid with the gap below it, and what is above and below the grid, in pixels.
ROW, AROUND = 38, 60
# The height of a window that shows all, null before the grid is there; newer Grafana has the filters above it.
HEIGHT = """(() => {
    const grid = document.querySelector('.react-grid-layout')?.getBoundingClientRect();
    return grid?.height ? Math.ceil(grid.bottom + 40) : null;
})()"""

# As many answers came as panels ask, none waits for data, every map shows something, and nothing was written in the
# last half second.
READY = """new Promise(done => {
    const answered = () => performance.getEntriesByType('resource').filter(one => one.name.includes('/api/ds/query'));
    const waits = () => document.querySelector(
        '.panel-loading, [aria-label="Panel loading bar"], [data-testid="panel-loading-bar"]');
    const painted = canvas => canvas.getContext('2d')?.getImageData(
        0, 0, canvas.width, canvas.height).data.some(Boolean);
    const maps = () => [...document.querySelectorAll('.ol-viewport')].filter(
        map => [...map.querySelectorAll('canvas')].some(painted));
    const seen = () => document.querySelector('.react-grid-layout')?.innerText;
    const before = seen();
    if (!before || answered().length < %d || maps().length < %d || waits()) return done(false);
    setTimeout(() => done(!waits() && seen() === before), 500);
})"""

# Title and text of each panel that says what no panel should say.
COMPLAINTS = """[...document.querySelectorAll('.react-grid-item')].flatMap(panel => {
    const bad = /^(No data|Data (is missing|does not)|Unable to |Failed to |Error|An unexpected error|.*not found$)/m;
    const marks = panel.querySelector(
        '.panel-info-corner--error, [aria-label="Panel header error"], [data-testid$="Panel status error"]');
    const said = panel.innerText.match(bad);
    return marks || said ? [panel.innerText.split('\\n')[0] + ': ' + (marks ? 'error' : said[0])] : [];
})"""


@pytest.fixture(scope="module")
def page(grafana: Grafana, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = find()
    assert program is not None
    with chromium(program, tmp_path_factory.mktemp("chromium")) as opened:
        opened.headers(grafana.headers)
        yield opened


@pytest.fixture(scope="module")
def chosen(grafana: Grafana) -> dict[str, str]:
    """What the dashboards of one event, actor and object are opened with."""
    ((event, actor, target),) = grafana.rows(
        "SELECT id::text, actor_id, concat_ws(' ', target_type, target_id) FROM audit.events"
        " WHERE action = 'model.updated' AND changes IS NOT NULL AND latitude IS NOT NULL AND session_id IS NOT NULL"
        " AND $__timeFilter(occurred_at) ORDER BY occurred_at DESC LIMIT 1"
    )
    return {"var-event_id": event, "var-actor": actor, "var-object": target}


def _look_at(page: Page, grafana: Grafana, dashboard: Json, parameters: dict[str, str]) -> None:
    """Opens the dashboard as large as it is and waits until it is drawn."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    page.size(WIDTH, rows * ROW + AROUND)
    page.open(f"{grafana.open_url}/d/{dashboard['uid']}?kiosk&{urlencode(parameters)}")
    page.wait(HEIGHT, f"{dashboard['uid']} has panels")
    page.size(WIDTH, page.run(HEIGHT))
    _drawn(page, dashboard)


def _drawn(page: Page, dashboard: Json) -> None:
    """Waits until every panel is drawn with what its query gave."""
    asking = sum(bool(panel.get("targets")) for panel in dashboard["panels"])
    maps = sum(panel["type"] == "geomap" for panel in dashboard["panels"])
    page.wait(READY % (asking, maps), f"{dashboard['uid']} is drawn")


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: str(dashboard["uid"]))
def test_every_panel_is_drawn_with_data(
    page: Page, grafana: Grafana, chosen: dict[str, str], dashboard: Json, theme: str
) -> None:
    only = {"audit-event": ("var-event_id",), "audit-actor": ("var-actor",), "audit-object": ("var-object",)}
    values = {name: chosen[name] for name in only.get(dashboard["uid"], ())}
    _look_at(page, grafana, dashboard, values | {"theme": theme})
    page.shot(GALLERY / f"{dashboard['uid'].removeprefix('audit-')}-{theme}.png")
    assert page.run(COMPLAINTS) == []


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: str(dashboard["uid"]))
def test_where_nothing_happened_every_panel_says_so_in_its_own_words(
    page: Page, grafana: Grafana, dashboard: Json
) -> None:
    _look_at(page, grafana, dashboard, {"from": "now-3y", "to": "now-2y"})
    assert page.run(COMPLAINTS) == []
    title, words = next(
        (panel["title"], panel["fieldConfig"]["defaults"]["noValue"])
        for panel in dashboard["panels"]
        if panel["type"] == "timeseries" or panel["title"] == "In short" or panel["title"] == "Countries"
    )
    assert f"{title}\n{words}" in page.run("document.querySelector('.react-grid-layout').innerText"), title


def test_a_click_leads_from_the_overview_to_an_event_and_back(page: Page, grafana: Grafana) -> None:
    dashboards = {dashboard["uid"]: dashboard for dashboard in DASHBOARDS}
    _look_at(page, grafana, dashboards["audit-overview"], {"var-service": "identity"})
    link = """document.querySelector('.react-grid-item a[href*="/d/audit-event?"]')"""
    event = page.run(f"new URL({link}.href).searchParams.get('var-event_id')")
    page.run("performance.clearResourceTimings()")
    page.run(f"{link}.click()")
    page.wait("location.pathname.startsWith('/d/audit-event')", "the event's dashboard is open")
    _drawn(page, dashboards["audit-event"])
    assert page.run("new URL(location).searchParams.get('var-event_id')") == event
    assert page.run(f"document.body.innerText.includes('{event}')")
    page.run("performance.clearResourceTimings()")
    page.run("history.back()")
    page.wait("location.pathname.startsWith('/d/audit-overview')", "the overview is open again")
    _drawn(page, dashboards["audit-overview"])
    assert page.run("new URL(location).searchParams.getAll('var-service')") == ["identity"]
