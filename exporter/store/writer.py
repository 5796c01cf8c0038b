"""Events to PostgreSQL: COPY straight into the class tables, one transaction a group."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl
import psycopg
from psycopg import errors, sql

from exporter.events import Events
from exporter.store import rollups
from exporter.store.catalogue import Catalogue
from exporter.store.queries import query
from exporter.store.rollups import Counted
from exporter.store.session import Connection, Session

log = logging.getLogger(__name__)

# What PostgreSQL says of values it can't take, whichever row it is in: the group is split until that row is alone.
POISON = (errors.DataError, errors.ProgramLimitExceeded, errors.StatementTooComplex, errors.NotNullViolation)
# Counted under PostgreSQL's own name of the condition, or of its class (PostgreSQL's documentation, appendix A).
_CONDITIONS = ("data_exception", "program_limit_exceeded", "statement_too_complex", "not_null_violation")
QUARANTINED_WHERE = dict(zip(POISON, _CONDITIONS, strict=True))
# How long an event filed under its arrival counts as a retry of an equal one. Without any time of its own a second
# one may well be meant, so only as long as senders retry (the OpenTelemetry Collector: 5 minutes); with one, longer.
_UNDATED_WINDOW = timedelta(minutes=15)
_DATED_WINDOW = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a group: rows stored, rows that were there already, rows set aside in quarantine by reason."""

    stored: int = 0
    duplicates: int = 0
    quarantined_by: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Written) -> Written:
        return Written(
            self.stored + other.stored,
            self.duplicates + other.duplicates,
            dict(Counter(self.quarantined_by) + Counter(other.quarantined_by)),
        )


class Writer:
    """Writes groups of events. For one thread; `write` returns once they are committed."""

    def __init__(self, url: str, catalogue: Catalogue) -> None:
        self._session = Session(url, "auditgraf writer")
        self._catalogue = catalogue

    def close(self) -> None:
        self._session.close()

    def abort(self) -> None:
        """Makes a `write` that waits for PostgreSQL fail; whether it was committed is open. Any thread may call."""
        self._session.abort()

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
            if optimistic:
                for name, frame in fresh.by_class():
                    copy(connection, sql.Identifier("audit", f"events_{name}"), frame)
                counted = rollups.count(fresh)
            else:
                counted = [each for name, frame in fresh.by_class() for each in self._merge(connection, name, frame)]
            stored = sum(each.events for each in counted)
            if stored:
                self._count(connection, counted, fresh)
        return Written(stored, duplicates=len(events) - stored)

    def _merge(self, connection: Connection, name: str, frame: pl.DataFrame) -> list[Counted]:
        """The way that tolerates what is there already: through a temporary table, in one order for all writers.

        Gives the counts of what was stored.
        """
        staging = sql.Identifier("pg_temp", "staging")
        connection.execute(sql.SQL("TRUNCATE {}").format(staging))
        copy(connection, staging, frame)
        columns = sql.SQL(", ").join(map(sql.Identifier, frame.columns))
        merged = connection.execute(
            sql.SQL(query("merge")).format(
                table=sql.Identifier("audit", f"events_{name}"), columns=columns, staging=staging
            )
        )
        if not merged.rowcount:
            return []
        # The writer may not read events, not even by RETURNING: it is told of those that it has just stored.
        place = {"class": name, "ids": frame["id"].to_list(), "times": frame["occurred_at"].to_list()}
        return [
            Counted(slot, (name, *kind), events)
            for slot, *kind, events in connection.execute(query("just_stored"), place)
        ]

    def _count(self, connection: Connection, counted: list[Counted], events: Events) -> None:
        """Adds to the rollups and tells whoever follows; last in the transaction, so that no other waits for long."""
        kinds = self._catalogue.kind_ids(each.kind for each in counted)
        connection.execute(
            query("count_events"),
            {
                "slots": [each.slot for each in counted],
                "kinds": [kinds[each.kind] for each in counted],
                "counts": [each.events for each in counted],
                "span": json.dumps(events.span()),
            },
        )

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
                    {"contents": contents, "received_at": events.arrived_at or events.received_at, "window": window},
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
                query("quarantine"), (events.received_at, events.source_id(0), reason, events.as_json(0))
            )
        except psycopg.Error as broken:
            raise self._session.failed(broken) from broken
        condition = next(name for kind, name in QUARANTINED_WHERE.items() if isinstance(failure, kind))
        return Written(quarantined_by={condition: 1})


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
