"""What the health dashboard reads, and who may."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.rows import dict_row

from collector.config import as_login, as_role
from collector.telemetry.process import identify
from collector.telemetry.registry import Registry
from collector.telemetry.samples import Sampler
from exporter.store.migrate import migrate
from tests.conftest import CLASSES
from tests.sending import Store, fetch, record, request

PASSWORDS = {"auditgraf_writer": "writer", "auditgraf_reader": "reader"}
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)
Connection = psycopg.Connection[dict[str, Any]]


@pytest.fixture(scope="module")
def filled(shared_database: str) -> str:
    """A database with three events of today, a sample, and both roles allowed in."""
    migrate(shared_database, CLASSES, passwords=PASSWORDS)
    store = Store(shared_database)
    store.write(request(*(record(body) for body in "abc")))
    store.catalogue.ensure_partitions([("default", (TODAY - 40 * DAY).date())])
    store.close()
    assert Sampler(as_role(shared_database, "auditgraf_writer"), Registry(), identify()).sample()
    return shared_database


@pytest.fixture
def reader(filled: str) -> Iterator[Connection]:
    yield from _login(filled, "auditgraf_reader")


@pytest.fixture
def writer(filled: str) -> Iterator[Connection]:
    yield from _login(filled, "auditgraf_writer")


def _login(url: str, role: str) -> Iterator[Connection]:
    with psycopg.connect(as_login(url, role, PASSWORDS[role]), autocommit=True, row_factory=dict_row) as connection:
        yield connection


def test_every_partition_is_listed_with_its_class_and_its_day(reader: Connection, filled: str) -> None:
    found = reader.execute("SELECT * FROM audit.storage").fetchall()
    known = """
        SELECT replace(inhparent::regclass::text, 'audit.events_', '') AS retention_class, relname AS partition
        FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE relkind = 'r' AND inhparent::regclass::text LIKE 'audit.events%'
    """
    assert sorted((row["retention_class"], row["partition"]) for row in found) == sorted(
        (row["retention_class"], row["partition"]) for row in fetch(filled, known)
    )
    for row in found:
        assert row["range_end"] - row["range_start"] == DAY
        assert row["partition"].endswith(f"_p{row['range_start'].astimezone(UTC):%Y%m%d}")


@pytest.mark.parametrize(("zone", "style"), [("UTC", "ISO"), ("Asia/Kathmandu", "German"), ("US/Samoa", "SQL, DMY")])
def test_ranges_are_the_same_moments_whatever_the_session_prefers(reader: Connection, zone: str, style: str) -> None:
    reader.execute("SELECT set_config('timezone', %s, false), set_config('datestyle', %s, false)", (zone, style))
    statement = "SELECT count(*) FROM audit.storage WHERE range_start = %s AND range_end = %s"
    assert reader.execute(statement, (TODAY, TODAY + DAY)).fetchone() == {"count": len(CLASSES)}


def test_a_partition_that_grows_is_measured_and_an_empty_one_has_no_events(reader: Connection, filled: str) -> None:
    # The statistics of a session reach the others within a second of its last transaction, at its end at the latest.
    exact = "SELECT pg_total_relation_size('audit.events_default_p' || to_char(%s::timestamptz, 'YYYYMMDD')) AS bytes"
    today = "SELECT * FROM audit.storage WHERE retention_class = 'default' AND range_start = %s"
    [row] = reader.execute(today, (TODAY,)).fetchall()
    assert row["estimated_events"] == 3
    assert row["total_bytes"] == fetch(filled, exact, TODAY)[0]["bytes"]
    [old] = reader.execute(today, (TODAY - 40 * DAY,)).fetchall()
    assert old["estimated_events"] == 0
    assert 0 < old["total_bytes"] <= row["total_bytes"]


def test_an_old_partition_is_known_from_the_catalogue_even_where_its_statistics_are_lost(filled: str) -> None:
    day = TODAY - 50 * DAY
    store = Store(filled)
    long_ago = int(day.timestamp() + 3600) * 10**9
    store.write(request(*(record(f"{number}", at_ns=long_ago) for number in range(200))))
    store.close()
    name = f"audit.events_default_p{day:%Y%m%d}"
    with psycopg.connect(filled, autocommit=True) as owner:
        owner.execute(f"VACUUM {name}".encode())
        owner.execute("SELECT pg_stat_reset_single_table_counters(%s::regclass)", (name,))
    [row] = fetch(filled, "SELECT * FROM audit.storage WHERE range_start = %s", day)
    [exact] = fetch(filled, "SELECT pg_total_relation_size(%s::regclass) AS bytes", name)
    assert row["estimated_events"] == 200
    assert exact["bytes"] / 2 < row["total_bytes"] <= exact["bytes"]


def test_the_files_of_old_partitions_are_not_asked_for_their_size(reader: Connection, filled: str) -> None:
    """With thousands of them that takes seconds, and waits for whoever retires one."""
    old = TODAY - 40 * DAY
    with psycopg.connect(filled) as retiring:
        retiring.execute(f"LOCK TABLE audit.events_default_p{old:%Y%m%d} IN ACCESS EXCLUSIVE MODE".encode())
        reader.execute("SET statement_timeout = '10s'")
        statement = "SELECT total_bytes > 0 AS known FROM audit.storage WHERE range_start = %s"
        assert reader.execute(statement, (old,)).fetchall() == [{"known": True}]


def test_the_reader_reads_the_views_of_health(reader: Connection) -> None:
    for view in ("collector_health", "storage", "quarantined"):
        reader.execute(f"SELECT * FROM audit.{view}".encode())


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM audit.collector_samples",
        "DELETE FROM audit.collector_health",
        "INSERT INTO audit.collector_health (instance) VALUES ('mine')",
        "SELECT audit.forget_samples(interval '30 days')",
        "SELECT record FROM audit.quarantine",
    ],
)
def test_the_reader_is_refused_beyond_the_views(reader: Connection, statement: str) -> None:
    reader.execute("SET default_transaction_read_only = off")
    with pytest.raises(errors.InsufficientPrivilege):
        reader.execute(statement.encode())


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM audit.collector_samples",
        "SELECT * FROM audit.collector_health",
        "UPDATE audit.collector_samples SET stored = 0",
        "DELETE FROM audit.collector_samples",
        "SELECT * FROM audit.storage",
        "SELECT * FROM audit.quarantined",
    ],
)
def test_the_writer_adds_samples_and_can_do_nothing_else_with_them(writer: Connection, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        writer.execute(statement.encode())


def test_the_writer_cant_forget_samples_of_the_last_day(writer: Connection, filled: str) -> None:
    writer.execute("SELECT audit.forget_samples(interval '-1 day')")
    assert fetch(filled, "SELECT count(*) FROM audit.collector_health") == [{"count": 1}]
