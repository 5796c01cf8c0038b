"""The world map with pinpoints, drawn without internet unless the options say otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import colours, frame
from dashboards.fields import Json, hidden, numbers, override
from dashboards.options import DashboardOptions
from dashboards.panels import Head, panel


def pinpoints(
    head: Head,
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
    defaults = {"color": {"mode": "thresholds"}, "mappings": [], "unit": "string"}
    slot = override("slot", mappings=colours.slot_mappings(options))
    return panel("geomap", head, map_options, defaults, [numbers(), slot, *overrides])


def place_columns() -> list[Json]:
    """What the tooltip shows of `sql/places.sql`, with the link to a place's events."""
    return [
        *hidden("latitude", "longitude", "size", "slot", "country_code", "city_name"),
        override("Last event", unit="dateTimeFromNow"),
        override("Place", links=frame.only_this_place()),
    ]


def _basemap(options: DashboardOptions) -> Json:
    if options.basemap == "default":
        return {"config": {}, "name": "Background", "type": "default"}
    if options.basemap != "offline":
        return {"config": {"attribution": "", "url": options.basemap}, "name": "Background", "type": "xyz"}
    # Part of every Grafana; tiles would come from the internet, fetched by the viewer's browser.
    style = {"color": {"fixed": "#808080"}, "lineWidth": 1, "opacity": 0.3}
    config = {"rules": [], "src": "public/maps/countries.geojson", "style": style}
    return {"config": config, "name": "Countries", "type": "geojson"}
