"""Builders of panels: each gives one panel as plain data in the dialect of schema version 37.

Grafana 9.4 reads it as it is, newer versions migrate it up; the reverse is not possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboards import colours
from dashboards.options import DashboardOptions
from dashboards.queries import query

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel stands on the grid: 24 columns wide, a row is 30 pixels high (and 8 to the next)."""

    x: int
    y: int
    w: int
    h: int


def datasource(options: DashboardOptions) -> Json:
    """The reference to the PostgreSQL data source; newer Grafana knows `postgres` as an alias."""
    return {"type": "postgres", "uid": options.datasource_uid}


def target(sql: str, options: DashboardOptions, *, series: bool = False) -> Json:
    """The query of `sql/<sql>.sql`, as a time series or as a table."""
    return {
        "datasource": datasource(options),
        "editorMode": "code",
        "format": "time_series" if series else "table",
        "rawQuery": True,
        "rawSql": query(sql, options),
        "refId": "A",
    }


def override(column: str, **properties: Any) -> Json:
    """What differs for one column or series, by name. `__` in a property stands for its dot."""
    return _override({"id": "byName", "options": column}, properties)


def _override(matcher: Json, properties: Json) -> Json:
    values = [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()]
    return {"matcher": matcher, "properties": values}


def hidden(*columns: str) -> list[Json]:
    """Columns that only links and colours use. 9.4 reads `hidden`, newer versions `hideFrom`; tooltips read the last."""
    everywhere = {"legend": True, "tooltip": True, "viz": True}
    return [override(column, custom__hidden=True, custom__hideFrom=everywhere) for column in columns]


def fixed_colour(column: str, colour: str, **properties: Any) -> Json:
    """A column or series in one colour."""
    return override(column, color={"fixedColor": colour, "mode": "fixed"}, **properties)


def slot_series(options: DashboardOptions) -> list[Json]:
    """Colours series by their label `slot`, then names them by their label `action`.

    The order matters: the matcher sees the name with all labels only as long as no other name was given.
    """
    coloured = [
        _override(
            {"id": "byRegexp", "options": f'/[{{ ]slot="{slot}"[,}}]/'},
            {"color": {"fixedColor": colour, "mode": "fixed"}},
        )
        for slot, colour in colours.palette(options).items()
    ]
    return [
        *coloured,
        _override({"id": "byType", "options": "number"}, {"displayName": "${__field.labels.action}"}),
    ]


def slot_dot(options: DashboardOptions, column: str = "slot") -> Json:
    """A narrow column with a dot in the action's colour."""
    return override(
        column,
        displayName=" ",
        mappings=colours.slot_mappings(options),
        custom__displayMode="color-text",
        custom__width=28,
        custom__align="center",
        custom__filterable=False,
    )


def outcome_text(column: str = "Outcome", width: int = 100) -> Json:
    """An outcome column: mark, word and colour."""
    return override(
        column,
        mappings=colours.outcome_mappings(),
        custom__displayMode="color-text",
        custom__width=width,
    )


def bar_column(column: str, colour: str, width: int) -> Json:
    """A number column with a bar behind it, from 0 to the column's greatest."""
    return override(
        column,
        min=0,
        color={"fixedColor": colour, "mode": "fixed"},
        custom__displayMode="gradient-gauge",
        custom__width=width,
    )


def link(title: str, url: str) -> list[Json]:
    """The links of a field: one, opened in the same tab."""
    return [{"targetBlank": False, "title": title, "url": url}]


def stat(
    panel_id: int,
    title: str,
    description: str,
    at: Place,
    targets: Sequence[Json],
    *,
    calculation: str = "sum",
    sparkline: bool = False,
    overrides: Sequence[Json] = (),
) -> Json:
    """Big numbers, one for each numeric column."""
    options = {
        "colorMode": "value",
        "graphMode": "area" if sparkline else "none",
        "justifyMode": "auto",
        "orientation": "vertical",
        "reduceOptions": {"calcs": [calculation], "fields": "", "values": False},
        "text": {"titleSize": 14, "valueSize": 30},
        "textMode": "value_and_name",
    }
    defaults = {
        "color": {"fixedColor": "text", "mode": "fixed"},
        "decimals": 0,
        "mappings": [],
        "min": 0,
        "noValue": "0",
        "unit": "short",
    }
    return _panel("stat", panel_id, title, description, at, targets, options, defaults, overrides)


def stacked_bars(
    panel_id: int,
    title: str,
    description: str,
    at: Place,
    targets: Sequence[Json],
    *,
    legend: str = "right",
    overrides: Sequence[Json] = (),
) -> Json:
    """Counts over time as stacked bars, with the sums in the legend."""
    options = {
        "legend": {
            "calcs": ["sum"],
            "displayMode": "table" if legend == "right" else "list",
            "placement": legend,
            "showLegend": True,
            "sortBy": "Total",
            "sortDesc": True,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    custom = {
        "axisColorMode": "text",
        "axisLabel": "",
        "axisPlacement": "auto",
        "axisSoftMin": 0,
        "barAlignment": 0,
        "drawStyle": "bars",
        "fillOpacity": 85,
        "gradientMode": "none",
        "hideFrom": {"legend": False, "tooltip": False, "viz": False},
        "lineInterpolation": "linear",
        "lineWidth": 0,
        "pointSize": 5,
        "scaleDistribution": {"type": "linear"},
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal"},
        "thresholdsStyle": {"mode": "off"},
    }
    defaults = {
        "color": {"fixedColor": colours.NEUTRAL, "mode": "fixed"},
        "custom": custom,
        "decimals": 0,
        "mappings": [],
        "min": 0,
        "unit": "short",
    }
    panel = _panel("timeseries", panel_id, title, description, at, targets, options, defaults, overrides)
    return panel | {"interval": "10s", "maxDataPoints": 100}


def table(
    panel_id: int,
    title: str,
    description: str,
    at: Place,
    targets: Sequence[Json],
    *,
    header: bool = True,
    inspect: bool = False,
    overrides: Sequence[Json] = (),
) -> Json:
    """Rows as they come from the query, in its order. `inspect` opens long values in a window of their own."""
    options = {
        "footer": {"countRows": False, "fields": "", "reducer": ["sum"], "show": False},
        "showHeader": header,
        "sortBy": [],
    }
    defaults = {
        "color": {"fixedColor": "text", "mode": "fixed"},
        "custom": {"align": "auto", "displayMode": "auto", "inspect": inspect, "minWidth": 60},
        "mappings": [],
        "unit": "none",
    }
    return _panel("table", panel_id, title, description, at, targets, options, defaults, overrides)


def logs(panel_id: int, title: str, description: str, at: Place, targets: Sequence[Json]) -> Json:
    """Text with its own line breaks, in a monospaced font."""
    options = {
        "dedupStrategy": "none",
        "enableLogDetails": False,
        "prettifyLogMessage": False,
        "showCommonLabels": False,
        "showLabels": False,
        "showTime": False,
        "sortOrder": "Descending",
        "wrapLogMessage": True,
    }
    return _panel("logs", panel_id, title, description, at, targets, options, {}, ())


def pinpoints(
    panel_id: int,
    title: str,
    description: str,
    at: Place,
    targets: Sequence[Json],
    options: DashboardOptions,
    *,
    zoom: float,
    size_column: str | None = None,
    overrides: Sequence[Json] = (),
) -> Json:
    """A world map with a pinpoint for each row: columns latitude, longitude (degrees) and slot (colour).

    The view is fixed: one that fits the data leaves the whole panel blank where there is none.
    """
    size: Json = {"fixed": 7, "max": 18, "min": 5}
    if size_column:
        size["field"] = size_column
    style = {
        "color": {"field": "slot", "fixed": colours.NEUTRAL},
        "opacity": 0.75,
        "rotation": {"fixed": 0, "max": 360, "min": -360, "mode": "mod"},
        "size": size,
        "symbol": {"fixed": "img/icons/marker/circle.svg", "mode": "fixed"},
        "textConfig": {
            "fontSize": 12,
            "offsetX": 0,
            "offsetY": 0,
            "textAlign": "center",
            "textBaseline": "middle",
        },
    }
    layer = {
        "config": {"showLegend": False, "style": style},
        "location": {"latitude": "latitude", "longitude": "longitude", "mode": "coords"},
        "name": "Events",
        "tooltip": True,
        "type": "markers",
    }
    map_options = {
        "basemap": _basemap(options),
        "controls": {
            "mouseWheelZoom": True,
            "showAttribution": True,
            "showDebug": False,
            "showMeasure": False,
            "showScale": False,
            "showZoom": True,
        },
        "layers": [layer],
        "tooltip": {"mode": "details"},
        "view": {"allLayers": True, "id": "coords", "lat": 20, "lon": 0, "zoom": zoom},
    }
    defaults = {"color": {"mode": "thresholds"}, "mappings": [], "unit": "none"}
    slot = override("slot", mappings=colours.slot_mappings(options))
    return _panel(
        "geomap", panel_id, title, description, at, targets, map_options, defaults, [slot, *overrides]
    )


def _basemap(options: DashboardOptions) -> Json:
    if options.basemap == "default":
        return {"config": {}, "name": "Background", "type": "default"}
    if options.basemap != "offline":
        return {"config": {"attribution": "", "url": options.basemap}, "name": "Background", "type": "xyz"}
    # Part of every Grafana; tiles would come from the internet, fetched by the viewer's browser.
    style = {"color": {"fixed": "#808080"}, "lineWidth": 1, "opacity": 0.3}
    config = {"rules": [], "src": "public/maps/countries.geojson", "style": style}
    return {"config": config, "name": "Countries", "type": "geojson"}


def _panel(
    kind: str,
    panel_id: int,
    title: str,
    description: str,
    at: Place,
    targets: Sequence[Json],
    options: Json,
    defaults: Json,
    overrides: Sequence[Json],
) -> Json:
    return {
        "datasource": targets[0]["datasource"],
        "description": description,
        "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
        "gridPos": {"h": at.h, "w": at.w, "x": at.x, "y": at.y},
        "id": panel_id,
        "options": options,
        "targets": list(targets),
        "title": title,
        "type": kind,
    }
