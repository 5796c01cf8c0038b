"""Map: where the events of the whole time range came from."""

from __future__ import annotations

from dashboards import colours, frame
from dashboards.options import DashboardOptions
from dashboards.panels import (
    Json,
    Place,
    bar_column,
    hidden,
    link,
    override,
    pinpoints,
    slot_dot,
    table,
    target,
)


def world_map(options: DashboardOptions) -> Json:
    """The dashboard `audit-map`."""
    return frame.dashboard(
        frame.MAP,
        "Audit map",
        "Where the events of the whole time range came from: every place, counted.",
        options,
        frame.filters(options),
        [_map(options), _countries(options), _places(options)],
    )


def _from_here(options: str = "Events from here") -> list[Json]:
    return link(options, frame.overview_url(country="country_code", q="city_name"))


def _map(options: DashboardOptions) -> Json:
    return pinpoints(
        1,
        "Places",
        "Every place of the time range: size by number of events, colour by the most frequent type. Click a point for "
        "its numbers and a link to its events.",
        Place(0, 0, 16, 22),
        [target("places", options)],
        options,
        zoom=1.6,
        size_column="size",
        overrides=[
            *hidden("latitude", "longitude", "size", "slot", "country_code", "city_name"),
            override("Last event", unit="dateTimeFromNow"),
            override("Place", links=_from_here()),
        ],
    )


def _countries(options: DashboardOptions) -> Json:
    return table(
        2,
        "Countries",
        "Events by country (ISO 3166 code), those without one included. Click a country for its events.",
        Place(16, 0, 8, 10),
        [target("countries", options)],
        overrides=[
            override("Country", links=link("Events from here", frame.overview_url(country="Country"))),
            bar_column("Events", colours.PALETTE[0], 150),
            override("Failures", custom__width=75),
            override("Actors", custom__width=65),
            override("Addresses", custom__width=85),
        ],
    )


def _places(options: DashboardOptions) -> Json:
    return table(
        3,
        "Places by events",
        "The places of the map with their most frequent type. Click a place for its events.",
        Place(16, 10, 8, 12),
        [target("places", options)],
        overrides=[
            *hidden("latitude", "longitude", "size", "country_code", "city_name", "Actors", "Last event"),
            override("Place", links=_from_here()),
            slot_dot(options),
            override("Most frequent", custom__width=145),
            override("Events", custom__width=65),
            override("Failures", custom__width=70),
        ],
    )
