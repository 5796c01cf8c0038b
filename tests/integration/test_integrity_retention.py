"""What retention, holds, archives and orders to forget do is told by links, and nothing else gets by as one of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import psycopg

from collector.config import as_role
from exporter.store.archive import ArchiveOptions, Place, manifests, parse_period, restore
from exporter.store.forget import forget
from exporter.store.integrity import Heads
from exporter.store.retention import create_hold, parse_filter, release_hold
from exporter.store.retention import holds as in_force
from tests.integration.retained import (
    day,
    detach,
    execute,
    fill,
    partition,
    retain,
    tables,
)
from tests.integration.sealed import clean, tamper, verified
from tests.sending import Store, count, fetch, record, request

U1 = "{actor_id: u1}"
EVER = parse_period("2000-01-01..2100-01-01")


def links(url: str, kind: str) -> list[dict[str, object]]:
    return fetch(url, "SELECT * FROM audit.digest_links WHERE kind = %s ORDER BY sequence", kind)


def hold(url: str) -> int:
    return create_hold(url, by="me", reason="court", text=U1, match=parse_filter(U1)).id


def order(url: str, actor: str, **options: object) -> int:
    return forget(url, as_role(url, "auditgraf_writer"), actor, by="officer", **options).order  # type: ignore[arg-type]


def test_leaves_go_with_their_partition_and_a_link_says_so(database: str) -> None:
    name = fill(database, "log", 30)
    kept = clean(database, 20).heads
    retain(database)
    [link] = links(database, "retired")
    assert link["retention_class"] == "log"
    assert link["detail"] == {"partition": name, "events": 20, "archive": None}
    assert tables(database, f"_{name[7:]}$") == []
    clean(database, count(database))
    assert verified(database, against=kept).findings == []


def test_the_link_of_a_dropped_partition_has_the_hash_of_its_archive(database: str, tmp_path: Path) -> None:
    fill(database, "log", 30)
    place = Place(ArchiveOptions(str(tmp_path / "archive")))
    retain(database, place=place)
    [(name, manifest)] = manifests(place)
    [link] = links(database, "retired")
    detail = link["detail"]
    assert isinstance(detail, dict)
    assert detail["archive"] == {
        "location": place.location,
        "manifest": name,
        "sha256": manifest.sha256,
        "events": 20,
    }


def test_late_events_of_a_day_that_is_on_its_way_out_are_sealed_apart(database: str) -> None:
    name = fill(database, "log", 30)
    detach(database, name)
    again = f"{name}_2"
    fill(database, "log", 30, 5)
    assert tables(database, f"leaves_{again[7:]}$") == [f"leaves_{again[7:]}"]
    clean(database, 25)
    retain(database)
    clean(database, count(database))
    assert len(links(database, "retired")) == 2


def test_a_dropped_day_that_comes_again_is_another_one(database: str) -> None:
    fill(database, "log", 30)
    retain(database)
    fill(database, "log", 30, 7)
    clean(database, count(database))
    tamper(database, f"DELETE FROM audit.{partition('log', 30)} WHERE actor_id = 'u3'")
    assert verified(database).kinds == ["deleted"]


def test_held_events_are_watched_after_their_partition_is_gone(database: str) -> None:
    fill(database, "log", 30)
    hold(database)
    retain(database)
    [link] = links(database, "held")
    assert link["events"] == 2
    clean(database, count(database))
    tamper(database, "UPDATE audit.held_events SET message = 'other' WHERE message = 'event 1'")
    tamper(database, "DELETE FROM audit.held_events WHERE message = 'event 11'")
    tamper(
        database,
        """INSERT INTO audit.held_events (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome,
                                          attributes, flags, retention_class, hold_ids)
        VALUES (gen_random_uuid(), now(), now(), 1, 1, 9, 'success', '{}', '{}', 'log', '{1}')""",
    )
    assert sorted(verified(database).kinds) == ["changed", "deleted", "inserted"]


def test_an_event_that_was_changed_before_it_was_held_is_still_found(database: str) -> None:
    name = fill(database, "log", 30)
    hold(database)
    tamper(database, f"UPDATE audit.{name} SET message = 'other' WHERE actor_id = 'u1' AND message = 'event 1'")
    retain(database)
    assert verified(database).kinds == ["changed"]


def test_held_events_of_a_class_without_leaves_are_found(database: str) -> None:
    tamper(
        database,
        """INSERT INTO audit.held_events (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome,
                                          attributes, flags, retention_class, hold_ids)
        VALUES (gen_random_uuid(), now(), now(), 1, 1, 9, 'success', '{}', '{}', 'log', '{1}')""",
    )
    assert verified(database).kinds == ["not_sealed"]


def test_released_events_go_by_a_link_and_deleted_ones_do_not(database: str) -> None:
    fill(database, "log", 30)
    number = hold(database)
    other = create_hold(database, by="me", reason="u2", text="{actor_id: u2}", match=parse_filter("{actor_id: u2}"))
    retain(database)
    release_hold(database, number, by="me", reason="over")
    retain(database)
    [link] = links(database, "released")
    assert link["retention_class"] == "log"
    clean(database, count(database))
    release_hold(database, other.id, by="me", reason="over")
    retain(database)
    assert in_force(database) == []
    assert tables(database, "^leaves_log_held$") == []
    clean(database, count(database))


def test_pseudonymised_events_are_accepted_and_listed_under_their_order(store: Store, database: str) -> None:
    store.write(request(record("one", user__id="alice"), record("two", user__id="bob")))
    store.write(request(record("alice was here", user__id="bob")))
    first = order(database, "alice")
    second = order(database, "bob")
    outcome = clean(database, count(database))
    assert outcome.orders == {first: 2, second: 2}
    assert [link["detail"] for link in links(database, "pseudonymised")] == [{"order": first}, {"order": second}]


def test_a_change_after_the_order_is_found(store: Store, database: str) -> None:
    store.write(request(record("one", user__id="alice"), record("two")))
    order(database, "alice")
    tamper(database, "UPDATE audit.events_default SET outcome = 'failure' WHERE message = 'one'")
    [found] = verified(database).findings
    assert (found.kind, found.chain) == ("changed", 0)


def test_a_change_before_the_order_is_not_hidden_by_it(store: Store, database: str) -> None:
    store.write(request(record("one", user__id="alice")))
    tamper(database, "UPDATE audit.events_default SET outcome = 'failure' WHERE message = 'one'")
    number = order(database, "alice")
    result = verified(database)
    assert "unfounded" in result.kinds
    assert set(result.kinds) <= {"unfounded", "deleted"}
    assert result.outcome.orders == {number: 1}


def test_an_event_that_only_looks_pseudonymised_is_a_changed_one(store: Store, database: str) -> None:
    store.write(request(record("one", user__id="alice")))
    tamper(
        database,
        """UPDATE audit.events_default SET actor_id = 'person-1', flags = '{pseudonymised}',
        attributes = attributes || '{"auditgraf.forget_orders": [1]}'""",
    )
    assert verified(database).kinds == ["changed"]


def test_held_and_restored_events_of_a_forgotten_person_are_accepted(database: str, tmp_path: Path) -> None:
    fill(database, "log", 30)
    fill(database, "log", 31)
    place = Place(ArchiveOptions(str(tmp_path / "archive")))
    hold(database)
    retain(database, place=place)
    for _ in restore(database, place, EVER, by="me"):
        pass
    clean(database)
    number = order(database, "u1")
    assert clean(database).orders == {number: 4}


def test_a_person_who_is_held_and_forgotten_before_the_partition_goes_is_accepted(database: str) -> None:
    name = fill(database, "log", 3)
    hold(database)
    number = order(database, "u1")
    execute(database, "UPDATE audit.retention_classes SET keep = '1 day' WHERE class = 'log'")
    retain(database, {"log": timedelta(days=1), "default": None, "security": None})
    assert tables(database, f"^{name}$") == []
    assert clean(database).orders == {number: 2}
    tamper(database, "UPDATE audit.held_events SET outcome = 'failure' WHERE message = 'event 1'")
    assert verified(database).kinds == ["changed"]


def test_restored_events_need_no_leaves(database: str, tmp_path: Path) -> None:
    fill(database, "log", 30)
    place = Place(ArchiveOptions(str(tmp_path / "archive")))
    retain(database, place=place)
    assert [loaded.events for loaded in restore(database, place, EVER, by="me")] == [20]
    clean(database)


OLD_LINK = "SELECT audit.add_link('stored', 'default', '{}', '{}', '{}', NULL, now() - %s * interval '32 days')"


def test_months_of_links_go_when_nothing_is_left_that_they_seal(database: str) -> None:
    for months_ago in (4, 3, 3, 2):
        execute(database, OLD_LINK, months_ago)
    kept = clean(database).heads
    months = len(tables(database, "^digests_p"))
    fill(database, "log", 30)
    fill(database, "log", 2)
    retain(database)
    assert len(tables(database, "^digests_p")) == months - 3
    [link] = links(database, "expired")
    detail = link["detail"]
    assert isinstance(detail, list)
    assert [head[:2] for head in detail] == [[1, 4]]
    clean(database, count(database))
    assert verified(database, against=kept).findings == []
    older = Heads(kept.made_at - timedelta(days=62), {1: (3, bytes(32))})
    assert verified(database, against=older).outcome.uncompared == 1
    tamper(database, "UPDATE audit.digest_checkpoints SET digest = sha256('forged')")
    assert set(verified(database).kinds) == {"link_changed", "link_missing"}


def test_a_month_of_links_stays_while_it_seals_something(database: str) -> None:
    execute(database, OLD_LINK, 4)
    fill(database, "security", 100, 3)
    execute(database, "UPDATE audit.leaf_tables SET first_period = '2020-01-01'")
    fill(database, "log", 30)
    retain(database)
    assert links(database, "expired") == []


def test_verification_of_a_partition_that_is_being_dropped_sees_it_whole_or_retired(database: str) -> None:
    name = fill(database, "log", 30)
    with psycopg.connect(database) as reading:
        reading.execute(f"SELECT count(*) FROM audit.{name}".encode())
        clean(database, 20)
    retain(database)
    clean(database, count(database))


def test_copies_of_held_events_from_before_a_dump_belong_to_the_restored_partition(database: str) -> None:
    name = fill(database, "log", 30)
    number = hold(database)
    # As after pg_restore: the partition that they were copied from has another oid by now.
    execute(
        database,
        f"""INSERT INTO audit.held_events
        SELECT e.*, 'log', ARRAY[{number}], 1 FROM audit.{name} AS e WHERE actor_id = 'u1'""",
    )
    retain(database)
    assert fetch(database, "SELECT count(*) AS n FROM audit.held_events WHERE partition IS NULL") == [{"n": 2}]
    assert fetch(database, "SELECT count(*) AS n FROM audit.events WHERE actor_id = 'u1'") == [{"n": 2}]
    clean(database)
    tamper(database, "UPDATE audit.held_events SET outcome = 'failure' WHERE message = 'event 1'")
    assert verified(database).kinds == ["changed"]


def test_a_person_forgotten_while_a_day_is_on_its_way_out_is_forgotten_in_what_is_held_of_it(database: str) -> None:
    name = fill(database, "log", 30)
    hold(database)
    pending = f"SELECT audit.begin_retiring('audit.{name}'::regclass, '{name}', 'log', '{day(30)}', '{day(29)}', NULL)"
    execute(
        database,
        f"""INSERT INTO audit.held_events
        SELECT e.*, 'log', ARRAY[1], 'audit.{name}'::regclass FROM audit.{name} AS e WHERE actor_id = 'u1'""",
    )
    execute(database, pending)
    execute(database, f"ALTER TABLE audit.events_log DETACH PARTITION audit.{name} CONCURRENTLY")
    number = order(database, "u1")
    assert clean(database).orders == {number: 2}
    retain(database)
    assert clean(database).orders == {number: 2}
    held = fetch(database, "SELECT DISTINCT actor_id LIKE 'person-%' AS forgotten FROM audit.held_events")
    assert held == [{"forgotten": True}]
