"""Counts of events by five minutes and kind: what audit.volume is made of.

A kind is what a chart over a long range may ask for: class, service, environment, tenant, action, outcome, severity,
country.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from exporter.events import Events

_SLOT_US = 300_000_000
# Columns of audit.event_template, in the order of audit.read_kinds; there the retention class comes before them.
_COLUMNS = ("service", "environment", "tenant", "action", "outcome", "severity", "country")

Kind = tuple[str | int | None, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """How many events of a group are of one kind and in one slot of five minutes, numbered since 1970."""

    slot: int
    kind: Kind
    events: int


def count(events: Events) -> list[Counted]:
    """Counts a group; what it gives sums up to the group's length."""
    frame = events.frame
    # Most senders leave some columns empty, and each costs.
    filled = [name for name in _COLUMNS if name in frame.columns and frame[name].null_count() < len(frame)]
    keys = frame.select(filled).with_columns(
        pl.Series("slot", (events.occurred_us // _SLOT_US).astype(np.int32)),
        pl.Series("class", events.retention_class),
    )
    groups = keys.group_by(keys.columns).len("events")
    return [
        Counted(row["slot"], (events.classes[row["class"]], *map(row.get, _COLUMNS)), row["events"])
        for row in groups.iter_rows(named=True)
    ]
