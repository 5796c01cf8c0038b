"""A group of audit events, ready for the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import numpy as np
import orjson
import polars as pl

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Events:
    """Events as columns, a row each; rows of all fields stand in the same order.

    `frame` has the columns of audit.event_template, as what COPY takes (text where PostgreSQL has a richer type).
    `arrivals`, where any event is filed under its arrival time, has a row for each of those: `row`, `content` (hex of
    a uuid: what it says, whenever it came) and `undated` (it had no time of its own at all).
    """

    frame: pl.DataFrame
    occurred_us: np.ndarray  # int64, microseconds since 1970
    retention_class: np.ndarray  # int32, index into `classes`
    classes: tuple[str, ...]
    received_at: datetime
    arrivals: pl.DataFrame | None = None
    arrived_at: datetime | None = None  # where they waited since: `received_at` is then the end of that

    def __len__(self) -> int:
        return len(self.frame)

    def days(self) -> list[tuple[str, date]]:
        """The partitions needed: (class, UTC day)."""
        found = []
        for index, name in self._present():
            days = _distinct(self.occurred_us[self.retention_class == index] // _DAY_US)
            found += [(name, datetime.fromtimestamp(int(day) * 86400, UTC).date()) for day in days]
        return found

    def by_class(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Each class with its rows, columns that are empty throughout left out."""
        present = self._present()
        for index, name in present:
            frame = self.frame if len(present) == 1 else self.frame.filter(self.retention_class == index)
            yield name, frame.select(column.name for column in frame if column.null_count() < len(column))

    def span(self) -> dict[str, str]:
        """The moments this group is about, for whoever looks for its rows: ISO 8601 in UTC."""
        low, high = (datetime.fromtimestamp(int(us) / 1e6, UTC) for us in self._bounds())
        return {"received_at": self.received_at.isoformat(), "from": low.isoformat(), "to": high.isoformat()}

    def source_id(self, row: int) -> int:
        return int(self.frame["source_id"][row])

    def with_source_ids(self, ids: np.ndarray) -> Events:
        """The events with other sources: `ids` (int32) has one for each number that there is now."""
        placed = pl.Series("source_id", ids[self.frame["source_id"].to_numpy()], dtype=pl.Int32)
        return replace(self, frame=self.frame.with_columns(placed))

    def after_waiting(self, until: datetime) -> Events:
        """The events as they are stored after they waited in a spool.

        They are received when others can see them, so that alerts and whoever follows find them. When they came is the
        attribute `auditgraf.arrived_at`; the flag `spooled` says that there is one.
        """
        arrived = pl.lit(f'"auditgraf.arrived_at":"{self.received_at.isoformat()}"}}')
        attributes, flags = pl.col("attributes").fill_null("{}"), pl.col("flags").fill_null("{}")
        frame = self.frame.with_columns(
            pl.lit(until.isoformat()).alias("received_at"),
            _opened(attributes, "{") + arrived,
            _opened(flags, "{") + pl.lit("spooled}"),
        )
        return replace(self, frame=frame, received_at=until, arrived_at=self.received_at)

    def class_of(self, row: int) -> str:
        """The retention class of one event."""
        return self.classes[int(self.retention_class[row])]

    def as_json(self, row: int) -> bytes:
        """One event as JSON, redacted as it is, for when PostgreSQL refuses it."""
        return orjson.dumps(self.frame.row(row, named=True))

    def slice(self, start: int, count: int) -> Events:
        """Some of the rows."""
        return self.take(np.arange(start, start + count))

    def take(self, rows: np.ndarray) -> Events:
        """The rows of those numbers."""
        arrivals = self.arrivals
        if arrivals is not None:
            place = pl.DataFrame({"old": rows, "row": np.arange(len(rows))})
            arrivals = arrivals.rename({"row": "old"}).join(place, on="old").select("row", "content", "undated")
        return replace(
            self,
            frame=self.frame[rows],
            occurred_us=self.occurred_us[rows],
            retention_class=self.retention_class[rows],
            arrivals=arrivals if arrivals is not None and len(arrivals) else None,
        )

    def without_known_arrivals(self, fresh: set[str]) -> Events:
        """Leaves out the arrivals whose content is not among `fresh`, and repetitions within the group."""
        assert self.arrivals is not None
        kept = self.arrivals.filter(pl.col("content").is_in(list(fresh))).unique("content", keep="first")
        mask = np.ones(len(self), bool)
        mask[self.arrivals["row"].to_numpy()] = False
        mask[kept["row"].to_numpy()] = True
        return self.take(np.flatnonzero(mask))

    def _present(self) -> list[tuple[int, str]]:
        counts = np.bincount(self.retention_class, minlength=len(self.classes))
        return [(index, self.classes[index]) for index in np.flatnonzero(counts).tolist()]

    def _bounds(self) -> tuple[int, int]:
        # A microsecond more on each side: float seconds round.
        return int(self.occurred_us.min()) - 1, int(self.occurred_us.max()) + 1


def _opened(column: pl.Expr, empty: str) -> pl.Expr:
    """A JSON object or an array of PostgreSQL, as text, without its end: another member may follow."""
    without = column.str.strip_suffix("}")
    return pl.when(without == empty).then(without).otherwise(without + ",")


def _distinct(days: np.ndarray) -> np.ndarray:
    # Nearly every group is of one day: no need to sort for that.
    return days[:1] if len(days) and days.min() == days.max() else np.unique(days)
