"""A rule's statement, asked as Grafana asks it: as the reader, of a range of time, each row an alert."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
from psycopg import errors

from collector.alerts.history import Labels
from collector.reading import Connection, connect, explained, first_line
from exporter.errors import AuditgrafError, StoreUnavailableError
from exporter.store.queries import query


class RuleError(AuditgrafError):
    """One rule's statement can't be answered; another's may."""


@contextmanager
def session(url: str) -> Iterator[Connection]:
    """A session of the reader's. Raises StoreUnavailableError, and AuditgrafError for what PostgreSQL refuses."""
    with connect(url, "auditgraf alerts", query("session", __package__)) as connection, explained():
        try:
            yield connection
        except psycopg.OperationalError as failure:
            raise StoreUnavailableError(f"the connection to PostgreSQL is lost: {first_line(failure)}") from failure


def alerts_at(connection: Connection, name: str, sql: str, start: datetime, end: datetime) -> dict[Labels, float]:
    """The alerts that the rule `name` has by its statement over this range, with their values.

    Raises RuleError where PostgreSQL takes too long.
    """
    with _in_time(connection, name):
        cursor = connection.execute(_ranged(sql, start, end))
    titles = [column.name for column in cursor.description or ()]
    found: dict[Labels, float] = {}
    for row in cursor:
        cells = dict(zip(titles, row, strict=True))
        value = float(cells.pop("value"))
        found[tuple(sorted((label, str(text)) for label, text in cells.items() if text))] = value
    return found


def explain_at(connection: Connection, name: str, sql: str, start: datetime, end: datetime) -> None:
    """Has PostgreSQL plan the statement, which finds all that is wrong with it; nothing is read.

    Raises RuleError where it can't be planned, AuditgrafError where nobody's could: what is asked of is not there.
    """
    try:
        with _in_time(connection, name):
            connection.execute(b"EXPLAIN " + _ranged(sql, start, end))
    except (errors.UndefinedTable, errors.InvalidSchemaName, errors.InsufficientPrivilege, psycopg.OperationalError):
        raise
    except psycopg.Error as failure:
        raise RuleError(f"PostgreSQL can't answer it: {first_line(failure)}") from failure


@contextmanager
def _in_time(connection: Connection, name: str) -> Iterator[None]:
    try:
        yield
    except errors.QueryCanceled as failure:
        row = connection.execute(query("timeout", __package__)).fetchone()
        assert row is not None
        raise RuleError(
            f"{name}: took longer than the {row[0]} that the reader is given, and would fail in Grafana too; "
            "shorten its window or baseline, or let its filter ask for less"
        ) from failure


def _ranged(sql: str, start: datetime, end: datetime) -> bytes:
    """The statement with the macros as Grafana replaces them."""
    return sql.replace("$__timeFrom()", _literal(start)).replace("$__timeTo()", _literal(end)).encode()


def _literal(moment: datetime) -> str:
    return f"'{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}'"
