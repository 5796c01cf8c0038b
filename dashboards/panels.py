"""Builders of panels: each gives one panel as plain data in the dialect of schema version 37.

Grafana 9.4 reads it as it is, newer versions migrate it up; the reverse is not possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboards import colours
from dashboards.fields import Json, every, fixed_colour, numbers
from dashboards.options import DashboardOptions
from dashboards.queries import query


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel stands on the grid: 24 columns wide, a row is 30 pixels high (and 8 to the next)."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True, slots=True)
class Head:
    """What every panel has. `id` is stable: links and alerts refer to it. `target` is None where a panel asks no data
    source, `nothing` what a table or chart says where its query has no rows (a list of logs can't: Grafana 9.4)."""

    id: int
    title: str
    description: str
    at: Place
    target: Json | None
    nothing: str = "No event in this time range"


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


def stat(
    head: Head,
    *,
    calculation: str = "sum",
    sparkline: bool = False,
    fields: str = "",
    orientation: str = "vertical",
    overrides: Sequence[Json] = (),
) -> Json:
    """Big numbers, one for each numeric column, or for each whose name matches `fields` (`/regular expression/`)."""
    options = {
        "colorMode": "value",
        "graphMode": "area" if sparkline else "none",
        "justifyMode": "auto",
        "orientation": orientation,
        "reduceOptions": {"calcs": [calculation], "fields": fields, "values": False},
        "text": {"titleSize": 14, "valueSize": 30},
        "textMode": "value_and_name",
    }
    defaults = {
        "color": {"fixedColor": "text", "mode": "fixed"},
        "decimals": 0,
        "mappings": [],
        "min": 0,
        "noValue": "0",
        "unit": "locale",
    }
    drawn = panel("stat", head, options, defaults, overrides)
    return drawn | {"interval": "10s", "maxDataPoints": 60}


def stacked_bars(
    head: Head,
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
        "unit": "locale",
    }
    # Not empty: Grafana draws 0 for null where the text is one that JavaScript takes for a number, and "" is.
    drawn = panel("timeseries", head, options, _said(head, defaults), [every(noValue="-"), *overrides])
    return drawn | {"interval": "10s", "maxDataPoints": 100}


def lines(head: Head, unit: str, *, decimals: int | None = None, overrides: Sequence[Json] = ()) -> Json:
    """Measurements over time, one line each, with last and greatest value in the legend."""
    drawn = stacked_bars(head, legend="bottom", overrides=overrides)
    drawn["options"]["legend"] |= {"calcs": ["lastNotNull", "max"], "displayMode": "list", "sortBy": "Max"}
    del drawn["fieldConfig"]["defaults"]["decimals"]
    given = {} if decimals is None else {"decimals": decimals}
    drawn["fieldConfig"]["defaults"] |= {"color": {"mode": "palette-classic"}, "unit": unit} | given
    drawn["fieldConfig"]["defaults"]["custom"] |= _LINE | {"fillOpacity": 15, "spanNulls": True}
    return drawn


def compared_lines(head: Head, present: str, past: str, colour: str) -> Json:
    """Two series over time: the present one filled, the past one as a dashed grey line."""
    drawn = stacked_bars(
        head,
        legend="bottom",
        overrides=[
            fixed_colour(present, colour),
            fixed_colour(
                past, colours.NEUTRAL, custom__lineStyle={"dash": [6, 6], "fill": "dash"}, custom__fillOpacity=0
            ),
        ],
    )
    drawn["fieldConfig"]["defaults"]["custom"] |= _LINE | {"fillOpacity": 25}
    return drawn


# A point where it has no neighbour to draw a line to.
_LINE: Json = {
    "drawStyle": "line",
    "lineWidth": 2,
    "pointSize": 4,
    "showPoints": "auto",
    "stacking": {"group": "A", "mode": "none"},
}


def table(
    head: Head,
    *,
    header: bool = True,
    inspect: bool = False,
    overrides: Sequence[Json] = (),
) -> Json:
    """Rows as they come from the query, in its order. `inspect` opens long values in a window of their own."""
    options = {
        "footer": {"countRows": False, "reducer": ["sum"], "show": False},
        "showHeader": header,
        "sortBy": [],
    }
    defaults = {
        "color": {"fixedColor": "text", "mode": "fixed"},
        "custom": {"align": "auto", "displayMode": "auto", "inspect": inspect, "minWidth": 32},
        "mappings": [],
        "unit": "string",
    }
    return panel("table", head, options, _said(head, defaults), [numbers(), every(noValue=""), *overrides])


def logs(head: Head, *, lines: bool = False) -> Json:
    """Text with its own line breaks, in a monospaced font; `lines`: many records with time, level and details each."""
    options = {
        "dedupStrategy": "none",
        "enableLogDetails": lines,
        "prettifyLogMessage": False,
        "showCommonLabels": False,
        "showLabels": False,
        "showTime": lines,
        "sortOrder": "Descending",
        "wrapLogMessage": True,
    }
    return panel("logs", head, options, {}, ())


def alerts(head: Head) -> Json:
    """The alert rules of ours that fire or are about to, the newest first; needs no query."""
    options = {
        "alertInstanceLabelFilter": '{source="auditgraf"}',
        "alertName": "",
        "dashboardAlerts": False,
        "groupBy": [],
        "groupMode": "default",
        "maxItems": 50,
        "sortOrder": 5,  # by time, the newest first; by importance is no order in 9.4
        "stateFilter": {"error": True, "firing": True, "noData": False, "normal": False, "pending": True},
        "viewMode": "list",
    }
    return panel("alertlist", head, options, {}, ())


def _said(head: Head, defaults: Json) -> Json:
    """With what the panel says instead of "No data". Empty cells have the same setting, so overrides take it back."""
    return defaults | {"noValue": head.nothing}


def panel(kind: str, head: Head, options: Json, defaults: Json, overrides: Sequence[Json]) -> Json:
    """A panel of any kind: `defaults` hold for every field, `overrides` for some, the last one wins."""
    asked = {"datasource": head.target["datasource"], "targets": [head.target]} if head.target else {}
    return asked | {
        "description": head.description,
        "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
        "gridPos": {"h": head.at.h, "w": head.at.w, "x": head.at.x, "y": head.at.y},
        "id": head.id,
        "options": options,
        "title": head.title,
        "type": kind,
    }
