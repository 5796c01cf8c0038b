"""A link of a chain, and its digest computed anew."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = bytes(32)
FORMS = (1,)


@dataclass(frozen=True, slots=True)
class Cover:
    """What a link says of one table of leaves: how many it adds and takes away, and the SHA-256 of both (hex)."""

    leaf_table: int
    day: date | None
    adds: int
    removes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Link:
    """A row of audit.digests, its columns in their order."""

    chain: int
    sequence: int
    period: date
    made_at: datetime
    kind: str
    retention_class: str
    events: int
    covers: str
    detail: str | None
    form: int
    previous: bytes
    digest: bytes

    def computed(self) -> bytes:
        """What the digest has to be: SHA-256 over the digest before and the other columns, a line each."""
        lines = (
            self.form,
            self.chain,
            self.sequence,
            self.period.isoformat(),
            (self.made_at - _EPOCH) // timedelta(microseconds=1),
            self.kind,
            self.retention_class,
            self.events,
            self.detail or "",
            self.covers,
        )
        return hashlib.sha256(self.previous + "\n".join(map(str, lines)).encode()).digest()

    def parts(self) -> tuple[Cover, ...]:
        """Raises ValueError where the covers are not what a link has."""
        return parse_covers(self.covers)

    def told(self) -> Any:
        """The detail; None where there is none, or where it can't be read."""
        try:
            return json.loads(self.detail) if self.detail else None
        except ValueError:
            return None


def parse_covers(text: str) -> tuple[Cover, ...]:
    """The lines of a link's covers. Raises ValueError where one is none."""
    return tuple(_cover(line) for line in text.splitlines())


def _cover(line: str) -> Cover:
    leaf_table, day, adds, removes, sha256 = line.split(" ")
    return Cover(int(leaf_table), None if day == "-" else date.fromisoformat(day), int(adds), int(removes), sha256)
