"""Connections as each role, and what may be said about them: never a password."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict

from collector.config import Config
from collector.doctor.finding import TIMEOUT_S, Finding, first_line
from exporter.errors import ConfigError
from exporter.store.queries import query

Connection = psycopg.Connection[tuple[Any, ...]]
Role = Literal["owner", "writer", "reader"]

# A password with one of these, not percent-encoded, breaks a URL so that its parts end up in host, port or database.
_ENCODE = "percent-encode @ / : ? # and % in the user's name and password"


@dataclass(frozen=True, slots=True)
class Login:
    """One role's way to the database. `variables`: what it is configured by."""

    role: Role
    url: Callable[[], str]
    variables: str
    needed: bool = True


def logins(config: Config) -> tuple[Login, ...]:
    """The three roles, in the order in which they are looked at."""
    # Where writer and reader have URLs of their own, only `auditgraf migrate` needs the owner's.
    others = config.database.writer_url is not None and config.database.reader_url is not None
    return (
        Login("owner", config.owner_url, "AUDITGRAF_DATABASE_URL", needed=not others),
        Login("writer", config.writer_url, "AUDITGRAF_WRITER_DATABASE_URL or AUDITGRAF_WRITER_PASSWORD"),
        Login("reader", config.reader_url, "AUDITGRAF_READER_DATABASE_URL or AUDITGRAF_READER_PASSWORD"),
    )


@contextmanager
def session(login: Login) -> Iterator[tuple[Finding, Connection | None]]:
    """A connection, or None, and the finding about it."""
    check = f"PostgreSQL as {login.role}"
    try:
        place = _place(login.url())
    except ConfigError as failure:
        yield (
            Finding(check, "problem" if login.needed else "warning", str(failure), f"set {login.variables}"),
            None,
        )
        return
    except (ValueError, psycopg.Error):
        yield Finding(check, "problem", f"the URL of {login.variables} can't be read", _ENCODE), None
        return
    try:
        connection = psycopg.connect(
            login.url(), autocommit=True, connect_timeout=TIMEOUT_S, application_name="auditgraf doctor"
        )
        connection.execute(query("session", __package__))
    except psycopg.Error as failure:
        text = f"{place}: {_without_password(failure, login.url())}"
        yield Finding(check, "problem", text, _remedy(login)), None
        return
    with connection:
        yield Finding(check, "ok", f"{place}{_acting(connection)}"), connection


def _place(url: str) -> str:
    """host, database and user of a URL; raises ValueError where parts of a password may be among them."""
    parts = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    host, port, database, user = (parts.get(name, "") for name in ("host", "port", "dbname", "user"))
    if "@" in host + database or (port and not port.replace(",", "").isdigit()):
        raise ValueError("the URL is not what it was meant to be")
    where = host or parts.get("hostaddr") or "the local socket"
    return f"{where}{':' + port if port else ''}/{database or user} as {user or 'the current user'}"


def _acting(connection: Connection) -> str:
    row = connection.execute("SELECT current_user, session_user").fetchone()
    assert row is not None
    return "" if row[0] == row[1] else f", acting as {row[0]}"


def _without_password(failure: psycopg.Error, url: str) -> str:
    password = str(conninfo_to_dict(url).get("password") or "")
    reason = first_line(failure)
    return reason.replace(password, "***") if password else reason


def _remedy(login: Login) -> str:
    if login.role == "owner":
        return f"start PostgreSQL, or correct {login.variables}"
    return f"auditgraf migrate makes the role and sets its password; else correct {login.variables}"
