"""One run at a time, by a lock that nobody else can take, that holds up nobody, and that ends with its process."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import errors, sql

from collector.config import as_role
from exporter.errors import RetentionError
from exporter.store.forget import forget
from exporter.store.integrity import verify
from exporter.store.migrate import migrate
from exporter.store.retention import create_hold, parse_filter
from exporter.store.retention.owner import alone, as_owner
from tests.collector_process import ROOT, wait_until
from tests.conftest import CLASSES
from tests.integration.retained import fill, retain
from tests.sending import fetch

HOLDING = """
    import sys
    from exporter.store.retention.owner import alone, as_owner
    with as_owner(sys.argv[1]), alone(sys.argv[1]) as mine:
        print(mine, flush=True)
        sys.stdin.read()
"""
SESSIONS = """
    SELECT state, backend_xid IS NULL AND backend_xmin IS NULL AS holds_nothing_back FROM pg_stat_activity
    WHERE application_name = 'auditgraf retention' AND datname = current_database()
"""


@contextmanager
def holding(url: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has the lock of retention."""
    code = "\n".join(text[4:] for text in HOLDING.splitlines())
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, url], cwd=ROOT, text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_lock_of_a_run_that_is_killed_is_free(database: str) -> None:
    with holding(database) as process:
        assert not retain(database).done
        process.send_signal(signal.SIGKILL)
        wait_until(lambda: retain(database).done, "the lock is free")


def test_a_run_holds_back_neither_vacuum_nor_itself_while_it_works(database: str) -> None:
    fill(database, "log", 0)
    with holding(database):
        wait_until(
            lambda: {row["state"] for row in fetch(database, SESSIONS)} == {"idle", "idle in transaction"}, "idle"
        )
        assert all(row["holds_nothing_back"] for row in fetch(database, SESSIONS))
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("SET lock_timeout = '2s'")
            connection.execute("DELETE FROM audit.events_log")
            connection.execute("VACUUM")
            told: list[str] = []
            connection.add_notice_handler(
                lambda notice: told.append(notice.message_detail or notice.message_primary or "")
            )
            connection.execute("VACUUM (VERBOSE) audit.events_log")
        assert "0 are dead but not yet removable" in " ".join(told)


@pytest.mark.parametrize("timeout", ["idle_in_transaction_session_timeout", "statement_timeout", "lock_timeout"])
def test_no_timeout_of_the_database_ends_the_lock(database: str, timeout: str) -> None:
    settings = {timeout: "50ms", "default_transaction_isolation": "repeatable read"}
    with psycopg.connect(database, autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    sql.Identifier(connection.info.dbname), sql.Identifier(name), sql.Literal(value)
                )
            )
    with as_owner(database) as working, alone(database) as mine:
        assert mine
        working.execute("SELECT pg_sleep(0.2)")
        assert not retain(database).done
    with as_owner(database), alone(database) as mine:
        assert mine


def test_whoever_may_only_log_in_holds_up_neither_runs_nor_migrations(database: str) -> None:
    with psycopg.connect(as_role(database, "auditgraf_reader"), autocommit=True) as reader:
        for lock in ("SHARE", "ACCESS SHARE", "EXCLUSIVE"):
            for name in ("retention_lock", "migrations", "locks"):
                with pytest.raises(errors.InsufficientPrivilege):
                    reader.execute(f"BEGIN; LOCK TABLE audit.{name} IN {lock} MODE".encode())
                reader.execute("ROLLBACK")
        for key in (
            "hashtextextended('audit.retention', 0)",
            "418581373293",
            "hashtextextended('audit.summarise_next', 0)",
        ):
            reader.execute(f"SELECT pg_advisory_lock({key})".encode())
        fill(database, "log", 30)
        fill(database, "log", 3)
        assert retain(database).done
        assert migrate(database, CLASSES) == 0
        assert forget(database, as_role(database, "auditgraf_writer"), "u1", by="me").events == 2
        summarising = "SELECT audit.summarise_next() IS NOT NULL AS done"
        assert fetch(as_role(database, "auditgraf_writer"), summarising) == [{"done": True}]


def test_an_order_during_a_run_is_refused_at_once(database: str) -> None:
    with holding(database), pytest.raises(RetentionError, match="a run of retention is under way"):
        forget(database, as_role(database, "auditgraf_writer"), "u1", by="me")


def test_migrations_wait_for_one_another_and_record_themselves(database: str) -> None:
    with psycopg.connect(database) as other:
        other.execute("LOCK TABLE audit.migrations IN SHARE UPDATE EXCLUSIVE MODE")
        migrating = threading.Thread(target=migrate, args=(database, CLASSES))
        migrating.start()
        waits = "SELECT FROM pg_stat_activity WHERE application_name = 'auditgraf migrate' AND wait_event_type = 'Lock'"
        wait_until(lambda: fetch(database, waits), "it waits")
    migrating.join(30)
    assert not migrating.is_alive()


def test_each_session_is_called_after_what_it_does(database: str) -> None:
    seen: list[str] = []
    names = "SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"

    def look(*_: object) -> None:
        seen.extend(row["application_name"] for row in fetch(database, f"{names} AND pid <> pg_backend_pid()"))

    fill(database, "log", 0)
    verify(database, progress=look)
    assert set(seen) == {"auditgraf verify"}
    seen.clear()
    forget(database, as_role(database, "auditgraf_writer"), "u1", by="me", report=look)
    assert "auditgraf forget" in seen
    assert "auditgraf retention" not in seen
    with psycopg.connect(database) as blocking:
        blocking.execute("LOCK TABLE audit.holds IN ACCESS EXCLUSIVE MODE")
        match = parse_filter("{actor_id: u1}")
        holding_on = threading.Thread(
            target=create_hold, args=(database,), kwargs={"by": "me", "reason": "x", "text": "x", "match": match}
        )
        holding_on.start()
        waits = "SELECT FROM pg_stat_activity WHERE application_name = 'auditgraf hold' AND wait_event_type = 'Lock'"
        wait_until(lambda: fetch(database, waits), "it waits")
    holding_on.join(30)
    assert not holding_on.is_alive()
