"""`auditgraf query`, `show` and `stats` as a user runs them, on a real database."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from collector.cli import main
from collector.config import as_role
from collector.query.answer import Form, answer
from collector.query.question import Question
from tests.integration.committed import Store, event

HOSTILE = "\x1b[2J\u202eevil\nline"
DAY_NS = 86_400_000_000_000
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def stored(shared_database: str) -> Iterator[str]:
    """A database with a handful of events of the last hour, one of a year ago and a plain log record."""
    store = Store(shared_database)
    store.add(
        event("user.login", outcome="success", actor_id="7", actor_name="Al", service="shop"),
        event("user.login", outcome="failure", severity="17", actor_id="8", actor_name="Bo", body="wrong 100% pass"),
        event("model.updated", outcome="success", actor_email="al@example.org", target_name="Teapot")
        | {"audit.changes": json.dumps({"role": {"before": {"id": 1}, "after": {"id": 2}}})},
        event("note.written", outcome="unknown", actor_name=HOSTILE, body=HOSTILE),
        {"body": "just a line", "severity": "9"},
    )
    store.commit(store.prepare([event("user.created", actor_name="Al")], at_ns=time.time_ns() - 100 * DAY_NS))
    store.close()
    yield shared_database


@pytest.fixture
def run(stored: str) -> Run:
    """Runs a command; its output has no colours, as it is no terminal."""

    def invoke(*arguments: str, **environment: str) -> Result:
        variables = {"AUDITGRAF_DATABASE_URL": stored, "AUDITGRAF_HOME": "/nonexistent", **environment}
        return CliRunner().invoke(main, list(arguments), env=variables)

    return invoke


def actions(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [json.loads(line)["action"] for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["note.written", "model.updated", "user.login", "user.login"]),
        (["--sort", "occurred_at"], ["user.login", "user.login", "model.updated", "note.written"]),
        (["--sort", "time"], ["user.login", "user.login", "model.updated", "note.written"]),
        (["-n", "1", "--sort", "-time"], ["note.written"]),
        (["--sort", "action,-actor_id"], ["model.updated", "note.written", "user.login", "user.login"]),
        (["--logs", "--limit", "1"], [None]),
        (["class=log"], [None]),
        (["--since", "ever", "actor=Al"], ["user.login", "user.created"]),
        (["--until", "30d", "--since", "200d"], ["user.created"]),
        (["--text", "AL@EXAMPLE"], ["model.updated"]),
        (["--text", "100% pass"], ["user.login"]),
        (["--text", "100_ pass"], []),
        (["--text", "teapot"], ["model.updated"]),
        (["action=user.login", "outcome=failure"], ["user.login"]),
        (["action=user.login outcome!=failure"], ["user.login"]),
        (["severity>=error"], ["user.login"]),
        (["changes"], ["model.updated"]),
        (["resource.service.name=shop", "action~user.*", "--limit", "1"], ["user.login"]),
    ],
)
def test_a_question_finds_its_events(run: Run, arguments: list[str], expected: list[str | None]) -> None:
    assert actions(run("query", *arguments, "--output", "jsonl")) == expected


def test_json_is_one_array_and_columns_are_those_asked_for(run: Run) -> None:
    found = json.loads(run("query", "actor=Bo", "--json", "--columns", "action, actor_id").stdout)
    assert found == [{"action": "user.login", "actor_id": "8"}]
    assert json.loads(run("query", "actor=nobody", "--json").stdout) == []


def test_columns_may_be_named_as_in_expressions(run: Run) -> None:
    [found] = json.loads(run("query", "actor=Bo", "--json", "--columns", "time,class,actor").stdout)
    assert list(found) == ["occurred_at", "retention_class", "actor_id", "actor_name", "actor_email", "on_behalf_of"]


def test_csv_has_a_header_and_reads_back(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("query", "--output", "csv", "--columns", "action,message").stdout)))
    assert rows[0] == {"action": "note.written", "message": HOSTILE}


def test_a_table_in_a_pipe_is_plain_and_cuts_nothing(run: Run) -> None:
    lines = run("query", "action=user.login").stdout.splitlines()
    assert lines[0].split() == ["Time", "Service", "Action", "Actor", "Message", "Id"]
    assert "wrong 100% pass" in lines[1]
    assert len(lines) == 3


def test_what_events_say_does_not_reach_the_terminal_raw(stored: str) -> None:
    for columns in (None, ("action", "message", "attributes")):
        for width in (40, 80, 200):
            console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
            answer(as_role(stored, "auditgraf_reader"), Question(), Form(columns=columns), console)
            written = console.file.getvalue()  # type: ignore[attr-defined]
            assert "\x1b" not in written
            assert "\u202e" not in written
            assert all(len(line) <= width for line in written.splitlines())


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_shows_columns_as_far_as_there_is_room(stored: str, width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    answer(as_role(stored, "auditgraf_reader"), Question(), Form(), console)
    titles = console.file.getvalue().splitlines()[0].split()  # type: ignore[attr-defined]
    assert {"Time", "Action", "Actor"} <= set(titles)
    assert ("Id" in titles) == (width == 200)


def test_quiet_tells_by_its_exit_code_whether_there_is_something(run: Run) -> None:
    for arguments, code in ((["actor=Bo"], 0), (["actor=nobody"], 1)):
        result = run("query", *arguments, "--quiet")
        assert (result.exit_code, result.output) == (code, "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["query", "acton=x"], "did you mean action?"),
        (["query", "--since", "soon"], "--since"),
        (["query", "--since", "1h", "--until", "2h"], "is not before --until"),
        (["query", "--tz", "Mars/Olympus"], "--tz"),
        (["query", "--columns", "acton"], "did you mean action?"),
        (["query", "--sort", "attributes"], "has no order"),
        (["query", "--limit", "0"], "--limit"),
        (["query", "--limit", "10001"], "auditgraf export writes any number"),
        (["query", "--json", "-o", "csv"], "contradict each other"),
        (["query", "--text", "\udcff"], "not text in UTF-8"),
        (["query", "action=\udcff"], "not text in UTF-8"),
        (["tail", "--last", "1", "--count", "1", "--grep", "\udcff"], "not text in UTF-8"),
        (["tail", "--class", "nope"], "it has"),
        (["tail", "--level", "loud"], "--level: 'loud'"),
        (["tail", "--last", "-1"], "--last"),
        (["hold", "create", "--reason", "x", "--filter", "action==a"], "compares nothing"),
        (["query", "--text", "a\0b"], "NUL"),
        (["show", "xyz"], "is no event's id"),
        (["stats", "acton=x"], "did you mean action?"),
        (["tail", "acton=x"], "did you mean action?"),
        (["tail", "--since", "1h", "--last", "3"], "give one of them"),
    ],
)
def test_what_cannot_be_asked_is_told_with_exit_code_2(run: Run, arguments: list[str], told: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr


def test_a_database_that_is_away_is_one_line_and_exit_code_3(run: Run) -> None:
    for command in (["query"], ["show", "019a"], ["stats"]):
        result = run(*command, AUDITGRAF_DATABASE_URL="postgresql://postgres@127.0.0.1:1/audit")
        assert result.exit_code == 3
        assert result.stderr.startswith("Error: PostgreSQL can't be reached")


def test_a_database_without_the_schema_is_exit_code_3_and_what_to_do(run: Run, empty_database: str) -> None:
    result = run("query", AUDITGRAF_DATABASE_URL=empty_database)
    assert result.exit_code == 3
    assert "auditgraf migrate" in result.stderr


def only_id(run: Run, expression: str) -> str:
    [line] = run("query", expression, "--columns", "id", "--output", "jsonl", "--since", "ever").stdout.splitlines()
    return str(json.loads(line)["id"])


def test_show_has_every_field_and_what_changed(run: Run) -> None:
    identity = only_id(run, "action=model.updated")
    for written in (identity, identity.upper(), identity.replace("-", ""), identity[:23]):
        text = run("show", written, "--tz", "UTC").stdout
        assert re.search(r"~  role\.id +1 → 2\n", text)
        assert "<al@example.org>" in text
        assert '"service.name": "shop"' in text


def test_show_as_json_has_the_resource_and_the_scope(run: Run) -> None:
    shown = json.loads(run("show", only_id(run, "actor=Bo"), "--json").stdout)
    assert shown["resource"] == {"service.name": "shop"}
    assert shown["message"] == "wrong 100% pass"
    assert set(shown) >= {"scope", "attributes", "flags", "retention_class"}


def test_show_finds_an_event_of_any_age(run: Run) -> None:
    assert "user.created" in run("show", only_id(run, "action=user.created")).stdout


def test_show_lists_the_events_that_a_beginning_could_mean(run: Run) -> None:
    identity = only_id(run, "actor=Bo")
    result = run("show", identity[:4])
    assert result.exit_code == 2
    assert re.search(rf"{identity}  .*  user.login  Bo\n", result.stderr)


def test_show_of_an_unknown_id_is_exit_code_1(run: Run) -> None:
    result = run("show", "00000000-0000-7000-8000-000000000000")
    assert result.exit_code == 1
    assert "no event has an id" in result.stderr


def test_show_lets_nothing_steer_the_terminal(run: Run) -> None:
    text = run("show", only_id(run, "action=note.written")).stdout
    assert r"\x1b[2J\u202eevil\nline" in text
    assert not {"\x1b", "\u202e"} & set(text)


def counted(run: Run, *arguments: str) -> dict[str, Any]:
    result = run("stats", *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_stats_count_by_every_kind_and_over_time(run: Run) -> None:
    found = counted(run, "--since", "ever")
    assert found["events"] == 6
    assert {each["name"]: each["events"] for each in found["classes"]} == {"default": 5, "log": 1}
    assert found["actions"][0] == {"name": "user.login", "events": 2}
    assert sum(each["events"] for each in found["series"]) == 6
    assert {"name": "Al", "events": 2} in found["actors"]


def test_stats_of_an_expression_count_what_it_holds_for(run: Run) -> None:
    found = counted(run, "outcome=failure", "--since", "2d")
    assert found["events"] == 1
    assert found["outcomes"] == [{"name": "failure", "events": 1}]
    assert found["unit"] == "hour"


def test_stats_are_the_same_by_rollups_and_by_events(run: Run) -> None:
    every = "not id=00000000-0000-7000-8000-000000000000"
    assert counted(run, "--since", "2d") == counted(run, every, "--since", "2d")


def test_stats_of_nothing_say_so(run: Run) -> None:
    result = run("stats", "actor=nobody")
    assert result.exit_code == 0
    assert result.stdout.startswith("0 events since")


def test_stats_are_plain_in_a_pipe(run: Run) -> None:
    text = run("stats", "--top", "1").stdout
    assert "user.login" in text
    assert "2 more" in text
    assert "\x1b" not in text


def test_the_reader_asks_and_not_the_owner_whose_url_it_is(run: Run, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("REVOKE SELECT ON audit.events FROM auditgraf_reader")
    result = run("query", AUDITGRAF_DATABASE_URL=database)
    assert result.exit_code == 3
    assert "log in as auditgraf_reader" in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(run: Run, shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_AUDITGRAF_COMPLETE" in result.stdout
