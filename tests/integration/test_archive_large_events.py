"""Archives of events as large as senders may send them: a few at a time, whatever their number."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.store.archive import ArchiveOptions, Place, manifests, parse_period, restore, verify
from exporter.store.archive import files as module
from exporter.store.archive.place import Format
from tests.integration.retained import day, execute, fill, retain
from tests.sending import fetch

EVER = parse_period("2000-01-01..2100-01-01")
EVENTS = 40
SIZE = 1_000_000
# What is read at a time ends with the event that exceeds it.
MOST = 3 << 20
# Digits, which are compressed by half at best.
ENLARGING = """
    UPDATE audit.events_log SET attributes = jsonb_build_object('text', (
        SELECT left(string_agg(hashtextextended(id::text, n)::text, ''), {size})
        FROM generate_series(1, {size} / 15) AS n))
"""


@pytest.mark.parametrize("form", ["parquet", "jsonl.zst"])
def test_large_events_are_read_a_few_at_a_time_and_restored_as_they_were(
    database: str, tmp_path: Path, form: Format
) -> None:
    place = Place(ArchiveOptions(str(tmp_path), form))
    fill(database, "log", 30, EVENTS)
    execute(database, ENLARGING.format(size=SIZE))
    stored = f"SELECT * FROM audit.events WHERE occurred_at < '{day(29)}' ORDER BY id"
    before = fetch(database, stored)
    assert {len(row["attributes"]["text"]) for row in before} == {SIZE}
    retain(database, place=place)
    assert fetch(database, stored) == []
    [(_, manifest)] = manifests(place)
    sizes = [
        sum(len(line.encode()) for line in part.lines)
        for file in manifest.files
        for part in module.parts(place, file.name, manifest.event_columns())
    ]
    assert sum(sizes) > EVENTS * SIZE
    assert max(sizes) < MOST
    assert [each.problem for each in verify(place)] == [None]
    assert [loaded.events for loaded in restore(database, place, EVER, by="me")] == [EVENTS]
    after = fetch(database, stored)
    assert {row["flags"].pop() for row in after} == {"restored"}
    assert after == before
