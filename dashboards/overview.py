"""Overview: what happened, how much, by whom, where from; the way in to every event."""

from __future__ import annotations

from dashboards import colours, frame
from dashboards.fields import (
    Json,
    bar_column,
    fixed_colour,
    hidden,
    link,
    outcome_text,
    override,
    slot_dot,
    slot_series,
)
from dashboards.options import DashboardOptions
from dashboards.panels import Head, Place, stacked_bars, stat, table, target
from dashboards.pinpoints import pinpoints, place_columns


def overview(options: DashboardOptions) -> Json:
    """The dashboard `audit-overview`."""
    panels = (_counts, _totals, _volume, _where, _outcomes, _actors, _targets, _recent)
    return frame.dashboard(
        frame.OVERVIEW,
        "Audit overview",
        "What happened, how much of it, by whom and where from. Click an event for everything about it.",
        options,
        variables=frame.filters(options),
        panels=[panel(options) for panel in panels],
    )


def _counts(options: DashboardOptions) -> Json:
    head = Head(
        1,
        "Volume",
        "Audit events of the time range, and those that failed. Plain logs are not counted.",
        Place(0, 0, 10, 4),
        target("events_and_failures", options, series=True),
    )
    overrides = [
        fixed_colour("Events", colours.PALETTE[0]),
        fixed_colour("Failures", colours.OUTCOMES["failure"]),
    ]
    return stat(head, sparkline=True, overrides=overrides)


def _totals(options: DashboardOptions) -> Json:
    head = Head(
        2,
        "Who and where from",
        "Share of events with outcome failure; distinct actors, addresses, countries and services.",
        Place(10, 0, 14, 4),
        target("totals", options),
    )
    share = override("Failure share", unit="percentunit", decimals=1)
    return stat(head, calculation="lastNotNull", overrides=[share])


def _volume(options: DashboardOptions) -> Json:
    head = Head(
        3,
        "Events by type",
        "Events over time by action: the 20 most frequent ones, the rest as 'other'. A type has the same colour on "
        "every dashboard.",
        Place(0, 4, 15, 9),
        target("volume_by_type", options, series=True),
    )
    return stacked_bars(head, overrides=slot_series(options))


def _where(options: DashboardOptions) -> Json:
    head = Head(
        4,
        "Places",
        "Where events came from: size by number, colour by the most frequent type. Click a point for its numbers.",
        Place(15, 4, 9, 9),
        target("places", options),
    )
    return pinpoints(head, options, zoom=0.6, size_column="size", overrides=place_columns())


def _outcomes(options: DashboardOptions) -> Json:
    head = Head(
        5,
        "Outcomes",
        "Events over time by outcome.",
        Place(0, 13, 8, 8),
        target("outcomes", options, series=True),
    )
    overrides = [fixed_colour(outcome, colour) for outcome, colour in colours.OUTCOMES.items()]
    return stacked_bars(head, legend="bottom", overrides=overrides)


def _actors(options: DashboardOptions) -> Json:
    head = Head(
        6,
        "Top actors",
        "Who did most, with failures. Click an actor to see only theirs.",
        Place(8, 13, 8, 8),
        target("top_actors", options),
    )
    overrides = [
        *hidden("actor_key"),
        override("Actor", links=frame.only_this_actor()),
        bar_column("Events", colours.PALETTE[0]),
        override("Failures", custom__width=80),
        override("Last seen", unit="dateTimeFromNow", custom__width=120),
    ]
    return table(head, overrides=overrides)


def _targets(options: DashboardOptions) -> Json:
    head = Head(
        7,
        "Top objects",
        "What was acted on most, and by how many. Click an object to search for it.",
        Place(16, 13, 8, 8),
        target("top_targets", options),
    )
    overrides = [
        *hidden("target_key"),
        override("Object", links=frame.only_this_object()),
        bar_column("Events", colours.PALETTE[4]),
        override("Actors", custom__width=70),
        override("Last event", unit="dateTimeFromNow", custom__width=120),
    ]
    return table(head, overrides=overrides)


def _recent(options: DashboardOptions) -> Json:
    head = Head(
        8,
        "Recent events",
        "The newest 200 events. Click time, action or message for everything about an event, an actor or a target for "
        "theirs alone.",
        Place(0, 21, 24, 16),
        target("recent_events", options),
    )
    to_event = link("Everything about this event", frame.EVENT_URL)
    overrides = [
        *hidden("event_id", "actor_key", "target_key"),
        override("Time", links=to_event, custom__width=165),
        slot_dot(options),
        override("Action", links=to_event, custom__width=180),
        outcome_text(),
        override("Actor", links=frame.only_this_actor(), custom__width=190),
        override("Target", links=frame.only_this_object(), custom__width=200),
        override("Service", custom__width=110),
        override("Place", custom__width=150),
        override("Address", custom__width=130),
        override("Message", links=to_event),
    ]
    return table(head, overrides=overrides)
