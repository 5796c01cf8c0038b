"""Events: the list to search in, with every filter there is."""

from __future__ import annotations

from dashboards import colours, frame
from dashboards.fields import Json, fixed_colour, override, slot_series
from dashboards.options import DashboardOptions
from dashboards.panels import Head, Place, stacked_bars, stat, table, target
from dashboards.rows import row_columns


def events(options: DashboardOptions) -> Json:
    """The dashboard `audit-events`."""
    return frame.dashboard(
        frame.EVENTS,
        "Audit events",
        "The events that all filters let through, newest first. Click one for everything about it; an actor, a target "
        "or an address for what else there is of it.",
        options,
        variables=frame.more_filters(options),
        panels=[_found(options), _volume(options), _list(options)],
    )


def _found(options: DashboardOptions) -> Json:
    head = Head(
        1,
        "Events",
        "How many events the filters let through. The list below has the newest 500; for older ones choose "
        "another time range or narrow the filters.",
        Place(0, 0, 5, 7),
        target("events_found", options),
    )
    limits = {"newest 500": colours.LIMITED, "all": "text", "none": colours.NEUTRAL}
    texts = {text: {"color": colour, "index": index} for index, (text, colour) in enumerate(limits.items())}
    overrides = [
        fixed_colour("Found", colours.PALETTE[0]),
        override("In the list", mappings=[{"type": "value", "options": texts}], unit="string"),
    ]
    return stat(head, calculation="lastNotNull", fields="/.*/", orientation="horizontal", overrides=overrides)


def _volume(options: DashboardOptions) -> Json:
    head = Head(
        2,
        "Volume",
        "The events that the filters let through over time, by action: the 20 most frequent ones, the rest as 'other'.",
        Place(5, 0, 19, 7),
        target("events_volume", options, series=True),
    )
    return stacked_bars(head, overrides=slot_series(options))


def _list(options: DashboardOptions) -> Json:
    head = Head(
        3,
        "List",
        "The newest 500 events that the filters let through. Click time, action or message for everything about an "
        "event, an actor, a target or an address for what else there is of it.",
        Place(0, 7, 24, 27),
        target("events_listed", options),
        nothing="No event in this time range has what the filters ask for.",
    )
    return table(head, overrides=row_columns(options, keep=frame.FILTERS))
