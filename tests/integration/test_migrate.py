"""`auditgraf migrate`: on an empty database, again, at once from two processes, and by whom."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from collector.config import as_login
from collector.embedded import EmbeddedPostgres
from exporter.errors import ConfigError, MigrationError, StoreUnavailableError
from exporter.store.migrate import DAYS_AHEAD, latest_version, migrate, migrations
from tests.collector_process import ROOT, wait_until
from tests.conftest import CLASSES, server_folder
from tests.sending import fetch

PARTITIONS = """
    SELECT inhparent::regclass::text AS parent, inhrelid::regclass::text AS child
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE relkind = 'r' AND relnamespace = 'audit'::regnamespace AND relname LIKE 'events%' ORDER BY child
"""


@pytest.fixture
def fresh_cluster() -> Iterator[EmbeddedPostgres]:
    """A server on which nothing was ever migrated: the roles, which all databases share, are not there."""
    with server_folder() as folder:
        server = EmbeddedPostgres(folder / "postgres", settings=["fsync=off"])
        server.start()
        yield server
        server.stop()


@pytest.fixture
def login(postgres: str, empty_database: str) -> Iterator[str]:
    """The name of a role that may log in and nothing else; its password is its name."""
    name = f"login_{urlsplit(empty_database).path[-12:]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(name)))
        yield name
        with psycopg.connect(empty_database, autocommit=True) as inside:
            inside.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(sql.Identifier(name)))
            inside.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def in_processes(urls: list[str]) -> list[subprocess.Popen[str]]:
    """`auditgraf migrate` on each database in a process of its own, all let go at the same moment."""
    gates = [psycopg.connect(url) for url in dict.fromkeys(urls)]
    for gate in gates:
        # None of them can make the schema; and some wait for what another one has begun to make.
        gate.execute("LOCK TABLE pg_catalog.pg_namespace IN SHARE MODE")
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "collector", "migrate"],
            cwd=ROOT,
            env=os.environ | {"AUDITGRAF_DATABASE_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for url in urls
    ]
    waiting = """
        SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE NOT granted AND application_name = 'auditgraf migrate'
    """
    wait_until(lambda: fetch(urls[0], waiting)[0]["count"] == len(urls), "every process waits")
    for gate in gates:
        gate.close()
    return processes


def outcomes(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    answers = [process.communicate(timeout=30) for process in processes]
    return [(process.returncode, out + err) for process, (out, err) in zip(processes, answers, strict=True)]


def test_an_empty_database_gets_the_whole_schema(empty_database: str) -> None:
    told: list[str] = []
    assert migrate(empty_database, CLASSES, report=told.append) == len(migrations())
    assert told == [f"applied {migration.version:04} {migration.name}" for migration in migrations()]
    assert fetch(empty_database, "SELECT audit.schema_version() AS version") == [{"version": latest_version()}]
    kept = {row["class"]: row["keep"] for row in fetch(empty_database, "SELECT class, keep FROM audit.retention")}
    assert kept == CLASSES
    assert fetch(empty_database, "SELECT * FROM audit.events") == []


def test_todays_partitions_and_those_of_the_next_days_are_there(database: str) -> None:
    today = datetime.now(UTC).date()
    days = [today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)]
    expected = {f"audit.events_{name}_p{day:%Y%m%d}" for name in CLASSES for day in days}
    assert {row["child"] for row in fetch(database, PARTITIONS)} == expected


def test_a_second_migration_changes_nothing(database: str) -> None:
    catalogue = "SELECT oid, relacl::text FROM pg_class WHERE relnamespace = 'audit'::regnamespace ORDER BY oid"
    before = fetch(database, catalogue)
    assert migrate(database, CLASSES) == 0
    assert fetch(database, catalogue) == before


def test_two_processes_on_one_database_migrate_it_once(empty_database: str) -> None:
    results = outcomes(in_processes([empty_database, empty_database]))
    assert [code for code, _ in results] == [0, 0], results
    applied = [f"{len(migrations())} migrations applied" in text for _, text in results]
    assert sorted(applied) == [False, True]


def test_two_databases_of_a_new_cluster_are_migrated_at_once(fresh_cluster: EmbeddedPostgres) -> None:
    """Both make the roles, which belong to the cluster."""
    urls = []
    with psycopg.connect(fresh_cluster.url("postgres"), autocommit=True) as connection:
        for name in ("one", "two"):
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            urls.append(fresh_cluster.url(name))
    results = outcomes(in_processes(urls))
    assert [code for code, _ in results] == [0, 0], results
    for url in urls:
        assert fetch(url, "SELECT audit.schema_version() AS version") == [{"version": latest_version()}]


def test_a_class_added_later_gets_its_table_and_its_place_in_the_view(database: str) -> None:
    migrate(database, CLASSES | {"legal": None})
    assert fetch(database, "SELECT keep FROM audit.retention WHERE class = 'legal'") == [{"keep": None}]
    assert len([row for row in fetch(database, PARTITIONS) if row["parent"] == "audit.events_legal"]) == DAYS_AHEAD + 1
    [view] = fetch(database, "SELECT pg_get_viewdef('audit.events'::regclass) AS text")
    assert "events_legal" in view["text"]


def test_how_long_a_class_is_kept_can_be_changed(database: str) -> None:
    migrate(database, CLASSES | {"log": timedelta(days=2)})
    assert fetch(database, "SELECT keep FROM audit.retention WHERE class = 'log'") == [{"keep": timedelta(days=2)}]


def test_a_class_that_the_configuration_no_longer_names_keeps_its_events(database: str) -> None:
    migrate(database, {name: keep for name, keep in CLASSES.items() if name != "security"})
    assert fetch(database, "SELECT class FROM audit.retention WHERE class = 'security'") == [{"class": "security"}]


def test_a_migration_file_that_was_changed_is_refused(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE audit.migrations SET sha256 = %s WHERE version = 1", (hashlib.sha256().hexdigest(),))
    with pytest.raises(MigrationError, match=r"migration 0001 \(events\) differs.*restore the file"):
        migrate(database, CLASSES)


def test_a_schema_of_a_newer_version_is_refused(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO audit.migrations (version, name, sha256) VALUES (9999, 'later', '')")
    with pytest.raises(MigrationError, match=rf"version 9999, this auditgraf knows {latest_version()}"):
        migrate(database, CLASSES)


def test_a_migration_that_fails_is_named_and_leaves_nothing_behind(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM audit.migrations")
        connection.execute("DROP TABLE audit.sources CASCADE")
    with pytest.raises(MigrationError, match=r'migration 0001 \(events\) failed.*"retention_classes" already exists'):
        migrate(database, CLASSES)
    assert fetch(database, "SELECT to_regclass('audit.sources') AS sources") == [{"sources": None}]


@pytest.mark.parametrize(
    "url", ["postgresql//keeper:secret@host/audit", "postgresql://keeper:secret/x@host/audit", "keeper secret"]
)
def test_a_url_that_cant_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="percent-encoded") as refused:
        migrate(url, CLASSES)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_the_passwords_given_let_writer_and_reader_log_in(database: str) -> None:
    passwords = {"auditgraf_writer": "wr'iter \\ ü", "auditgraf_reader": "reader"}
    migrate(database, CLASSES, passwords=passwords)
    for role, password in passwords.items():
        with psycopg.connect(as_login(database, role, password)) as connection:
            assert connection.execute("SELECT session_user").fetchone() == (role,)
    stored = fetch(database, "SELECT rolpassword FROM pg_authid WHERE rolname = ANY (%s)", list(passwords))
    assert all(row["rolpassword"].startswith("SCRAM-SHA-256$") for row in stored)


def test_who_owns_the_database_and_may_create_roles_needs_no_superuser(fresh_cluster: EmbeddedPostgres) -> None:
    with psycopg.connect(fresh_cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE ROLE keeper LOGIN CREATEROLE PASSWORD 'keeper'")
        connection.execute("CREATE DATABASE kept OWNER keeper")
    url = as_login(fresh_cluster.url("kept"), "keeper", "keeper")
    passwords = {"auditgraf_writer": "w", "auditgraf_reader": "r"}
    assert migrate(url, CLASSES, passwords=passwords) == len(migrations())
    assert migrate(url, CLASSES, passwords=passwords) == 0
    with psycopg.connect(as_login(url, "auditgraf_reader", "r")) as reader:
        assert reader.execute("SELECT count(*) FROM audit.events").fetchone() == (0,)


def test_who_may_not_migrate_is_told_who_may(empty_database: str, login: str) -> None:
    with pytest.raises(MigrationError, match="user with CREATEROLE that owns the database"):
        migrate(as_login(empty_database, login, login), CLASSES)


def test_a_database_that_is_not_there_is_told_as_such(postgres: str) -> None:
    absent = urlunsplit(urlsplit(postgres)._replace(path="/no_such_database"))
    with pytest.raises(StoreUnavailableError, match='"no_such_database" does not exist'):
        migrate(absent, CLASSES)
