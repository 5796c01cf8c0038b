"""A link of a chain, and its digest computed anew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
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


# What a link of a kind may cover: leaves are taken away by orders, from held and restored events, and by nothing else.
_POSSIBLE: dict[str, Callable[[Cover], bool]] = {
    "stored": lambda cover: cover.removes == 0,
    "sealed_late": lambda cover: cover.removes == 0,
    "unsealed": lambda cover: cover.adds == cover.removes == 0,
    "retiring": lambda cover: cover.adds == cover.removes == 0,
    "taken_back": lambda cover: cover.adds == cover.removes == 0,
    "retired": lambda cover: cover.adds == cover.removes == 0,
    "pseudonymised": lambda cover: cover.adds == cover.removes,
    "held": lambda cover: cover.day is None,
    "released": lambda cover: cover.day is None and cover.adds == 0,
    "restored": lambda cover: cover.day is None and cover.removes == 0,
    "unloaded": lambda cover: cover.day is None and cover.adds == 0,
    "expired": lambda cover: False,
}


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
        """Raises ValueError where the link says what no link of its kind can say."""
        parts = parse_covers(self.covers)
        # Its digest does not tell where the detail ends and the covers begin, but for their lines.
        broken = "\n" in (self.detail or "") or "\n" in self.retention_class
        misplaced = (self.kind == "stored") != (self.chain > 0)
        if (
            broken
            or misplaced
            or self.events != sum(part.adds for part in parts)
            or not all(map(_POSSIBLE[self.kind], parts))
        ):
            raise ValueError(f"link {self.sequence} of chain {self.chain} is none of kind {self.kind}")
        return parts

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
