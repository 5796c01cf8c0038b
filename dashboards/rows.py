"""Tables of events: how each column of `sql/parts/rows.sql` is shown, and where it leads."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import frame
from dashboards.fields import Json, hidden, level_text, outcome_text, override, slot_dot
from dashboards.options import DashboardOptions

_LINKED = ("event_id", "actor_key", "target_key")


def row_columns(
    options: DashboardOptions, *, without: Sequence[str] = (), lacking: Sequence[str] = (), keep: Sequence[str] = ()
) -> list[Json]:
    """Overrides of a table of events. Columns `without` are not shown: those that are the same in every row; the query
    does not give those that are `lacking`.

    `keep`: the filters of this dashboard that an address's link carries along.
    """
    to_event = frame.open_event()
    shown = {
        "Time": override("Time", links=to_event, custom__width=170),
        "slot": slot_dot(options),
        "Action": override("Action", links=to_event, custom__width=150),
        "Outcome": outcome_text(),
        "Level": level_text(),
        "Actor": override("Actor", links=frame.open_actor(), custom__width=140),
        "Target": override("Target", links=frame.open_object(), custom__width=155),
        "Service": override("Service", custom__width=165),
        "Place": override("Place", custom__width=110),
        "Address": override("Address", links=frame.events_from_address(keep=keep), custom__width=118),
        "Message": override("Message", links=to_event, custom__minWidth=170),
    }
    others = (column for name, column in shown.items() if name not in (*without, *lacking))
    return [*hidden(*_LINKED, *without), *others]
