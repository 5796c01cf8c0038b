"""Restored events are compared with what the restore sealed, and their archive with what was dropped."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from collector.config import as_role
from exporter.errors import RetentionError
from exporter.store import migrate as module
from exporter.store.archive import ArchiveOptions, PersonInArchives, Place, manifests, parse_period, restore, unload
from exporter.store.forget import forget
from exporter.store.migrate import migrate
from tests.collector_process import ROOT, wait_until
from tests.conftest import CLASSES, new_database
from tests.integration.retained import day, execute, fill, line, retain, tables, variables
from tests.integration.sealed import clean, tamper, verified
from tests.sending import fetch

EVER = parse_period("2000-01-01..2100-01-01")
FORGED = """
    INSERT INTO audit.restored_events (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome,
                                       attributes, flags, retention_class, archive)
    VALUES (gen_random_uuid(), now(), now(), 1, 1, 9, 'success', '{}', '{}', '{class}', '{archive}')
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(ArchiveOptions(str(tmp_path / "archive")))


@pytest.fixture
def restored(database: str, place: Place) -> str:
    """A database with twenty restored events, from an archive that it wrote itself."""
    fill(database, "log", 30)
    retain(database, place=place)
    assert [loaded.events for loaded in restore(database, place, EVER, by="me")] == [20]
    return database


def links(url: str, kind: str) -> list[dict[str, object]]:
    return fetch(url, "SELECT events, detail FROM audit.digest_links WHERE kind = %s ORDER BY sequence", kind)


def forged(**values: str) -> str:
    text = FORGED
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def test_restored_events_are_sealed_by_a_link_that_names_their_archive(restored: str, place: Place) -> None:
    [(name, manifest)] = manifests(place)
    [link] = links(restored, "restored")
    archive = {"location": place.location, "manifest": name, "sha256": manifest.sha256}
    assert link == {"events": 20, "detail": {"archive": archive}}
    outcome = clean(restored)
    assert outcome.events >= 20
    assert outcome.unproven == {}


def test_changed_deleted_and_inserted_restored_events_are_named(restored: str) -> None:
    tamper(restored, "UPDATE audit.restored_events SET message = 'other' WHERE message = 'event 1'")
    tamper(restored, "DELETE FROM audit.restored_events WHERE message = 'event 11'")
    tamper(restored, forged(**{"class": "log", "archive": "mine"}))
    findings = verified(restored).findings
    assert sorted(finding.kind for finding in findings) == ["changed", "deleted", "inserted"]
    assert {(finding.retention_class, finding.day) for finding in findings} == {("log", None)}


def test_restored_events_of_a_class_that_nothing_was_restored_of_are_found(restored: str) -> None:
    tamper(restored, forged(**{"class": "security", "archive": "mine"}))
    [found] = verified(restored).findings
    assert (found.kind, found.retention_class) == ("not_sealed", "security")


def test_unloading_takes_leaves_along(database: str, place: Place) -> None:
    fill(database, "log", 30)
    fill(database, "log", 31)
    fill(database, "security", 800, 7)
    retain(database, place=place)
    list(restore(database, place, EVER, by="me"))
    clean(database)
    assert unload(database, parse_period(f"{day(30)}..{day(30)}"), by="me") == 20
    [link] = links(database, "unloaded")
    assert link["events"] == 0
    clean(database)
    list(restore(database, place, EVER, by="me"))
    assert fetch(database, "SELECT count(*) FROM audit.restored_events") == [{"count": 47}]
    clean(database)
    assert unload(database, parse_period(f"{day(800)}..{day(800)}"), by="me") == 7
    assert tables(database, "_restored$") == ["leaves_log_restored"]
    assert unload(database, None, by="me") == 40
    assert tables(database, "_restored$") == []
    clean(database)


def test_unloading_a_part_does_not_hide_what_was_changed_in_it(restored: str) -> None:
    tamper(restored, "UPDATE audit.restored_events SET message = 'other' WHERE message = 'event 1'")
    fill(restored, "log", 31)
    tamper(restored, forged(**{"class": "log", "archive": "mine"}))
    unload(restored, parse_period(f"{day(30)}..{day(30)}"), by="me")
    assert sorted(verified(restored).kinds) == ["deleted", "inserted", "unfounded"]
    unload(restored, None, by="me")
    clean(restored)


def test_a_person_forgotten_in_restored_events_is_listed_under_the_order(restored: str) -> None:
    number = forget(restored, as_role(restored, "auditgraf_writer"), "u1", by="officer").order
    assert clean(restored).orders == {number: 2}
    tamper(restored, "UPDATE audit.restored_events SET outcome = 'failure' WHERE message = 'event 1'")
    assert verified(restored).kinds == ["changed"]


def test_a_restore_that_is_killed_in_the_middle_leaves_no_finding(database: str, place: Place) -> None:
    fill(database, "log", 31)
    fill(database, "log", 30)
    retain(database, place=place)
    waiting = """
        SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE NOT granted AND application_name = 'auditgraf archive' AND datname = current_database()
    """
    environ = {"AUDITGRAF_ARCHIVE_TO": place.location}
    arguments = ["archive", "restore", f"{day(31)}..{day(30)}"]
    with psycopg.connect(database) as blocking:
        # Its events are there, their link is not.
        blocking.execute("SELECT FROM audit.locks WHERE kind = 'chain' AND number = 0 FOR UPDATE")
        process = subprocess.Popen(
            line(arguments, None), cwd=ROOT, env=variables(database, environ), stdout=subprocess.DEVNULL
        )
        wait_until(lambda: process.poll() is not None or fetch(database, waiting)[0]["count"], "it waits for the chain")
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    sessions = "SELECT FROM pg_stat_activity WHERE application_name = 'auditgraf archive'"
    wait_until(lambda: not fetch(database, f"{sessions} AND datname = current_database()"), "its sessions have ended")
    clean(database)
    assert [loaded.events for loaded in restore(database, place, EVER, by="me")] == [20, 20]
    clean(database)


def rewritten(place: Place, change: dict[str, object]) -> None:
    """Whoever rules the archive writes something else into a manifest."""
    [path] = Path(place.location).rglob("*.manifest.json")
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")


def test_an_archive_that_is_not_what_was_dropped_is_not_restored(database: str, place: Place) -> None:
    fill(database, "log", 30)
    retain(database, place=place)
    rewritten(place, {"sha256": "ab" * 32})
    with pytest.raises(RetentionError, match="not what its partition was dropped for: its SHA-256 is abab"):
        list(restore(database, place, EVER, by="me"))
    assert fetch(database, "SELECT FROM audit.restored_events") == []


def test_events_of_an_archive_that_is_not_what_was_dropped_are_a_finding(restored: str, place: Place) -> None:
    [(name, _)] = manifests(place)
    tamper(
        restored,
        f"""SELECT audit.seal_restored('log', (SELECT adds FROM audit.leaves_log_restored LIMIT 1), jsonb_build_object(
            'location', '{place.location}', 'manifest', '{name}', 'sha256', '{"ab" * 32}'))""",
    )
    kinds = set(verified(restored).kinds)
    assert "unfounded" in kinds


def test_events_of_an_archive_of_another_database_are_told_and_are_no_finding(
    restored: str, place: Place, postgres: str, migrated: str
) -> None:
    [(name, _)] = manifests(place)
    with new_database(postgres, migrated) as other:
        list(restore(other, place, EVER, by="me"))
        assert clean(other).unproven == {name: 20}
        unload(other, None, by="me")
        assert clean(other).unproven == {}


def test_an_archive_that_an_order_had_rewritten_is_as_good_as_the_one_before(database: str, place: Place) -> None:
    fill(database, "log", 30)
    retain(database, place=place)
    archives = PersonInArchives(place)
    forget(database, as_role(database, "auditgraf_writer"), "u1", by="officer", archives=archives, rewrite=True)
    assert [loaded.events for loaded in restore(database, place, EVER, by="me")] == [20]
    outcome = clean(database)
    assert (outcome.unproven, outcome.orders) == ({}, {})
    rewritten(place, {"sha256": "ab" * 32})
    unload(database, None, by="me")
    with pytest.raises(RetentionError, match="not what its partition was dropped for"):
        list(restore(database, place, EVER, by="me"))


def test_events_restored_before_the_upgrade_are_sealed_by_it(
    empty_database: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = module.migrations()
    with monkeypatch.context() as patched:
        patched.setattr(module, "migrations", lambda: known[:9])
        migrate(empty_database, CLASSES)
    execute(empty_database, forged(**{"class": "log", "archive": "old"}))
    name = fill(empty_database, "log", 30)
    statement = f"""INSERT INTO audit.retiring (relation, partition, retention_class, range_start, range_end)
        VALUES ('audit.{name}'::regclass, '{name}', 'log', '{day(30)}', '{day(29)}')"""
    execute(empty_database, statement)
    execute(empty_database, f"ALTER TABLE audit.events_log DETACH PARTITION audit.{name} CONCURRENTLY")
    migrate(empty_database, CLASSES)
    assert clean(empty_database).unproven == {"old": 1}
    tamper(empty_database, "UPDATE audit.restored_events SET outcome = 'failure'")
    assert verified(empty_database).kinds == ["changed"]
