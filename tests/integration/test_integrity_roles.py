"""Nobody but the owner can write seals, or switch them off."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from collector.config import as_role
from tests.integration.retained import execute, partition
from tests.integration.sealed import clean
from tests.sending import Store, fetch, record, request


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO audit.digests SELECT * FROM audit.digests",
        "DELETE FROM audit.digests",
        "UPDATE audit.leaf_tables SET day = NULL",
        "DELETE FROM audit.leaves_{partition}",
        "INSERT INTO audit.leaves_{partition} VALUES (1, 9, '2026-01-01', '', '')",
        "INSERT INTO audit.digest_checkpoints VALUES (1, 1, '2026-01-01', '')",
        "DELETE FROM audit.verification_runs",
        "ALTER TABLE audit.events_default DISABLE TRIGGER seal_stored",
        "DROP TRIGGER seal_stored ON audit.events_default",
        "SET session_replication_role = replica",
        "SELECT audit.add_link('stored', 'default', '{}', '{}', '{}')",
        "SELECT audit.retire_leaves('x', 1, 1)",
        "SELECT audit.let_go(1)",
        "SELECT audit.drop_expired_digests()",
        "SELECT audit.seal_late(1)",
        "SELECT audit.seal_class('log')",
    ],
)
def test_writer_and_reader_can_neither_write_seals_nor_switch_them_off(
    store: Store, database: str, statement: str
) -> None:
    store.write(request(record("one")))
    for role in ("auditgraf_writer", "auditgraf_reader"):
        with pytest.raises((errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)):
            execute(as_role(database, role), statement.replace("{partition}", partition("default", 0)[7:]))
    clean(database, 1)


def test_a_writer_can_not_have_its_own_table_sealed(database: str) -> None:
    with psycopg.connect(as_role(database, "auditgraf_writer"), autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE forged (LIKE audit.event_template)")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(
                """CREATE TRIGGER seal AFTER INSERT ON pg_temp.forged REFERENCING NEW TABLE AS stored
                FOR EACH STATEMENT EXECUTE FUNCTION audit.seal_stored('default')"""
            )


def test_the_reader_sees_links_and_no_leaves(store: Store, database: str) -> None:
    store.write(request(record("one"), record("two")))
    [row] = fetch(as_role(database, "auditgraf_reader"), "SELECT * FROM audit.digest_links")
    assert set(row) == {"chain", "sequence", "made_at", "kind", "retention_class", "events", "detail"}
    assert (row["chain"], row["sequence"], row["kind"], row["events"]) == (1, 1, "stored", 2)


def test_nobody_who_may_only_read_can_hold_up_those_who_store(database: str) -> None:
    """Advisory locks are everybody's: nothing waits for one, and what tries to get one does its work without it."""
    functions = "SELECT proname FROM pg_proc WHERE pronamespace = 'audit'::regnamespace AND prosrc ~ %s ORDER BY 1"
    assert fetch(database, functions, r"pg_advisory_(xact_)?lock\(") == []
    assert fetch(database, functions, "pg_try_advisory") == [{"proname": "count_events"}]
    for role in ("auditgraf_writer", "auditgraf_reader"):
        with pytest.raises((errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)):
            execute(as_role(database, role), "SELECT FROM audit.locks FOR UPDATE")
