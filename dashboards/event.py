"""Event: everything about one event."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import colours, frame
from dashboards.fields import NO_OTHER_NAME, Json, change_columns, hidden, link, outcome_text, override, slot_dot
from dashboards.options import DashboardOptions
from dashboards.panels import Head, Place, logs, table, target
from dashboards.pinpoints import pinpoints
from dashboards.rows import row_columns


def event(options: DashboardOptions) -> Json:
    """The dashboard `audit-event`; its variable event_id says which."""
    panels = (_head, _fields, _changes, _record, _source, _place, _around, _history)
    return frame.dashboard(
        frame.EVENT,
        "Audit event",
        "Everything about one event: its fields, its changes, the record as it came, what the actor did around it and "
        "what happened to the object.",
        options,
        variables=[frame.text("event_id", "Event id", "The id of one event; comes from the link that was clicked")],
        panels=[panel(options) for panel in panels],
    )


def _head(options: DashboardOptions) -> Json:
    head = Head(
        6,
        "In short",
        "Who did what to what, from where. Click the actor, the target, the address or the session for more of it.",
        Place(0, 0, 24, 4),
        target("event_head", options),
        nothing="There is no event with this id. Open one by a click in a table of events.",
    )
    overrides = [
        *hidden("actor_key", "target_key", "trace_id", *(() if options.trace_url else ("Trace",))),
        slot_dot(options),
        override("Action", custom__width=170),
        outcome_text(),
        override("Actor", links=frame.open_actor()),
        override("On behalf of", links=frame.open_actor("On behalf of"), custom__width=105),
        override("Target", links=frame.open_object()),
        override("Address", links=frame.events_from_address(), custom__width=130),
        override("Place", custom__width=130),
        override("Session", links=link("Events of this session", frame.events_url(q="Session")), custom__width=140),
        *_trace(options),
    ]
    return table(head, overrides=overrides)


def _trace(options: DashboardOptions) -> list[Json]:
    if not options.trace_url:
        return []
    url = options.trace_url.replace("{trace_id}", "${__data.fields.trace_id:percentencode}")
    return [override("Trace", links=link("Open the trace", url, new_tab=True), custom__align="left", custom__width=115)]


def _fields(options: DashboardOptions) -> Json:
    head = Head(
        1,
        "Event",
        "All fields of the event; empty ones are left out.",
        Place(0, 4, 9, 25),
        target("event_fields", options),
        nothing="No such event",
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
        Place(9, 4, 15, 11),
        target("event_changes", options),
        nothing="This event changed nothing.",
    )
    return table(head, inspect=True, overrides=change_columns())


def _record(options: DashboardOptions) -> Json:
    head = Head(
        3,
        "Record",
        "The record as JSON: body, attributes that no field took, changes as they were sent.",
        Place(9, 15, 8, 14),
        target("event_record", options),
    )
    return logs(head)


def _source(options: DashboardOptions) -> Json:
    head = Head(
        7,
        "Source",
        "The resource and the scope that the record came from, as JSON.",
        Place(17, 15, 7, 7),
        target("event_source", options),
    )
    return logs(head)


def _place(options: DashboardOptions) -> Json:
    head = Head(
        4,
        "Place",
        "Where the event came from, as far as its address tells.",
        Place(17, 22, 7, 7),
        target("event_place", options),
    )
    return pinpoints(head, options, zoom=0.3, overrides=hidden("latitude", "longitude", "slot"))


def _around(options: DashboardOptions) -> Json:
    head = Head(
        5,
        "The same actor, ten minutes before and after",
        "What the actor of this event did around it, whatever the time range; ▶ marks the event itself.",
        Place(0, 29, 24, 9),
        target("event_around", options),
        nothing="The event names no actor.",
    )
    return table(head, overrides=_marked(options, "Actor", "Level"))


def _history(options: DashboardOptions) -> Json:
    head = Head(
        8,
        "The same object",
        "What happened to the object of this event in the 90 days before and after, whatever the time range: the 50 "
        "nearest events on either side; ▶ marks the event itself.",
        Place(0, 38, 24, 9),
        target("event_history", options),
        nothing="The event is about no object with an id.",
    )
    return table(head, overrides=_marked(options, "Target", "Level"))


def _marked(options: DashboardOptions, *without: str) -> Sequence[Json]:
    # Of times within a minute Grafana shows milliseconds.
    wider = override("Time", custom__width=195)
    return [
        *row_columns(options, without=without),
        wider,
        override("this", displayName=NO_OTHER_NAME, custom__width=50),
    ]
