"""What comes in is sealed in its own transaction, whatever way it comes, and nobody but the owner can write a seal."""

from __future__ import annotations

import multiprocessing
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel, errors

from collector.config import as_role
from exporter.store.integrity.form import COLUMNS
from exporter.store.migrate import migrate
from exporter.store.writer import Written
from tests.benchmarks import load
from tests.collector_process import wait_until
from tests.conftest import CLASSES
from tests.integration.retained import execute
from tests.integration.sealed import clean, verified
from tests.sending import Store, count, fetch, record, request

DAY_NS = 86_400 * 10**9
COPIED = "COPY audit.events_log ({}) FROM STDIN".format(
    "id, occurred_at, received_at, occurred_ns, source_id, severity, outcome, message, attributes, flags"
)


def links(url: str) -> list[tuple[int, int]]:
    return [
        (row["chain"], row["sequence"])
        for row in fetch(url, "SELECT chain, sequence FROM audit.digests ORDER BY chain, sequence")
    ]


def test_the_digest_has_all_columns_of_an_event_in_their_order(database: str) -> None:
    statement = """SELECT attname FROM pg_attribute WHERE attrelid = 'audit.event_template'::regclass
        AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
    columns = [row["attname"] for row in fetch(database, statement)]
    assert list(COLUMNS) == columns
    [row] = fetch(database, "SELECT audit.leaf_expression()")
    assert row["leaf_expression"] == f"uuid_send(id) || sha256(record_send(ROW({', '.join(columns)})))"


def test_each_group_has_a_link_of_its_own_and_one_of_duplicates_only_has_none(store: Store, database: str) -> None:
    first, second = request(record("one"), record("two")), request(record("three"))
    assert store.write(first) == Written(stored=2)
    assert store.write(first) == Written(duplicates=2)
    assert store.write(first, second) == Written(stored=1, duplicates=2)
    assert links(database) == [(1, 1), (1, 2)]
    clean(database, 3)


def test_a_group_of_many_days_and_classes_is_sealed_by_day_and_class(store: Store, database: str) -> None:
    now = time.time_ns()
    records = [record(f"{n}", at_ns=now - n % 40 * DAY_NS, event="" if n % 2 else "user.login") for n in range(200)]
    assert store.write(request(*records)).stored == 200
    outcome = clean(database, 200)
    days = fetch(database, "SELECT DISTINCT occurred_at::date, retention_class FROM audit.events")
    assert outcome.partitions == len(days)


def test_what_is_in_any_column_is_sealed_as_it_is(store: Store, database: str) -> None:
    for number in range(3):
        assert store.write(load.request(500, number, time.time_ns())).stored == 500
    odd: dict[str, Any] = {
        "note": "\u0000 \u2028 \U0001f512",
        "geo__location__lat": "1e-300",
        "client__address": "2001:db8::1",
    }
    store.write(request(record("é€", **odd), record("")))
    clean(database, 1502)


def test_records_that_postgresql_refuses_leave_no_link(store: Store, database: str) -> None:
    events = store.events([request(record("fine"), record("poison"), record("fine too"))])
    frame = events.frame
    names = frame["message"].to_list()
    bad = frame.with_columns(attributes=frame["attributes"].scatter(names.index("poison"), "no json"))
    object.__setattr__(events, "frame", bad)
    assert store.writer.write(events).stored == 2
    clean(database, 2)


def _write_many(url: str, number: int) -> None:
    store = Store(url)
    try:
        for group in range(10):
            store.write(load.request(50, number * 100 + group, time.time_ns()))
            store.write(request(record(f"all of them bring this one {group}", at_ns=1_700_000_000 * 10**9 + group)))
    finally:
        store.close()


def test_no_chain_forks_or_has_a_gap_when_many_processes_write(database: str) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write_many, args=(database, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 4
    clean(database, count(database))
    assert count(database) >= 2000


def test_writers_at_the_same_moment_use_different_chains_and_none_waits(database: str) -> None:
    stores = [Store(database) for _ in range(3)]
    held = [psycopg.connect(as_role(database, "auditgraf_writer")) for _ in range(2)]
    for number, connection in enumerate(held):
        _copy(connection, f"held {number}")
    for store in stores:
        store.write(request(record("another")))
        store.close()
    for connection in held:
        connection.commit()
        connection.close()
    assert {chain for chain, _ in links(database)} == {1, 2, 3}
    clean(database, count(database))


def _copy(connection: psycopg.Connection[tuple[object, ...]], message: str) -> None:
    now = datetime.now(UTC).isoformat()
    with connection.cursor().copy(COPIED.encode()) as channel:
        row = [str(uuid.uuid4()), now, now, "1", "1", "9", "success", message, "{}", "{}"]
        channel.write(("\t".join(row) + "\n").encode(connection.info.encoding))


def test_where_every_chain_is_taken_a_writer_waits_for_the_last_one(store: Store, database: str) -> None:
    with psycopg.connect(database) as taken:
        taken.execute("SELECT FROM audit.locks WHERE kind = 'chain' AND number > 0 FOR UPDATE")
        with ThreadPoolExecutor() as pool:
            writing = pool.submit(store.write, request(record("patient")))
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
            wait_until(lambda: fetch(database, waiting)[0]["count"], "the writer waits for chain 33")
            taken.commit()
            assert writing.result(30).stored == 1
    assert links(database) == [(33, 1)]
    clean(database, 1)


def test_a_transaction_whose_snapshot_is_old_can_not_fork_a_chain(store: Store, database: str) -> None:
    with psycopg.connect(as_role(database, "auditgraf_writer")) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with pytest.raises(errors.RaiseException, match="READ COMMITTED"):
            _copy(connection, "never")
    store.write(request(record("one")))
    clean(database, 1)


def test_a_number_that_is_taken_is_refused_within_a_month(store: Store, database: str) -> None:
    store.write(request(record("one")))
    with pytest.raises(psycopg.errors.UniqueViolation):
        execute(
            database,
            """INSERT INTO audit.digests SELECT chain, sequence, period, now(), kind, retention_class, events, covers,
            detail, form, previous, sha256('fork') FROM audit.digests""",
        )


def test_a_writer_whose_backend_is_killed_leaves_neither_events_nor_links(store: Store, database: str) -> None:
    store.write(request(record("before")))
    with psycopg.connect(as_role(database, "auditgraf_writer")) as connection:
        _copy(connection, "never committed")
        execute(database, "SELECT pg_terminate_backend(%s)", connection.info.backend_pid)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    store.write(request(record("after")))
    assert links(database) == [(1, 1), (1, 2)]
    clean(database, 2)


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1251", "SQL_ASCII"])
def test_the_encoding_of_whoever_inserts_does_not_matter(database: str, encoding: str) -> None:
    execute(database, "SELECT audit.ensure_partitions('log', ARRAY[current_date])")
    with psycopg.connect(as_role(database, "auditgraf_writer"), client_encoding="UTF8") as connection:
        _copy(connection, "Café Ж €")
    with psycopg.connect(as_role(database, "auditgraf_writer")) as connection:
        connection.execute(f"SET client_encoding = {encoding}".encode())
        _copy(connection, "Ж" if encoding == "WIN1251" else "plain")
        assert connection.info.parameter_status("client_encoding") == encoding
        connection.execute(
            """INSERT INTO audit.events_log (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome,
                                             message, attributes, flags)
            VALUES (gen_random_uuid(), now(), now(), 1, 1, 9, 'success', U&'\\20AC \\0416', '{}', '{}')"""
        )
    clean(database, 3)


def test_settings_of_whoever_inserts_do_not_matter(store: Store, database: str) -> None:
    with psycopg.connect(as_role(database, "auditgraf_writer")) as connection:
        for setting in (
            "datestyle = 'German'",
            "timezone = 'Asia/Tokyo'",
            "bytea_output = 'escape'",
            "extra_float_digits = -10",
            "search_path = public",
            "intervalstyle = 'iso_8601'",
        ):
            connection.execute(f"SET {setting}".encode())
        _copy(connection, "from afar")
    clean(database, 1)


def test_a_large_insert_is_sealed_in_pieces(database: str) -> None:
    definition = fetch(database, "SELECT pg_get_functiondef('audit.seal_stored'::regproc)")[0]["pg_get_functiondef"]
    execute(database, definition.replace(":= 500000", ":= 100"))
    execute(database, "SELECT audit.ensure_partitions('log', ARRAY[current_date])")
    execute(
        database,
        """INSERT INTO audit.events_log (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome,
                                         attributes, flags)
        SELECT gen_random_uuid(), now(), now(), n, 1, 9, 'success', '{}', '{}' FROM generate_series(1, 250) AS n""",
    )
    assert links(database) == [(1, 1), (1, 2), (1, 3)]
    clean(database, 250)


def test_chains_go_on_over_the_end_of_a_month_and_over_a_clock_that_goes_back(store: Store, database: str) -> None:
    link = "SELECT audit.add_link('stored', 'default', '{}', '{}', '{}', NULL, %s)"
    for moment in (
        "2026-01-31 23:59:59+00",
        "2026-02-01 00:00:00+00",
        "2026-03-01+00",
        "2026-02-15+00",
        "2026-03-02+00",
    ):
        execute(database, link, moment)
    store.write(request(record("today")))
    rows = fetch(
        database, "SELECT sequence, period::text, made_at < '2026-03-01' AS early FROM audit.digests ORDER BY 1"
    )
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["period"] for row in rows][:5] == ["2026-01-01", "2026-02-01", *["2026-03-01"] * 3]
    assert [row["early"] for row in rows][:5] == [True, True, False, True, False]
    clean(database, 1)


def test_verification_needs_no_pause_of_the_writers(store: Store, database: str) -> None:
    ended = threading.Event()

    def write() -> int:
        number = 0
        while not ended.is_set():
            number += store.write(load.request(20, number, time.time_ns())).stored
        return number

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        try:
            for _ in range(5):
                clean(database)
        finally:
            ended.set()
        written = writing.result(30)
    clean(database, written)


def test_migrate_switches_sealing_on_again(database: str) -> None:
    execute(database, "ALTER TABLE audit.events_log DISABLE TRIGGER seal_stored")
    execute(database, "DROP TRIGGER seal_stored ON audit.events_default")
    migrate(database, CLASSES)
    assert verified(database).findings == []


def test_a_new_class_is_sealed_from_the_start(database: str) -> None:
    migrate(database, {**CLASSES, "extra": None})
    execute(database, INSERT_EXTRA)
    clean(database, 1)


INSERT_EXTRA = """
    INSERT INTO audit.events_extra (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome, attributes,
                                    flags)
    VALUES (gen_random_uuid(), now(), now(), 1, 1, 9, 'success', '{}', '{}')
"""
