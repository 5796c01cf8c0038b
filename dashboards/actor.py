"""Actor: everything that one person or program did."""

from __future__ import annotations

from dashboards import colours, frame
from dashboards.fields import Json, bar_column, fixed_colour, hidden, link, override, slot_dot, slot_series
from dashboards.options import DashboardOptions
from dashboards.panels import Head, Place, stacked_bars, stat, table, target
from dashboards.pinpoints import pinpoints
from dashboards.rows import row_columns

_AGO = "dateTimeFromNow"
_SAME = ("Actor", "Level")


def actor(options: DashboardOptions) -> Json:
    """The dashboard `audit-actor`; its variable who says which, its variable actor finds one."""
    panels = (
        _head,
        _totals,
        _volume,
        _places,
        _actions,
        _objects,
        _addresses,
        _failures,
        _sessions,
        _events,
    )
    return frame.dashboard(
        frame.ACTOR,
        "Audit actor",
        "Everything that one actor did: when, what, from where, and what failed.",
        options,
        variables=[
            frame.text("actor", "Find", "The exact id of an actor, or part of an id, a name or an email"),
            frame.found("who", "Actor", "The actors that were found; the first is shown unless you choose", options),
        ],
        panels=[panel(options) for panel in panels],
    )


def _head(options: DashboardOptions) -> Json:
    head = Head(
        1,
        "Who",
        "What the newest events call the actor, and when it was ever seen first and last, whatever the time range.",
        Place(0, 0, 24, 4),
        target("actor_head", options),
    )
    overrides = [
        override("Name", custom__width=200),
        override("Email", custom__width=220),
        override("Id", custom__width=150),
        override("Type", custom__width=70),
        override("First seen", custom__width=170),
        override("Last seen", custom__width=170),
        override("Last place", custom__width=130),
        override("Last address", links=frame.events_from_address("Last address"), custom__width=118),
    ]
    return table(head, overrides=overrides)


def _totals(options: DashboardOptions) -> Json:
    head = Head(
        2,
        "In this time range",
        "Events and failures of the actor; distinct sessions, objects acted on, places, addresses and services.",
        Place(0, 4, 24, 4),
        target("actor_totals", options),
    )
    overrides = [
        fixed_colour("Events", colours.PALETTE[0]),
        fixed_colour("Failures", colours.OUTCOMES["failure"]),
    ]
    return stat(head, calculation="lastNotNull", overrides=overrides)


def _volume(options: DashboardOptions) -> Json:
    head = Head(
        3,
        "Timeline",
        "What the actor did over time, by action.",
        Place(0, 8, 15, 9),
        target("actor_volume", options, series=True),
        nothing="The actor did nothing in this time range.",
    )
    return stacked_bars(head, overrides=slot_series(options))


def _places(options: DashboardOptions) -> Json:
    head = Head(
        4,
        "Places",
        "Where the actor was: size by number of events, colour by the most frequent action. Click a point for its "
        "numbers.",
        Place(15, 8, 9, 9),
        target("actor_places", options),
    )
    overrides = [*hidden("latitude", "longitude", "size", "slot"), override("Last event", unit=_AGO)]
    return pinpoints(head, options, zoom=0.6, size_column="size", overrides=overrides)


def _actions(options: DashboardOptions) -> Json:
    head = Head(
        5,
        "By action",
        "What the actor did how often.",
        Place(0, 17, 8, 9),
        target("actor_actions", options),
        nothing="The actor did nothing in this time range.",
    )
    overrides = [
        slot_dot(options),
        bar_column("Events", colours.PALETTE[0], custom__width=90),
        override("Failures", custom__width=70),
        override("Last event", unit=_AGO, custom__width=134),
    ]
    return table(head, overrides=overrides)


def _objects(options: DashboardOptions) -> Json:
    head = Head(
        6,
        "Objects",
        "What the actor acted on most, and how many of these events changed something. Click one for its history.",
        Place(8, 17, 8, 9),
        target("actor_objects", options),
        nothing="The actor acted on no object in this time range.",
    )
    overrides = [
        *hidden("target_key"),
        override("Object", links=frame.open_object()),
        bar_column("Events", colours.PALETTE[4], custom__width=90),
        override("Changes", custom__width=75),
        override("Last event", unit=_AGO, custom__width=134),
    ]
    return table(head, overrides=overrides)


def _addresses(options: DashboardOptions) -> Json:
    head = Head(
        7,
        "Addresses",
        "Where the actor came from. Click an address for the events of everybody from there.",
        Place(16, 17, 8, 9),
        target("actor_addresses", options),
        nothing="No address is known of this time range.",
    )
    overrides = [
        *hidden("First seen", "Network"),
        override("Address", links=frame.events_from_address(), custom__width=113),
        override("Events", custom__width=62),
        override("Failures", custom__width=70),
        override("Last seen", unit=_AGO, custom__width=120),
    ]
    return table(head, overrides=overrides)


def _failures(options: DashboardOptions) -> Json:
    head = Head(
        8,
        "Failures",
        "The newest 100 events of the actor that failed.",
        Place(0, 26, 12, 9),
        target("actor_failures", options),
        nothing="Nothing failed in this time range.",
    )
    without = (*_SAME, "Outcome", "Service", "Place", "Address")
    narrower = [
        override("Action", custom__width=130),
        override("Target", custom__width=130),
        override("Message", custom__minWidth=120),
    ]
    return table(head, overrides=[*row_columns(options, without=without), *narrower])


def _sessions(options: DashboardOptions) -> Json:
    head = Head(
        9,
        "Sessions",
        "The newest 100 sessions of the actor. Click one for its events.",
        Place(12, 26, 12, 9),
        target("actor_sessions", options),
        nothing="No session is known of this time range.",
    )
    overrides = [
        override("Session", links=link("Events of this session", frame.events_url(q="Session")), custom__width=120),
        override("Began", custom__width=170),
        override("Lasted", unit="s", decimals=0, custom__width=62),
        override("Events", custom__width=62),
        override("Failures", custom__width=70),
        override("Addresses", custom__width=92),
    ]
    return table(head, overrides=overrides)


def _events(options: DashboardOptions) -> Json:
    head = Head(
        10,
        "Events of this actor",
        "The newest 200 events of the actor in the time range. Click time, action or message for everything about one.",
        Place(0, 35, 24, 16),
        target("actor_events", options),
        nothing="The actor did nothing in this time range.",
    )
    return table(head, overrides=row_columns(options, without=_SAME))
