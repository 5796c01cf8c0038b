"""`verify` does not believe a link only because its digest is right: what it says has to be possible, and so."""

from __future__ import annotations

from datetime import date

import pytest

from exporter.errors import ConfigError
from exporter.store.integrity import Scope
from tests.integration.retained import TODAY, execute, fill, partition
from tests.integration.sealed import clean, tamper, verified
from tests.sending import Store, fetch, record, request

DAY_NS = 86_400 * 10**9
LEAF = "substring(adds FROM 1 FOR 48)"
LINK = (
    "SELECT audit.add_link('{kind}', 'default', ARRAY[{number}], ARRAY[{adds}], ARRAY[{removes}], '{{\"order\": 99}}')"
)


def today(url: str) -> tuple[str, str, int]:
    """Of the class default: today's partition, the table of its leaves, and that table's number."""
    name = partition("default", 0)
    [row] = fetch(url, "SELECT leaves, number FROM audit.leaf_tables WHERE partition = %s", name)
    return f"audit.{name}", f"audit.{row['leaves']}", row["number"]


@pytest.mark.parametrize("kind", ["stored", "sealed_late", "released", "held", "retired", "unsealed"])
def test_no_link_but_an_order_s_takes_leaves_of_a_day_away(store: Store, database: str, kind: str) -> None:
    store.write(request(record("one")))
    events, leaves, number = today(database)
    removes = f"(SELECT {LEAF} FROM {leaves})"
    tamper(database, LINK.format(kind=kind, number=number, adds="''::bytea", removes=removes), f"DELETE FROM {events}")
    assert "link_changed" in verified(database).kinds


def test_an_order_s_link_that_adds_fewer_leaves_than_it_takes_away_is_found(store: Store, database: str) -> None:
    store.write(request(record("one")))
    events, leaves, number = today(database)
    removes = f"(SELECT {LEAF} FROM {leaves})"
    link = LINK.format(kind="pseudonymised", number=number, adds="''::bytea", removes=removes)
    tamper(database, link, f"DELETE FROM {events}")
    assert "link_changed" in verified(database).kinds


def test_events_changed_under_an_order_that_nobody_gave_are_found(store: Store, database: str) -> None:
    store.write(request(record("one")))
    events, leaves, number = today(database)
    tamper(database, f"UPDATE {events} SET actor_id = 'mallory'")
    [expression] = fetch(database, "SELECT audit.leaf_expression() AS leaf")
    adds, removes = f"(SELECT {expression['leaf']} FROM {events})", f"(SELECT {LEAF} FROM {leaves})"
    tamper(database, LINK.format(kind="pseudonymised", number=number, adds=adds, removes=removes))
    [found] = verified(database).findings
    assert found.kind == "unfounded"
    assert "order 99" in found.text


def test_what_a_link_covers_can_t_be_moved_into_its_detail(store: Store, database: str) -> None:
    now = record("one").time_unix_nano
    store.write(request(record("one"), record("yesterday's", at_ns=now - DAY_NS)))
    clean(database, 2)
    [first] = fetch(database, "SELECT split_part(covers, E'\\n', 1) AS line FROM audit.digests")
    number = int(first["line"].split(" ")[0])
    [table] = fetch(database, "SELECT leaves, partition FROM audit.leaf_tables WHERE number = %s", number)
    tamper(
        database,
        r"""UPDATE audit.digests
        SET detail = E'\n' || split_part(covers, E'\n', 1), covers = split_part(covers, E'\n', 2)""",
        f"DELETE FROM audit.{table['leaves']}",
        f"DELETE FROM audit.{table['partition']}",
    )
    assert verified(database).kinds[0] == "link_changed"


def test_nobody_makes_room_for_inserted_events_by_a_link_like_the_upgrade_s(store: Store, database: str) -> None:
    store.write(request(record("one")))
    kept = clean(database, 1).heads
    unsealed = LINK.format(kind="unsealed", number=today(database)[2], adds="''::bytea", removes="''::bytea")
    tamper(database, unsealed.replace("order", "events"))
    assert verified(database, against=kept).kinds == ["link_changed"]
    other = "SELECT audit.add_link('expired', '', '{}', '{}', '{}', '[]')"
    tamper(database, other, unsealed.replace("order", "events"))
    assert verified(database).kinds == ["link_changed"]


def test_links_that_expired_too_early_are_a_cut_chain(store: Store, database: str) -> None:
    store.write(request(record("one")))
    kept = clean(database, 1).heads
    store.write(request(record("two")))
    events, leaves, number = today(database)
    tamper(
        database,
        """INSERT INTO audit.digest_checkpoints SELECT chain, sequence, period, digest FROM audit.digests
        ORDER BY sequence DESC LIMIT 1""",
        "DELETE FROM audit.digests",
        f"DROP TABLE {events}, {leaves}",
        f"DELETE FROM audit.leaf_tables WHERE number = {number}",
        """SELECT audit.add_link('expired', '', '{}', '{}', '{}', (
            SELECT jsonb_agg(jsonb_build_array(chain, sequence, encode(digest, 'hex')))::text
            FROM audit.digest_checkpoints))""",
    )
    [found] = verified(database, against=kept).findings
    assert (found.kind, found.chain, found.sequence) == ("chain_cut", 1, 1)


def test_a_partition_that_a_link_says_was_dropped_must_not_be_there(store: Store, database: str) -> None:
    store.write(request(record("one")))
    events, _, number = today(database)
    tamper(
        database,
        LINK.format(kind="retired", number=number, adds="''::bytea", removes="''::bytea"),
        f"UPDATE {events} SET actor_id = 'mallory'",
    )
    [found] = verified(database).findings
    assert (found.kind, found.day) == ("not_sealed", TODAY)
    assert "should be gone" in found.text


def test_held_events_of_a_partition_that_never_was_are_found(store: Store, database: str) -> None:
    store.write(request(record("one")))
    events, *_ = today(database)
    tamper(
        database,
        f"INSERT INTO audit.held_events SELECT e.*, 'default', ARRAY[1], 1 FROM {events} AS e",
        "UPDATE audit.held_events SET id = gen_random_uuid()",
    )
    [found] = verified(database).findings
    assert (found.kind, found.retention_class) == ("not_sealed", "default")


def test_a_partition_with_a_name_of_its_own_is_verified_too(store: Store, database: str) -> None:
    store.write(request(record("one")))
    execute(
        database,
        """SET ROLE auditgraf_owner;
        CREATE TABLE audit.events_default_mine (LIKE audit.events_default INCLUDING ALL);
        ALTER TABLE audit.events_default ATTACH PARTITION audit.events_default_mine
        FOR VALUES FROM ('2001-01-01') TO ('2001-01-02')""",
    )
    clean(database, 1)
    tamper(
        database,
        """INSERT INTO audit.events_default_mine
            (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome, attributes, flags)
        VALUES (gen_random_uuid(), '2001-01-01', now(), 1, 1, 9, 'success', '{}', '{}')""",
    )
    [found] = verified(database).findings
    assert (found.kind, found.day) == ("not_sealed", None)


def test_a_class_that_there_is_not_is_refused(store: Store, database: str) -> None:
    fill(database, "log", 0)
    with pytest.raises(ConfigError, match="no retention class sceurity; there are default, log, security"):
        verified(database, Scope(retention_class="sceurity"))
    assert verified(database, Scope(since=date(2001, 1, 1), retention_class="log")).outcome.events == 20
