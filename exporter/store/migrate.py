"""Brings a database to this version's schema: roles, ordered SQL files, retention classes, partitions, tenants."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import psycopg
from psycopg import errors, sql

from exporter.errors import MigrationError, StoreUnavailableError
from exporter.store.guard import guarding
from exporter.store.queries import query
from exporter.store.session import Connection, check_url
from exporter.store.tenants import Tenant
from exporter.store.tenants import keep as tenancy

_NAME = "auditgraf migrate"
_TRIES = 20
# Somebody else did the same at the same moment, in this database or, for roles, in another one of the cluster. The
# first is "tuple concurrently updated".
_MEANWHILE = (
    errors.InternalError_,
    errors.UniqueViolation,
    errors.DuplicateSchema,
    errors.DuplicateTable,
    errors.DeadlockDetected,
)
DAYS_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of schema/: NNNN_name.sql."""

    version: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All migrations of this version, in order."""
    found = []
    for file in files(__package__).joinpath("schema").iterdir():
        if match := re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name):
            found.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.version)


def latest_version() -> int:
    """The schema version that this code is written for."""
    return migrations()[-1].version


def migrate(
    url: str,
    classes: Mapping[str, timedelta | None],
    *,
    passwords: Mapping[str, str] | None = None,
    tenants: Sequence[Tenant] | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> int:
    """Migrates the database at `url` (the owner's); returns how many migrations it applied.

    Safe to run again, and from several processes at once. `classes`: retention class to how long its events are
    kept, None for ever. `passwords`: role name to the password it may log in with. `tenants`: all that there are to be,
    None for those that there are. Raises MigrationError, StoreUnavailableError where PostgreSQL can't be reached,
    ConfigError for a URL that can't be read.
    """
    check_url(url)
    try:
        with psycopg.connect(url, autocommit=True, application_name=_NAME) as connection:
            _prepare(connection, passwords or {}, tenancy.known(connection) if tenants is None else tenants)
            with guarding(url, _NAME, query("one_migration")):
                connection.execute("SET ROLE auditgraf_owner")
                applied = _apply(connection, report)
                _classes(connection, classes)
                if tenants is not None:
                    connection.execute("RESET ROLE")
                    tenancy.settle(connection, tenants, report)
                    connection.execute("SET ROLE auditgraf_owner")
                tenancy.make_anew(connection, report)
                return applied
    except psycopg.OperationalError as failure:
        raise StoreUnavailableError(f"PostgreSQL refused, or can't be reached: {failure}") from failure
    except errors.InsufficientPrivilege as failure:
        raise MigrationError(
            f"the user of AUDITGRAF_DATABASE_URL may not do this: {failure}. "
            "Let a superuser, or a user with CREATEROLE that owns the database, migrate"
        ) from failure
    except psycopg.Error as failure:
        raise MigrationError(f"PostgreSQL refused: {failure}") from failure


def _prepare(connection: Connection, passwords: Mapping[str, str], tenants: Sequence[Tenant]) -> None:
    """Roles, schema, the table of migrations: before there is anything that only the owner could lock."""
    statements = files(__package__).joinpath("roles.sql").read_text(encoding="utf-8")
    for attempt in range(_TRIES):
        try:
            with connection.transaction():
                connection.execute(statements)
                tenancy.create_roles(connection, tenants)
                for role, password in passwords.items():
                    _let_in(connection, role, password)
                connection.execute("SET LOCAL ROLE auditgraf_owner")
                connection.execute(query("migrations_table"))
                connection.execute("RESET ROLE")
            return
        except _MEANWHILE:
            if attempt == _TRIES - 1:
                raise


def _let_in(connection: Connection, role: str, password: str) -> None:
    # Hashed here, so that the password is in no log of the server.
    hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(hashed.decode()))
    )


def _apply(connection: Connection, report: Callable[[str], None]) -> int:
    applied = {row[0]: row for row in connection.execute(query("applied_migrations"))}
    known = migrations()
    newest = max(applied, default=0)
    if newest > known[-1].version:
        raise MigrationError(
            f"the database is at schema version {newest}, this auditgraf knows {known[-1].version}: "
            "use the newer auditgraf that migrated it"
        )
    if any(migration.version not in applied for migration in known):
        tenancy.remove_schemas(connection)
    count = 0
    for migration in known:
        if migration.version in applied:
            if applied[migration.version][2] != migration.sha256:
                raise MigrationError(
                    f"migration {migration.version:04} ({migration.name}) differs from the one applied to this "
                    "database: released migrations never change; restore the file"
                )
            continue
        try:
            with connection.transaction():
                connection.execute(migration.text)
                connection.execute(query("record_migration"), (migration.version, migration.name, migration.sha256))
        except (errors.OperationalError, errors.InsufficientPrivilege):
            raise
        except psycopg.Error as failure:
            raise MigrationError(
                f"migration {migration.version:04} ({migration.name}) failed, and nothing of it was kept: {failure}"
            ) from failure
        report(f"applied {migration.version:04} {migration.name}")
        count += 1
    return count


def _classes(connection: Connection, classes: Mapping[str, timedelta | None]) -> None:
    today = datetime.now(UTC).date()
    days = [today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)]
    for name, keep in classes.items():
        with connection.transaction():
            connection.execute(query("ensure_class"), (name, keep))
            connection.execute(query("ensure_partitions"), (name, days))
