"""Archives: written and verified before the drop, in a folder or a bucket, and brought back as they were."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exporter.store.archive import (
    ArchiveOptions,
    Period,
    Place,
    manifests,
    parse_period,
    restore,
    unload,
    verify,
)
from exporter.store.archive.place import Format
from exporter.store.queries import query
from tests.conftest import new_database
from tests.integration.retained import command, execute, fill, messages, retain, steps, told
from tests.records import NASTY
from tests.sending import Store, fetch, record, request

FORMATS: tuple[Format, ...] = ("parquet", "jsonl.zst")
EVER = parse_period("2000-01-01..2100-01-01")
PAST = "SELECT * FROM audit.events WHERE occurred_at < now() - interval '1 year' ORDER BY id"


@pytest.fixture(params=FORMATS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(ArchiveOptions(str(tmp_path / "archive"), request.param))


def past_events(store: Store, database: str, *records: Any) -> str:
    """Events as the collector stores them, in a partition of 500 days ago; its name."""
    store.write(request(*records))
    name = fill(database, "default", 500, 0)
    names = [row["attname"] for row in fetch(database, query("template_columns", "exporter.store.retention"))]
    others = ", ".join(column for column in names if column != "occurred_at")
    moving = f"INSERT INTO audit.{name} (occurred_at, {others}) SELECT occurred_at - interval '500 days', {others}"
    execute(database, f"{moving} FROM audit.events_default WHERE service = 'shop'")
    return name


def nasty_records() -> list[Any]:
    plain: dict[str, Any] = {
        "user__id": "alice",
        "client__address": "81.2.69.142:99",
        "geo__location__lat": "0.0000001",
    }
    changed: dict[str, Any] = {"audit__changes": json.dumps({"price": {"before": 1.10, "after": None}})}
    return [record("plain", **plain, **changed), *(record(text, user__name=text, other=text) for text in NASTY)]


def test_restored_events_are_the_same_in_every_column(store: Store, database: str, place: Place) -> None:
    past_events(store, database, *nasty_records())
    before = fetch(database, PAST)
    assert len(before) == len(NASTY) + 1
    retain(database, place=place)
    assert fetch(database, PAST) == []
    [loaded] = restore(database, place, EVER, by="me")
    assert loaded.events == len(before)
    after = fetch(database, PAST)
    assert {row["flags"].pop() for row in after} == {"restored"}
    assert after == before


def test_both_formats_have_the_same_content(store: Store, database: str, tmp_path: Path) -> None:
    name = past_events(store, database, *nasty_records())
    execute(database, f"CREATE TABLE audit.copy AS SELECT * FROM audit.{name}")
    hashes = set()
    for form in FORMATS:
        place = Place(ArchiveOptions(str(tmp_path / form), form))
        fill(database, "default", 500, 0)
        execute(database, f"INSERT INTO audit.{name} SELECT * FROM audit.copy ON CONFLICT DO NOTHING")
        retain(database, place=place)
        hashes |= {manifest.sha256 for _, manifest in manifests(place)}
    assert len(hashes) == 1


def test_the_hash_of_an_archive_can_be_checked_without_us(database: str, tmp_path: Path) -> None:
    place = Place(ArchiveOptions(str(tmp_path), "jsonl.zst"))
    fill(database, "log", 30)
    retain(database, place=place)
    [(_, manifest)] = manifests(place)
    with pa.CompressedInputStream(pa.OSFile(str(tmp_path / manifest.files[0].name)), "zstd") as unpacked:
        content = unpacked.read()
    assert hashlib.sha256(content).hexdigest() == manifest.sha256
    rows = [json.loads(text) for text in content.splitlines()]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert (len(rows), rows[0]["action"], rows[0]["attributes"]) == (20, "user.login", {"n": 1})


def test_a_parquet_archive_has_typed_columns(database: str, tmp_path: Path) -> None:
    fill(database, "log", 30)
    retain(database, place=Place(ArchiveOptions(str(tmp_path))))
    [file] = tmp_path.rglob("*.parquet")
    table = pq.read_table(file)
    assert table.schema.field("occurred_at").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("latitude").type == pa.float64()
    assert sorted(table["message"].to_pylist()) == sorted(f"event {number}" for number in range(1, 21))


def test_a_manifest_says_what_is_in_an_archive(database: str, place: Place) -> None:
    expired = fill(database, "log", 30)
    report = retain(database, place=place)
    [(name, manifest)] = manifests(place)
    archived = steps(report, "archived")[expired]
    assert (archived.detail, archived.events, archived.bytes) == (name, 20, manifest.bytes)
    assert (manifest.retention_class, manifest.partition, manifest.events) == ("log", expired, 20)
    assert (manifest.range_end - manifest.range_start).days == 1
    [row] = fetch(database, "SELECT manifest, events, bytes, sha256 FROM audit.archives WHERE finished_at IS NOT NULL")
    assert row == {"manifest": name, "events": 20, "bytes": manifest.bytes, "sha256": manifest.sha256}
    assert [each.problem for each in verify(place)] == [None]


def test_an_empty_partition_is_archived_too(database: str, place: Place) -> None:
    fill(database, "log", 30, 0)
    retain(database, place=place)
    assert [manifest.events for _, manifest in manifests(place)] == [0]
    assert [each.problem for each in verify(place)] == [None]
    assert [loaded.events for loaded in restore(database, place, EVER, by="me")] == [0]


def test_restoring_twice_brings_nothing_twice_and_what_is_held_is_there_already(database: str, place: Place) -> None:
    fill(database, "log", 30)
    command(database, "hold", "create", "--reason", "court", "--filter", "{actor_id: u1}")
    retain(database, place=place)
    assert len(messages(database)) == 2
    assert [loaded.events for loaded in restore(database, place, EVER, by="me")] == [18]
    assert [loaded.events for loaded in restore(database, place, EVER, by="me")] == [0]
    assert messages(database) == sorted(f"event {number}" for number in range(1, 21))


def test_retention_leaves_restored_events_alone_until_they_are_unloaded(database: str, place: Place) -> None:
    fill(database, "log", 30)
    fill(database, "log", 31)
    retain(database, place=place)
    list(restore(database, place, EVER, by="me"))
    retain(database, place=place)
    assert len(messages(database)) == 40
    [first, _] = [manifest for _, manifest in manifests(place)]
    assert unload(database, Period(first.range_start, first.range_end), by="me") == 20
    assert unload(database, None, by="me") == 20
    assert messages(database) == []
    assert len(list(manifests(place))) == 2
    retain(database)
    assert [len(told(database, f"archive.{what}")) for what in ("restored", "unloaded")] == [2, 2]


def test_only_the_time_asked_for_is_restored(database: str, place: Place) -> None:
    fill(database, "log", 30)
    fill(database, "log", 31)
    retain(database, place=place)
    [(_, manifest), _] = manifests(place)
    half = Period(manifest.range_start, manifest.range_start.replace(hour=1, microsecond=5_500))
    assert [loaded.events for loaded in restore(database, place, half, by="me")] == [5]


def test_an_archive_is_restored_into_another_database_with_its_sources(
    store: Store, database: str, postgres: str, migrated: str, place: Place
) -> None:
    past_events(store, database, record("from the shop"))
    retain(database, place=place)
    with new_database(postgres, migrated) as other:
        filler = Store(other)
        filler.write(request(record("another"), service="another"))
        filler.close()
        assert [loaded.events for loaded in restore(other, place, EVER, by="me")] == [1]
        [row] = fetch(
            other,
            "SELECT s.service, e.message FROM audit.events e JOIN audit.event_sources s USING (source_id) "
            "WHERE 'restored' = ANY (e.flags)",
        )
        assert row == {"service": "shop", "message": "from the shop"}
