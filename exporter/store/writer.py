"""Events to PostgreSQL: COPY straight into the class tables, one transaction a group."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import polars as pl
import psycopg
from psycopg import errors, sql

from exporter.events import Events
from exporter.store.catalogue import Catalogue
from exporter.store.queries import query
from exporter.store.session import Connection, Session

log = logging.getLogger(__name__)

# What PostgreSQL says of values it can't take, whichever row it is in: the group is split until that row is alone.
POISON = (errors.DataError, errors.ProgramLimitExceeded, errors.StatementTooComplex, errors.NotNullViolation)
# How long an event filed under its arrival counts as a retry of an equal one. Without any time of its own a second
# one may well be meant, so only as long as senders retry (the OpenTelemetry Collector: 5 minutes); with one, longer.
_UNDATED_WINDOW = timedelta(minutes=15)
_DATED_WINDOW = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a group: rows stored, rows that were there already, rows set aside as quarantine."""

    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(
            self.stored + other.stored,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
        )


class Writer:
    """Writes groups of events. For one thread; `write` returns once they are committed."""

    def __init__(self, url: str, catalogue: Catalogue) -> None:
        self._session = Session(url, "auditgraf writer")
        self._catalogue = catalogue

    def close(self) -> None:
        self._session.close()

    def write(self, events: Events) -> Written:
        """Stores a group in one transaction; nothing is stored twice.

        Raises StoreUnavailableError for whatever passes; the whole group may be written again.
        """
        if not len(events):
            return Written()
        try:
            return self._write(events, optimistic=True)
        except (errors.UniqueViolation, errors.DeadlockDetected):
            # Events stored before, or on their way in another collector's group, in another order.
            return self._again(events)
        except errors.CheckViolation:
            # "no partition of relation found for row": it was retired since we last looked.
            self._catalogue.forget_partitions()
            return self._again(events)
        except (*POISON, errors.OutOfMemory) as failure:
            # Out of memory for locks, most likely: events of many days are in as many partitions.
            return self._in_parts(events, failure)
        except psycopg.Error as failure:
            if self._session.lost:
                # What PostgreSQL ended while it lay idle is found out only here; once more over a new connection.
                return self._again(events)
            raise self._session.failed(failure) from failure

    def _again(self, events: Events) -> Written:
        try:
            self._catalogue.ensure_partitions(events.days())
            return self._write(events, optimistic=False)
        except (*POISON, errors.OutOfMemory) as failure:
            return self._in_parts(events, failure)
        except psycopg.Error as failure:
            raise self._session.failed(failure) from failure

    def _write(self, events: Events, *, optimistic: bool) -> Written:
        self._catalogue.ensure_partitions(events.days())
        connection = self._session.connection()
        if not optimistic:
            connection.execute(query("staging_table"))
        with connection.transaction():
            fresh = self._claim(connection, events)
            stored = 0
            for name, frame in fresh.by_class():
                if optimistic:
                    copy(connection, sql.Identifier("audit", f"events_{name}"), frame)
                    stored += len(frame)
                else:
                    stored += self._merge(connection, name, frame)
            if stored:
                connection.execute(query("notify"), (json.dumps(fresh.span()),))
        return Written(stored, duplicates=len(events) - stored)

    def _merge(self, connection: Connection, name: str, frame: pl.DataFrame) -> int:
        """The way that tolerates what is there already: through a temporary table, in one order for all writers."""
        staging = sql.Identifier("pg_temp", "staging")
        connection.execute(sql.SQL("TRUNCATE {}").format(staging))
        copy(connection, staging, frame)
        columns = sql.SQL(", ").join(map(sql.Identifier, frame.columns))
        merged = connection.execute(
            sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} ORDER BY id ON CONFLICT DO NOTHING").format(
                sql.Identifier("audit", f"events_{name}"), columns, columns, staging
            )
        )
        return merged.rowcount

    def _claim(self, connection: Connection, events: Events) -> Events:
        """Leaves out the events filed under arrival that are retries of ones stored before."""
        if events.arrivals is None:
            return events
        fresh: set[str] = set()
        for undated, window in ((True, _UNDATED_WINDOW), (False, _DATED_WINDOW)):
            contents = events.arrivals.filter(pl.col("undated") == undated)["content"].unique().to_list()
            if contents:
                rows = connection.execute(
                    query("claim_arrivals"),
                    {"contents": contents, "received_at": events.received_at, "window": window},
                )
                fresh.update(row[0].hex for row in rows)
        return events.without_known_arrivals(fresh)

    def _in_parts(self, events: Events, failure: psycopg.Error) -> Written:
        """Halves the group until the row that PostgreSQL refuses is alone; that one is set aside, as bytes."""
        if len(events) > 1:
            middle = len(events) // 2
            return self.write(events.slice(0, middle)) + self.write(events.slice(middle, len(events) - middle))
        if not isinstance(failure, POISON):
            raise self._session.failed(failure) from failure
        reason = f"{type(failure).__name__}: {failure.diag.message_primary or failure}"
        log.error("a record was set aside in audit.quarantine: %s", reason)
        try:
            self._session.connection().execute(
                query("quarantine"), (events.received_at, events.source_id(0), reason, events.raw(0))
            )
        except psycopg.Error as broken:
            raise self._session.failed(broken) from broken
        return Written(quarantined=1)


def copy(connection: Connection, table: sql.Identifier, frame: pl.DataFrame) -> None:
    """COPYs a frame, whose columns have the names of the table's, as CSV rendered by Polars."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
        table, sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as channel:
        for part in csv_parts(frame):
            channel.write(part)


def csv_parts(frame: pl.DataFrame, rows: int = 4096) -> Iterator[bytes]:
    """The frame as CSV without a header, a bounded part at a time; null is empty, an empty string is quoted."""
    for part in frame.iter_slices(rows):
        yield part.write_csv(include_header=False).encode()
