"""Overview: what happened, how much, by whom, where from; the way in to every event."""

from __future__ import annotations

from dashboards import colours, frame
from dashboards.options import DashboardOptions
from dashboards.panels import (
    Json,
    Place,
    bar_column,
    fixed_colour,
    hidden,
    link,
    outcome_text,
    override,
    pinpoints,
    slot_dot,
    slot_series,
    stacked_bars,
    stat,
    table,
    target,
)


def overview(options: DashboardOptions) -> Json:
    """The dashboard `audit-overview`."""
    panels = [
        _counts(options),
        _totals(options),
        _volume(options),
        _where(options),
        _outcomes(options),
        _actors(options),
        _targets(options),
        _recent(options),
    ]
    return frame.dashboard(
        frame.OVERVIEW,
        "Audit overview",
        "What happened, how much of it, by whom and where from. Click an event for everything about it.",
        options,
        frame.filters(options),
        panels,
    )


def _counts(options: DashboardOptions) -> Json:
    return stat(
        1,
        "Volume",
        "Audit events of the time range, and those that failed. Plain logs are not counted.",
        Place(0, 0, 10, 4),
        [target("events_and_failures", options, series=True)],
        sparkline=True,
        overrides=[
            fixed_colour("Events", colours.PALETTE[0]),
            fixed_colour("Failures", colours.OUTCOMES["failure"]),
        ],
    )


def _totals(options: DashboardOptions) -> Json:
    return stat(
        2,
        "Who and where from",
        "Share of events with outcome failure; distinct actors, addresses, countries and services.",
        Place(10, 0, 14, 4),
        [target("totals", options)],
        calculation="lastNotNull",
        overrides=[override("Failure share", unit="percentunit", decimals=1)],
    )


def _volume(options: DashboardOptions) -> Json:
    return stacked_bars(
        3,
        "Events by type",
        "Events over time by action: the 15 most frequent ones, the rest as 'other'. A type has the same colour on "
        "every dashboard.",
        Place(0, 4, 15, 9),
        [target("volume_by_type", options, series=True)],
        overrides=slot_series(options),
    )


def _where(options: DashboardOptions) -> Json:
    return pinpoints(
        4,
        "Places",
        "Where events came from: size by number, colour by the most frequent type. Click a point for its numbers.",
        Place(15, 4, 9, 9),
        [target("places", options)],
        options,
        zoom=0.6,
        size_column="size",
        overrides=[
            *hidden("latitude", "longitude", "size", "slot", "country_code", "city_name"),
            override("Last event", unit="dateTimeFromNow"),
            override(
                "Place",
                links=link("Events from here", frame.overview_url(country="country_code", q="city_name")),
            ),
        ],
    )


def _outcomes(options: DashboardOptions) -> Json:
    return stacked_bars(
        5,
        "Outcomes",
        "Events over time by outcome.",
        Place(0, 13, 8, 8),
        [target("outcomes", options, series=True)],
        legend="bottom",
        overrides=[fixed_colour(outcome, colour) for outcome, colour in colours.OUTCOMES.items()],
    )


def _actors(options: DashboardOptions) -> Json:
    return table(
        6,
        "Top actors",
        "Who did most, with failures. Click an actor to see only theirs.",
        Place(8, 13, 8, 8),
        [target("top_actors", options)],
        overrides=[
            *hidden("actor_key"),
            override("Actor", links=link("Only this actor", frame.overview_url(actor="actor_key"))),
            bar_column("Events", colours.PALETTE[0], 150),
            override("Failures", custom__width=75),
            override("Last seen", unit="dateTimeFromNow", custom__width=115),
        ],
    )


def _targets(options: DashboardOptions) -> Json:
    return table(
        7,
        "Top objects",
        "What was acted on most, and by how many. Click an object to search for it.",
        Place(16, 13, 8, 8),
        [target("top_targets", options)],
        overrides=[
            *hidden("target_key"),
            override("Object", links=link("Only this object", frame.overview_url(q="target_key"))),
            bar_column("Events", colours.PALETTE[4], 150),
            override("Actors", custom__width=65),
            override("Last event", unit="dateTimeFromNow", custom__width=115),
        ],
    )


def _recent(options: DashboardOptions) -> Json:
    to_event = link("Everything about this event", frame.EVENT_URL)
    return table(
        8,
        "Recent events",
        "The newest 200 events. Click time, action or message for everything about an event; the actor for all of theirs.",
        Place(0, 21, 24, 16),
        [target("recent_events", options)],
        overrides=[
            *hidden("event_id", "actor_key"),
            override("Time", links=to_event, custom__width=165),
            slot_dot(options),
            override("Action", links=to_event, custom__width=175),
            outcome_text(),
            override(
                "Actor",
                links=link("Only this actor", frame.overview_url(actor="actor_key")),
                custom__width=190,
            ),
            override("Target", custom__width=190),
            override("Service", custom__width=110),
            override("Place", custom__width=150),
            override("Address", custom__width=130),
            override("Message", links=to_event),
        ],
    )
