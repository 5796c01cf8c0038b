"""`auditgraf verify` as its user meets it: what it prints, writes, and exits with; and what the doctor says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.examined import look, one, sound_environ
from tests.integration.retained import command, execute, fill, retain
from tests.integration.sealed import tamper, verified
from tests.sending import Store, fetch, record, request


@pytest.fixture
def stored(store: Store, database: str) -> str:
    store.write(request(record("one", user__id="alice"), record("two")))
    store.write(request(record("three")))
    return database


def test_what_is_as_it_was_stored_exits_with_0(stored: str) -> None:
    done = command(stored, "verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "3 events of 1 partitions, 2 links: all as it was stored\n"


def test_a_finding_is_a_line_and_exits_with_1(stored: str) -> None:
    [row] = fetch(stored, "SELECT id FROM audit.events WHERE message = 'two'")
    tamper(stored, "DELETE FROM audit.events_default WHERE message = 'two'")
    done = command(stored, "verify")
    assert done.returncode == 1
    first, last = done.stdout.splitlines()
    assert first.startswith("deleted ")
    assert str(row["id"]) in first
    assert "by link 1 of chain 1" in first
    assert last.endswith("1 findings")


def test_json_is_an_object_a_line_the_last_of_them_the_summary(stored: str) -> None:
    tamper(stored, "UPDATE audit.events_default SET outcome = 'failure' WHERE message = 'two'")
    done = command(stored, "verify", "--json")
    finding, summary = map(json.loads, done.stdout.splitlines())
    assert (finding["kind"], finding["chain"], finding["sequence"]) == ("changed", 1, 1)
    assert (summary["kind"], summary["events"], summary["findings"]) == ("summary", 3, 1)


def test_of_very_many_findings_of_a_kind_the_first_are_printed_and_all_are_json(database: str) -> None:
    fill(database, "log", 1, 50)
    tamper(database, "UPDATE audit.events_log SET outcome = 'failure'")
    lines = command(database, "verify").stdout.splitlines()
    assert len([line for line in lines if "was changed" in line]) == 20
    assert "30 more" in lines[-2]
    assert len(command(database, "verify", "--json").stdout.splitlines()) == 51


def test_heads_are_written_and_compared_later(store: Store, stored: str, tmp_path: Path) -> None:
    heads = tmp_path / "heads.json"
    assert command(stored, "verify", "--heads", str(heads)).returncode == 0
    assert json.loads(heads.read_text(encoding="utf-8"))["chains"][0]["sequence"] == 2
    store.write(request(record("four")))
    assert command(stored, "verify", "--against", str(heads)).returncode == 0
    tamper(stored, "DELETE FROM audit.digests WHERE sequence > 1")
    done = command(stored, "verify", "--against", str(heads))
    assert done.returncode == 1
    assert "chain 1 ends with link 1" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--against", "/nowhere/heads.json"], "--against"),
        (["--heads", "/nowhere/heads.json"], "--heads"),
        (["--since", "no time"], "no time"),
        (["--since", "1d", "--until", "2d"], "--since is after --until"),
    ],
    ids=["against", "heads", "since", "order"],
)
def test_what_is_not_understood_exits_with_2(database: str, arguments: list[str], told: str) -> None:
    done = command(database, "verify", *arguments)
    assert done.returncode == 2
    assert told in done.stderr


def test_where_the_database_does_not_answer_it_exits_with_3() -> None:
    done = command("postgresql://nobody@127.0.0.1:1/none", "verify")
    assert done.returncode == 3
    assert "can't be reached" in done.stderr


def test_an_order_to_forget_is_listed(stored: str) -> None:
    assert command(stored, "forget", "--actor", "alice", "--yes").returncode == 0
    done = command(stored, "verify")
    assert done.returncode == 0
    assert "pseudonymised under order 1: 1 events" in done.stdout


def test_a_retained_database_verifies(database: str) -> None:
    fill(database, "log", 30)
    retain(database)
    assert command(database, "verify").returncode == 0


def test_the_doctor_says_that_events_are_sealed_and_what_verification_found(stored: str, tmp_path: Path) -> None:
    environ = sound_environ(stored, tmp_path)
    assert one(look(environ), "tamper evidence").text == "events are sealed as they are stored"
    verified(stored)
    assert one(look(environ), "tamper evidence").text.startswith("events are sealed as they are stored, verified ")
    tamper(stored, "DELETE FROM audit.events_default WHERE message = 'two'")
    verified(stored)
    found = one(look(environ), "tamper evidence")
    assert found.state == "problem"
    assert found.text.startswith("1 findings")


def test_the_doctor_says_of_which_class_nothing_is_sealed(database: str, tmp_path: Path) -> None:
    environ = sound_environ(database, tmp_path)
    execute(database, "ALTER TABLE audit.events_log DISABLE TRIGGER seal_stored")
    found = one(look(environ), "tamper evidence")
    assert found.state == "problem"
    assert "class log" in found.text
    assert found.remedy is not None
    assert "auditgraf migrate" in found.remedy
