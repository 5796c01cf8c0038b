"""`verify` names whatever was changed, deleted or inserted behind the collector's back, and nothing else."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from collector.config import as_role
from exporter.store.integrity import Scope
from tests.integration.retained import TODAY, day, execute, fill, partition
from tests.integration.sealed import clean, tamper, verified
from tests.sending import Store, fetch, record, request

DAY_NS = 86_400 * 10**9
INSERTED = """
    INSERT INTO audit.events_log (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome, attributes,
                                  flags)
    SELECT gen_random_uuid(), date_trunc('day', now(), 'UTC'), now(), 1, 1, 9, 'success', '{}', '{}' RETURNING id
"""


def stored(store: Store, *bodies: str) -> None:
    """Each body in a group of its own, so that each has a link."""
    for body in bodies:
        store.write(request(record(body)))


def identity(url: str, body: str) -> str:
    [row] = fetch(url, "SELECT id FROM audit.events WHERE message = %s", body)
    return str(row["id"])


# A value that differs from what is stored, for each column of an event that its digest has but for the id.
OTHER = {
    **dict.fromkeys(("occurred_at", "received_at"), "%s + interval '1 microsecond'"),
    **dict.fromkeys(("occurred_ns", "source_id", "severity"), "%s + 1"),
    **dict.fromkeys(("latitude", "longitude"), "coalesce(%s, 0) + 1e-9"),
    **dict.fromkeys(("observed_ns", "asn"), "coalesce(%s, 0) + 1"),
    "client_ip": "'10.9.8.7'",
    "changes": """'{"a": {"before": 1, "after": 2}}'""",
    "attributes": """%s || '{"a": null}'""",
    "flags": "%s || ''::text",
}


def test_a_change_of_any_column_is_found(store: Store, database: str) -> None:
    rows = fetch(
        database,
        """SELECT attname FROM pg_attribute WHERE attrelid = 'audit.event_template'::regclass
        AND attnum > 0 AND NOT attisdropped AND attname <> 'id'""",
    )
    columns = [row["attname"] for row in rows]
    stored(store, *columns)
    ids = {column: identity(database, column) for column in columns}
    clean(database, len(columns))
    for column in columns:
        other = OTHER.get(column, "coalesce(%s, '') || ' '").replace("%s", column)
        tamper(database, f"UPDATE audit.events_default SET {column} = {other} WHERE id = '{ids[column]}'")
    found = verified(database).findings
    assert {finding.kind for finding in found} == {"changed"}
    assert sorted(str(finding.id) for finding in found) == sorted(ids.values())


def test_a_changed_event_is_named_with_its_link_and_when_it_was_sealed(store: Store, database: str) -> None:
    before = datetime.now(UTC)
    stored(store, "one", "two", "three")
    tamper(database, "UPDATE audit.events_default SET actor_name = 'mallory' WHERE message = 'two'")
    [found] = verified(database).findings
    assert (found.kind, str(found.id), found.retention_class, found.day) == (
        "changed",
        identity(database, "two"),
        "default",
        TODAY,
    )
    assert (found.chain, found.sequence) == (1, 2)
    assert found.sealed_at is not None
    assert before - timedelta(seconds=5) < found.sealed_at


def test_a_deleted_event_is_named(store: Store, database: str) -> None:
    stored(store, "one", "two")
    gone = identity(database, "one")
    tamper(database, "DELETE FROM audit.events_default WHERE message = 'one'")
    [found] = verified(database).findings
    assert (found.kind, str(found.id), found.sequence) == ("deleted", gone, 1)


def test_a_deleted_event_whose_id_is_beyond_the_calendar_is_named(database: str) -> None:
    fill(database, "log", 0, 1)
    last = "ffffffff-ffff-7fff-bfff-ffffffffffff"
    execute(database, INSERTED.replace("gen_random_uuid()", f"'{last}'"))
    tamper(database, f"DELETE FROM audit.events_log WHERE id = '{last}'")
    [found] = verified(database).findings
    assert (found.kind, str(found.id), found.occurred_at) == ("deleted", last, None)


def test_an_event_inserted_past_the_trigger_is_named(store: Store, database: str) -> None:
    store.write(request(record("a log line", event="")))
    execute(database, f"SET session_replication_role = replica; {INSERTED}")
    [row] = fetch(database, "SELECT id FROM audit.events_log WHERE message IS NULL")
    [found] = verified(database).findings
    assert (found.kind, found.id, found.retention_class) == ("inserted", row["id"], "log")


def test_an_event_inserted_straight_into_its_partition_is_named(store: Store, database: str) -> None:
    store.write(request(record("a log line", event="")))
    execute(database, INSERTED.replace("audit.events_log", f"audit.{partition('log', 0)}"))
    assert verified(database).kinds == ["inserted"]


def test_a_day_of_which_nothing_was_ever_sealed_is_one_finding(database: str) -> None:
    tamper(database, INSERTED, INSERTED)
    [found] = verified(database).findings
    assert (found.kind, found.retention_class, found.day) == ("not_sealed", "log", TODAY)
    assert "all 2 events" in found.text


def test_an_event_deleted_and_sent_again_is_a_deleted_one(store: Store, database: str) -> None:
    payload = request(record("once"))
    store.write(payload)
    gone = identity(database, "once")
    tamper(database, "DELETE FROM audit.events_default")
    store.write(payload)
    [found] = verified(database).findings
    assert (found.kind, str(found.id), found.sequence) == ("deleted", gone, 1)


def test_an_event_moved_to_another_class_is_deleted_there_and_inserted_here(store: Store, database: str) -> None:
    stored(store, "moved")
    execute(database, "SELECT audit.ensure_partitions('security', ARRAY[current_date])")
    fill(database, "security", 0, 1)
    columns = "INSERT INTO audit.events_security SELECT * FROM audit.events_default"
    tamper(database, columns, "DELETE FROM audit.events_default")
    assert sorted(verified(database).kinds) == ["deleted", "inserted"]


def test_changed_leaves_are_found_though_they_agree_with_the_events(store: Store, database: str) -> None:
    stored(store, "one")
    tamper(
        database,
        "UPDATE audit.events_default SET message = 'two'",
        f"UPDATE audit.leaves_{partition('default', 0)[7:]} SET adds = (SELECT "
        "uuid_send(id) || sha256(record_send(e)) FROM audit.events_default AS e)",
    )
    [found] = verified(database).findings
    assert (found.kind, found.chain, found.sequence) == ("leaves_changed", 1, 1)


def test_deleted_leaves_are_named_with_their_link(store: Store, database: str) -> None:
    stored(store, "one", "two")
    tamper(database, f"DELETE FROM audit.leaves_{partition('default', 0)[7:]} WHERE sequence = 2")
    result = verified(database)
    assert sorted(result.kinds) == ["inserted", "leaves_deleted"]
    [found] = [finding for finding in result.findings if finding.kind == "leaves_deleted"]
    assert found.sequence == 2


def test_leaves_of_no_link_are_found(store: Store, database: str) -> None:
    stored(store, "one")
    table = f"audit.leaves_{partition('default', 0)[7:]}"
    tamper(database, f"INSERT INTO {table} SELECT chain, 7, period, adds, removes FROM {table}")
    result = verified(database)
    assert result.kinds[0] == "leaves_changed"
    assert result.findings[0].sequence == 7


def test_a_dropped_table_of_leaves_is_found(store: Store, database: str) -> None:
    stored(store, "one")
    tamper(database, f"DROP TABLE audit.leaves_{partition('default', 0)[7:]}")
    assert verified(database).kinds == ["leaves_deleted"]


def test_a_day_that_vanished_without_retention_is_named(database: str) -> None:
    name = fill(database, "log", 3)
    tamper(database, f"DROP TABLE audit.{name}")
    [found] = verified(database).findings
    assert (found.kind, found.retention_class, f"{found.day}") == ("partition_missing", "log", day(3))
    assert "20 events" in found.text


def test_a_day_that_vanished_with_every_trace_but_its_links_is_named(database: str) -> None:
    name = fill(database, "log", 3)
    tamper(
        database,
        f"DROP TABLE audit.{name}",
        f"DROP TABLE audit.leaves_{name[7:]}",
        "DELETE FROM audit.leaf_tables",
    )
    assert verified(database).kinds == ["partition_missing"]


def test_a_day_that_is_hidden_is_named(database: str) -> None:
    name = fill(database, "log", 3)
    execute(database, f"ALTER TABLE audit.events_log DETACH PARTITION audit.{name}")
    assert verified(database).kinds == ["partition_detached"]


def test_a_trigger_that_is_off_is_named(database: str) -> None:
    execute(database, "ALTER TABLE audit.events_log DISABLE TRIGGER seal_stored")
    execute(database, "DROP TRIGGER seal_stored ON audit.events_security")
    found = verified(database).findings
    assert [(finding.kind, finding.retention_class) for finding in found] == [
        ("sealing_off", "log"),
        ("sealing_off", "security"),
    ]


def test_only_the_days_and_classes_asked_for_are_compared(store: Store, database: str) -> None:
    now = time.time_ns()
    store.write(*(request(record(f"{days}", at_ns=now - days * DAY_NS)) for days in range(4)))
    tamper(database, "UPDATE audit.events_default SET outcome = 'failure'")
    yesterday = TODAY - timedelta(days=1)
    for scope, events in [
        (Scope(), 4),
        (Scope(since=yesterday), 2),
        (Scope(until=yesterday), 3),
        (Scope(yesterday, yesterday), 1),
        (Scope(retention_class="log"), 0),
    ]:
        result = verified(database, scope)
        assert (result.outcome.events, len(result.findings)) == (events, events)


def test_a_verification_leaves_its_outcome_where_grafana_reads(store: Store, database: str) -> None:
    stored(store, "one", "two")
    clean(database)
    tamper(database, "DELETE FROM audit.events_default WHERE message = 'one'")
    verified(database)
    reader = as_role(database, "auditgraf_reader")
    rows = fetch(reader, "SELECT events, links, findings, detail FROM audit.verifications ORDER BY started_at")
    assert [(row["events"], row["links"], row["findings"]) for row in rows] == [(2, 2, 0), (2, 2, 1)]
    assert rows[1]["detail"]["kinds"] == {"deleted": 1}
    assert rows[1]["detail"]["first"][0]["kind"] == "deleted"
