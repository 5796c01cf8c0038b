"""The world map with pinpoints, drawn without internet unless the options say otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import colours, frame
from dashboards.fields import Json, hidden, link, numbers, override, slot_dot
from dashboards.options import DashboardOptions
from dashboards.panels import Head, panel

# Places coloured by the share of failures: the slots that sql/places.sql gives, with text and colour.
SHARES = {
    -2: ("none failed", colours.OUTCOMES["success"]),
    -3: ("some failed", "#c98500"),
    -4: ("half or more failed", colours.OUTCOMES["failure"]),
}


def colour_choice() -> Json:
    """The variable that `sql/places.sql` reads: what the colour of a pinpoint says."""
    return frame.one_of("colour", "Colour places by", "What the colour of a place says", ("type", "outcome"))


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
    map_options = _map_options(options, layer, zoom)
    defaults = {"color": {"mode": "thresholds"}, "mappings": [], "unit": "string"}
    slot = override("slot", mappings=_slot_mappings(options))
    return panel("geomap", head, map_options, defaults, [numbers(), slot, *overrides])


def heat(head: Head, options: DashboardOptions, *, zoom: float) -> Json:
    """A world map that glows where many events are, by the column size; columns as those of `pinpoints`.

    A panel of its own: Grafana draws it by WebGL, and where the viewer has none the whole panel stays blank.
    """
    layer = {
        "config": {"blur": 34, "radius": 20, "weight": {"field": "size", "fixed": 1, "max": 1, "min": 0.05}},
        "location": {"latitude": "latitude", "longitude": "longitude", "mode": "coords"},
        "name": "Heat",
        "opacity": 0.7,
        "tooltip": False,
        "type": "heatmap",
    }
    defaults = {"color": {"mode": "thresholds"}, "mappings": [], "unit": "string"}
    return panel("geomap", head, _map_options(options, layer, zoom), defaults, [numbers()])


def _map_options(options: DashboardOptions, layer: Json, zoom: float) -> Json:
    return {
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


def place_columns() -> list[Json]:
    """What the tooltip shows of `sql/places.sql`, with the link to a place's events."""
    return [
        *hidden("latitude", "longitude", "size", "slot", "country_code", "city_name"),
        override("Last event", unit="dateTimeFromNow"),
        override("Place", links=only_this_place()),
    ]


def place_dot(options: DashboardOptions) -> Json:
    """The column `slot` of a table of places: the dot that the place has on the map."""
    dot = slot_dot(options)
    return dot | {"properties": [*dot["properties"], {"id": "mappings", "value": _slot_mappings(options)}]}


def _slot_mappings(options: DashboardOptions) -> list[Json]:
    shares = {str(slot): ("⬤", colour) for slot, (_, colour) in SHARES.items()}
    return [*colours.slot_mappings(options), *colours.value_mappings(shares)]


def only_this_place() -> list[Json]:
    """To the events of one place; needs columns country_code and city_name."""
    url = frame.events_url(keep=frame.FILTERS, country="country_code", q="city_name")
    return link("Events from here", url)


def _basemap(options: DashboardOptions) -> Json:
    if options.basemap == "default":
        return {"config": {}, "name": "Background", "type": "default"}
    if options.basemap != "offline":
        return {"config": {"attribution": "", "url": options.basemap}, "name": "Background", "type": "xyz"}
    # Part of every Grafana; tiles would come from the internet, fetched by the viewer's browser.
    style = {"color": {"fixed": "#808080"}, "lineWidth": 1, "opacity": 0.3}
    config = {"rules": [], "src": "public/maps/countries.geojson", "style": style}
    return {"config": config, "name": "Countries", "type": "geojson"}
