"""What stands in the way of a run, and what an interrupted one left: it is told, the rest goes on, nothing is lost."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from collector.config import as_role
from exporter.store.archive import ArchiveOptions, Place, manifests
from exporter.store.retention import create_hold, parse_filter
from tests.integration.retained import (
    detach,
    execute,
    fill,
    messages,
    partition,
    partitions,
    pending_detach,
    reading,
    retain,
    steps,
    tables,
    told,
)
from tests.integration.sealed import clean
from tests.sending import fetch

LONGER = {"log": timedelta(days=60)}


def test_a_class_whose_partitions_can_not_be_made_keeps_nothing_else_from_its_turn(database: str) -> None:
    expired = fill(database, "log", 30)
    with psycopg.connect(database) as other:
        # As ANALYZE of the whole class has it.
        other.execute("LOCK TABLE audit.events_default IN SHARE UPDATE EXCLUSIVE MODE")
        report = retain(database, days_ahead=4)
    [failed] = report.failures
    assert (failed.retention_class, failed.partition) == ("default", None)
    assert "somebody else's transaction is in the way" in str(failed.detail)
    assert set(steps(report, "created")) == {partition(name, -4) for name in ("log", "security")}
    assert list(steps(report, "dropped")) == [expired]
    assert set(steps(retain(database, days_ahead=4), "created")) == {partition("default", -4)}


def test_a_new_class_that_somebodys_query_keeps_out_comes_with_the_next_run(database: str) -> None:
    with reading(database, "events"), psycopg.connect(database) as other:
        other.execute("LOCK TABLE audit.events IN ACCESS SHARE MODE")
        [failed] = retain(database, {"legal": None}).failures
    assert failed.retention_class == "legal"
    assert retain(database, {"legal": None}).failures == []
    assert messages(database, "legal") == []


def test_a_policy_that_the_database_refuses_is_told_and_the_old_one_stays(database: str) -> None:
    kept = fill(database, "log", 3)
    report = retain(database, {"log": timedelta(0)})
    assert "retention_classes_keep_check" in str(report.failures[0].detail)
    assert partitions(database) == [kept]


def test_a_changed_duration_leaves_an_audit_event(database: str) -> None:
    retain(database, {"log": timedelta(days=2)})
    retain(database, {"log": timedelta(days=2)})
    [changed] = told(database, "retention.duration_changed")
    assert (changed["target_type"], changed["target_id"]) == ("retention_class", "log")
    assert changed["attributes"]["retention.keep"] == "2d"
    assert changed["attributes"]["retention.kept_before"] == "7d"


@pytest.mark.usefixtures("impatient")
def test_what_was_detached_comes_back_beside_late_events_of_its_day_once_each_and_sealed(database: str) -> None:
    left = fill(database, "log", 30)
    filter_text = "{actor_id: u1}"
    create_hold(database, by="me", reason="court", text=filter_text, match=parse_filter(filter_text))
    with reading(database, left):
        retain(database)  # what is held is copied, and no more
    detach(database, left)
    fill(database, "log", 30, 3)
    report = retain(database, LONGER)
    assert report.failures == []
    assert list(steps(report, "kept")) == [left]
    assert partitions(database) == [f"{left}_2"]
    assert len(messages(database)) == 23
    assert tables(database, f"{left}$") == []
    clean(database)


def test_what_was_detached_without_an_archive_gets_one_where_archives_are_wanted_now(
    database: str, tmp_path: Path
) -> None:
    left = fill(database, "log", 30)
    detach(database, left)
    place = Place(ArchiveOptions(str(tmp_path)))
    report = retain(database, place=place)
    assert [step.action for step in report.steps] == ["kept", "archived", "dropped"]
    assert [manifest.events for _, manifest in manifests(place)] == [20]


def test_what_was_detached_comes_back_whole_for_a_hold_of_every_event(database: str) -> None:
    left = fill(database, "log", 30)
    detach(database, left)
    create_hold(database, by="me", reason="freeze", text=None, match=None)
    assert steps(retain(database), "dropped") == {}
    assert partitions(database) == [left]
    assert fetch(database, "SELECT count(*) FROM audit.held_events") == [{"count": 0}]


@pytest.mark.usefixtures("impatient")
def test_an_expired_partition_that_somebody_else_half_detached_goes_too(database: str) -> None:
    left = fill(database, "log", 30)
    with reading(database, left):
        pending_detach(database, left)
        execute(database, "DELETE FROM audit.retiring")
        # Its events are out of sight, and nobody but the run could tell.
        assert list(steps(retain(database), "failed")) == [left]
    assert list(steps(retain(database), "dropped")) == [left]


def test_what_a_hold_keeps_run_after_run_does_not_hide_what_else_happens(database: str) -> None:
    expired = fill(database, "log", 30)
    create_hold(database, by="me", reason="freeze", text=None, match=None)
    for _ in range(3):
        assert list(steps(retain(database), "kept")) == [expired]
    with psycopg.connect(as_role(database, "auditgraf_reader")) as reader:
        rows = reader.execute("SELECT action FROM audit.retention_log WHERE partition = %s", (expired,)).fetchall()
    assert rows == [("kept",)]


@pytest.mark.usefixtures("impatient")
def test_of_many_partitions_that_one_query_uses_one_is_tried_and_the_others_are_counted(database: str) -> None:
    for days in (30, 31, 32):
        fill(database, "log", days)
    free = fill(database, "security", 800)
    with reading(database, "events_log"):
        report = retain(database)
    assert list(steps(report, "failed")) == [partition("log", 32), None]
    assert str(report.failures[1].detail).startswith("2 more expired partitions are in use by the same transaction")
    assert list(steps(report, "dropped")) == [free]
    assert len(steps(retain(database), "dropped")) == 3
