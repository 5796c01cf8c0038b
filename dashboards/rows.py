"""Tables of events: how each column of `sql/parts/rows.sql` is shown, and where it leads."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import frame
from dashboards.fields import Json, hidden, level_text, outcome_text, override, slot_dot
from dashboards.options import DashboardOptions

_LINKED = ("event_id", "actor_key", "target_key")


def row_columns(options: DashboardOptions, *, without: Sequence[str] = (), keep: Sequence[str] = ()) -> list[Json]:
    """Overrides of a table of events. Columns `without` are left out: those that are the same in every row.

    `keep`: the filters of this dashboard that an address's link carries along.
    """
    to_event = frame.open_event()
    shown = {
        "Time": override("Time", links=to_event, custom__width=172),
        "slot": slot_dot(options),
        "Action": override("Action", links=to_event, custom__width=170),
        "Outcome": outcome_text(),
        "Level": level_text(),
        "Actor": override("Actor", links=frame.open_actor(), custom__width=170),
        "Target": override("Target", links=frame.open_object(), custom__width=195),
        "Service": override("Service", custom__width=120),
        "Place": override("Place", custom__width=135),
        "Address": override("Address", links=frame.events_from_address(keep=keep), custom__width=130),
        "Message": override("Message", links=to_event, custom__minWidth=240),
    }
    return [*hidden(*_LINKED, *without), *(column for name, column in shown.items() if name not in without)]
