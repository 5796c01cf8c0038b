"""Forgotten persons and archives: found in them, rewritten out of them, never brought back by them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs

from exporter.store.archive import ArchiveOptions, PersonInArchives, Place, manifests, restore, verify
from exporter.store.archive.place import Format
from exporter.store.forget import preview
from tests.conftest import new_database
from tests.integration.forgotten import ALICE, EVER, archived, content, files, order, restored
from tests.integration.retained import execute, fill, retain, told
from tests.records import NASTY
from tests.sending import Store, fetch, record, request

FORMATS: tuple[Format, ...] = ("parquet", "jsonl.zst")


@pytest.fixture(params=FORMATS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(ArchiveOptions(str(tmp_path / "archive"), request.param))


def test_archives_with_events_of_the_person_are_found_by_what_would_be_pseudonymised(
    store: Store, database: str, place: Place
) -> None:
    archived(store, database, place, record("one", **ALICE), record("mail to Alice, at noon"), record("malice"))
    [found] = preview(database, "alice", archives=PersonInArchives(place)).archives
    assert found.events == 2
    assert preview(database, "smit", archives=PersonInArchives(place)).archives == ()
    done = order(database, place)
    assert [(each.events, each.rewritten) for each in done.archives] == [(2, None)]
    [noted] = fetch(database, "SELECT order_id, location, manifest, events, rewritten_as FROM audit.forget_archives")
    assert noted == {
        "order_id": done.order,
        "location": place.location,
        "manifest": found.manifest,
        "events": 2,
        "rewritten_as": None,
    }


def test_a_rewritten_archive_has_the_pseudonym_and_all_else_as_it_was(
    store: Store, database: str, place: Place
) -> None:
    others = [record(text, user__name=text, other=text) for text in NASTY]
    archived(store, database, place, record("one", **ALICE), record("not malice"), *others)
    before, [(_, manifest)], old = content(place), manifests(place), files(place)
    done = order(database, place, also=["Alice Smith"], rewrite=True)
    assert [(each.events, each.rewritten is None) for each in done.archives] == [(1, False)]
    assert [each.problem for each in verify(place)] == [None]
    after = content(place)
    assert len(after) == len(before) == len(others) + 2
    [mine] = [text for text in after if done.pseudonym in text]
    assert [text for text in after if text != mine] == [text for text in before if '"message":"one"' not in text]
    assert "alice" not in mine.lower()
    assert json.loads(mine)["attributes"]["auditgraf.forget_orders"] == [done.order]
    [(name, made)] = manifests(place)
    assert (made.forget_orders, made.created_at, made.events) == ((done.order,), manifest.created_at, manifest.events)
    assert name == done.archives[0].rewritten
    assert len(files(place)) == len(old)
    assert not set(old) & set(files(place))
    [event] = told(database, "person.forgotten")
    assert event["attributes"]["forget.archives_rewritten"] == 1


def test_an_archive_without_the_person_is_not_touched(store: Store, database: str, place: Place) -> None:
    archived(store, database, place, record("one", user__id="bob"))
    before = files(place)
    assert order(database, place, rewrite=True).archives == ()
    assert files(place) == before


def test_each_order_rewrites_what_the_earlier_ones_left(store: Store, database: str, place: Place) -> None:
    archived(store, database, place, record("one", **ALICE), record("two", user__id="bob"))
    first, second = order(database, place, rewrite=True), order(database, place, "bob", rewrite=True)
    [(_, manifest)] = manifests(place)
    assert manifest.forget_orders == (first.order, second.order)
    rows = restored(database, place)
    assert [row["actor_id"] for row in rows] == [first.pseudonym, second.pseudonym]


@pytest.mark.usefixtures("impatient")
def test_a_rewritten_archive_is_restored_and_counts_as_the_one_of_its_partition(
    store: Store, database: str, place: Place
) -> None:
    expired = fill(database, "log", 30)
    with psycopg.connect(database) as reader:
        reader.execute(f"SELECT count(*) FROM audit.{expired}".encode())
        retain(database, place=place)
    done = order(database, place, "u1", rewrite=True)
    report = retain(database, place=place)
    assert [step.action for step in report.steps if step.partition == expired] == ["dropped"]
    assert [row["actor_id"] for row in restored(database, place)].count(done.pseudonym) == 2


@pytest.mark.parametrize(
    "told_of",
    [
        record("one", **ALICE),
        record("mail to ALICE, not to malice"),
        record("three", note=json.dumps({"deep": ["x", "by alice@example.org."]})),
        record("four", alice="a key"),
    ],
    ids=["actor", "message", "attribute", "key"],
)
def test_who_was_forgotten_after_the_archive_is_not_brought_back(
    store: Store, database: str, place: Place, told_of: Any
) -> None:
    store.write(request(record("is known by this address", **ALICE)))
    archived(store, database, place, told_of, record("malice"))
    store.write(request(record("is known by this address", **ALICE)))
    done = order(database, None)
    [loaded] = restore(database, place, EVER, by="me")
    assert (loaded.events, loaded.forgotten) == (2 + 1, {done.order: 1 + 1})
    text = "\n".join(row["event"] for row in fetch(database, "SELECT e::text AS event FROM audit.events AS e"))
    assert "alice" not in text.lower().replace("malice", "")
    assert done.pseudonym in text


def test_names_that_are_numbers_or_short_are_recognised_as_whole_values_only(
    store: Store, database: str, place: Place
) -> None:
    archived(store, database, place, record("paid 42 of al", user__id="42"), record("al", user__id="al"))
    first, second = order(database, None, "42"), order(database, None, "al")
    rows = restored(database, place)
    assert {row["message"] for row in rows} == {second.pseudonym, "paid 42 of al"}
    assert {row["actor_id"] for row in rows} == {first.pseudonym, second.pseudonym}


def test_events_of_a_person_who_came_back_later_are_restored_as_they_are(
    store: Store, database: str, place: Place
) -> None:
    order(database, None)
    execute(database, "UPDATE audit.forget_orders SET finished_at = finished_at - %s", timedelta(days=10))
    archived(store, database, place, record("one", **ALICE))
    assert [row["actor_id"] for row in restored(database, place)] == ["alice"]


def test_an_order_that_was_given_before_hashes_were_kept_is_recognised_by_the_id(
    store: Store, database: str, place: Place
) -> None:
    archived(store, database, place, record("alice was here", **ALICE))
    done = order(database, None)
    execute(
        database,
        "DELETE FROM audit.forget_names AS n USING audit.forget_orders AS o WHERE n.name_hash <> o.identity_hash",
    )
    execute(database, "UPDATE audit.forget_names SET length = NULL")
    [row] = restored(database, place)
    assert (row["actor_id"], row["message"]) == (done.pseudonym, f"{done.pseudonym} was here")


def test_a_database_without_the_order_restores_what_the_archive_has(
    postgres: str, migrated: str, store: Store, database: str, place: Place
) -> None:
    archived(store, database, place, record("one", **ALICE))
    order(database, place, rewrite=True)
    with new_database(postgres, template=migrated) as other:
        [row] = restored(other, place)
        assert row["actor_id"].startswith("person-")


def test_a_bucket_is_rewritten_as_a_folder_is(
    store: Store, database: str, monkeypatch: pytest.MonkeyPatch, bucket: str
) -> None:
    place = Place(ArchiveOptions("s3://audit/people", "parquet", endpoint=bucket, region="eu-central-1"))
    archived(store, database, place, record("one", **ALICE))
    before = place.names("")
    done = order(database, place, rewrite=True)
    assert [each.problem for each in verify(place)] == [None]
    assert not set(before) & set(place.names(""))
    assert [json.loads(text)["actor_id"] for text in content(place)] == [done.pseudonym]


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The endpoint of a server that speaks S3, with a bucket called `audit`."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        there = fs.S3FileSystem(endpoint_override=f"{host}:{port}", scheme="http", allow_bucket_creation=True)
        there.create_dir("audit")
        yield f"http://{host}:{port}"
    server.stop()
