"""Map: where the events of the whole time range came from."""

from __future__ import annotations

from dashboards import colours, frame
from dashboards.fields import Json, bar_column, hidden, link, override
from dashboards.options import DashboardOptions
from dashboards.panels import Head, Place, table, target
from dashboards.pinpoints import colour_choice, heat, only_this_place, pinpoints, place_columns, place_dot


def world_map(options: DashboardOptions) -> Json:
    """The dashboard `audit-map`."""
    return frame.dashboard(
        frame.MAP,
        "Audit map",
        "Where the events of the whole time range came from: every place, counted.",
        options,
        variables=[*frame.filters(options), colour_choice()],
        panels=[_map(options), _countries(options), _places(options), _heat(options)],
    )


def _map(options: DashboardOptions) -> Json:
    head = Head(
        1,
        "Places",
        "Every place of the time range: size by number of events, colour by the most frequent type or by the share of "
        "failures (choose above). Click a point for its numbers and a link to its events.",
        Place(0, 0, 16, 20),
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
        override("Country", links=link("Events from here", frame.events_url(keep=frame.FILTERS, country="Country"))),
        bar_column("Events", colours.PALETTE[0], custom__width=105),
        override("Failures", custom__width=70),
        override("Actors", custom__width=60),
        override("Addresses", custom__width=92),
    ]
    return table(head, overrides=overrides)


def _places(options: DashboardOptions) -> Json:
    head = Head(
        3,
        "Places by events",
        "The places of the map in the colour that they have there, with their most frequent type. Click a place for "
        "its events.",
        Place(16, 10, 8, 10),
        target("places", options),
    )
    overrides = [
        *hidden("latitude", "longitude", "size", "country_code", "city_name", "Last event"),
        override("Place", links=only_this_place()),
        place_dot(options),
        override("Most frequent", custom__width=145),
        override("Events", custom__width=62),
        override("Failures", custom__width=70),
    ]
    return table(head, overrides=overrides)


def _heat(options: DashboardOptions) -> Json:
    head = Head(
        4,
        "Where it is dense",
        "The same places as a heat map: it glows where many events come from places close to each other.",
        Place(0, 20, 24, 15),
        target("places", options),
    )
    return heat(head, options, zoom=1.4)
