"""Sessions of those who read events, and what their errors mean to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import errors
from psycopg.types.string import TextLoader

from exporter.errors import AuditgrafError, StoreUnavailableError

Connection = psycopg.Connection[tuple[Any, ...]]


def connect(url: str, name: str, settings: LiteralString) -> Connection:
    """A session of the reader, each statement its own transaction; `settings` is run first.

    jsonb comes as the text that PostgreSQL writes, so that numbers of any length stay what they are. Raises
    StoreUnavailableError.
    """
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=5,
            application_name=name,
            prepare_threshold=None,  # a plan made for all parameters would read every class and partition
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
        )
    except psycopg.Error as failure:
        raise StoreUnavailableError(f"PostgreSQL can't be reached: {str(failure).strip()}") from failure
    try:
        connection.adapters.register_loader("jsonb", TextLoader)
        connection.execute(settings)
    except psycopg.Error as failure:
        connection.close()
        raise StoreUnavailableError(f"PostgreSQL can't be asked: {str(failure).strip()}") from failure
    return connection


@contextmanager
def explained() -> Iterator[None]:
    """Says what to do about errors that trying again does not mend; those that pass go through."""
    try:
        yield
    except psycopg.OperationalError:
        raise
    except (errors.UndefinedTable, errors.InvalidSchemaName, errors.InsufficientPrivilege) as failure:
        raise AuditgrafError(
            f"audit.events can't be read: {first_line(failure)}; run auditgraf migrate, and let "
            "AUDITGRAF_READER_DATABASE_URL log in as auditgraf_reader"
        ) from failure
    except psycopg.Error as failure:
        raise AuditgrafError(f"PostgreSQL refuses the query: {failure}; try another filter") from failure


def first_line(failure: Exception) -> str:
    """The failure in one line."""
    return (str(failure).strip() or type(failure).__name__).splitlines()[0]
