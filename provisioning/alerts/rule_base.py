"""What rules of all kinds have, and what those have in common that tell of events, or count them within a window."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from pydantic import Field, StrictBool

from exporter.mapping.section import Section
from provisioning.alerts.fields import field
from provisioning.alerts.rule_values import (
    Fields,
    Identifier,
    Interval,
    Labels,
    Late,
    Line,
    Pending,
    Repeat,
    Severity,
    Url,
    Window,
)
from provisioning.alerts.selection import Selection

EVENT_FIELDS = ("actor", "action", "outcome", "target", "service", "address", "place", "tenant")
# What a message can name of a single event.
OF_EVENT = frozenset({*EVENT_FIELDS, "event_id", "at"})


class Rule(Section):
    """What all kinds have. `interval`: how often it is asked; `late`: how late an event may arrive and still count."""

    # Whether each event is told of by itself.
    per_event: ClassVar[bool] = False
    # Whether an alert is about something that happened once: nobody is told when it is over.
    of_moment: ClassVar[bool] = False

    id: Identifier
    name: Line
    kind: str
    description: str = Field("", max_length=2000)
    severity: Severity = "warning"
    message: str | None = Field(None, max_length=1000)
    labels: Labels = Field(default_factory=dict)
    contact_point: str | None = None
    mute: tuple[str, ...] = ()
    repeat: Repeat = None
    interval: Interval = timedelta(minutes=1)
    late: Late = timedelta(minutes=5)
    pending: Pending = Field(timedelta(0), alias="for")
    runbook: Url = None
    enabled: StrictBool = True

    @property
    def recent(self) -> timedelta:
        """How long ago an event may be that is told of by itself: what comes in late is seen twice at least."""
        return max(self.late, self.interval) + self.interval

    @property
    def lookback(self) -> timedelta:
        """How far back the query looks from the moment of the evaluation."""
        return self.recent

    def grouped(self) -> tuple[str, ...]:
        """The fields that tell its alerts apart."""
        return ()

    def told(self) -> frozenset[str]:
        """What a message can name in braces, beside value, name and severity."""
        return frozenset(field(name).label for name in self.grouped())


class Selecting(Rule, Selection):
    """A rule about some of the events."""


class PerEvent(Selecting):
    """Each event by itself."""

    per_event: ClassVar[bool] = True
    of_moment: ClassVar[bool] = True

    def grouped(self) -> tuple[str, ...]:
        return EVENT_FIELDS

    def told(self) -> frozenset[str]:
        return OF_EVENT


class Windowed(Selecting):
    """What happened within a window, wherever it begins."""

    window: Window = timedelta(minutes=10)

    @property
    def lookback(self) -> timedelta:
        return self.window + max(self.late, 2 * self.interval)


class Grouped(Windowed):
    """The same for each group by itself."""

    group_by: Fields = ()

    def grouped(self) -> tuple[str, ...]:
        return self.group_by
