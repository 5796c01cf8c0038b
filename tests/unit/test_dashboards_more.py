"""Live, security, health, map and overview as data: what they ask for at most, and colours that nobody confuses."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import pytest

from dashboards import colours
from dashboards.build import DashboardOptions, build
from dashboards.pinpoints import SHARES

Json = dict[str, Any]
DASHBOARDS: dict[str, Json] = {name.removesuffix(".json"): json.loads(content) for name, content in build().items()}
OURS = ("audit-overview", "audit-map", "audit-security", "audit-health", "audit-live")
PANELS = [(uid, panel) for uid in OURS for panel in DASHBOARDS[uid]["panels"] if panel["type"] != "alertlist"]


def panel_of(uid: str, title: str) -> Json:
    (panel,) = [panel for panel in DASHBOARDS[uid]["panels"] if panel["title"] == title]
    return dict(panel)


def test_live_asks_every_five_seconds_for_a_quarter_of_an_hour() -> None:
    live = DASHBOARDS["audit-live"]
    assert live["refresh"] == "5s"
    assert live["time"] == {"from": "now-15m", "to": "now"}


def test_the_refresh_of_the_options_leaves_live_as_it_is() -> None:
    slow = {name: json.loads(content) for name, content in build(DashboardOptions(refresh="5m")).items()}
    assert slow["audit-live.json"]["refresh"] == "5s"
    assert slow["audit-security.json"]["refresh"] == "5m"


@pytest.mark.parametrize(("uid", "panel"), PANELS, ids=lambda item: item["title"] if isinstance(item, dict) else item)
def test_no_list_is_without_an_end(uid: str, panel: Json) -> None:
    sql = panel["targets"][0]["rawSql"]
    one_row_each = panel["title"] in {"Weekdays and hours (UTC)", "Retention classes"}
    if panel["type"] in {"table", "geomap", "logs"} and not one_row_each:
        assert "LIMIT " in sql


def test_pinpoints_are_drawn_where_there_is_no_webgl() -> None:
    """A heat layer needs it, and takes its whole panel down: it stands alone."""
    for uid, panel in PANELS:
        if panel["type"] == "geomap":
            assert len(panel["options"]["layers"]) == 1, (uid, panel["title"])
    assert panel_of("audit-map", "Places")["options"]["layers"][0]["type"] == "markers"
    assert panel_of("audit-map", "Where it is dense")["options"]["layers"][0]["type"] == "heatmap"


def test_every_colour_of_a_place_is_mapped_on_the_map_and_in_the_table_beside_it() -> None:
    for title in ("Places", "Places by events"):
        overrides = panel_of("audit-map", title)["fieldConfig"]["overrides"]
        slot = [item for item in overrides if item["matcher"]["options"] == "slot"]
        mapped = [item["value"] for override in slot for item in override["properties"] if item["id"] == "mappings"]
        known = {value: text["color"] for mapping in mapped[-1] for value, text in mapping["options"].items()}
        assert known == {
            **{str(slot): colour for slot, colour in colours.palette(DashboardOptions()).items()},
            **{str(slot): colour for slot, (_, colour) in SHARES.items()},
        }


def test_the_overview_lists_our_alerts_and_nobody_elses() -> None:
    options = panel_of("audit-overview", "Alerts")["options"]
    assert options["alertInstanceLabelFilter"] == '{source="auditgraf"}'
    assert [state for state, shown in options["stateFilter"].items() if shown] == ["error", "firing", "pending"]


def test_a_tenant_sees_no_alerts_and_no_gap_in_their_place() -> None:
    """Grafana shows alerts to whoever may see their folder, not to whoever may read a data source."""
    (content,) = [content for name, content in build(DashboardOptions(tenant="acme")).items() if "overview" in name]
    panels = json.loads(content)["panels"]
    assert "alertlist" not in {panel["type"] for panel in panels}
    row = [panel["gridPos"] for panel in panels if panel["gridPos"]["y"] == 13]
    assert sum(place["w"] for place in row) == 24


def test_slots_of_shares_are_no_slots_of_actions() -> None:
    assert not set(SHARES) & set(colours.palette(DashboardOptions()))


# Panel backgrounds of Grafana's dark and light theme.
@pytest.mark.parametrize("background", ["#181b1f", "#ffffff"])
@pytest.mark.parametrize("colour", [colour for _, colour in SHARES.values()])
def test_shares_of_failures_stand_out_from_both_backgrounds(colour: str, background: str) -> None:
    lighter, darker = sorted((_xyz(_linear(colour))[1], _xyz(_linear(background))[1]), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 3


@pytest.mark.parametrize("sight", ["normal", "protanopia", "deuteranopia"])
def test_shares_of_failures_are_told_apart_with_any_sight(sight: str) -> None:
    seen = [_lab(colour, sight) for _, colour in SHARES.values()]
    assert min(math.dist(*pair) for pair in itertools.combinations(seen, 2)) >= 12


@pytest.mark.parametrize("sight", ["normal", "protanopia", "deuteranopia"])
def test_pinned_actions_are_told_apart_with_any_sight(sight: str) -> None:
    """By the distance of CIE 1976 (L*a*b*), of which 2.3 is just noticeable."""
    slots = sorted(slot for slot in colours.PINNED.values() if slot >= 0)
    seen = [_lab(colours.PALETTE[slot], sight) for slot in slots]
    for number, limit in ((12, 8.0), (len(seen), 5.0)):
        assert min(math.dist(*pair) for pair in itertools.combinations(seen[:number], 2)) >= limit


# How eyes without red or green cones see linear RGB: Viénot, Brettel, Mollon 1999, at full severity.
_SIGHT = {
    "normal": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0)),
    "deuteranopia": ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0)),
}
# Linear sRGB to CIE XYZ, IEC 61966-2-1, and the white of D65.
_TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
_WHITE = (0.9505, 1.0, 1.089)


def _linear(colour: str) -> list[float]:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def _times(matrix: tuple[tuple[float, ...], ...], vector: list[float]) -> list[float]:
    return [sum(weight * part for weight, part in zip(row, vector, strict=True)) for row in matrix]


def _xyz(linear: list[float]) -> list[float]:
    return _times(_TO_XYZ, linear)


def _lab(colour: str, sight: str) -> tuple[float, float, float]:
    seen = [min(1.0, max(0.0, part)) for part in _times(_SIGHT[sight], _linear(colour))]
    x, y, z = (
        share ** (1 / 3) if share > (6 / 29) ** 3 else share / (3 * (6 / 29) ** 2) + 4 / 29
        for share in (part / white for part, white in zip(_xyz(seen), _WHITE, strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)
