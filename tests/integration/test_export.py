"""`auditgraf export`: every event once, in any format, whole or gone on with."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from psycopg.rows import dict_row

from collector.cli import main
from collector.config import as_role
from collector.query.export import Export, export, opened
from collector.query.question import COLUMNS, Question
from collector.query.target import FileTarget
from exporter.errors import AuditgrafError
from tests.integration.committed import Store, event
from tests.integration.tailing import WAIT

EVENTS = 30
HOSTILE = 'a"b\\n,\x1b\u2028\n\\.\n\u202e'
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def stored(shared_database: str) -> Iterator[str]:
    """A database with events of two classes and three days, hostile texts among them."""
    store = Store(shared_database)
    now = time.time_ns()
    for day in range(3):
        at_ns = now - day * 86_400_000_000_000
        records = [event(f"a.{day}", actor_name=HOSTILE, number=f"{index}") for index in range(9)]
        store.commit(store.prepare([*records, {"body": HOSTILE}], at_ns=at_ns))
    store.close()
    yield shared_database


@pytest.fixture
def run(stored: str) -> Run:
    def invoke(*arguments: str) -> Result:
        variables = {"AUDITGRAF_DATABASE_URL": stored, "AUDITGRAF_HOME": "/nonexistent"}
        return CliRunner().invoke(main, ["export", *arguments], env=variables)

    return invoke


def in_database(url: str) -> list[dict[str, Any]]:
    """Every event as PostgreSQL's own JSON has it, in the order of an export."""
    statement = (
        "SELECT row_to_json(event)::jsonb || jsonb_build_object('client_ip', host(client_ip)) AS document"
        " FROM audit.events AS event ORDER BY occurred_at, id"
    )
    with psycopg.connect(url, row_factory=dict_row, options="-c timezone=UTC") as connection:
        return [row["document"] for row in connection.execute(statement)]


def read(path: Path) -> list[dict[str, Any]]:
    with pa.input_stream(str(path), compression="zstd" if path.suffix == ".zst" else None) as stream:
        return [json.loads(line) for line in stream.read().decode().split("\n") if line]


@pytest.mark.parametrize("name", ["events.jsonl", "events.ndjson.zst"])
def test_json_lines_are_the_events_as_postgres_has_them(run: Run, stored: str, tmp_path: Path, name: str) -> None:
    result = run("--output", str(tmp_path / name))
    assert (result.exit_code, result.stderr) == (0, f"{EVENTS} events in {tmp_path / name}\n")
    assert read(tmp_path / name) == in_database(stored)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_csv_has_a_header_and_reads_back(run: Run, stored: str, tmp_path: Path) -> None:
    assert run("--output", str(tmp_path / "events.csv")).exit_code == 0
    text = (tmp_path / "events.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [row["message"] or None for row in rows] == [document["message"] for document in in_database(stored)]


def test_parquet_has_times_lists_and_nulls(run: Run, stored: str, tmp_path: Path) -> None:
    assert run("--output", str(tmp_path / "events.parquet")).exit_code == 0
    table = pq.read_table(tmp_path / "events.parquet")
    assert table.schema.field("occurred_at").type == pa.timestamp("us", "UTC")
    rows, expected = table.to_pylist(), in_database(stored)
    assert [path.name for path in tmp_path.iterdir()] == ["events.parquet"]
    for row, document in zip(rows, expected, strict=True):
        assert row["occurred_at"].isoformat()[:23] == document["occurred_at"][:23]
        assert json.loads(row["attributes"]) == document["attributes"]
        assert row["flags"] == document["flags"]
        plain = set(COLUMNS) - {"occurred_at", "received_at", "attributes", "changes", "flags"}
        assert {name: row[name] for name in plain} == {name: document[name] for name in plain}


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_nothing_is_a_file_too(run: Run, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"events.{form}"
    assert run("actor=nobody", "--output", str(path)).exit_code == 0
    if form == "parquet":
        assert pq.read_table(path).num_rows == 0
    else:
        assert len(path.read_text().splitlines()) == (1 if form == "csv" else 0)


def test_an_expression_and_a_time_leave_out_the_rest(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert run("action~a.*", "attributes.audit.number>=8", "--since", "36h", "--output", str(path)).exit_code == 0
    assert [document["action"] for document in read(path)] == ["a.1", "a.0"]


def test_standard_output_is_the_default(run: Run, stored: str) -> None:
    documents = [json.loads(line) for line in run("class=log").stdout.split("\n") if line]
    assert [document["message"] for document in documents] == [HOSTILE] * 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--output", "events.txt"], "--format"),
        (["--output", "events.parquet.zst"], "compressed within"),
        (["--format", "parquet"], "needs a file"),
        (["--resume"], "needs a file"),
        (["--output", "there.jsonl"], "is there already"),
        (["--output", "begun.jsonl"], "--resume"),
        (["--output", "damaged.jsonl", "--resume"], "can't be read"),
        (["--output", "other.jsonl", "--resume", "action=a"], "was begun with expression"),
    ],
)
def test_what_cannot_be_written_is_told_with_exit_code_2(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("there.jsonl", "begun.jsonl.part", "damaged.jsonl.part", "other.jsonl.part"):
        Path(name).write_text("precious")
    Path("damaged.jsonl.part.json").write_text("{")
    note = {"asked": {"expression": "action=b"}, "span": {}, "events": 1, "bytes": 8}
    Path("other.jsonl.part.json").write_text(json.dumps(note))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_is_not_there_is_exit_code_3(run: Run, tmp_path: Path) -> None:
    result = run("--output", str(tmp_path / "none" / "events.jsonl"))
    assert result.exit_code == 3
    assert "choose another place" in result.stderr


def test_a_complete_file_is_not_exported_again_by_resume(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("precious")
    result = run("--output", str(path), "--resume")
    assert (result.exit_code, result.stderr) == (0, f"{path} is complete\n")
    assert path.read_text() == "precious"


class Broken(Exception):
    """Stands for whatever ends an export before its time."""


def begin(url: str, path: Path, *, fail_after: int | None, resume: bool) -> int:
    """An export by pages of 7 events that fails once so many were written."""
    target, form, question = opened(str(path), None, Question(logs=True), {"--since": "ever"}, resume=resume)
    written = 0

    def report(events: int, _: object) -> None:
        nonlocal written
        written += events
        if fail_after is not None and written >= fail_after:
            raise Broken

    return export(as_role(url, "auditgraf_reader"), Export(question, form, report, page=7), target)


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.zst", "events.csv", "events.parquet"])
def test_an_export_that_ended_early_goes_on_and_has_every_event_once(stored: str, tmp_path: Path, name: str) -> None:
    whole, path = tmp_path / "whole" / name, tmp_path / name
    whole.parent.mkdir()
    begin(stored, whole, fail_after=None, resume=False)
    for fail_after, resume in ((1, False), (20, True), (8, True), (1, True)):
        with pytest.raises(Broken):
            begin(stored, path, fail_after=fail_after, resume=resume)
        assert not path.exists()
    with (tmp_path / f"{name}.part").open("ab") as part:
        part.write(b"half of an ev")  # what a crash leaves behind what is good
    assert begin(stored, path, fail_after=None, resume=True) == EVENTS
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(["whole", name])
    if path.suffix == ".zst":
        assert read(path) == read(whole)
    else:
        assert path.read_bytes() == whole.read_bytes()


def test_gone_on_with_a_time_means_what_it_meant_at_first(stored: str, tmp_path: Path) -> None:
    words = {"--since": "36h"}
    asked = Question(logs=True, since=in_the_past(36))
    target, _, _ = opened(str(tmp_path / "e.jsonl"), None, asked, words, resume=False)
    assert isinstance(target, FileTarget)
    target.append(b"x\n")
    target.keep(1, ("2026-01-01 00:00:00+00", "00000000-0000-7000-8000-000000000000"))
    target.close()
    later = Question(logs=True, since=in_the_past(1))
    again, _, question = opened(str(tmp_path / "e.jsonl"), None, later, words, resume=True)
    assert question.since == asked.since
    assert again.progress.events == 1


def in_the_past(hours: int) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)


def test_a_connection_that_is_lost_keeps_what_was_written(stored: str, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    target, form, question = opened(str(path), None, Question(logs=True), {}, resume=False)

    def end_all(*_: object) -> None:
        with psycopg.connect(stored, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE application_name = 'auditgraf export' AND datname = current_database()"
            )

    with pytest.raises(AuditgrafError, match="the connection to PostgreSQL is lost"):
        export(as_role(stored, "auditgraf_reader"), Export(question, form, end_all, page=7), target)
    assert "7 events are kept" in target.kept()
    target, form, question = opened(str(path), None, Question(logs=True), {}, resume=True)
    assert export(as_role(stored, "auditgraf_reader"), Export(question, form, lambda *_: None), target) == EVENTS
    assert read(path) == in_database(stored)


PROGRAM = "from collector.cli import main; main()"


def start(stored: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    environment = {"AUDITGRAF_DATABASE_URL": stored, "PATH": "/usr/bin:/bin", "AUDITGRAF_HOME": "/nonexistent"}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize("command", [["export"], ["query", "--json", "--since", "ever"], ["stats", "--json"]])
def test_a_closed_pipe_ends_quietly(stored: str, command: list[str]) -> None:
    with start(stored, *command) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(WAIT) == 0
        assert process.stderr.read() == b""


def test_ctrl_c_keeps_nothing_half_and_exits_with_130(stored: str, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with psycopg.connect(stored, autocommit=True) as watching, psycopg.connect(stored) as locking:
        # The export waits for this lock, so that it is caught in the midst.
        locking.execute("LOCK TABLE audit.events_default IN ACCESS EXCLUSIVE MODE")
        with start(stored, "export", "--output", str(path)) as process:
            waiting = (
                "SELECT FROM pg_stat_activity WHERE application_name = 'auditgraf export'"
                " AND datname = current_database() AND wait_event_type = 'Lock'"
            )
            deadline = time.monotonic() + WAIT
            while watching.execute(waiting).fetchone() is None:
                assert time.monotonic() < deadline
                threading.Event().wait(0.02)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=WAIT)
    assert (process.returncode, err) == (130, b"interrupted\n")
    assert list(tmp_path.iterdir()) == []
