"""One connection to PostgreSQL that heals."""

from __future__ import annotations

from typing import Any

import psycopg

from exporter.errors import StoreUnavailableError

Connection = psycopg.Connection[tuple[Any, ...]]


class Session:
    """One connection that is opened when needed and forgotten when it breaks. Not for two threads at once."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._connection: Connection | None = None

    def connection(self) -> Connection:
        """The open connection; raises StoreUnavailableError."""
        if self._connection is None or self._connection.closed:
            try:
                self._connection = psycopg.connect(
                    self._url, autocommit=True, connect_timeout=5, application_name=self._name
                )
            except psycopg.OperationalError as failure:
                raise StoreUnavailableError(f"PostgreSQL can't be reached: {failure}") from failure
        return self._connection

    def failed(self, failure: psycopg.Error) -> StoreUnavailableError:
        """Drops the connection (its state is unknown) and gives what to raise."""
        self.close()
        return StoreUnavailableError(f"PostgreSQL can't take events now: {str(failure).strip()}")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
