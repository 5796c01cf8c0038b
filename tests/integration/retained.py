"""What the tests of retention share: days of events that are long past, and runs of the job."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from collector.config import as_role
from exporter.store.archive import PartitionArchiver, Place
from exporter.store.retention import Policy, Report, Step, run
from tests.in_process import auditgraf
from tests.sending import fetch

TODAY = datetime.now(UTC).date()
FILLING = """
    INSERT INTO audit.{} (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome, action, actor_id,
                          message, attributes, flags)
    SELECT gen_random_uuid(), moment + i * interval '1 ms', moment, i, 1, 9, 'success', 'user.login', 'u' || i %% 10,
           'event ' || i, '{{"n": 1}}', '{{}}'
    FROM generate_series(1, %(count)s) AS i, CAST(%(day)s::date + interval '1 hour' AS timestamptz) AS moment
"""


def day(days_ago: int) -> str:
    return f"{TODAY - timedelta(days=days_ago):%Y-%m-%d}"


def partition(retention_class: str, days_ago: int) -> str:
    return f"events_{retention_class}_p{TODAY - timedelta(days=days_ago):%Y%m%d}"


def fill(url: str, retention_class: str, days_ago: int, count: int = 20) -> str:
    """A partition of that many days ago with events of ten actors, u0 to u9; its name."""
    with psycopg.connect(url, autocommit=True) as connection:
        when = TODAY - timedelta(days=days_ago)
        connection.execute("SELECT audit.ensure_partitions(%s, %s)", (retention_class, [when]))
        table = sql.Identifier(f"events_{retention_class}")
        connection.execute(sql.SQL(FILLING).format(table), {"day": when, "count": count})
    return partition(retention_class, days_ago)


def execute(url: str, statement: str, *parameters: object) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode(), parameters or None)


def retain(
    url: str,
    durations: Mapping[str, timedelta | None] | None = None,
    *,
    days_ahead: int = 3,
    rollups: timedelta | None = None,
    place: Place | None = None,
    clock_is_right: bool = False,
) -> Report:
    """One run of the job."""
    return run(
        url,
        as_role(url, "auditgraf_writer"),
        Policy(durations, days_ahead, rollups),
        archiver=PartitionArchiver(place) if place else None,
        clock_is_right=clock_is_right,
    )


def steps(report: Report, action: str) -> dict[str | None, Step]:
    """The steps of one kind by their partition."""
    return {step.partition: step for step in report.steps if step.action == action}


def partitions(url: str, retention_class: str = "log") -> list[str]:
    """The attached partitions of a class that are of past days, oldest first."""
    statement = """
        SELECT partition FROM audit.partitions
        WHERE retention_class = %s AND range_end <= date_trunc('day', now(), 'UTC') AND NOT pending ORDER BY range_start
    """
    return [row["partition"] for row in fetch(url, statement, retention_class)]


def tables(url: str, pattern: str) -> list[str]:
    statement = "SELECT relname FROM pg_class WHERE relname ~ %s AND relkind = 'r' ORDER BY relname"
    return [row["relname"] for row in fetch(url, statement, pattern)]


def messages(url: str, retention_class: str = "log") -> list[str]:
    """What whoever queries audit.events sees of a class, retention's own events left out."""
    statement = """
        SELECT message FROM audit.events
        WHERE retention_class = %s AND service IS DISTINCT FROM 'auditgraf' ORDER BY message
    """
    return [row["message"] for row in fetch(url, statement, retention_class)]


def told(url: str, action: str) -> list[dict[str, Any]]:
    """The audit events of one action that retention left about itself."""
    return fetch(url, "SELECT * FROM audit.events WHERE service = 'auditgraf' AND action = %s ORDER BY id", action)


def command(
    url: str, *arguments: str, config: Path | None = None, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`auditgraf` with these arguments, to its end."""
    return auditgraf(*arguments, config=config, environ={"AUDITGRAF_DATABASE_URL": url, **(environ or {})})


def line(arguments: Sequence[str], config: Path | None) -> list[str]:
    return [sys.executable, "-m", "collector", *(["--config", str(config)] if config else []), *arguments]


def variables(url: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUDITGRAF_")}
    return {**kept, "AUDITGRAF_DATABASE_URL": url, **(environ or {})}


@contextmanager
def reading(url: str, table: str) -> Iterator[None]:
    """Somebody who has looked at a table and not ended the transaction."""
    with psycopg.connect(url) as connection:
        connection.execute(f"SELECT count(*) FROM audit.{table}".encode())
        yield


def pending_detach(database: str, name: str) -> None:
    """A detach that somebody's transaction keeps from ending: what a run that is killed may leave behind."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '100ms'")
        statement = f"ALTER TABLE audit.{name.rpartition('_')[0]} DETACH PARTITION audit.{name} CONCURRENTLY"
        with pytest.raises(errors.LockNotAvailable):
            connection.execute(statement.encode())
    begin_retiring(database, name)


def begin_retiring(database: str, name: str) -> None:
    execute(
        database,
        """SELECT audit.begin_retiring(format('audit.%%s', given.name)::regclass, given.name,
               split_part(given.name, '_', 2), right(given.name, 8)::date, right(given.name, 8)::date + 1, NULL)
        FROM (VALUES (%s)) AS given (name)""",
        name,
    )


def detach(database: str, name: str) -> None:
    begin_retiring(database, name)
    execute(database, f"ALTER TABLE audit.{name.rpartition('_')[0]} DETACH PARTITION audit.{name} CONCURRENTLY")
