"""What verification finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

Kind = Literal[
    "changed",  # an event is not what was stored
    "deleted",  # an event is gone
    "inserted",  # an event came by another way
    "unfounded",  # an order or a release concerned an event that was not what was stored
    "leaves_changed",  # digests of events are not those that the link sealed
    "leaves_deleted",  # digests of events are gone
    "link_changed",  # a link is not what was written
    "link_missing",  # links are gone from the middle of a chain, or its beginning
    "chain_cut",  # a link that somebody has kept elsewhere is not there, or another one is
    "partition_missing",  # a day is gone, and retention did not take it
    "partition_detached",  # a day is there, and hidden
    "not_sealed",  # events without leaves where there should be some
    "unreadable",  # a table belongs to another role
    "sealing_off",  # events of a class are not sealed when they are stored
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was sealed, in a sentence, and where it is, as far as that is known."""

    kind: Kind
    text: str
    retention_class: str | None = None
    day: date | None = None
    id: UUID | None = None
    occurred_at: datetime | None = None
    chain: int | None = None
    sequence: int | None = None
    sealed_at: datetime | None = None

    def document(self) -> dict[str, Any]:
        """For JSON: what is known, times in ISO 8601."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        return {
            name: value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, UUID) else value
            for name, value in known.items()
        }
