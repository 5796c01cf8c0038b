"""`auditgraf doctor` on retention: the job, what is overdue, where archives go, holds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from collector.config import as_role
from exporter.store.retention import create_hold
from tests.integration.examined import look, one, sound_environ
from tests.integration.retained import (
    begin_retiring,
    detach,
    execute,
    fill,
    messages,
    pending_detach,
    reading,
    retain,
)


@pytest.fixture
def environ(database: str, tmp_path: Path) -> dict[str, str]:
    return sound_environ(database, tmp_path)


def as_if_ago(database: str, passed: timedelta) -> None:
    execute(database, "UPDATE audit.migrations SET applied_at = applied_at - %s", passed)
    execute(
        database,
        "UPDATE audit.retention_runs SET started_at = started_at - %s, finished_at = finished_at - %s",
        passed,
        passed,
    )


def test_a_fresh_database_needs_no_run_yet_and_an_old_one_does(database: str, environ: dict[str, str]) -> None:
    assert "has not run yet" in one(look(environ), "retention job").text
    as_if_ago(database, timedelta(days=2))
    found = one(look(environ), "retention job")
    assert (found.state, found.text) == ("warning", "it ran to its end never")
    assert found.remedy is not None


@pytest.mark.parametrize(("every", "state"), [("1h", "warning"), ("1d", "ok"), ("never", "ok")])
def test_a_run_is_missed_once_three_are(database: str, environ: dict[str, str], every: str, state: str) -> None:
    retain(database)
    assert one(look(environ), "retention job").state == "ok"
    as_if_ago(database, timedelta(hours=20))
    assert one(look(environ, AUDITGRAF_RETENTION_EVERY=every), "retention job").state == state


@pytest.mark.usefixtures("impatient")
def test_what_failed_in_the_last_run_is_named(database: str, environ: dict[str, str]) -> None:
    expired = fill(database, "log", 30)
    with reading(database, expired):
        retain(database)
    found = one(look(environ), "retention job")
    assert found.state == "warning"
    assert f"{expired} is in use by PostgreSQL's process" in found.text
    assert one(look(environ), "expired partitions").state == "warning"
    retain(database)
    assert {one(look(environ), check).state for check in ("retention job", "expired partitions")} == {"ok"}


def test_a_partition_that_an_interrupted_run_left_detached_is_told(database: str, environ: dict[str, str]) -> None:
    expired = fill(database, "log", 30)
    begin_retiring(database, expired)
    detach(database, expired)
    [found] = [each for each in look(environ) if each.check == "expired partitions"]
    assert (found.state, "1 are detached" in found.text) == ("warning", True)


@pytest.mark.parametrize("login", ["owner", "reader"])
def test_a_partition_that_somebody_half_detached_is_told_with_what_brings_it_back(
    database: str, environ: dict[str, str], login: str
) -> None:
    if login == "reader":
        del environ["AUDITGRAF_DATABASE_URL"]
        environ["AUDITGRAF_READER_DATABASE_URL"] = as_role(database, "auditgraf_reader")
    kept = fill(database, "log", 3)
    with reading(database, kept):
        pending_detach(database, kept)
    assert [each for each in look(environ) if each.check == "half-detached partitions"] == []
    execute(database, "DELETE FROM audit.retiring")
    retain(database)
    assert messages(database) == []
    found = one(look(environ), "half-detached partitions")
    assert (found.state, f"began to detach {kept} and did not end it" in found.text) == ("problem", True)
    for statement in str(found.remedy).partition("as auditgraf_owner: ")[2].split("; "):
        execute(database, statement)
    assert len(messages(database)) == 20
    assert [each for each in look(environ) if each.check == "half-detached partitions"] == []


def test_holds_are_told_and_one_of_everything_explains_what_is_overdue(database: str, environ: dict[str, str]) -> None:
    assert one(look(environ), "holds").text == "none is in force"
    fill(database, "log", 30)
    create_hold(database, by="me", reason="all", text=None, match=None)
    assert "one keeps every event" in one(look(environ), "holds").text
    found = one(look(environ), "expired partitions")
    assert (found.state, found.text) == ("ok", "1 are kept by a hold of every event")


def test_the_place_of_archives_is_tried_and_left_as_it_was(
    database: str, environ: dict[str, str], tmp_path: Path
) -> None:
    place = tmp_path / "archive"
    assert one(look(environ, AUDITGRAF_ARCHIVE_TO=str(place)), "archive").state == "ok"
    assert list(place.iterdir()) == []
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    found = one(look(environ, AUDITGRAF_ARCHIVE_TO=str(tmp_path / "file")), "archive")
    assert (found.state, str(tmp_path / "file") in found.text) == ("problem", True)


def test_a_bucket_that_is_away_is_a_problem(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "very-secret")
    text = Path(environ["AUDITGRAF_CONFIG"]).read_text(encoding="utf-8")
    archive = "archive: {to: 's3://audit/x', endpoint: 'http://127.0.0.1:1', region: eu-central-1}\n"
    Path(environ["AUDITGRAF_CONFIG"]).write_text(text + archive, encoding="utf-8")
    found = one(look(environ), "archive")
    assert found.state == "problem"
    assert "s3://audit/x" in found.text
    assert "very-secret" not in found.text


def test_the_reader_alone_can_tell(database: str, environ: dict[str, str]) -> None:
    retain(database)
    del environ["AUDITGRAF_DATABASE_URL"]
    environ["AUDITGRAF_READER_DATABASE_URL"] = as_role(database, "auditgraf_reader")
    assert one(look(environ), "retention job").state == "ok"
