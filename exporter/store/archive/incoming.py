"""Events of an archive in PostgreSQL, a part at a time, before they are restored or written again.

All of it within one transaction: the tables are temporary, and empty when it ends.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from psycopg import sql

from exporter.store.archive.content import Column, frames
from exporter.store.forget import Order
from exporter.store.queries import query
from exporter.store.session import Connection

_PACKAGE = __package__
_EVENTS = sql.Identifier("pg_temp", "incoming_events")


def prepare(connection: Connection) -> None:
    """Makes the tables, once a session."""
    connection.execute(query("incoming_tables", _PACKAGE))


def take_in(connection: Connection, some: pl.Series) -> None:
    """Canonical lines become rows of pg_temp.incoming_events, instead of those that were there."""
    connection.execute(query("clear_incoming", _PACKAGE))
    with connection.cursor() as cursor, cursor.copy(query("copy_in", _PACKAGE)) as channel:
        channel.write(some.to_frame().write_csv(include_header=False, quote_style="always"))
    connection.execute(query("read_incoming", _PACKAGE))


def forget(connection: Connection, order: Order, *, count_only: bool = False) -> int:
    """Pseudonymises a person in what was taken in; how many events that concerns."""
    values = {"order": order.id, "names": order.names, "pseudonym": order.pseudonym, "count_only": count_only}
    row = connection.execute(query("forget_incoming", _PACKAGE), values).fetchone()
    assert row is not None
    return int(row[0])


def given_back(connection: Connection, of: Sequence[Column]) -> pl.DataFrame:
    """What was taken in, in order."""
    return pl.concat(frames(connection, _EVENTS, of))
