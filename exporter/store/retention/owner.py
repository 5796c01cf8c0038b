"""A session as auditgraf_owner, and the lock that lets one run do its work at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from exporter.errors import RetentionError
from exporter.store.guard import guarding
from exporter.store.migrate import latest_version
from exporter.store.queries import query
from exporter.store.retention.refusal import described, refusal
from exporter.store.session import NOTICE_SILENCE, Connection, check_url

_PACKAGE = __package__
_NAME = "auditgraf retention"


@contextmanager
def as_owner(url: str, name: str = _NAME) -> Iterator[Connection]:
    """An autocommitting connection that acts as auditgraf_owner; `url` is the owner's, pg_stat_activity shows `name`.

    Raises StoreUnavailableError where PostgreSQL can't be reached, goes away or has no room, RetentionError for
    whatever it refuses, ConfigError for a URL that can't be read.
    """
    check_url(url)
    server = None
    try:
        with psycopg.connect(url, autocommit=True, application_name=name, **NOTICE_SILENCE) as connection:
            server = described(connection)
            _become_owner(connection)
            _check_version(connection)
            yield connection
    except psycopg.Error as failure:
        raise refusal(failure, server) from failure


def _become_owner(connection: Connection) -> None:
    try:
        connection.execute(query("settings", _PACKAGE))
    except errors.InsufficientPrivilege as failure:
        raise RetentionError(
            f"the user of AUDITGRAF_DATABASE_URL can't act as auditgraf_owner: {failure.diag.message_primary}; "
            "use the URL with which auditgraf migrate is run"
        ) from failure


def _check_version(connection: Connection) -> None:
    try:
        row = connection.execute(query("schema_version")).fetchone()
    except (errors.UndefinedFunction, errors.InvalidSchemaName):
        row = (0,)
    if row is None or row[0] < latest_version():
        version = row[0] if row else 0
        raise RetentionError(f"the schema is at version {version} of {latest_version()}: run auditgraf migrate")


@contextmanager
def alone(url: str, name: str = _NAME) -> Iterator[bool]:
    """Whether no other run, order or restore is under way in this database; meanwhile none can begin.

    Within `as_owner`, which says what its errors mean.
    """
    with guarding(url, name, query("lock", _PACKAGE)) as mine:
        yield mine
