"""Event: everything about one event."""

from __future__ import annotations

from dashboards import colours, frame
from dashboards.options import DashboardOptions
from dashboards.panels import (
    Json,
    Place,
    hidden,
    link,
    logs,
    outcome_text,
    override,
    pinpoints,
    slot_dot,
    table,
    target,
)


def event(options: DashboardOptions) -> Json:
    """The dashboard `audit-event`; its variable event_id says which."""
    identifier = frame.text(
        "event_id", "Event id", "The id of one event; comes from the link that was clicked"
    )
    return frame.dashboard(
        frame.EVENT,
        "Audit event",
        "Everything about one event: its fields, what it changed, the record as it came, and what the actor did around.",
        options,
        [identifier],
        [_fields(options), _changes(options), _record(options), _place(options), _around(options)],
    )


def _fields(options: DashboardOptions) -> Json:
    return table(
        1,
        "Event",
        "All fields of the event; empty ones are left out.",
        Place(0, 0, 9, 19),
        [target("event_fields", options)],
        inspect=True,
        overrides=[
            override("Field", custom__width=135),
            override("Value", mappings=colours.outcome_mappings(), custom__displayMode="color-text"),
        ],
    )


def _changes(options: DashboardOptions) -> Json:
    return table(
        2,
        "Changes",
        "What the event changed, a row for each value. Of secrets only that they changed is ever kept.",
        Place(9, 0, 15, 8),
        [target("event_changes", options)],
        inspect=True,
        overrides=[
            override("Field", custom__width=220),
            override(
                "Change",
                mappings=colours.change_mappings(),
                custom__displayMode="color-text",
                custom__width=100,
            ),
        ],
    )


def _record(options: DashboardOptions) -> Json:
    return logs(
        3,
        "Record",
        "The record as JSON: body, attributes that no field took, resource and scope.",
        Place(9, 8, 8, 11),
        [target("event_record", options)],
    )


def _place(options: DashboardOptions) -> Json:
    return pinpoints(
        4,
        "Place",
        "Where the event came from, as far as its address tells.",
        Place(17, 8, 7, 11),
        [target("event_place", options)],
        options,
        zoom=0.4,
        overrides=hidden("latitude", "longitude", "slot"),
    )


def _around(options: DashboardOptions) -> Json:
    to_event = link("Everything about this event", frame.EVENT_URL)
    return table(
        5,
        "The same actor, ten minutes before and after",
        "What the actor of this event did around it, whatever the time range; ▶ marks the event itself.",
        Place(0, 19, 24, 11),
        [target("event_around", options)],
        overrides=[
            *hidden("event_id"),
            override("this", displayName=" ", custom__width=28),
            override("Time", links=to_event, custom__width=165),
            slot_dot(options),
            override("Action", links=to_event, custom__width=175),
            outcome_text(),
            override("Target", custom__width=220),
            override("Service", custom__width=110),
            override("Place", custom__width=150),
            override("Address", custom__width=130),
            override("Message", links=to_event),
        ],
    )
