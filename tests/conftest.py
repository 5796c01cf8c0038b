"""What tests share: a real PostgreSQL, a migrated database for each test, a collector in a process of its own."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from collector.embedded import EmbeddedPostgres
from exporter.store.migrate import migrate

CLASSES = {"default": timedelta(days=365), "log": timedelta(days=7), "security": timedelta(days=730)}


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server's owner URL: AUDITGRAF_TEST_POSTGRES_URL's, else an embedded one of this session."""
    given = os.environ.get("AUDITGRAF_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="auditgraf-tests-") as folder:
        Path(folder).chmod(0o755)  # the server runs as another user where the tests run as root
        server = EmbeddedPostgres(Path(folder) / "postgres", settings=["max_connections=200", "fsync=off"])
        server.start()
        yield server.url("postgres")
        server.stop()


@pytest.fixture
def empty_database(postgres: str) -> Iterator[str]:
    """The owner URL of a database without anything in it."""
    name = f"audit_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield urlunsplit(urlsplit(postgres)._replace(path=f"/{name}"))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(empty_database: str) -> str:
    """The owner URL of a migrated database with the classes default, log and security."""
    migrate(empty_database, CLASSES)
    return empty_database
