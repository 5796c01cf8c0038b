"""`auditgraf migrate` keeps the tenants' roles and schemas as the configuration has them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors, sql

from collector.config import as_login
from exporter.errors import ConfigError, MigrationError
from exporter.store import migrate as module
from exporter.store.migrate import Migration, migrate, migrations
from exporter.store.tenants import Tenant
from tests.conftest import CLASSES, new_database
from tests.integration.test_rollups import with_column
from tests.sending import Store, fetch, record, request


@pytest.fixture
def tenant(postgres: str) -> Iterator[Tenant]:
    """A tenant whose role no other test knows; the role is gone at the end."""
    made = Tenant(f"t{uuid.uuid4().hex[:12]}", ("acme",))
    yield made
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(made.role)))


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    opened = Store(database)
    yield opened
    opened.close()


def write(store: Store, *tenants: str | None) -> None:
    """One event of each."""
    events = store.events([request(*(record(f"of {tenant}") for tenant in tenants))])
    store.writer.write(with_column(events, "tenant", list(tenants)))


def seen(database: str, tenant: Tenant, password: str = "secret") -> list[str]:
    with psycopg.connect(as_login(database, tenant.role, password)) as connection:
        return [row[0] for row in connection.execute("SELECT message FROM events ORDER BY message")]


def roles(database: str, tenant: Tenant) -> list[str]:
    return [row["rolname"] for row in fetch(database, "SELECT rolname FROM pg_roles WHERE rolname = %s", tenant.role)]


def schemas(database: str, tenant: Tenant) -> list[int]:
    return [row["oid"] for row in fetch(database, "SELECT oid FROM pg_namespace WHERE nspname = %s", tenant.schema)]


def test_a_tenant_may_log_in_with_its_password_and_sees_what_the_writer_stores(
    database: str, store: Store, tenant: Tenant
) -> None:
    told: list[str] = []
    migrate(database, CLASSES, tenants=[tenant], passwords={tenant.role: "secret"}, report=told.append)
    assert told == [f"made the views of tenant {tenant.name}"]
    write(store, "acme", "umbrella", None)
    assert seen(database, tenant) == ["of acme"]
    migrate(database, CLASSES, tenants=[])


def test_a_second_migration_leaves_the_views_alone(database: str, tenant: Tenant) -> None:
    migrate(database, CLASSES, tenants=[tenant])
    before, told = schemas(database, tenant), list[str]()
    migrate(database, CLASSES, tenants=[tenant], report=told.append)
    migrate(database, CLASSES, report=told.append)
    assert (schemas(database, tenant), told) == (before, [])
    migrate(database, CLASSES, tenants=[])


def test_other_values_make_the_views_anew(database: str, store: Store, tenant: Tenant) -> None:
    migrate(database, CLASSES, tenants=[tenant], passwords={tenant.role: "secret"})
    write(store, "acme", "umbrella", "it's \\ 100% {schema} $$")
    migrate(database, CLASSES, tenants=[Tenant(tenant.name, ("umbrella", "it's \\ 100% {schema} $$"))])
    assert seen(database, tenant) == ["of it's \\ 100% {schema} $$", "of umbrella"]
    migrate(database, CLASSES, tenants=[])


def test_a_tenant_that_is_no_longer_named_loses_schema_and_role(database: str, tenant: Tenant) -> None:
    migrate(database, CLASSES, tenants=[tenant], passwords={tenant.role: "secret"})
    told: list[str] = []
    migrate(database, CLASSES, tenants=[], report=told.append)
    assert told == [f"removed tenant {tenant.name}"]
    assert (roles(database, tenant), schemas(database, tenant)) == ([], [])
    assert fetch(database, "SELECT * FROM audit.tenants") == []
    with pytest.raises(psycopg.OperationalError):
        seen(database, tenant)


def test_a_role_that_another_database_uses_stays_and_loses_what_it_had_here(
    postgres: str, migrated: str, database: str, tenant: Tenant
) -> None:
    with new_database(postgres, migrated) as other:
        migrate(other, CLASSES, tenants=[tenant], passwords={tenant.role: "secret"})
        migrate(database, CLASSES, tenants=[tenant])
        told: list[str] = []
        migrate(database, CLASSES, tenants=[], report=told.append)
        assert told == [
            f"removed tenant {tenant.name}; its role {tenant.role} has rights beyond this database and stays, "
            "without any in this one"
        ]
        assert seen(other, tenant) == []
        with pytest.raises(errors.UndefinedTable):
            seen(database, tenant)
        migrate(other, CLASSES, tenants=[])


def test_a_class_that_is_added_later_is_seen_too(database: str, tenant: Tenant) -> None:
    migrate(database, CLASSES, tenants=[tenant], passwords={tenant.role: "secret"})
    migrate(database, CLASSES | {"legal": None})
    with psycopg.connect(database) as owner:
        owner.execute(
            "INSERT INTO audit.events_legal (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome,"
            " tenant, message, attributes, flags)"
            " VALUES (gen_random_uuid(), now(), now(), 0, 1, 9, 'success', 'acme', 'legal', '{}', '{}')"
        )
    assert seen(database, tenant) == ["legal"]
    migrate(database, CLASSES, tenants=[])


def test_a_migration_may_change_what_tenants_read(
    database: str, store: Store, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(database, CLASSES, tenants=[tenant], passwords={tenant.role: "secret"})
    write(store, "acme", "umbrella")
    later = """
        DROP VIEW audit.events;
        ALTER TABLE audit.event_template ADD COLUMN later text;
        ALTER TABLE audit.events_default ADD COLUMN later text;
        ALTER TABLE audit.events_log ADD COLUMN later text;
        ALTER TABLE audit.events_security ADD COLUMN later text;
        ALTER TABLE audit.held_events ADD COLUMN later text;
        ALTER TABLE audit.restored_events ADD COLUMN later text;
        SELECT audit.rebuild_events_view();
    """
    monkeypatch.setattr(module, "migrations", lambda: [*migrations(), Migration(9999, "later", later)])
    assert migrate(database, CLASSES) == 1
    assert seen(database, tenant) == ["of acme"]
    with psycopg.connect(as_login(database, tenant.role, "secret")) as connection:
        assert connection.execute("SELECT later FROM events").fetchall() == [(None,)]
    migrate(database, CLASSES, tenants=[])


def test_a_schema_of_somebody_else_is_left_alone(database: str, tenant: Tenant) -> None:
    with psycopg.connect(database) as owner:
        owner.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(tenant.schema)))
    for _ in range(2):
        with pytest.raises(MigrationError, match=f"the schema {tenant.schema} is there already and belongs to"):
            migrate(database, CLASSES, tenants=[tenant])
    migrate(database, CLASSES, tenants=[])
    assert len(schemas(database, tenant)) == 1


@pytest.mark.parametrize("name", ["Acme", "1st", "a-b", "", "a" * 22, 'a"; DROP SCHEMA audit; --', "ä"])
def test_a_name_that_is_no_identifier_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is no name of a tenant"):
        Tenant(name, ("acme",))


@pytest.mark.parametrize("value", ["", "x" * 257, "a\0b"])
def test_a_value_that_no_event_has_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="finds no event"):
        Tenant("acme", (value,))


def test_a_tenants_counts_are_exact_beside_a_sender_of_countless_actions(
    database: str, store: Store, tenant: Tenant
) -> None:
    migrate(database, CLASSES, tenants=[tenant], passwords={tenant.role: "secret"})
    events = store.events([request(*(record(f"{n}") for n in range(10_040)))])
    events = with_column(events, "action", [f"action {n}" for n in range(10_040)])
    store.writer.write(with_column(events, "tenant", ["acme" if n % 2 else "other" for n in range(10_040)]))
    with psycopg.connect(as_login(database, tenant.role, "secret")) as connection:
        assert connection.execute("SELECT sum(events) FROM volume").fetchone() == (5020,)
        assert connection.execute("SELECT sum(events) FROM volume_hours").fetchone() == (5020,)
    assert fetch(database, "SELECT count(*) FROM audit.volume WHERE tenant = '(other)'") != [{"count": 0}]
    migrate(database, CLASSES, tenants=[])


def test_who_owns_the_database_and_may_create_roles_keeps_tenants_without_a_superuser(
    postgres: str, tenant: Tenant
) -> None:
    keeper = f"keeper_{tenant.name}"
    name = sql.Identifier(keeper)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD 'keeper'").format(name))
        for role in ("auditgraf_owner", "auditgraf_writer", "auditgraf_reader"):
            grant = sql.SQL("GRANT {} TO {} WITH ADMIN OPTION").format(sql.Identifier(role), name)
            connection.execute(grant)
        try:
            with new_database(postgres) as url:
                connection.execute(
                    sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(url.rpartition("/")[2]), name)
                )
                login = as_login(url, keeper, "keeper")
                migrate(login, CLASSES, tenants=[tenant], passwords={tenant.role: "secret"})
                assert seen(url, tenant) == []
                migrate(login, CLASSES, tenants=[])
                assert roles(url, tenant) == []
        finally:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(name))
            connection.execute(sql.SQL("DROP ROLE {}").format(name))
