"""Restored events: told with the archive they came from, kept for holds, and gone where their partition comes back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from exporter.errors import RetentionError
from exporter.store import migrate as module
from exporter.store.archive import ArchiveOptions, Place, manifests, parse_period, restore, unload
from exporter.store.migrate import migrate
from exporter.store.retention import create_hold, parse_filter, release_hold
from tests.conftest import CLASSES
from tests.integration.retained import (
    command,
    day,
    detach,
    execute,
    fill,
    messages,
    partitions,
    reading,
    retain,
    steps,
    tables,
    told,
)
from tests.integration.sealed import clean
from tests.sending import fetch

EVER = parse_period("2000-01-01..2100-01-01")
LONGER = {"log": timedelta(days=60)}
RESTORED = "SELECT count(*) AS events FROM audit.restored_events"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(ArchiveOptions(str(tmp_path / "archive")))


@pytest.fixture
def away(database: str, place: Place, impatient: None) -> str:
    """A partition that a run archived and detached, and did not drop; its events are restored."""
    left = fill(database, "log", 30)
    with reading(database, left):
        retain(database, place=place)
    detach(database, left)
    assert [loaded.events for loaded in restore(database, place, EVER, by="me")] == [20]
    assert len(messages(database)) == 20
    return left


def hold(database: str, text: str) -> int:
    return create_hold(database, by="lawyer", reason="court", text=text, match=parse_filter(text)).id


def test_what_was_restored_is_told_although_the_restore_never_ended(database: str, place: Place) -> None:
    for days in (30, 31):
        fill(database, "log", days)
    retain(database, place=place)
    names = [name for name, _ in manifests(place)]
    restoring = restore(database, place, EVER, by="me")
    assert next(restoring).name == names[0]
    restoring.close()
    retain(database)
    [event] = told(database, "archive.restored")
    assert (event["actor_id"], event["target_type"], event["target_id"]) == ("me", "archive", names[0])
    assert event["attributes"]["archive.events"] == 20
    assert event["attributes"]["archive.location"] == place.location
    list(restore(database, place, EVER, by="me"))
    retain(database)
    assert {event["target_id"] for event in told(database, "archive.restored")} == set(names)


@pytest.mark.parametrize("text", ["{actor_id: u1}", "{flags: restored, actor_id: u1}"])
def test_restored_events_that_a_hold_keeps_stay_until_it_is_released(database: str, place: Place, text: str) -> None:
    for days in (30, 31):
        fill(database, "log", days)
    retain(database, place=place)
    execute(database, "DELETE FROM audit.journal")
    list(restore(database, place, parse_period(f"{day(30)}..{day(30)}"), by="me"))
    number = hold(database, text)
    refused = command(database, "archive", "unload", "--all")
    assert refused.returncode == 1
    assert f"hold {number} (court) keeps 2 of these restored events, and none was removed" in refused.stderr
    assert f"auditgraf hold release {number} --reason" in refused.stderr
    with pytest.raises(RetentionError, match=f"hold {number} "):
        unload(database, parse_period(f"{day(30)}..{day(30)}"), by="me")
    assert len(messages(database)) == 20
    assert told(database, "archive.unloaded") == []
    clean(database)
    list(restore(database, place, EVER, by="me"))
    elsewhere = parse_period(f"{day(31)}..{day(31)}")
    if "flags" not in text:
        with pytest.raises(RetentionError, match="keeps 2"):
            unload(database, elsewhere, by="me")
    release_hold(database, number, by="lawyer", reason="settled")
    assert unload(database, None, by="me") == 40


def test_restored_events_that_no_hold_wants_go_beside_those_that_one_keeps(database: str, place: Place) -> None:
    for days in (30, 31):
        fill(database, "log", days)
    execute(database, "UPDATE audit.events_log SET actor_id = 'bob' WHERE occurred_at < %s", day(30))
    retain(database, place=place)
    list(restore(database, place, EVER, by="me"))
    hold(database, "{actor_id: bob}")
    assert unload(database, parse_period(f"{day(30)}..{day(30)}"), by="me") == 20
    assert {row["actor_id"] for row in fetch(database, "SELECT actor_id FROM audit.restored_events")} == {"bob"}


def test_a_hold_of_every_event_keeps_restored_ones_and_one_that_is_being_created_is_waited_for(
    database: str, place: Place
) -> None:
    fill(database, "log", 30)
    retain(database, place=place)
    list(restore(database, place, EVER, by="me"))
    with psycopg.connect(database) as creating:
        creating.execute("INSERT INTO audit.holds (created_by, reason) VALUES ('lawyer', 'freeze')")
        with pytest.raises(RetentionError, match="somebody else's transaction is in the way"):
            unload(database, None, by="me")
    with pytest.raises(RetentionError, match=r"hold 1 \(freeze\) keeps 20"):
        unload(database, None, by="me")


def test_restored_events_go_when_their_partition_is_attached_again(database: str, place: Place, away: str) -> None:
    fill(database, "log", 31)
    assert list(steps(retain(database, LONGER), "kept")) == [away]
    assert len(messages(database)) == 40
    assert fetch(database, RESTORED) == [{"events": 0}]
    assert tables(database, "_restored$") == []
    assert fetch(database, "SELECT count(*) FROM audit.digest_links WHERE kind = 'unloaded'") == [{"count": 1}]
    clean(database)


def test_restored_events_go_when_those_of_their_partition_move_into_another(database: str, away: str) -> None:
    fill(database, "log", 30, 3)
    assert list(steps(retain(database, LONGER), "kept")) == [away]
    assert partitions(database) == [f"{away}_2"]
    assert (len(messages(database)), fetch(database, RESTORED)) == (23, [{"events": 0}])
    clean(database)


def test_restored_events_go_when_somebody_attached_their_partition_by_hand(database: str, away: str) -> None:
    attaching = (
        f"ALTER TABLE audit.events_log ATTACH PARTITION audit.{away} FOR VALUES FROM ('{day(30)}') TO ('{day(29)}')"
    )
    execute(database, attaching)
    assert len(messages(database)) == 40
    retain(database, LONGER)
    assert (len(messages(database)), fetch(database, RESTORED)) == (20, [{"events": 0}])
    clean(database)


def test_other_restored_events_stay_when_a_partition_comes_back(database: str, place: Place) -> None:
    fill(database, "security", 800, 7)
    fill(database, "log", 31)
    left = fill(database, "log", 30)
    retain(database, {"log": timedelta(days=30)}, place=place)
    assert partitions(database) == [left]
    list(restore(database, place, EVER, by="me"))
    assert fetch(database, RESTORED) == [{"events": 27}]
    detach(database, left)
    retain(database, LONGER)
    assert (len(messages(database)), fetch(database, RESTORED)) == (40, [{"events": 27}])
    clean(database)


def test_events_that_are_there_twice_before_the_upgrade_are_there_once_after_it(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = module.migrations()
    with monkeypatch.context() as patched:
        patched.setattr(module, "migrations", lambda: known[:10])
        migrate(empty_database, CLASSES)
    name = fill(empty_database, "log", 30)
    execute(empty_database, f"INSERT INTO audit.restored_events SELECT e.*, 'log', 'old' FROM audit.{name} AS e")
    assert len(messages(empty_database)) == 40
    migrate(empty_database, CLASSES)
    assert (len(messages(empty_database)), fetch(empty_database, RESTORED)) == (20, [{"events": 0}])
    clean(empty_database)
