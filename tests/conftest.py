"""What tests share: a real PostgreSQL, a migrated database for each test, a collector in a process of its own."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from collector.embedded import EmbeddedPostgres
from exporter.store.migrate import migrate

CLASSES = {"default": timedelta(days=365), "log": timedelta(days=7), "security": timedelta(days=730)}
# A database is hundreds of files, and most tests have one of their own: a disk's file system takes ten times as long.
_MEMORY = Path("/dev/shm")
_ROOM = 1 << 30  # bytes, more than the servers of one worker need


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keeps the garbage collector from going again and again through all modules and tests, which stay to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder for a PostgreSQL that need not survive the machine: in memory where there is room for all workers."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    roomy = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > workers * _ROOM
    with tempfile.TemporaryDirectory(prefix="auditgraf-tests-", dir=_MEMORY if roomy else None) as folder:
        Path(folder).chmod(0o755)  # the server runs as another user where the tests run as root
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server's owner URL: AUDITGRAF_TEST_POSTGRES_URL's, else an embedded one of this session."""
    given = os.environ.get("AUDITGRAF_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    with server_folder() as folder:
        settings = ["max_connections=200", "fsync=off", "max_wal_size=256MB"]
        server = EmbeddedPostgres(folder / "postgres", settings=settings)
        server.start()
        yield server.url("postgres")
        server.stop()


@contextmanager
def new_database(postgres: str, template: str = "template1") -> Iterator[str]:
    """The owner URL of a database that is dropped at the end."""
    name = f"audit_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        # The default strategy writes every page to the write-ahead log too, and leaves out the catalogue's cache.
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        yield urlunsplit(urlsplit(postgres)._replace(path=f"/{name}"))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def empty_database(postgres: str) -> Iterator[str]:
    """The owner URL of a database without anything in it."""
    with new_database(postgres) as url:
        yield url


@pytest.fixture(scope="session")
def migrated(postgres: str) -> Iterator[str]:
    """The name of a migrated database that others are copied from: to copy takes a fraction of a migration."""
    with new_database(postgres) as url:
        migrate(url, CLASSES)
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
def database(postgres: str, migrated: str) -> Iterator[str]:
    """The owner URL of a migrated database with the classes default, log and security."""
    with new_database(postgres, migrated) as url:
        yield url


@pytest.fixture(scope="module")
def shared_database(postgres: str, migrated: str) -> Iterator[str]:
    """One migrated database for all tests of a file, which must bear what the others leave in it."""
    with new_database(postgres, migrated) as url:
        yield url
