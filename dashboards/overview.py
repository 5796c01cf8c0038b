"""Overview: what happened, how much, by whom, where from; the way in to every event."""

from __future__ import annotations

from dashboards import colours, frame
from dashboards.fields import (
    Json,
    bar_column,
    fixed_colour,
    heat_columns,
    hidden,
    link,
    override,
    slot_dot,
    slot_series,
)
from dashboards.options import DashboardOptions
from dashboards.panels import Head, Place, alerts, compared_lines, stacked_bars, stat, table, target
from dashboards.pinpoints import colour_choice, pinpoints, place_columns
from dashboards.rows import row_columns

_HOURS = [f"{hour:02}" for hour in range(24)]


def overview(options: DashboardOptions) -> Json:
    """The dashboard `audit-overview`."""
    panels = (
        _counts,
        _totals,
        _volume,
        _where,
        _outcomes,
        _weeks,
        # Grafana shows its alerts to whoever may see their folder, whatever the data source.
        *(() if options.tenant else (_alerts,)),
        _types,
        _actors,
        _targets,
        _services,
        _addresses,
        _hours,
        _recent,
    )
    return frame.dashboard(
        frame.OVERVIEW,
        "Audit overview",
        "What happened, how much of it, by whom and where from. Click an event for everything about it.",
        options,
        variables=[*frame.filters(options), colour_choice()],
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
    share = override("Failure share", displayName="Failed", unit="percentunit", decimals=1)
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
        Place(0, 13, 12 if options.tenant else 9, 8),
        target("outcomes", options, series=True),
    )
    overrides = [fixed_colour(outcome, colour) for outcome, colour in colours.OUTCOMES.items()]
    return stacked_bars(head, legend="bottom", overrides=overrides)


def _weeks(options: DashboardOptions) -> Json:
    head = Head(
        9,
        "Compared with a week before",
        "Events over time, and those of the same time seven days earlier.",
        Place(12, 13, 12, 8) if options.tenant else Place(9, 13, 9, 8),
        target("weeks", options, series=True),
    )
    return compared_lines(head, "This time", "A week before", colours.PALETTE[0])


def _alerts(_: DashboardOptions) -> Json:
    head = Head(
        14,
        "Alerts",
        "Alert rules of Auditgraf that fire or are about to. Click one for its rule.",
        Place(18, 13, 6, 8),
        None,
    )
    return alerts(head)


def _types(options: DashboardOptions) -> Json:
    head = Head(
        10,
        "Types",
        "Types of events (actions) by number, in the colour they have everywhere. Click one for its events.",
        Place(0, 21, 8, 9),
        target("top_types", options),
    )
    overrides = [
        slot_dot(options),
        override("Action", links=link("Events of this type", frame.events_url(keep=frame.FILTERS, action="Action"))),
        bar_column("Events", colours.PALETTE[0], custom__width=105),
        override("Failures", custom__width=70),
    ]
    return table(head, overrides=overrides)


def _actors(options: DashboardOptions) -> Json:
    head = Head(
        6,
        "Top actors",
        "Who did most, with failures. Click an actor for everything they did.",
        Place(8, 21, 8, 9),
        target("top_actors", options),
    )
    overrides = [
        *hidden("actor_key"),
        override("Actor", links=frame.open_actor()),
        bar_column("Events", colours.PALETTE[0], custom__width=105),
        override("Failures", custom__width=70),
        override("Last seen", unit="dateTimeFromNow", custom__width=134),
    ]
    return table(head, overrides=overrides)


def _targets(options: DashboardOptions) -> Json:
    head = Head(
        7,
        "Top objects",
        "What was acted on most, with failures. Click an object for its history.",
        Place(16, 21, 8, 9),
        target("top_targets", options),
        nothing="No object in this time range",
    )
    overrides = [
        *hidden("target_key"),
        override("Object", links=frame.open_object()),
        bar_column("Events", colours.PALETTE[4], custom__width=105),
        override("Failures", custom__width=70),
        override("Last event", unit="dateTimeFromNow", custom__width=134),
    ]
    return table(head, overrides=overrides)


def _services(options: DashboardOptions) -> Json:
    head = Head(
        11,
        "Services",
        "Which services told of most events, with failures and their share. Click one for its events.",
        Place(0, 30, 11, 8),
        target("top_services", options),
    )
    to_events = link("Events of this service", frame.events_url(keep=frame.FILTERS, service="Service"))
    overrides = [
        override("Service", links=to_events),
        bar_column("Events", colours.PALETTE[16]),
        override("Failures", custom__width=70),
        override("Share", unit="percentunit", decimals=1, custom__width=75),
    ]
    return table(head, overrides=overrides)


def _addresses(options: DashboardOptions) -> Json:
    head = Head(
        12,
        "Top addresses",
        "Where most events came from, with failures. Click an address for its events.",
        Place(11, 30, 13, 8),
        target("top_addresses", options),
        nothing="No address in this time range",
    )
    overrides = [
        override("Address", links=frame.events_from_address(keep=frame.FILTERS)),
        override("Country", custom__width=72),
        bar_column("Events", colours.PALETTE[9]),
        override("Failures", custom__width=70),
        override("Last event", unit="dateTimeFromNow", custom__width=134),
    ]
    return table(head, overrides=overrides)


def _hours(options: DashboardOptions) -> Json:
    head = Head(
        13,
        "Weekdays and hours (UTC)",
        "Events of the time range by weekday and hour of the day in UTC: the stronger the colour, the more. Choose a "
        "week or more to see a rhythm.",
        Place(0, 38, 24, 10),
        target("hours", options),
    )
    return table(head, overrides=[override("Day", custom__width=50), *heat_columns(_HOURS)])


def _recent(options: DashboardOptions) -> Json:
    head = Head(
        8,
        "Recent events",
        "The newest 200 events. Click time, action or message for everything about an event, an actor or a target for "
        "theirs.",
        Place(0, 48, 24, 16),
        target("recent_events", options),
    )
    narrower = override("Service", custom__width=100)
    return table(head, overrides=[*row_columns(options, lacking=("Level",)), narrower])
