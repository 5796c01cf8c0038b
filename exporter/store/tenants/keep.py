"""Brings roles and schemas in line with the tenants that the configuration names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import LiteralString

from psycopg import errors, sql

from exporter.errors import MigrationError
from exporter.store.queries import query
from exporter.store.session import Connection
from exporter.store.tenants.tenant import Tenant

_OWNER = "auditgraf_owner"


def known(connection: Connection) -> list[Tenant]:
    """The tenants of this database."""
    if connection.execute(query("is_kept", __package__)).fetchone() != (True,):
        return []
    return [Tenant(name, tuple(matches)) for name, matches in connection.execute(query("tenants", __package__))]


def create_roles(connection: Connection, tenants: Iterable[Tenant]) -> None:
    """Makes the roles that are missing, with the reader's settings; needs the rights to create roles."""
    for tenant in tenants:
        connection.execute(_statements("role", tenant))


def remove_schemas(connection: Connection) -> None:
    """Takes all tenants' views away, so that migrations may change what they read; `make_anew` brings them back."""
    with connection.transaction():
        for tenant in known(connection):
            _drop_schema(connection, tenant)
            connection.execute(query("made", __package__), (None, tenant.name))


def settle(connection: Connection, tenants: Sequence[Tenant], report: Callable[[str], None]) -> None:
    """Notes which tenants there are, and removes schema and role of any other; needs the rights to drop roles."""
    wanted = {tenant.name for tenant in tenants}
    for tenant in known(connection):
        if tenant.name not in wanted:
            kept = _remove(connection, tenant)
            report(f"removed tenant {tenant.name}{kept}")
    with _as_owner(connection):
        for tenant in tenants:
            connection.execute(query("keep", __package__), (tenant.name, list(tenant.matches)))


def make_anew(connection: Connection, report: Callable[[str], None]) -> None:
    """Makes every tenant's schema that is missing, or that would be made differently now. As auditgraf_owner.

    Raises MigrationError where somebody else has a schema of that name.
    """
    for tenant in known(connection):
        statements = _statements("schema", tenant)
        digest = hashlib.sha256(statements.as_bytes(connection)).hexdigest()
        owner, made_from = _state(connection, tenant)
        if owner not in {None, _OWNER}:
            raise MigrationError(
                f"tenant {tenant.name}: the schema {tenant.schema} is there already and belongs to {owner}: "
                "give the tenant another name, or rename that schema"
            )
        if owner is None or made_from != digest:
            with connection.transaction():
                connection.execute(statements)
                connection.execute(query("made", __package__), (digest, tenant.name))
            report(f"made the views of tenant {tenant.name}")


def _remove(connection: Connection, tenant: Tenant) -> str:
    """What is to be told beside the fact."""
    role = sql.Identifier(tenant.role)
    with connection.transaction():
        with _as_owner(connection):
            _drop_schema(connection, tenant)
            connection.execute(query("forget", __package__), (tenant.name,))
        if connection.execute(query("role_is_there", __package__), (tenant.role,)).fetchone() != (True,):
            return ""
        connection.execute(
            sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(sql.Identifier(connection.info.dbname), role)
        )
        try:
            with connection.transaction():
                connection.execute(sql.SQL("DROP ROLE {}").format(role))
        except errors.DependentObjectsStillExist:
            return f"; its role {tenant.role} has rights beyond this database and stays, without any in this one"
    return ""


def _state(connection: Connection, tenant: Tenant) -> tuple[str | None, str | None]:
    """Who owns the schema, and the digest of what made it; None where there is none."""
    place = {"schema": tenant.schema, "name": tenant.name}
    owner, made_from = connection.execute(query("schema_state", __package__), place).fetchone() or (None, None)
    return owner, made_from


def _drop_schema(connection: Connection, tenant: Tenant) -> None:
    if _state(connection, tenant)[0] == _OWNER:  # else it is somebody else's, see make_anew
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(tenant.schema)))


@contextmanager
def _as_owner(connection: Connection) -> Iterator[None]:
    """One transaction, or a part of one, as auditgraf_owner."""
    with connection.transaction():
        connection.execute("SET LOCAL ROLE auditgraf_owner")
        yield
        connection.execute("RESET ROLE")


def _statements(name: str, tenant: Tenant) -> sql.Composed:
    return sql.SQL(_template(name)).format(
        schema=sql.Identifier(tenant.schema),
        schema_name=sql.Literal(tenant.schema),
        role=sql.Identifier(tenant.role),
        role_name=sql.Literal(tenant.role),
        matches=sql.SQL("({})").format(sql.SQL(", ").join(sql.Literal(value) for value in tenant.matches)),
    )


@cache
def _template(name: str) -> LiteralString:
    return files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
