"""Object: the history of one target, with every change of it."""

from __future__ import annotations

from dashboards import colours, frame
from dashboards.fields import Json, bar_column, change_columns, fixed_colour, hidden, override, slot_dot, slot_series
from dashboards.options import DashboardOptions
from dashboards.panels import Head, Place, stacked_bars, stat, table, target
from dashboards.rows import row_columns

_AGO = "dateTimeFromNow"


def object_history(options: DashboardOptions) -> Json:
    """The dashboard `audit-object`; its variable which says which, its variable object finds one."""
    panels = (_head, _totals, _changes, _volume, _actions, _actors, _events)
    return frame.dashboard(
        frame.OBJECT,
        "Audit object",
        "The history of one object: what changed when, by whom, and everything else that was done to it.",
        options,
        variables=[
            frame.text("object", "Find", "An object's type and id, its id, or part of its type or name"),
            frame.found(
                "which", "Object", "The objects that were found; the first is shown unless you choose", options
            ),
        ],
        panels=[panel(options) for panel in panels],
    )


def _head(options: DashboardOptions) -> Json:
    head = Head(
        1,
        "Object",
        "What the newest events call the object, and the first and the last of them in the time range.",
        Place(0, 0, 24, 4),
        target("object_head", options),
    )
    overrides = [
        *hidden("actor_key"),
        override("First event", custom__width=170),
        override("Last event", custom__width=170),
        override("Last by", links=frame.open_actor(), custom__width=220),
    ]
    return table(head, overrides=overrides)


def _totals(options: DashboardOptions) -> Json:
    head = Head(
        2,
        "In this time range",
        "Events about the object, those that changed something or failed; distinct actors, addresses and services.",
        Place(0, 4, 24, 4),
        target("object_totals", options),
    )
    overrides = [
        fixed_colour("Events", colours.PALETTE[0]),
        fixed_colour("Changes", colours.PALETTE[4]),
        fixed_colour("Failures", colours.OUTCOMES["failure"]),
    ]
    return stat(head, calculation="lastNotNull", overrides=overrides)


def _changes(options: DashboardOptions) -> Json:
    head = Head(
        3,
        "Changes",
        "Every value that changed, newest first, of the newest 200 events that changed something. Of secrets only that "
        "they changed is ever kept.",
        Place(0, 8, 24, 12),
        target("object_changes", options),
        nothing="Nothing changed in this time range.",
    )
    to_event = frame.open_event()
    overrides = [
        *hidden("event_id", "actor_key"),
        override("Time", links=to_event, custom__width=185),
        slot_dot(options),
        override("Action", links=to_event, custom__width=165),
        override("Actor", links=frame.open_actor(), custom__width=165),
        *change_columns(),
    ]
    return table(head, inspect=True, overrides=overrides)


def _volume(options: DashboardOptions) -> Json:
    head = Head(
        4,
        "Timeline",
        "What happened to the object over time, by action.",
        Place(0, 20, 8, 9),
        target("object_volume", options, series=True),
        nothing="Nothing happened in this time range.",
    )
    return stacked_bars(head, legend="bottom", overrides=slot_series(options))


def _actions(options: DashboardOptions) -> Json:
    head = Head(
        5,
        "By action",
        "What was done to the object how often.",
        Place(8, 20, 8, 9),
        target("object_actions", options),
        nothing="Nothing happened in this time range.",
    )
    overrides = [
        slot_dot(options),
        bar_column("Events", colours.PALETTE[0], custom__width=90),
        override("Failures", custom__width=70),
        override("Last event", unit=_AGO, custom__width=134),
    ]
    return table(head, overrides=overrides)


def _actors(options: DashboardOptions) -> Json:
    head = Head(
        6,
        "Who touched it",
        "Who did how much to the object, and how many of these events changed something. Click an actor for everything "
        "they did.",
        Place(16, 20, 8, 9),
        target("object_actors", options),
        nothing="Nobody touched it in this time range.",
    )
    overrides = [
        *hidden("actor_key", "Failures"),
        override("Actor", links=frame.open_actor()),
        override("Events", custom__width=70),
        override("Changes", custom__width=75),
        override("Last event", unit=_AGO, custom__width=134),
    ]
    return table(head, overrides=overrides)


def _events(options: DashboardOptions) -> Json:
    head = Head(
        7,
        "Events about this object",
        "The newest 200 events about the object in the time range. Click time, action or message for everything about "
        "one.",
        Place(0, 29, 24, 14),
        target("object_events", options),
        nothing="Nothing happened to the object in this time range.",
    )
    return table(head, overrides=row_columns(options, without=("Target", "Level")))
