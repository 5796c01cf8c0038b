"""The embedded PostgreSQL: one server for a folder, whoever starts it and however the last one ended."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from collector.embedded import EmbeddedPostgres
from exporter.errors import AuditgrafError
from tests.conftest import server_folder


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """The server's folder, which its first start fills."""
    with server_folder() as folder:
        yield folder / "postgres"


@pytest.fixture
def server(home: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(home, settings=["fsync=off", "work_mem=5MB"])
    server.start()
    yield server
    server.stop()


def run(server: EmbeddedPostgres, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


def test_it_takes_its_settings_and_listens_on_the_loopback_address_only(server: EmbeddedPostgres) -> None:
    assert run(server, "SHOW work_mem") == [("5MB",)]
    assert run(server, "SHOW listen_addresses") == [("127.0.0.1",)]
    assert run(server, "SHOW unix_socket_directories") == [("",)]


def test_it_lets_nobody_in_without_the_password(server: EmbeddedPostgres) -> None:
    for url in (
        server.url().replace(server.credentials.owner_password, "guessed"),
        server.url().replace(f":{server.credentials.owner_password}", ""),
    ):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(url)


def test_its_passwords_are_readable_for_their_owner_only(server: EmbeddedPostgres, home: Path) -> None:
    assert stat.S_IMODE((home / "credentials.json").stat().st_mode) == 0o600
    assert {path.name for path in home.iterdir()} == {"credentials.json", "data", "initdb.log", "pg_ctl.log"}
    assert server.credentials.owner_password not in (home / "initdb.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_started_again_it_has_its_data_and_its_port(server: EmbeddedPostgres, end: str) -> None:
    run(server, f"CREATE TABLE before_{end} AS SELECT 1")
    url = server.url()
    getattr(server, end)()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    server.start()
    assert server.url() == url
    assert run(server, f"SELECT * FROM before_{end}") == [(1,)]


def test_a_second_start_on_the_folder_joins_the_server_and_leaves_it_running(
    server: EmbeddedPostgres, home: Path
) -> None:
    second = EmbeddedPostgres(home)
    second.start()
    assert second.url() == server.url()
    second.stop()
    assert run(server, "SELECT 1") == [(1,)]


def test_a_first_start_that_was_cut_short_is_begun_anew(home: Path) -> None:
    unfinished = home.with_name("unfinished")
    server = EmbeddedPostgres(unfinished, settings=["no_such_setting=1"])
    with pytest.raises(AuditgrafError, match="no_such_setting"):
        server.start()
    (unfinished / "data" / "PG_VERSION").unlink()
    (unfinished / "data").rename(unfinished / "data.new")
    again = EmbeddedPostgres(unfinished)
    again.start()
    assert run(again, "SELECT 1") == [(1,)]
    again.stop()


def test_a_setting_that_postgresql_refuses_is_told(home: Path) -> None:
    server = EmbeddedPostgres(home, settings=["max_connections=many"])
    with pytest.raises(AuditgrafError, match=r'(?s)pg_ctl failed in .*invalid value for parameter "max_connections"'):
        server.start()
