"""`auditgraf export`: any number of events into a file, in memory that does not grow with it.

Page by page in the order of time, each page a COPY of its own: nothing in the database is held up by a reader who
pauses, and what was written stays good when a connection or this process ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import LiteralString

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from collector.query.answer import asking
from collector.query.question import Question
from collector.query.rows import HEADER, as_json_lines, as_table, copied_columns, open_csv, position
from collector.query.target import FileTarget, Format, OutputTarget, format_of
from collector.reading import Connection
from exporter.errors import AuditgrafError, ConfigError
from exporter.store.queries import query

# Events of one COPY, and how far apart --resume finds places to go on from. About two seconds.
_PAGE = 200_000
# Bytes of CSV that are turned into something else at once, and how many such pieces wait or are worked on.
_CHUNK = 1 << 20
_AHEAD = 4
# Turning rows into JSON takes twice what sending them takes PostgreSQL: it has a thread more than one processor.
_WORKERS = 2
# Rows of a Parquet row group: what a reader has to take at once.
_ROW_GROUP = 16 << 10

Target = FileTarget | OutputTarget
Report = Callable[[int, datetime], None]


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported and as what. `report` is told of events written and the time of the last of them."""

    question: Question
    form: Format
    report: Report
    page: int = _PAGE


def opened(
    output: str, given: Format | None, question: Question, words: Mapping[str, str | None], *, resume: bool
) -> tuple[Target, Format, Question]:
    """The target of that name (`-`: standard output), its format, and the question.

    Gone on with, the question is of the very time that it was of at first: what `2h` meant then. `words`: how it was
    asked. Raises ConfigError, AuditgrafError where the file can't be written.
    """
    if output == "-":
        if resume or given == "parquet":
            raise ConfigError(
                f"--output -: {'--resume' if resume else 'Parquet'} needs a file; give one by --output FILE"
            )
        return OutputTarget(given or "jsonl"), given or "jsonl", question
    path = Path(output)
    form, packed = format_of(path, given)
    asked = {**words, "--format": form}
    bounds = {"from": question.since, "to": question.until}
    span = {name: None if moment is None else moment.isoformat() for name, moment in bounds.items()}
    try:
        target = FileTarget(path, asked, span, packed=packed or form == "parquet", resume=resume)
    except OSError as failure:
        raise AuditgrafError(f"--output {path}: {failure.strerror}; choose another place") from failure
    since, until = (text and datetime.fromisoformat(text) for text in map(target.progress.span.get, ("from", "to")))
    return target, form, replace(question, since=since or None, until=until or None)


def export(url: str, wanted: Export, target: Target) -> int:
    """Writes all events to the target; returns how many there are. A file is left unfinished where this raises.

    Raises as `asking`, AuditgrafError where the file can't be written, BrokenPipeError where the reader leaves.
    """
    with _writable(target):
        if not target.progress.events and wanted.form != "jsonl":
            target.append(target.packed(HEADER))
        with asking(url, "export", long=True) as connection, ThreadPoolExecutor(_WORKERS) as workers:
            while _page(connection, wanted, target, workers) == wanted.page:
                pass
        if isinstance(target, FileTarget):
            target.finish(_parquet(target) if wanted.form == "parquet" else None)
    return target.progress.events


def _page(connection: Connection, wanted: Export, target: Target, workers: ThreadPoolExecutor) -> int:
    """Exports one page; returns how many events it had. Fewer than a page is the last one."""
    turned = (lambda rows: target.packed(as_json_lines(rows))) if wanted.form == "jsonl" else target.packed
    under_way: deque[tuple[Future[bytes], int, tuple[str, str]]] = deque()
    events, last = 0, None

    def write_oldest() -> None:
        piece, rows, reached = under_way.popleft()
        target.append(piece.result())
        wanted.report(rows, datetime.fromisoformat(reached[0]))

    # Closed at an interrupt, too: while its COPY is under way the connection can't be ended in order.
    with closing(_chunks(connection, wanted, target)) as chunks:
        for rows, count, last in chunks:
            under_way.append((workers.submit(turned, rows), count, last))
            events += count
            if len(under_way) >= _AHEAD:
                write_oldest()
    while under_way:
        write_oldest()
    if last is not None:
        target.keep(events, last)
    return events


def _chunks(connection: Connection, wanted: Export, target: Target) -> Generator[tuple[bytes, int, tuple[str, str]]]:
    """Complete CSV rows of a page, how many, and the position of the last."""
    rows: list[bytes] = []
    size = 0
    with psycopg.ClientCursor(connection) as cursor, cursor.copy(_copy(connection, wanted, target)) as copy:
        while row := copy.read():
            rows.append(bytes(row))
            size += len(row)
            if size >= _CHUNK:
                yield b"".join(rows), len(rows), position(rows[-1])
                rows, size = [], 0
    if rows:
        yield b"".join(rows), len(rows), position(rows[-1])


def _copy(connection: Connection, wanted: Export, target: Target) -> sql.Composed:
    parts: list[sql.Composable] = []
    for name, expression in copied_columns().items():
        parts.append(sql.Identifier(name) if expression is None else sql.SQL(expression))
    parameters = wanted.question.parameters() | {
        "from_at": target.progress.occurred_at,
        "from_id": target.progress.id,
        "limit": wanted.page,
    }
    page = wanted.question.statement("page", columns=sql.SQL(", ").join(parts))
    written: LiteralString = psycopg.ClientCursor(connection).mogrify(page, parameters)
    return sql.SQL(query("copy", __package__)).format(page=sql.SQL(written))


def _parquet(target: FileTarget) -> Path:
    """A Parquet file of the part, which is CSV until then: only a complete one has the footer that makes it one."""
    made = target.part.with_name(f"{target.path.name}.part.parquet")
    target.flush()
    with pa.input_stream(str(target.part), compression="zstd") as stream:
        batches = open_csv(stream)
        with pq.ParquetWriter(made, as_table(batches.schema.empty_table()).schema, compression="zstd") as writer:
            for group in _gathered(batches):
                writer.write_table(group)
    return made


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    for batch in batches:
        waiting.append(as_table(batch))
        if sum(map(len, waiting)) >= _ROW_GROUP:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


@contextmanager
def _writable(target: Target) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as failure:
        kept = isinstance(target, FileTarget)
        place = target.part if isinstance(target, FileTarget) else "standard output"
        remedy = "make room, then go on with --resume" if kept else "make room, or write to a file by --output FILE"
        raise AuditgrafError(f"{place} can't be written: {failure.strerror}; {remedy}") from failure
    finally:
        if isinstance(target, FileTarget):
            target.close()
