"""The dashboards in the eyes of the schemas that Grafana publishes, by way of the models generated from them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from dashboards.build import build
from tests.grafana_official import complaints

Json = dict[str, Any]
DASHBOARDS: dict[str, Json] = {name.removesuffix(".json"): json.loads(content) for name, content in build().items()}


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_no_key_and_no_value_is_unknown_to_grafana(uid: str) -> None:
    assert complaints(DASHBOARDS[uid]) == []


def first(dashboard: Json, kind: str) -> Json:
    """The first panel of a kind."""
    return next(panel for panel in dashboard["panels"] if panel["type"] == kind)


def misspelled(part: Json, key: str) -> None:
    part[key + "s"] = part.pop(key)


MISTAKES: dict[str, Callable[[Json], Any]] = {
    "a key of the dashboard": lambda board: misspelled(board, "graphTooltip"),
    "a key of a link": lambda board: misspelled(board["links"][0], "includeVars"),
    "a key of a variable": lambda board: misspelled(board["templating"]["list"][0], "includeAll"),
    "a key of a panel": lambda board: misspelled(board["panels"][0], "gridPos"),
    "an option of a table": lambda board: misspelled(first(board, "table")["options"], "showHeader"),
    "an option of a legend": lambda board: misspelled(first(board, "timeseries")["options"]["legend"], "placement"),
    "an option of a stat": lambda board: misspelled(first(board, "stat")["options"]["reduceOptions"], "calcs"),
    "an option of a map": lambda board: misspelled(first(board, "geomap")["options"]["view"], "zoom"),
    "a default of fields": lambda board: misspelled(first(board, "table")["fieldConfig"]["defaults"], "noValue"),
    "a custom default": lambda board: misspelled(
        first(board, "timeseries")["fieldConfig"]["defaults"]["custom"], "drawStyle"
    ),
    "a word of a legend": lambda board: first(board, "timeseries")["options"]["legend"].update(placement="left"),
    "a word of a chart": lambda board: first(board, "timeseries")["fieldConfig"]["defaults"]["custom"].update(
        drawStyle="pillars"
    ),
    "a text for a number": lambda board: first(board, "stat")["fieldConfig"]["defaults"].update(decimals="0"),
    "a text for a list": lambda board: first(board, "stat")["options"]["reduceOptions"].update(calcs="sum"),
    "the name of an override's property": lambda board: _override(board, "unit").update(id="units"),
    "a custom name of an override's property": lambda board: _override(board, "custom.width").update(id="custom.wide"),
    "the value of an override": lambda board: _override(board, "custom.width").update(value="wide"),
    "a key in the value of an override": lambda board: misspelled(_override(board, "color")["value"], "fixedColor"),
    "a key of a value mapping": lambda board: misspelled(_override(board, "mappings")["value"][0], "options"),
}


def _override(dashboard: Json, name: str) -> Json:
    """The first property of this name in an override."""
    return next(
        item
        for panel in dashboard["panels"]
        for override in panel["fieldConfig"]["overrides"]
        for item in override["properties"]
        if item["id"] == name
    )


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: str) -> None:
    dashboard = copy.deepcopy(DASHBOARDS["audit-overview"])
    MISTAKES[mistake](dashboard)
    assert complaints(dashboard)
