"""Who may do what: the writer adds events, the reader reads views, and neither can do anything else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from collector.config import as_login
from exporter.store.migrate import migrate
from exporter.store.queries import query
from tests.conftest import CLASSES
from tests.sending import Store, fetch, messages, record, request

PASSWORDS = {"auditgraf_writer": "writer", "auditgraf_reader": "reader"}
TODAY = datetime.now(UTC).date()
Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def filled(shared_database: str) -> str:
    """A database with one event, in which both roles may log in."""
    migrate(shared_database, CLASSES, passwords=PASSWORDS)
    store = Store(shared_database)
    store.write(request(record("here already")))
    store.close()
    return shared_database


@pytest.fixture
def writer(filled: str) -> Iterator[Connection]:
    yield from _login(filled, "auditgraf_writer")


@pytest.fixture
def reader(filled: str) -> Iterator[Connection]:
    yield from _login(filled, "auditgraf_reader")


def _login(url: str, role: str) -> Iterator[Connection]:
    with psycopg.connect(as_login(url, role, PASSWORDS[role]), autocommit=True) as connection:
        yield connection


def tables(url: str) -> list[str]:
    """Every table of the schema, partitions included."""
    statement = """
        SELECT oid::regclass::text AS name FROM pg_class
        WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('r', 'p')
    """
    return [row["name"] for row in fetch(url, statement)]


def privileges(url: str, role: str) -> dict[str, set[str]]:
    """What a role may do on each table and view of the schema, columns included."""
    statement = """
        SELECT oid::regclass::text AS name, privilege FROM pg_class,
             unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege
        WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
          AND (has_table_privilege(%s, oid, privilege)
               OR privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
                  AND has_any_column_privilege(%s, oid, privilege))
    """
    found: dict[str, set[str]] = {}
    for row in fetch(url, statement, role, role):
        found.setdefault(row["name"], set()).add(row["privilege"])
    return found


def test_the_writer_may_insert_events_and_nothing_else(filled: str) -> None:
    assert privileges(filled, "auditgraf_writer") == {
        **{f"audit.events_{row['class']}": {"INSERT"} for row in fetch(filled, "SELECT class FROM audit.retention")},
        "audit.quarantine": {"INSERT"},
        "audit.collector_samples": {"INSERT"},
        "audit.sources": {"SELECT", "INSERT"},
        "audit.arrivals": {"SELECT", "INSERT", "UPDATE"},
        "audit.retention_classes": {"SELECT"},
        "audit.event_template": {"SELECT"},
    }


def test_the_reader_may_read_views_and_nothing_else(filled: str) -> None:
    allowed = privileges(filled, "auditgraf_reader")
    assert all(rights == {"SELECT"} for rights in allowed.values())
    assert {"audit.events", "audit.event_sources", "audit.retention"} <= allowed.keys()
    assert not allowed.keys() & set(tables(filled))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM audit.events_default",
        "SELECT * FROM audit.events",
        "UPDATE audit.events_default SET message = 'another'",
        "DELETE FROM audit.events_default",
        "TRUNCATE audit.events_default",
        "DROP TABLE audit.events_default",
        "ALTER TABLE audit.events_default DISABLE TRIGGER ALL",
        "BEGIN; LOCK TABLE audit.events_default IN ACCESS EXCLUSIVE MODE; ROLLBACK",
        "CREATE TABLE audit.mine (id int)",
        "CREATE FUNCTION audit.mine() RETURNS int LANGUAGE sql RETURN 1",
        "CREATE SCHEMA mine",
        "SELECT * FROM audit.quarantine",
        "UPDATE audit.sources SET service = 'another'",
        "INSERT INTO audit.retention_classes VALUES ('mine')",
        "SELECT audit.ensure_class('mine', interval '1 day')",
        "SELECT audit.rebuild_events_view()",
        "SET ROLE auditgraf_owner",
    ],
)
def test_the_writer_is_refused(writer: Connection, filled: str, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        writer.execute(statement.encode())
    assert "here already" in messages(filled)


def test_the_writer_cant_forget_arrivals_of_the_last_day(writer: Connection, filled: str) -> None:
    store = Store(filled)
    store.write(request(record("without a time", at_ns=0)))
    store.close()
    assert writer.execute(query("forget_arrivals"), (timedelta(0),)).fetchone() == (0,)
    assert fetch(filled, "SELECT count(*) FROM audit.arrivals") == [{"count": 1}]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM audit.events_default",
        "SELECT * FROM audit.sources",
        "SELECT * FROM audit.quarantine",
        "SELECT * FROM audit.arrivals",
        "SELECT * FROM audit.migrations",
        "INSERT INTO audit.events_default SELECT * FROM audit.events_default",
        "UPDATE audit.events SET message = 'another'",
        "DELETE FROM audit.event_sources",
        "CREATE TABLE audit.mine (id int)",
        "CREATE TABLE public.mine (id int)",
        "CREATE VIEW audit.mine AS SELECT 1",
        "SELECT audit.ensure_partitions('default', ARRAY[current_date + 9])",
        "SELECT audit.forget_arrivals(interval '0')",
        "SET ROLE auditgraf_writer",
        "SELECT pg_read_file('/etc/hostname')",
    ],
)
def test_the_reader_is_refused_even_where_it_leaves_read_only_mode(reader: Connection, statement: str) -> None:
    reader.execute("SET default_transaction_read_only = off")
    with pytest.raises((errors.InsufficientPrivilege, errors.ObjectNotInPrerequisiteState)):
        reader.execute(statement.encode())


def test_a_partition_made_later_has_the_same_rights(filled: str, writer: Connection) -> None:
    later = TODAY + timedelta(days=10)
    before = set(tables(filled))
    assert writer.execute(query("ensure_partitions"), ("default", [later])).fetchone() == (1,)
    made = set(tables(filled)) - before
    assert made >= {f"audit.{kind}_default_p{later:%Y%m%d}" for kind in ("events", "leaves")}
    for role in PASSWORDS:
        assert made.isdisjoint(privileges(filled, role))
    for name in made:
        [owner] = fetch(filled, "SELECT pg_get_userbyid(relowner) AS name FROM pg_class WHERE oid = %s::regclass", name)
        assert owner["name"] == "auditgraf_owner"


def test_a_class_added_later_has_the_same_rights(filled: str) -> None:
    migrate(filled, CLASSES | {"legal": None})
    assert privileges(filled, "auditgraf_writer")["audit.events_legal"] == {"INSERT"}
    assert "audit.events_legal" not in privileges(filled, "auditgraf_reader")


def test_the_reader_reads_the_events(reader: Connection) -> None:
    assert ("here already",) in reader.execute("SELECT message FROM events").fetchall()


def test_the_reader_is_read_only_and_gives_up_in_time(reader: Connection) -> None:
    shown = {
        name: reader.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone()
        for name in ("default_transaction_read_only", "statement_timeout", "idle_in_transaction_session_timeout")
    }
    assert shown == {
        "default_transaction_read_only": ("on",),
        "statement_timeout": ("30s",),
        "idle_in_transaction_session_timeout": ("1min",),
    }
    with pytest.raises(errors.ReadOnlySqlTransaction):
        reader.execute("CREATE TEMPORARY TABLE mine (id int)")


def test_ensuring_a_partition_twice_makes_it_once(writer: Connection) -> None:
    day = TODAY - timedelta(days=100)
    assert writer.execute(query("ensure_partitions"), ("log", [day, day])).fetchone() == (1,)
    assert writer.execute(query("ensure_partitions"), ("log", [day])).fetchone() == (0,)


@pytest.mark.parametrize(
    "day", [TODAY + timedelta(days=15), date(2200, 1, 1), TODAY - timedelta(days=36601), date(1, 1, 1)]
)
def test_no_partition_is_made_out_of_reach(filled: str, writer: Connection, day: date) -> None:
    before = tables(filled)
    with pytest.raises(errors.RaiseException, match="out of the accepted window"):
        writer.execute(query("ensure_partitions"), ("default", [TODAY, day]))
    assert tables(filled) == before


@pytest.mark.parametrize("day", [TODAY + timedelta(days=14), TODAY - timedelta(days=36600)])
def test_partitions_are_made_up_to_the_ends_of_the_window(writer: Connection, day: date) -> None:
    assert writer.execute(query("ensure_partitions"), ("default", [day])).fetchone() == (1,)


@pytest.mark.parametrize("name", ["nosuch", "", "template", 'log"; DROP TABLE audit.sources; --', "log'", "LOG"])
def test_no_partition_is_made_for_a_class_that_is_not_known(filled: str, writer: Connection, name: str) -> None:
    before = tables(filled)
    with pytest.raises(errors.RaiseException, match="is not known"):
        writer.execute(query("ensure_partitions"), (name, [TODAY]))
    assert tables(filled) == before


@pytest.mark.parametrize("name", ["Legal", "1st", "a" * 32, 'log"; DROP TABLE audit.sources; --', "", "a.b"])
def test_a_class_whose_name_could_be_more_than_a_name_is_refused(filled: str, name: str) -> None:
    with psycopg.connect(filled) as owner, pytest.raises(errors.CheckViolation):
        owner.execute(query("ensure_class"), (name, None))


def test_the_functions_that_run_as_their_owner_find_nothing_of_the_callers(filled: str) -> None:
    """Whoever can make temporary objects must not be able to slip them under a SECURITY DEFINER function."""
    statement = """
        SELECT proname, proconfig FROM pg_proc
        WHERE pronamespace = 'audit'::regnamespace AND prosecdef
    """
    definers = {row["proname"]: row["proconfig"] for row in fetch(filled, statement)}
    assert {"ensure_partitions", "forget_arrivals", "schema_version"} <= definers.keys()
    assert all("search_path=pg_catalog, pg_temp" in (settings or []) for settings in definers.values())
