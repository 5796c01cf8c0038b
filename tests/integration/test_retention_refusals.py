"""What PostgreSQL has no room for, or does not allow, is told with what to do about it."""

from __future__ import annotations

import re
import socket
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest

from exporter.errors import RetentionError, StoreUnavailableError
from exporter.store import session
from exporter.store.retention import create_hold
from exporter.store.retention.owner import as_owner
from tests.integration.retained import command, execute, fill, messages, retain, steps

REMEDIES = {
    "disk_full": r"disk is full: no more .*auditgraf retention run gives back what has expired",
    "out_of_memory": "is out of memory: no more .*try again when less is going on",
    "too_many_connections": "has no connection left: no more .*max_connections",
    "configuration_limit_exceeded": "has come to a limit: no more .*raise that limit",
}
REFUSING = """
    CREATE FUNCTION public.refuse() RETURNS {returns} LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'no more' USING ERRCODE = '{code}', HINT = 'Check free disk space.';
    END $$;
"""


def refuse_runs(database: str, code: str) -> None:
    execute(database, REFUSING.format(returns="trigger", code=code))
    execute(
        database, "CREATE TRIGGER r BEFORE INSERT ON audit.retention_runs FOR EACH ROW EXECUTE FUNCTION public.refuse()"
    )


@pytest.fixture
def limited(database: str) -> Iterator[str]:
    """The URL of an owner who may have one connection, and no second one."""
    name = f"limited_{uuid.uuid4().hex[:12]}"
    execute(database, f"CREATE ROLE {name} LOGIN PASSWORD 'x' CONNECTION LIMIT 1 IN ROLE auditgraf_owner")
    parts = urlsplit(database)
    yield urlunsplit(parts._replace(netloc=f"{name}:x@{parts.hostname}:{parts.port}"))
    execute(database, f"DROP ROLE {name}")


@pytest.mark.parametrize("code", REMEDIES)
def test_a_server_that_has_no_room_is_told_with_what_makes_room(database: str, code: str) -> None:
    refuse_runs(database, code)
    with pytest.raises(StoreUnavailableError, match=REMEDIES[code]) as caught:
        retain(database)
    assert "can't be reached" not in str(caught.value)
    assert "no more (Check free disk space); " in str(caught.value)


def test_a_disk_that_is_full_for_one_partition_is_a_step_that_says_what_makes_room(database: str) -> None:
    expired = fill(database, "log", 30)
    execute(database, REFUSING.format(returns="event_trigger", code="disk_full"))
    dropping = "CREATE EVENT TRIGGER full_disk ON sql_drop WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION public.refuse()"
    execute(database, dropping)
    detail = str(steps(retain(database), "failed")[expired].detail)
    assert re.search(REMEDIES["disk_full"], detail)
    execute(database, "DROP EVENT TRIGGER full_disk")
    assert list(steps(retain(database), "dropped")) == [expired]


def test_a_user_without_a_connection_left_is_told_where_they_are(limited: str) -> None:
    with pytest.raises(StoreUnavailableError, match=r"has no connection left: .*too many connections for role"):
        retain(limited)


def test_a_server_that_is_read_only_is_named_and_where_to_run_it(database: str) -> None:
    parts = urlsplit(database)
    fill(database, "log", 30)
    execute(database, f"ALTER DATABASE {parts.path[1:]} SET default_transaction_read_only = on")
    for told in (command(database, "retention", "run"), command(database, "hold", "create", "--reason", "x", "--all")):
        assert told.returncode == 1
        assert f"{parts.hostname}:{parts.port}, database {parts.path[1:]}, can only be read" in told.stderr
        assert "has to lead to the primary" in told.stderr
    with pytest.raises(RetentionError, match="target_session_attrs=read-write"):
        create_hold(database, by="me", reason="x", text=None, match=None)
    assert len(messages(database)) == 20


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with as_owner(database) as connection:
        given = connection.info.get_parameters()
    assert {"keepalives_idle", "tcp_user_timeout"} <= given.keys()
    monkeypatch.setitem(session.NOTICE_SILENCE, "connect_timeout", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/audit"
        with pytest.raises(StoreUnavailableError, match="can't be reached"):
            retain(url)
