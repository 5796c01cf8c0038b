"""The dashboards as files: complete, consistent, up to date, and in colours that everybody can tell apart."""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import replace
from typing import Any

import pytest

from dashboards import colours
from dashboards.build import JSON_FOLDER, DashboardOptions, build, importable
from dashboards.queries import SQL_FOLDER, query

Json = dict[str, Any]
DEFAULTS = DashboardOptions()
DASHBOARDS: list[Json] = [json.loads(content) for content in build().values()]


def test_committed_json_is_what_the_code_builds() -> None:
    committed = {path.name: path.read_bytes() for path in JSON_FOLDER.glob("*.json")}
    assert committed == importable(), "run: python -m dashboards.build"


def test_committed_json_asks_for_the_data_source_and_is_the_rendered_one_beside_that() -> None:
    for name, content in importable().items():
        dashboard = json.loads(content)
        (asked,) = dashboard.pop("__inputs")
        assert (asked["type"], asked["pluginId"], asked["name"]) == ("datasource", "postgres", "DS_AUDIT")
        rendered = build()[name].decode()
        assert json.dumps(dashboard).replace("${DS_AUDIT}", "auditgraf") == json.dumps(json.loads(rendered))


def test_the_same_options_give_the_same_bytes() -> None:
    options = DashboardOptions(colours=(("b", "#111111"), ("a", "#222222")))
    assert build(options) == build(replace(options))


def test_uids_and_titles_are_unique() -> None:
    for key in ("uid", "title"):
        values = [dashboard[key] for dashboard in DASHBOARDS]
        assert len(set(values)) == len(values)


def test_every_sql_file_is_used_and_says_what_it_gives() -> None:
    built = b"".join(build().values())
    for path in SQL_FOLDER.glob("*.sql"):
        assert path.read_text(encoding="utf-8").startswith("-- ")
        assert json.dumps(query(path.stem, DEFAULTS), ensure_ascii=False).encode() in built, path.name


def test_the_data_source_of_the_options_is_everywhere() -> None:
    for content in build(DashboardOptions(datasource_uid="elsewhere")).values():
        assert b'"auditgraf"' not in content
        assert b'"elsewhere"' in content


@pytest.mark.parametrize(
    ("basemap", "kind", "setting"),
    [
        ("offline", "geojson", ("src", "public/maps/countries.geojson")),
        ("default", "default", None),
        ("https://tiles.example/{z}/{x}/{y}.png", "xyz", ("url", "https://tiles.example/{z}/{x}/{y}.png")),
    ],
)
def test_the_map_has_the_background_of_the_options(basemap: str, kind: str, setting: tuple[str, str] | None) -> None:
    built = build(DashboardOptions(basemap=basemap))
    assert b'"type": "geomap"' in built["audit-map.json"]
    for content in built.values():
        maps = [panel["options"]["basemap"] for panel in json.loads(content)["panels"] if panel["type"] == "geomap"]
        for background in maps:
            assert background["type"] == kind
            assert setting is None or background["config"][setting[0]] == setting[1]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"datasource_uid": "a b"}, "datasource_uid: 'a b'"),
        ({"basemap": "ftp://x"}, "basemap: 'ftp://x'"),
        ({"refresh": "often"}, "refresh: 'often'"),
        ({"colours": (("user.login", "red"),)}, "colours: user.login: 'red'"),
        ({"trace_url": "https://tempo.example/"}, "links.trace: 'https://tempo.example/'"),
        ({"trace_url": "javascript:alert('{trace_id}')"}, "links.trace: "),
        ({"trace_url": "https://tempo.example/${x}/{trace_id}"}, "links.trace: "),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_by_name(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=re.escape(named)):
        DashboardOptions(**values)


def test_without_a_place_for_traces_there_is_no_link_to_one() -> None:
    trace = _event_head(DEFAULTS)
    assert trace["hidden"]
    assert not trace["links"]


def test_the_link_to_a_trace_is_the_one_of_the_options_and_opens_beside_grafana() -> None:
    trace = _event_head(DashboardOptions(trace_url="https://jaeger.example/trace/{trace_id}?x=1"))
    assert not trace["hidden"]
    assert trace["links"] == [
        {
            "targetBlank": True,
            "title": "Open the trace",
            "url": "https://jaeger.example/trace/${__data.fields.trace_id:percentencode}?x=1",
        }
    ]


def _event_head(options: DashboardOptions) -> Json:
    """What is set for the column Trace of the event's head."""
    (panel,) = [
        panel for panel in json.loads(build(options)["audit-event.json"])["panels"] if panel["title"] == "In short"
    ]
    properties = [
        item
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"]["options"] == "Trace"
        for item in override["properties"]
    ]
    return {
        "hidden": any(item["id"] == "custom.hidden" and item["value"] for item in properties),
        "links": [link for item in properties if item["id"] == "links" for link in item["value"]],
    }


def test_the_refresh_of_the_options_is_that_of_every_dashboard_but_the_live_one() -> None:
    for name, content in build(DashboardOptions(refresh="5m")).items():
        assert name == "audit-live.json" or json.loads(content)["refresh"] == "5m"


def test_a_chosen_colour_has_a_slot_of_its_own() -> None:
    options = DashboardOptions(colours=(("it's $q [[q]] {{q}}", "#123456"), ("other.thing", "#ABCDEF")))
    slots = json.loads(colours.pinned(options))
    palette = colours.palette(options)
    assert palette[slots["it's $q [[q]] {{q}}"]] == "#123456"
    assert palette[slots["other.thing"]] == "#abcdef"
    assert not set("'$[") & set(colours.pinned(options))
    assert "{{" not in colours.pinned(options)


def test_usual_actions_never_share_a_colour() -> None:
    slots = [slot for action, slot in colours.PINNED.items() if action != "(none)"]
    assert len(set(slots)) == len(slots)
    assert set(slots) <= set(range(len(colours.PALETTE)))


# Panel backgrounds of Grafana's dark and light theme.
@pytest.mark.parametrize("background", ["#181b1f", "#ffffff"])
@pytest.mark.parametrize("colour", [*colours.PALETTE, *colours.OUTCOMES.values(), *colours.CHANGES.values()])
def test_every_colour_stands_out_from_both_backgrounds(colour: str, background: str) -> None:
    lighter, darker = sorted((_luminance(colour), _luminance(background)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 3


@pytest.mark.parametrize("sight", ["normal", "protanopia", "deuteranopia"])
def test_any_two_colours_can_be_told_apart(sight: str) -> None:
    seen = [_oklab(colour, sight) for colour in colours.PALETTE]
    for number, limit in ((12, 0.07), (len(seen), 0.04)):
        assert min(math.dist(*pair) for pair in itertools.combinations(seen[:number], 2)) >= limit
    success, failure, unknown = (_oklab(colours.OUTCOMES[key], sight) for key in ("success", "failure", "unknown"))
    assert min(math.dist(success, failure), math.dist(failure, unknown)) >= 0.1


# How eyes without red or green cones see linear RGB: Machado, Oliveira, Fernandes 2009, severity 1.0.
_SIGHT = {
    "normal": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}
# https://bottosson.github.io/posts/oklab/
_TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def _linear(colour: str) -> list[float]:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def _luminance(colour: str) -> float:
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), _linear(colour), strict=True))


def _times(matrix: tuple[tuple[float, ...], ...], vector: list[float]) -> list[float]:
    return [sum(weight * part for weight, part in zip(row, vector, strict=True)) for row in matrix]


def _oklab(colour: str, sight: str) -> list[float]:
    seen = [min(1.0, max(0.0, part)) for part in _times(_SIGHT[sight], _linear(colour))]
    return _times(_TO_LAB, [max(0.0, cone) ** (1 / 3) for cone in _times(_TO_CONES, seen)])
