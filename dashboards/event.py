"""Event: everything about one event."""

from __future__ import annotations

from dashboards import colours, frame
from dashboards.fields import Json, hidden, link, outcome_text, override, slot_dot
from dashboards.options import DashboardOptions
from dashboards.panels import Head, Place, logs, table, target
from dashboards.pinpoints import pinpoints


def event(options: DashboardOptions) -> Json:
    """The dashboard `audit-event`; its variable event_id says which."""
    return frame.dashboard(
        frame.EVENT,
        "Audit event",
        "Everything about one event: its fields, its changes, the record as it came, and what the actor did around.",
        options,
        variables=[frame.text("event_id", "Event id", "The id of one event; comes from the link that was clicked")],
        panels=[_fields(options), _changes(options), _record(options), _place(options), _around(options)],
    )


def _fields(options: DashboardOptions) -> Json:
    head = Head(
        1,
        "Event",
        "All fields of the event; empty ones are left out.",
        Place(0, 0, 9, 24),
        target("event_fields", options),
    )
    overrides = [
        override("Field", custom__width=135),
        override("Value", mappings=colours.outcome_mappings(), custom__displayMode="color-text"),
    ]
    return table(head, inspect=True, overrides=overrides)


def _changes(options: DashboardOptions) -> Json:
    head = Head(
        2,
        "Changes",
        "What the event changed, a row for each value. Of secrets only that they changed is ever kept.",
        Place(9, 0, 15, 11),
        target("event_changes", options),
    )
    overrides = [
        override("Field", custom__width=220),
        override(
            "Change",
            mappings=colours.change_mappings(),
            custom__displayMode="color-background-solid",
            custom__width=95,
        ),
    ]
    return table(head, inspect=True, overrides=overrides)


def _record(options: DashboardOptions) -> Json:
    head = Head(
        3,
        "Record",
        "The record as JSON: body, attributes that no field took, resource and scope.",
        Place(9, 11, 8, 13),
        target("event_record", options),
    )
    return logs(head)


def _place(options: DashboardOptions) -> Json:
    head = Head(
        4,
        "Place",
        "Where the event came from, as far as its address tells.",
        Place(17, 11, 7, 13),
        target("event_place", options),
    )
    return pinpoints(head, options, zoom=0.4, overrides=hidden("latitude", "longitude", "slot"))


def _around(options: DashboardOptions) -> Json:
    head = Head(
        5,
        "The same actor, ten minutes before and after",
        "What the actor of this event did around it, whatever the time range; ▶ marks the event itself.",
        Place(0, 24, 24, 10),
        target("event_around", options),
    )
    to_event = link("Everything about this event", frame.EVENT_URL)
    overrides = [
        *hidden("event_id"),
        override("this", displayName=" ", custom__width=32),
        override("Time", links=to_event, custom__width=165),
        slot_dot(options),
        override("Action", links=to_event, custom__width=180),
        outcome_text(),
        override("Target", custom__width=220),
        override("Service", custom__width=110),
        override("Place", custom__width=150),
        override("Address", custom__width=130),
        override("Message", links=to_event),
    ]
    return table(head, overrides=overrides)
