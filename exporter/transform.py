"""Decoded records to audit events: everything between the wire and the store that needs neither."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from exporter import identity, times
from exporter.columns import Finisher
from exporter.enrich.changes import never
from exporter.enrich.geoip import GeoIp
from exporter.events import Events
from exporter.mapping.compile import Mapped, Mapper
from exporter.mapping.fields import Picker
from exporter.mapping.trace import Trace
from exporter.otlp.decode import Records, Source
from exporter.redaction.parsed import without_parsed_secrets
from exporter.redaction.redactor import Finding, Redactor

# How far back a clock is believed at most: senders decide which days get a partition, so those must stay countable.
# Older history needs `accept.past`.
_FOREVER = timedelta(days=3653)
REJECTED = "rejected"  # why a record is no event: `unmatched: reject` refuses its whole request
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
    dropped_by: dict[str, int]  # rule, or `unmatched`: how many it left out
    rejected: np.ndarray  # int32: requests that hold a record which `unmatched: reject` refuses


class Transform:
    """Records to events, for one configuration. For one thread at a time."""

    def __init__(
        self,
        mapper: Mapper,
        classes: Mapping[str, timedelta | None],
        *,
        geo: GeoIp | None = None,
        redactor: Redactor | None = None,
        unmatched: str = "keep",
        window: Window | None = None,
    ) -> None:
        self.mapper = mapper
        self._classes = tuple(classes)
        self._redactor = redactor
        self._secret = redactor.is_secret if redactor else never
        self._finisher = Finisher(geo, redactor)
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
        trace: Trace | None = None,
    ) -> Transformed:
        """The events of a group that arrived at `arrival_ns`; `source_ids` are the ids of records.sources.

        `repetitions` is shared by the parts of a group that is taken in several. `trace` is told what was done.
        """
        hashed = identity.digests(records, Picker(records), repetitions)
        parsed = self.mapper.parse(records)
        records, findings = self._redacted(parsed)
        if trace is not None:
            trace.findings = findings
        mapped = self.mapper.map(records, parsed, trace, self._secret)
        classes = self._class_of(mapped)
        when = times.resolve(
            _times(mapped, records),
            records.columns["observed_time_unix_nano"].to_numpy(),
            arrival_ns=arrival_ns,
            earliest_ns=np.maximum(arrival_ns - self._past_ns, 1)[classes],
            latest_ns=arrival_ns + self._future_ns,
        )
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
        ).with_columns(self._finisher.columns(records, mapped, when))
        events = Events(
            frame=frame,
            occurred_us=occurred_us,
            retention_class=classes,
            classes=self._classes,
            received_at=received_at,
            arrivals=_arrivals(when, hashed),
        )
        return self._leave_out(events, mapped, records, hashed, trace)

    def rejected(self, records: Records) -> np.ndarray:
        """The requests (int32, distinct) with a record that `unmatched: reject` refuses; none otherwise."""
        if self._unmatched != "reject":
            return np.empty(0, np.int32)
        return np.unique(records.request[~self.mapper.map(self.mapper.parse(records)).audit])

    def _redacted(self, records: Records) -> tuple[Records, list[Finding]]:
        if self._redactor is None:
            return records, []
        redacted, findings = self._redactor.records(records)
        redacted = without_parsed_secrets(records, redacted)
        sources = [self.source(source) for source in records.sources]
        same = all(one is other for one, other in zip(sources, records.sources, strict=True))
        return redacted if same else replace(redacted, sources=sources), findings

    def source(self, source: Source) -> Source:
        """A source as it may be stored."""
        return self._redactor.source(source) if self._redactor else source

    def _class_of(self, mapped: Mapped) -> np.ndarray:
        index = {name: place for place, name in enumerate(self._classes)}
        classes = np.where(mapped.audit, index["default"], index["log"]).astype(np.int32)
        if mapped.retention_class is not None:
            for row, name in enumerate(mapped.retention_class):
                if name is not None:
                    classes[row] = index[name]
        return classes

    def _leave_out(
        self, events: Events, mapped: Mapped, records: Records, hashed: np.ndarray, trace: Trace | None
    ) -> Transformed:
        left_out = list(_discarded(mapped, hashed))
        kept = ~np.logical_or.reduce([np.zeros(len(records), bool), *(gone for _, gone in left_out)])
        rejected = np.empty(0, np.int32)
        if self._unmatched == "reject" and not mapped.audit.all():
            rejected = np.unique(records.request[~mapped.audit & kept])
            left_out.append((REJECTED, kept & np.isin(records.request, rejected)))
        elif self._unmatched == "drop":
            left_out.append(("unmatched", kept & ~mapped.audit))
        dropped_by = {reason: int(gone.sum()) for reason, gone in left_out if reason != REJECTED and gone.any()}
        kept = ~np.logical_or.reduce([~kept, *(gone for _, gone in left_out)])
        if trace is not None:
            trace.left_out, trace.events = left_out, events
        return Transformed(events if kept.all() else events.take(np.flatnonzero(kept)), dropped_by, rejected)


def _times(mapped: Mapped, records: Records) -> np.ndarray:
    """Timestamps (uint64 nanoseconds), those that the mapping found before those that the records have."""
    own = records.columns["time_unix_nano"]
    column = mapped.columns.get("time")
    if column is None or column.values.null_count() == len(column.values):
        return own.to_numpy()
    found = column.values.cast(pl.UInt64)
    displaced = found.is_not_null() & (own != 0) & (own != found)
    if displaced.any():
        mapped.add_field("time_unix_nano", pl.select(pl.when(displaced).then(own.cast(pl.String))).to_series(), records)
    return found.fill_null(own).to_numpy()


def _discarded(mapped: Mapped, hashed: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Each rule that discards records, with those (bool) it does. A retry meets the same fate."""
    left = np.ones(len(mapped.audit), bool)
    for rule, holds in mapped.discards:
        gone = holds & left if rule.discard == "even_audit_events" else holds & left & ~mapped.audit
        if rule.keep_one_in is not None:
            number = np.ascontiguousarray(hashed[:, :8]).view(np.uint64).ravel()
            gone &= number % np.uint64(rule.keep_one_in) != 0
        left &= ~gone
        yield rule.name, gone


def _arrivals(when: times.Times, hashed: np.ndarray) -> pl.DataFrame | None:
    rows = np.flatnonzero(when.by_arrival | when.near_edge)
    if not len(rows):
        return None
    content = identity.as_hex(hashed[rows, 16:])
    return pl.DataFrame({"row": rows, "content": content, "undated": when.own_ns[rows] == 0})
