"""Map: where the events of the whole time range came from."""

from __future__ import annotations

from dashboards import colours, frame
from dashboards.fields import Json, bar_column, hidden, link, override, slot_dot
from dashboards.options import DashboardOptions
from dashboards.panels import Head, Place, table, target
from dashboards.pinpoints import pinpoints, place_columns


def world_map(options: DashboardOptions) -> Json:
    """The dashboard `audit-map`."""
    return frame.dashboard(
        frame.MAP,
        "Audit map",
        "Where the events of the whole time range came from: every place, counted.",
        options,
        variables=frame.filters(options),
        panels=[_map(options), _countries(options), _places(options)],
    )


def _map(options: DashboardOptions) -> Json:
    head = Head(
        1,
        "Places",
        "Every place of the time range: size by number of events, colour by the most frequent type. Click a point for "
        "its numbers and a link to its events.",
        Place(0, 0, 16, 22),
        target("places", options),
    )
    return pinpoints(head, options, zoom=1.6, size_column="size", overrides=place_columns())


def _countries(options: DashboardOptions) -> Json:
    head = Head(
        2,
        "Countries",
        "Events by country (ISO 3166 code), those without one included. Click a country for its events.",
        Place(16, 0, 8, 10),
        target("countries", options),
    )
    overrides = [
        override("Country", links=link("Events from here", frame.overview_url(country="Country"))),
        bar_column("Events", colours.PALETTE[0]),
        override("Failures", custom__width=80),
        override("Actors", custom__width=70),
        override("Addresses", custom__width=95),
    ]
    return table(head, overrides=overrides)


def _places(options: DashboardOptions) -> Json:
    head = Head(
        3,
        "Places by events",
        "The places of the map with their most frequent type, whose colour they have there. Click a place for its "
        "events.",
        Place(16, 10, 8, 12),
        target("places", options),
    )
    overrides = [
        *hidden("latitude", "longitude", "size", "country_code", "city_name", "Actors", "Last event"),
        override("Place", links=frame.only_this_place()),
        slot_dot(options),
        override("Most frequent", custom__width=160),
        override("Events", custom__width=70),
        override("Failures", custom__width=80),
    ]
    return table(head, overrides=overrides)
