"""One connection to PostgreSQL that heals."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

import psycopg
from psycopg import conninfo

from exporter.errors import ConfigError, StoreUnavailableError

Connection = psycopg.Connection[tuple[Any, ...]]


def check_url(url: str) -> None:
    """Raises ConfigError for a connection URL that can't be read, without repeating it: it may hold a password."""
    try:
        port = str(conninfo.conninfo_to_dict(url).get("port") or "")
    except psycopg.ProgrammingError:
        port = "unreadable"
    # A slash in a password makes what stands before it the port.
    if not all(number.isdigit() or not number for number in port.split(",")):
        raise ConfigError(
            "the database's connection URL can't be read; write postgresql://user:password@host:port/database, "
            "with reserved characters percent-encoded (/ is %2F, @ is %40)"
        )


# A server that vanishes without a word is noticed before the senders' patience of 10 seconds is over.
NOTICE_SILENCE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 3,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8000,
}


class Session:
    """One connection that is opened when needed and forgotten when it breaks. Not for two threads at once."""

    def __init__(self, url: str, name: str) -> None:
        """Raises ConfigError for a URL that can't be read; connects when first needed."""
        check_url(url)
        self._url = url
        self._name = name
        self._connection: Connection | None = None
        self._aborted = False

    def connection(self) -> Connection:
        """The open connection; raises StoreUnavailableError."""
        if self._aborted:
            self.close()  # it may have lain idle then, and would only tell whoever needs it next
        if self._connection is None or self._connection.closed:
            try:
                self._connection = psycopg.connect(
                    self._url, autocommit=True, application_name=self._name, **NOTICE_SILENCE
                )
                self._aborted = False
            except psycopg.OperationalError as failure:
                # No error of a failed connection has a code: where our own role is refused, most likely none was made.
                remedy = ": run auditgraf migrate" if '"auditgraf_' in str(failure) else ""
                raise StoreUnavailableError(f"PostgreSQL can't be reached: {failure}{remedy}") from failure
        return self._connection

    @property
    def lost(self) -> bool:
        """Whether the connection that there was has ended, by itself."""
        return self._connection is not None and self._connection.closed and not self._aborted

    def failed(self, failure: psycopg.Error) -> StoreUnavailableError:
        """Drops the connection (its state is unknown) and gives what to raise."""
        self.close()
        # Its detail and context quote rows, and the answer goes to senders of others in the group too.
        reason = failure.diag.message_primary or str(failure).strip()
        return StoreUnavailableError(f"PostgreSQL can't take events now: {reason}")

    def abort(self) -> None:
        """Ends the connection under whoever waits for PostgreSQL, who gets an error; any thread may call."""
        connection = self._connection
        if connection is None:
            return
        self._aborted = True
        with contextlib.suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as mine:
            mine.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
