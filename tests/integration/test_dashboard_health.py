"""What the health dashboard tells of collectors, partitions and retention."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.dashboard_world import DAY, HOUR, MINUTE, NOON, World, opened_world
from tests.integration.retained import execute, fill, pending_detach, reading


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with opened_world(database) as made:
        yield made


def test_health_tells_what_was_not_stored_and_why(world: World) -> None:
    world.sample(NOON, records=10, stored=4, duplicates=2, dropped=3, dropped_by={"noise": 3}, quarantined=1)
    world.sample(NOON + MINUTE, quarantined=1, quarantined_by={"bad text": 1}, rejected=1, rejected_by={"too_large": 1})
    world.sample(NOON + 2 * MINUTE, instance="two", unavailable=7, dropped=1, dropped_by={"noise": 1})
    rows = world.rows("audit-health", "What became of the rest", NOON - HOUR, NOON + HOUR)
    assert {(row["What"], row["Why"], row["Number"]) for row in rows} == {
        ("unavailable", "the sender tries again", 7),
        ("dropped", "noise", 4),
        ("duplicate", "stored before", 2),
        ("quarantined", "bad text", 1),
        ("rejected request", "too_large", 1),
    }
    drawn = world.rows("audit-health", "Not stored, by reason", NOON - HOUR, NOON + HOUR)
    assert sum(row["value"] for row in drawn) == sum(row["Number"] for row in rows)
    one = world.rows("audit-health", "What became of the rest", NOON - HOUR, NOON + HOUR, {"instance": "two"})
    assert {row["What"] for row in one} == {"unavailable", "dropped"}


def test_health_has_no_row_where_there_is_nothing_to_tell(world: World) -> None:
    world.sample(NOON, records=5, stored=5)
    for title in ("What became of the rest", "Holds", "Quarantine", "What retention did"):
        assert world.rows("audit-health", title, NOON - HOUR, NOON + HOUR) == [], title


def test_health_measures_each_collector(world: World) -> None:
    world.sample(NOON, seconds=10.0, cpu_seconds=5.0, memory_bytes=100, records=20, stored=20, lag_seconds=3.0)
    world.sample(NOON, instance="two", seconds=10.0, cpu_seconds=1.0, memory_bytes=300, waiting_bytes=7, spool_bytes=0)
    start, end = NOON - HOUR, NOON + timedelta(seconds=30)
    cpu = {row["metric"]: row["value"] for row in world.rows("audit-health", "Processor time", start, end)}
    memory = {row["metric"]: row["value"] for row in world.rows("audit-health", "Memory", start, end)}
    assert cpu == {"one": pytest.approx(0.5), "two": pytest.approx(0.1)}
    assert memory == {"one": 100, "two": 300}
    (now,) = world.rows("audit-health", "Now", start, end)
    assert (now["Collectors"], now["Lag"], now["Waiting"]) == (2, 3.0, 7.0)
    (rate,) = world.rows("audit-health", "Records per second", start, end)
    assert rate["Received"] == pytest.approx(20 / 300)


def test_health_knows_partitions_and_their_next_expiry(world: World) -> None:
    world.event(NOON)
    classes = {row["Class"]: row for row in world.rows("audit-health", "Retention classes", NOON - HOUR, NOON + HOUR)}
    midnight = NOON.replace(hour=0) + DAY
    assert classes["default"]["Kept"] == "365 days"
    assert classes["default"]["Next expiry"] == midnight + 365 * DAY
    assert classes["default"]["Size"] > 0
    assert classes["log"]["Kept"] == "7 days"
    partitions = world.rows("audit-health", "Partitions", NOON - HOUR, NOON + HOUR)
    assert f"events_default_p{NOON:%Y%m%d}" in {row["Partition"] for row in partitions}


def test_health_names_a_partition_that_somebody_half_detached(world: World, database: str) -> None:
    kept = fill(database, "log", 3)
    with reading(database, kept):
        pending_detach(database, kept)
    execute(database, "DELETE FROM audit.retiring")
    rows = world.rows("audit-health", "Partitions", NOON - HOUR, NOON + HOUR)
    assert [row["Partition"] for row in rows if "half" in row["Partition"]] == [f"{kept}, half detached"]
