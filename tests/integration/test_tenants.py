"""Tenants: whatever SQL a tenant's role sends, it finds its own events, and not a word of anybody else's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from exporter.store.migrate import migrate
from tests.conftest import CLASSES
from tests.sending import fetch
from tests.tenant_world import ACME, PASSWORDS, TENANTS, UMBRELLA, fill, login

Connection = psycopg.Connection[Any]
# What only events of somebody else have in them.
FOREIGN = re.compile(r"umbrella|umb'r|None")

# All that the session's role can name and read: relations, and functions that are not PostgreSQL's own.
RELATIONS = """
    SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
        AND n.nspname !~ '^pg_(toast|temp)' AND has_schema_privilege(n.oid, 'USAGE')
        AND (c.relkind = 'S' AND has_sequence_privilege(c.oid, 'SELECT, USAGE')
             OR c.relkind <> 'S' AND has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
"""
FUNCTIONS = """
    SELECT n.nspname, p.proname, p.proargtypes::regtype[]::text[] AS types FROM pg_proc AS p
    JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_temp'
        AND has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE')
"""
# All the time that there are events of, and any id: nothing is kept back by what is asked for.
ARGUMENTS = {
    "timestamp with time zone": ["now() - interval '10 days'", "now() + interval '1 day'"],
    "uuid": ["gen_random_uuid()"],
    "integer": ["1000000"],
}


@pytest.fixture(scope="module")
def filled(shared_database: str) -> str:
    """A database with events of two tenants and of nobody."""
    migrate(shared_database, CLASSES, passwords=PASSWORDS, tenants=TENANTS)
    with psycopg.connect(shared_database, autocommit=True) as owner:
        fill(owner)
    return shared_database


@pytest.fixture
def acme(filled: str) -> Iterator[Connection]:
    yield from login(filled, ACME.role)


def calls(connection: Connection) -> list[str]:
    """Every function that the role can call, with arguments."""
    made = []
    for schema, name, types in connection.execute(FUNCTIONS):
        given = {known: list(values) for known, values in ARGUMENTS.items()}
        arguments = ", ".join(given[known].pop(0) for known in types)
        made.append(f'"{schema}"."{name}"({arguments})')
    return made


def sources(connection: Connection) -> list[str]:
    """All that the role can read from, as it stands after FROM."""
    relations = [f'"{schema}"."{name}"' for schema, name in connection.execute(RELATIONS)]
    return [*relations, *calls(connection)]


def rows(connection: Connection, source: str) -> list[str]:
    return [row[0] for row in connection.execute(f"SELECT (found.*)::text FROM {source} AS found".encode())]


def test_a_tenant_sees_all_of_its_own_events(acme: Connection, filled: str) -> None:
    own = fetch(filled, "SELECT id FROM audit.events WHERE tenant = 'acme' ORDER BY id")
    assert [{"id": row[0]} for row in acme.execute("SELECT id FROM events ORDER BY id")] == own
    assert len(own) == 150


def test_a_tenant_may_have_several_values(filled: str) -> None:
    for umbrella in login(filled, UMBRELLA.role):
        found = umbrella.execute("SELECT tenant, count(*) FROM events GROUP BY 1 ORDER BY 1").fetchall()
    assert found == [("umb'r$$ella", 150), ("umbrella", 150)]


def test_nothing_that_the_role_can_read_is_outside_of_its_schema(acme: Connection) -> None:
    found = sources(acme)
    assert len(found) > 20
    assert [source for source in found if not source.startswith('"audit_acme".')] == []


def test_the_role_has_no_right_on_any_table_or_view_of_the_operator(acme: Connection) -> None:
    statement = """
        SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm')
            AND relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^audit' AND nspname <> 'audit_acme')
            AND has_any_column_privilege(oid, 'SELECT, INSERT, UPDATE, REFERENCES')
    """
    assert acme.execute(statement).fetchall() == []
    assert acme.execute("SELECT has_schema_privilege('audit', 'USAGE, CREATE')").fetchone() == (False,)
    assert acme.execute("SELECT has_schema_privilege('audit_acme', 'CREATE')").fetchone() == (False,)


def test_nothing_of_anybody_else_is_in_anything_that_the_role_can_read(acme: Connection) -> None:
    spoke_of_itself = set()
    for source in sources(acme):
        found = rows(acme, source)
        assert [row for row in found if FOREIGN.search(row)] == [], source
        if any("acme" in row for row in found):
            spoke_of_itself.add(re.sub(r'"|\(.*', "", source).removeprefix("audit_acme."))
    views = {"events", "event_sources", "volume", "volume_hours", "summarised_actors", "summarised_targets"}
    functions = {"volume_actors", "volume_targets", "actor_totals", "target_totals", "busiest_targets"}
    assert views | functions <= spoke_of_itself


def test_what_is_the_operators_business_is_empty(acme: Connection, filled: str) -> None:
    assert fetch(filled, "SELECT count(*) AS n FROM audit.storage")[0]["n"] > 0
    for view in ("storage", "collector_health", "quarantined", "retention_log", "active_holds"):
        assert rows(acme, view) == [], view


def spied(connection: Connection, source: str) -> list[str]:
    """What a condition of the asker's own gets to see, whatever becomes of the rows."""
    heard: list[str] = []
    connection.execute("""
        CREATE OR REPLACE FUNCTION pg_temp.listen(given text) RETURNS bool LANGUAGE plpgsql COST 0.0000001
        AS $$ BEGIN RAISE NOTICE '%', given; RETURN true; END $$
    """)
    handler = lambda diagnostic: heard.append(diagnostic.message_primary or "")  # noqa: E731
    connection.add_notice_handler(handler)
    columns = connection.execute(f"SELECT * FROM {source} AS found LIMIT 0".encode()).description or []
    for column in columns:
        name = sql.Identifier(column.name)
        statement = sql.SQL("SELECT count(*) FROM {} AS found WHERE pg_temp.listen({}::text)")
        connection.execute(statement.format(sql.SQL(source), name))
    connection.remove_notice_handler(handler)
    return heard


def test_a_condition_of_the_askers_own_is_never_tried_on_a_row_of_anybody_else(acme: Connection) -> None:
    heard = 0
    for source in sources(acme):
        told = spied(acme, source)
        assert [text for text in told if FOREIGN.search(text)] == [], source
        heard += len(told)
    assert heard > 1000


def test_such_a_condition_would_tell_of_a_view_without_a_barrier(acme: Connection, filled: str) -> None:
    """PostgreSQL forgets the barrier where the view itself is a UNION ALL: see exporter/store/tenants/schema.sql."""
    with psycopg.connect(filled, autocommit=True) as owner:
        owner.execute("""
            CREATE VIEW audit_acme.leaky WITH (security_barrier) AS
            SELECT * FROM audit.events_default WHERE tenant = 'acme'
            UNION ALL SELECT * FROM audit.events_default WHERE tenant = 'acme';
            GRANT SELECT ON audit_acme.leaky TO auditgraf_tenant_acme
        """)
        try:
            assert [text for text in spied(acme, "leaky") if FOREIGN.search(text)]
        finally:
            owner.execute("DROP VIEW audit_acme.leaky")


def test_every_view_has_a_barrier_and_none_is_a_union(filled: str) -> None:
    views = fetch(
        filled,
        "SELECT relname, reloptions, pg_get_viewdef(oid) AS text, pg_get_userbyid(relowner) AS owner FROM pg_class"
        " WHERE relnamespace = 'audit_acme'::regnamespace AND relkind = 'v'",
    )
    assert len(views) > 15
    for view in views:
        assert view["reloptions"] == ["security_barrier=true"], view["relname"]
        assert "UNION" not in view["text"], view["relname"]
        assert view["owner"] == "auditgraf_owner"


def test_no_function_runs_with_the_owners_rights(filled: str) -> None:
    found = fetch(
        filled, "SELECT prosecdef FROM pg_proc WHERE pronamespace = 'audit_acme'::regnamespace AND NOT prosecdef"
    )
    assert len(found) == len(fetch(filled, "SELECT FROM pg_proc WHERE pronamespace = 'audit_acme'::regnamespace")) > 5


@pytest.mark.parametrize(
    "condition",
    ["message::int > 0", "1 / (length(message) - length(message)) = 1", "(attributes ->> 'secret')::inet IS NULL"],
)
def test_an_error_quotes_nobody_elses_events(acme: Connection, condition: str) -> None:
    with pytest.raises(psycopg.DataError) as refused:
        acme.execute(f"SELECT count(*) FROM events WHERE {condition}".encode())
    assert not FOREIGN.search(str(refused.value))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM audit.events",
        "SELECT * FROM audit.events_default",
        "SELECT * FROM audit.sources",
        "SELECT * FROM audit.tenants",
        "SELECT * FROM audit_umbrella.events",
        "SELECT * FROM audit_umbrella.volume_actors(now() - interval '1 day', now())",
        "SELECT audit.event_time(gen_random_uuid())",
        "SELECT audit.schema_version()",
        "SELECT audit.ensure_partitions('default', ARRAY[current_date])",
        "UPDATE events SET message = 'another'",
        "DELETE FROM events",
        "INSERT INTO events SELECT * FROM events",
        "CREATE TABLE audit_acme.mine (id int)",
        "CREATE OR REPLACE VIEW audit_acme.events AS SELECT 1",
        "CREATE FUNCTION audit_acme.mine() RETURNS int LANGUAGE sql RETURN 1",
        "CREATE SCHEMA mine",
        "ALTER VIEW audit_acme.events RESET (security_barrier)",
        "DROP SCHEMA audit_acme CASCADE",
        "SET ROLE auditgraf_reader",
        "SET ROLE auditgraf_tenant_umbrella",
        "SET SESSION AUTHORIZATION auditgraf_owner",
        "SELECT pg_read_file('/etc/hostname')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ],
)
def test_a_tenant_is_refused_even_where_it_leaves_read_only_mode(acme: Connection, statement: str) -> None:
    with pytest.raises((errors.InsufficientPrivilege, errors.ObjectNotInPrerequisiteState)):
        acme.execute(statement.encode())


def test_statistics_tell_a_tenant_no_value_of_an_event(acme: Connection) -> None:
    assert acme.execute("SELECT count(*) FROM pg_stats WHERE schemaname LIKE 'audit%'").fetchone() == (0,)


def test_the_reader_sees_everybodys_events_as_before(filled: str) -> None:
    for reader in login(filled, "auditgraf_reader"):
        assert reader.execute("SELECT count(*) FROM audit.events").fetchone() == (600,)
        with pytest.raises(errors.InsufficientPrivilege):
            reader.execute("SELECT * FROM audit_acme.events")


def test_counts_and_summaries_are_those_of_the_tenants_events(acme: Connection) -> None:
    totals = acme.execute("""
        SELECT (SELECT count(*) FROM events), (SELECT sum(events) FROM volume), (SELECT sum(events) FROM volume_hours),
               (SELECT sum(events) FROM volume_days),
               (SELECT sum(events) FROM actor_totals(now() - interval '10 days', now())),
               (SELECT sum(events) FROM target_totals(now() - interval '10 days', now())),
               (SELECT sum(events) FROM address_totals(now() - interval '10 days', now())),
               (SELECT sum(events) FROM place_totals(now() - interval '10 days', now()))
    """).fetchone()
    assert totals == (150,) * 8
    assert (acme.execute("SELECT count(*) FROM summarised_actors").fetchone() or (0,))[0] > 10
    days = acme.execute("SELECT day, events FROM volume_days ORDER BY day").fetchall()
    of_day = "SELECT (occurred_at AT TIME ZONE 'UTC')::date, count(*) FROM events GROUP BY 1 ORDER BY 1"
    assert days == acme.execute(of_day.encode()).fetchall()


def test_the_role_has_the_readers_limits_and_finds_its_views_without_a_schema(filled: str) -> None:
    kept = {}
    for role in (ACME.role, "auditgraf_reader"):
        [row] = fetch(filled, "SELECT rolconfig FROM pg_roles WHERE rolname = %s", role)
        kept[role] = {setting for setting in row["rolconfig"] if not setting.startswith("search_path")}
    assert kept[ACME.role] == kept["auditgraf_reader"]
    assert {"default_transaction_read_only=on", "statement_timeout=30s"} <= kept[ACME.role]
