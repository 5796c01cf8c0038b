"""Archives that an order rewrites, where something fails: kill -9 at any step, damage, numbers that are taken."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from exporter.errors import RetentionError
from exporter.store.archive import ArchiveOptions, Place, manifests, verify
from exporter.store.archive.place import Format
from tests.collector_process import ROOT, wait_until
from tests.conftest import new_database
from tests.integration.forgotten import ALICE, archived, content, files, order
from tests.integration.retained import command, fill, line, retain, variables
from tests.sending import Store, fetch, record

FORMATS: tuple[Format, ...] = ("parquet", "jsonl.zst")


@pytest.fixture(params=FORMATS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(ArchiveOptions(str(tmp_path / "archive"), request.param))


# Where somebody's lock stops the order: table, mode, and what it is about to do then.
STEPS = [
    ("audit.archives", "SHARE", "begin the archive"),
    ("audit.superseded_archives", "SHARE", "supersede the old one"),
    ("audit.forget_archives", "SHARE", "note what was done"),
    ("audit.journal", "SHARE", "finish the order"),
]


@pytest.mark.parametrize(("table", "mode", "step"), STEPS, ids=[step for _, _, step in STEPS])
def test_an_order_that_is_killed_goes_on_and_leaves_one_archive(
    store: Store, database: str, tmp_path: Path, table: str, mode: str, step: str
) -> None:
    place = Place(ArchiveOptions(str(tmp_path / "archive")))
    archived(store, database, place, record("one", **ALICE), record("two", user__id="bob"))
    arguments = ["forget", "--actor", "alice", "--archives", "--yes"]
    environ = {"AUDITGRAF_ARCHIVE_TO": place.location}
    waiting = """
        SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE NOT granted AND application_name = 'auditgraf forget' AND datname = current_database()
    """
    with psycopg.connect(database) as blocking:
        blocking.execute(f"LOCK TABLE {table} IN {mode} MODE".encode())
        process = subprocess.Popen(
            line(arguments, None),
            cwd=ROOT,
            env=variables(database, environ),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(
                lambda: process.poll() is not None or fetch(database, waiting)[0]["count"], f"it waits for {table}"
            )
            assert process.poll() is None, f"it never waited for {table}"
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(30)
    assert all(each.problem is None for each in verify(place))
    assert any('"message":"two"' in text for text in content(place))

    def gone_on() -> bool:
        return command(database, *arguments, environ=environ).returncode == 0

    wait_until(gone_on, "the lock of the killed order is gone")
    assert len(files(place)) == 3
    assert [each.problem for each in verify(place)] == [None]
    [done] = fetch(database, "SELECT pseudonym FROM audit.forget_orders WHERE finished_at IS NOT NULL")
    assert sorted(json.loads(text)["actor_id"] for text in content(place)) == ["bob", done["pseudonym"]]
    assert fetch(database, "SELECT * FROM audit.superseded_archives") == []
    assert fetch(database, "SELECT count(*) FROM audit.archives") == [{"count": 1}]
    [noted] = fetch(database, "SELECT events FROM audit.forget_archives WHERE rewritten_as IS NOT NULL")
    assert noted == {"events": 1}


def test_a_damaged_archive_is_not_rewritten(store: Store, database: str, place: Place) -> None:
    archived(store, database, place, record("one", **ALICE))
    [file] = Path(place.location).rglob("*-sources.*")
    file.write_bytes(b"not what was written")
    with pytest.raises(RetentionError, match="is damaged"):
        order(database, place, rewrite=True)
    assert len(files(place)) == 3 or [each.problem is None for each in verify(place)] == [False]


def test_an_archive_of_the_same_number_by_another_database_is_left_alone(
    postgres: str, migrated: str, database: str, place: Place
) -> None:
    fill(database, "log", 30)
    retain(database, place=place)
    with new_database(postgres, template=migrated) as other:
        fill(other, "log", 30, 7)
        retain(other, place=place)
    assert sorted(manifest.events for _, manifest in manifests(place)) == [7, 20]
    assert [each.problem for each in verify(place)] == [None, None]


def test_archives_on_the_command_line_of_forget(store: Store, database: str, tmp_path: Path) -> None:
    place = Place(ArchiveOptions(str(tmp_path / "archive")))
    archived(store, database, place, record("one", **ALICE))
    environ = {"AUDITGRAF_ARCHIVE_TO": place.location}
    looked = command(database, "forget", "--actor", "alice", "--dry-run", environ=environ)
    assert "1 events, which only --archives changes" in looked.stdout
    first = command(database, "forget", "--actor", "alice", "--yes", environ=environ)
    assert "still has 1 events of the person" in first.stdout
    done = command(database, "forget", "--actor", "alice", "--archives", "--yes", environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 events pseudonymised" in done.stdout
    assert "alice" not in "".join(content(place)).lower()
    nowhere = command(database, "forget", "--actor", "alice", "--archives", "--yes")
    assert (nowhere.returncode, "archive.to" in nowhere.stderr) == (1, True)
    both = command(database, "forget", "--actor", "alice", "--archives", "--no-archives", environ=environ)
    assert both.returncode == 2
