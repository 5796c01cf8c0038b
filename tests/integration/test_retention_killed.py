"""kill -9 at any step of a run: nothing is lost that should stay, nothing is there twice, the next run ends it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from exporter.store.archive import ArchiveOptions, Place, manifests, verify
from exporter.store.retention import create_hold, parse_filter
from tests.collector_process import ROOT, wait_until
from tests.conftest import new_database
from tests.integration.retained import fill, line, messages, partitions, retain, tables, told, variables
from tests.sending import fetch

WAITING = """
    SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE NOT granted AND application_name = 'auditgraf retention' AND datname = current_database()
"""
# Where somebody's lock stops the run: table, mode, and what it is about to do then.
STEPS = [
    ("audit.retention_runs", "SHARE", "begin"),
    ("audit.held_events", "SHARE", "copy what is held"),
    ("audit.archives", "SHARE", "begin the archive"),
    ("audit.sources", "ACCESS EXCLUSIVE", "write the archive"),
    ("audit.retiring", "SHARE", "detach"),
    ("audit.holds", "ROW EXCLUSIVE", "drop, the partition being detached"),
    ("audit.journal", "SHARE", "commit the drop"),
    ("audit.retention_steps", "SHARE", "record the archive"),
]


def killed_at(url: str, place: Place | None, table: str, mode: str) -> None:
    """Starts a run that is stopped by a lock, and kills it there."""
    with psycopg.connect(url) as blocking:
        blocking.execute(f"LOCK TABLE {table} IN {mode} MODE".encode())
        process = subprocess.Popen(
            line(["retention", "run"], None),
            cwd=ROOT,
            env=variables(url, {"AUDITGRAF_ARCHIVE_TO": place.location} if place else {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: process.poll() is not None or fetch(url, WAITING)[0]["count"], f"it waits for {table}")
            assert process.poll() is None, f"it never waited for {table}"
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(30)
    gone = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'auditgraf retention'"
    wait_until(lambda: not fetch(url, f"{gone} AND datname = current_database()")[0]["count"], "its session has ended")


@pytest.mark.parametrize(("table", "mode", "step"), STEPS, ids=[step for _, _, step in STEPS])
def test_a_run_that_is_killed_is_ended_by_the_next(
    database: str, tmp_path: Path, table: str, mode: str, step: str
) -> None:
    place = Place(ArchiveOptions(str(tmp_path / "archive")))
    expired, kept = fill(database, "log", 30), fill(database, "log", 3)
    everything = sorted([*(f"event {number}" for number in range(1, 21))] * 2)
    held = ["event 1", "event 11"]
    create_hold(database, by="me", reason="court", text="{actor_id: u1}", match=parse_filter("{actor_id: u1}"))
    killed_at(database, place, table, mode)

    seen = messages(database)
    in_the_end = sorted([*(f"event {number}" for number in range(1, 21)), *held])
    assert seen in (everything, in_the_end)
    wait_until(lambda: retain(database, place=place).done, "the lock of the killed run is gone")
    assert messages(database) == in_the_end
    assert partitions(database) == [kept]
    assert tables(database, expired) == []
    assert fetch(database, "SELECT * FROM audit.retiring") == []
    assert [each.problem for each in verify(place)] == [None]
    assert [manifest.events for _, manifest in manifests(place)] == [20]
    assert len([path for path in (tmp_path / "archive").rglob("*") if path.is_file()]) == 3
    assert [row["target_id"] for row in told(database, "retention.partition_dropped")] == [expired]
    assert fetch(database, "SELECT * FROM audit.retention_runs WHERE outcome = 'running'") == []


def test_a_run_that_is_killed_after_a_drop_has_told_of_it_all_the_same(database: str) -> None:
    expired = fill(database, "log", 30)
    killed_at(database, None, "audit.retention_steps", "SHARE")
    assert tables(database, expired) == []
    wait_until(lambda: retain(database).done, "the lock of the killed run is gone")
    assert [row["target_id"] for row in told(database, "retention.partition_dropped")] == [expired]
    [interrupted, _] = fetch(database, "SELECT outcome, detail FROM audit.retention_runs ORDER BY id")
    assert interrupted == {"outcome": "failed", "detail": "it was interrupted"}


def test_what_a_killed_run_left_unfinished_is_never_the_archive_of_another_database(
    postgres: str, migrated: str, database: str, tmp_path: Path
) -> None:
    place = Place(ArchiveOptions(str(tmp_path / "archive")))
    fill(database, "log", 30)
    killed_at(database, place, "audit.sources", "ACCESS EXCLUSIVE")
    with new_database(postgres, template=migrated) as other:
        fill(other, "log", 30, 7)
        retain(other, place=place)
    wait_until(lambda: retain(database, place=place).done, "the lock of the killed run is gone")
    assert sorted(manifest.events for _, manifest in manifests(place)) == [7, 20]
    assert [each.problem for each in verify(place)] == [None, None]
