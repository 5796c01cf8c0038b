"""`auditgraf query`: the events of a stretch of time that an expression holds for."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal

import psycopg
from psycopg import errors
from psycopg.rows import dict_row
from rich.console import Console

from collector.printable import printable
from collector.query.question import COLUMNS, NEWEST_FIRST, Question, parse_order, selected
from collector.query.table import READ, columns_table, events_table
from collector.reading import Connection, connect, explained, first_line
from collector.tail.line import json_line
from collector.terminal import show, write
from exporter.errors import AuditgrafError, StoreUnavailableError
from exporter.store.queries import query

Output = Literal["table", "json", "jsonl", "csv"]
Row = Mapping[str, Any]

# More than anybody reads; `export` streams.
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Form:
    """How events are answered with. `columns` None: those a reader wants first in a table, else all."""

    output: Output = "table"
    columns: tuple[str, ...] | None = None
    order: str = NEWEST_FIRST
    limit: int = 50
    zone: tzinfo | None = None


@contextmanager
def asking(url: str, command: str, *, long: bool = False) -> Iterator[Connection]:
    """A session for a command's statements; `url` is the reader's, `long` lets them take whatever time they take.

    Raises StoreUnavailableError where PostgreSQL can't be reached or goes away, AuditgrafError for what it refuses.
    """
    settings = query("long_session" if long else "session", __package__)
    with connect(url, f"auditgraf {command}", settings) as connection, explained():
        try:
            yield connection
        except errors.QueryCanceled as failure:
            raise AuditgrafError(
                "PostgreSQL was stopped after 60 s of looking; ask for a shorter time with --since and --until, "
                "or for columns with an index: actor_id, target_id, client_ip"
            ) from failure
        except psycopg.OperationalError as failure:
            raise StoreUnavailableError(f"the connection to PostgreSQL is lost: {first_line(failure)}") from failure


def answer(url: str, question: Question, form: Form, console: Console) -> int:
    """Prints the events; returns how many. Raises as `asking`, BrokenPipeError where the reader leaves."""
    columns = form.columns or (READ if form.output == "table" else COLUMNS)
    statement = question.statement("find", columns=selected(columns), order=parse_order(form.order))
    with asking(url, "query") as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows: list[dict[str, Any]] = cursor.execute(
            statement, {**question.parameters(), "limit": form.limit}
        ).fetchall()
    (show if form.output == "table" else write)(console, _rendered(rows, columns, form, console))
    return len(rows)


def is_there(url: str, question: Question) -> bool:
    """Whether any event matches. Raises as `asking`."""
    with asking(url, "query") as connection:
        return connection.execute(question.statement("exists"), question.parameters()).fetchone() is not None


def _rendered(rows: Sequence[Row], columns: Sequence[str], form: Form, console: Console) -> str:
    match form.output:
        case "jsonl":
            return "".join(f"{json_line(row)}\n" for row in rows)
        case "json":
            return "[" + ",".join(f"\n  {json_line(row)}" for row in rows) + ("\n]\n" if rows else "]\n")
        case "csv":
            return _csv(rows, columns, safe=console.is_terminal)
    if not rows:
        return ""
    if form.columns:
        return columns_table(rows, columns, console, form.zone)
    return events_table(rows, console, form.zone, datetime.now(UTC))


def _csv(rows: Sequence[Row], columns: Sequence[str], *, safe: bool) -> str:
    """RFC 4180; `safe`: for a terminal, which may obey what a spreadsheet keeps."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        cells = [_cell(row[column]) for column in columns]
        writer.writerow([printable(cell) for cell in cells] if safe else cells)
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    return ",".join(value) if isinstance(value, list) else str(value)
