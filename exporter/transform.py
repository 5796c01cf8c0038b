"""Decoded records to audit events: everything between the wire and the store that needs neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from exporter import identity, times
from exporter.columns import Finisher
from exporter.enrich.geoip import GeoIp
from exporter.events import Events
from exporter.mapping.compile import Mapped, Mapper
from exporter.mapping.fields import Picker
from exporter.otlp.decode import Records

# How far back a clock is believed at most: senders decide which days get a partition, so those must stay countable.
# Older history needs `accept.past`.
_FOREVER = timedelta(days=3653)
_FURTHEST = timedelta(days=36500)  # what audit.ensure_partitions makes


@dataclass(frozen=True, slots=True)
class Window:
    """Which times are believed, seen from the arrival; `past` None: as far back as the record's class is kept."""

    past: timedelta | None = None
    future: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Transformed:
    """Events, and how many records the configuration left out."""

    events: Events
    dropped: int
    rejected: np.ndarray  # int32: requests that hold a record which `unmatched: reject` refuses


class Transform:
    """Records to events, for one configuration. For one thread at a time."""

    def __init__(
        self,
        mapper: Mapper,
        classes: Mapping[str, timedelta | None],
        *,
        geo: GeoIp | None = None,
        unmatched: str = "keep",
        window: Window | None = None,
    ) -> None:
        self.mapper = mapper
        self._classes = tuple(classes)
        self._finisher = Finisher(geo)
        self._unmatched = unmatched
        window = window or Window()
        past = [classes[name] if window.past is None else window.past for name in self._classes]
        reach = [_FOREVER if span is None else span for span in past]
        self._past_ns = np.array([min(span, _FURTHEST) // timedelta(microseconds=1) * 1000 for span in reach], np.int64)
        self._future_ns = window.future // timedelta(microseconds=1) * 1000

    def __call__(
        self,
        records: Records,
        source_ids: np.ndarray,
        arrival_ns: int,
        repetitions: identity.Repetitions | None = None,
    ) -> Transformed:
        """The events of a group that arrived at `arrival_ns`; `source_ids` are the ids of records.sources.

        `repetitions` is shared by the parts of a group that is taken in several.
        """
        picker = Picker(records)
        mapped = self.mapper.map(records)
        classes = self._class_of(mapped)
        when = times.resolve(
            records.columns["time_unix_nano"].to_numpy(),
            records.columns["observed_time_unix_nano"].to_numpy(),
            arrival_ns=arrival_ns,
            earliest_ns=np.maximum(arrival_ns - self._past_ns, 1)[classes],
            latest_ns=arrival_ns + self._future_ns,
        )
        hashed = identity.digests(records, picker, repetitions)
        received_at = datetime.fromtimestamp(arrival_ns // 1000 / 1e6, UTC)
        occurred_us = when.occurred_ns // times.NS_PER_US
        frame = pl.DataFrame(
            {
                "id": identity.ids(when.occurred_ns // 1_000_000, hashed),
                "occurred_at": times.as_text(occurred_us),
                "received_at": pl.Series([received_at.isoformat()]).new_from_index(0, len(records)),
                "occurred_ns": when.occurred_ns,
                "observed_ns": when.observed_ns,
                "source_id": source_ids[records.source].astype(np.int32),
            }
        ).with_columns(self._finisher.columns(records, mapped, picker, when))
        events = Events(
            frame=frame,
            occurred_us=occurred_us,
            retention_class=classes,
            classes=self._classes,
            received_at=received_at,
            records=records.raw,
            record=np.arange(len(records)),
            arrivals=_arrivals(when, hashed),
        )
        return self._leave_out(events, mapped, records)

    def rejected(self, records: Records) -> np.ndarray:
        """The requests (int32, distinct) with a record that `unmatched: reject` refuses; none otherwise."""
        if self._unmatched != "reject":
            return np.empty(0, np.int32)
        return np.unique(records.request[~self.mapper.map(records).audit])

    def _class_of(self, mapped: Mapped) -> np.ndarray:
        index = {name: place for place, name in enumerate(self._classes)}
        classes = np.where(mapped.audit, index["default"], index["log"]).astype(np.int32)
        if mapped.retention_class is not None:
            for row, name in enumerate(mapped.retention_class):
                if name is not None:
                    classes[row] = index[name]
        return classes

    def _leave_out(self, events: Events, mapped: Mapped, records: Records) -> Transformed:
        none = np.empty(0, np.int32)
        if self._unmatched == "keep" or mapped.audit.all():
            return Transformed(events, 0, none)
        if self._unmatched == "reject":
            rejected = np.unique(records.request[~mapped.audit])
            kept = np.flatnonzero(~np.isin(records.request, rejected))
            return Transformed(events.take(kept), 0, rejected)
        kept = np.flatnonzero(mapped.audit)
        return Transformed(events.take(kept), len(events) - len(kept), none)


def _arrivals(when: times.Times, hashed: np.ndarray) -> pl.DataFrame | None:
    rows = np.flatnonzero(when.by_arrival | when.near_edge)
    if not len(rows):
        return None
    content = identity.as_hex(hashed[rows, 16:])
    return pl.DataFrame({"row": rows, "content": content, "undated": when.own_ns[rows] == 0})
