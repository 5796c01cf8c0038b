"""What has to be in PostgreSQL before events can be: sources, partitions."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import psycopg
from psycopg import errors

from exporter.errors import StoreUnavailableError
from exporter.otlp.decode import Source
from exporter.store.migrate import DAYS_AHEAD, latest_version
from exporter.store.queries import query
from exporter.store.rollups import Kind
from exporter.store.session import Session

# Sources of one process; past that the oldest is asked for again. A pod restart makes a new one, so they add up.
_SOURCES_KEPT = 50_000
# Kinds of events that one process remembers; most have some hundreds.
_KINDS_KEPT = 100_000
# Longer than any window in which an arrival counts as a retry (exporter/store/writer.py).
_ARRIVALS_KEPT = timedelta(days=8)
# A partition and its indexes take about ten locks, and PostgreSQL has 6,400 for all its sessions by default.
_DAYS_AT_ONCE = 32


class Catalogue:
    """Looks things up and makes what is missing. Its own session, so that it never waits for a COPY under way.

    Every method raises StoreUnavailableError for whatever passes. Any thread may call.
    """

    def __init__(self, url: str) -> None:
        self._session = Session(url, "auditgraf catalogue")
        self._lock = threading.RLock()
        self._sources: OrderedDict[bytes, int] = OrderedDict()
        self._partitions: set[tuple[str, date]] = set()
        self._kinds: dict[Kind, int] = {}
        self._kinds_of: date | None = None

    def source_ids(self, sources: Sequence[Source], columns: Sequence[dict[str, str | None]]) -> np.ndarray:
        """The id of each source; new ones are stored with their service, environment and tenant."""
        with self._lock:
            ids = [
                self._sources.get(source.digest) or self._store_source(source, own)
                for source, own in zip(sources, columns, strict=True)
            ]
        return np.array(ids, np.int32)

    def kind_ids(self, kinds: Iterable[Kind]) -> dict[Kind, int]:
        """The id of each kind; new ones are stored, within the bounds that audit.kind_ids sets."""
        today = datetime.now(UTC).date()
        with self._lock:
            # The bounds are by day: what was beyond them yesterday may have an id of its own today.
            if today != self._kinds_of or len(self._kinds) > _KINDS_KEPT:
                self._kinds.clear()
                self._kinds_of = today
            wanted = set(kinds)
            if new := [kind for kind in wanted if kind not in self._kinds]:
                row = self._fetch("kind_ids", (orjson.dumps(new).decode(),))
                assert row is not None
                self._kinds.update(zip(new, row[0], strict=True))
            return {kind: self._kinds[kind] for kind in wanted}

    def ensure_partitions(self, wanted: Iterable[tuple[str, date]]) -> None:
        """Makes the partitions (class, UTC day) that are missing, and those of their rollups."""
        with self._lock:
            missing: dict[str, list[date]] = {}
            for name, day in wanted:
                if (name, day) not in self._partitions:
                    missing.setdefault(name, []).append(day)
            for name, days in missing.items():
                days.sort()
                for start in range(0, len(days), _DAYS_AT_ONCE):
                    some = days[start : start + _DAYS_AT_ONCE]
                    self._fetch("ensure_partitions", (name, some))
                    self._fetch("ensure_rollups", (some,))
                    self._partitions.update((name, day) for day in some)

    def ensure_ahead(self, classes: Iterable[str]) -> None:
        """Makes today's partitions and those of the next days, so that midnight finds them there."""
        today = datetime.now(UTC).date()
        self.ensure_partitions(
            (name, today + timedelta(days=ahead)) for name in classes for ahead in range(DAYS_AHEAD + 1)
        )

    def forget_partitions(self) -> None:
        """After a partition turned out to be gone (retention): ask again."""
        with self._lock:
            self._partitions.clear()

    def summarise_next(self) -> str | None:
        """Summarises one more day for charts over long ranges; says what it did, None where nothing is to be done."""
        with self._lock:
            row = self._fetch("summarise_next", ())
        return None if row is None else row[0]

    def forget_arrivals(self) -> None:
        """Removes what no retry can refer to any more from audit.arrivals."""
        with self._lock:
            self._fetch("forget_arrivals", (_ARRIVALS_KEPT,))

    def missing(self, classes: Iterable[str]) -> str | None:
        """Why events can't be written yet, and what to do; None where all is in place."""
        with self._lock:
            try:
                version = self._version()
                if version < latest_version():
                    return f"the schema is at version {version} of {latest_version()}: run auditgraf migrate"
                known = {row[0] for row in self._session.connection().execute(query("known_classes"))}
            except StoreUnavailableError as failure:
                return str(failure)
            except psycopg.Error as failure:
                return str(self._session.failed(failure))
        absent = sorted(set(classes) - known)
        return f"retention class {absent[0]} is not in the database: run auditgraf migrate" if absent else None

    def abort(self) -> None:
        """Makes whatever waits for PostgreSQL here fail."""
        self._session.abort()  # without the lock, which the one that waits has

    def close(self) -> None:
        with self._lock:
            self._session.close()

    def _version(self) -> int:
        try:
            row = self._session.connection().execute(query("schema_version")).fetchone()
        except (errors.UndefinedFunction, errors.InvalidSchemaName, errors.InsufficientPrivilege):
            return 0
        return int(row[0]) if row else 0

    def _store_source(self, source: Source, columns: Mapping[str, str | None]) -> int:
        row = self._fetch(
            "add_source",
            {
                "digest": source.digest,
                **columns,
                "resource": orjson.dumps(source.resource).decode(),
                "resource_schema_url": source.resource_schema_url,
                "scope": orjson.dumps(source.scope).decode(),
                "scope_schema_url": source.scope_schema_url,
            },
        )
        row = row or self._fetch("find_source", (source.digest,))
        assert row is not None
        self._sources[source.digest] = row[0]
        if len(self._sources) > _SOURCES_KEPT:
            self._sources.popitem(last=False)
        return int(row[0])

    def _fetch(
        self, name: str, parameters: Mapping[str, object] | Sequence[object], *, once_more: bool = True
    ) -> tuple[Any, ...] | None:
        try:
            return self._session.connection().execute(query(name), parameters).fetchone()
        except psycopg.Error as failure:
            if once_more and self._session.lost:
                # It may have ended while it lay idle; all these statements may run twice.
                return self._fetch(name, parameters, once_more=False)
            raise self._session.failed(failure) from failure
