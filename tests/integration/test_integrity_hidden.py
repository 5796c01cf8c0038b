"""A day can't be hidden behind retention, nor behind a table that can't be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql

from exporter.errors import RetentionError
from exporter.store.retention import create_hold, parse_filter
from tests.integration.retained import TODAY, command, day, detach, execute, fill, partition, retain, tables
from tests.integration.sealed import clean, tamper, verified
from tests.sending import count, fetch

ON_ITS_WAY = """
    INSERT INTO audit.retiring (relation, partition, retention_class, range_start, range_end)
    VALUES ('audit.{name}'::regclass, '{name}', 'log', '{first}', '{last}')
"""


@pytest.fixture
def stranger(database: str) -> Iterator[str]:
    """A role that is not ours."""
    name = f"stranger_{database[-8:]}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
        yield name
        connection.execute(sql.SQL("REASSIGN OWNED BY {} TO auditgraf_owner").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def links(url: str, kind: str) -> list[dict[str, object]]:
    return fetch(url, "SELECT detail FROM audit.digest_links WHERE kind = %s ORDER BY sequence", kind)


def forged_retiring(url: str, name: str) -> None:
    tamper(url, ON_ITS_WAY.format(name=name, first=day(3), last=day(2)))


def test_a_link_says_that_a_day_is_to_go_before_it_goes(database: str) -> None:
    name = fill(database, "log", 30)
    detach(database, name)
    assert links(database, "retiring") == [{"detail": {"partition": name}}]
    assert [(name, when) for name, when, _ in clean(database, 20).leaving] == [("log", TODAY - timedelta(days=30))]
    retain(database)
    assert tables(database, name) == []
    assert clean(database, count(database)).leaving == ()
    assert links(database, "taken_back") == []


def test_a_day_hidden_behind_a_forged_note_of_retention_s_is_found(database: str) -> None:
    name = fill(database, "log", 3)
    forged_retiring(database, name)
    clean(database, 20)
    tamper(database, f"ALTER TABLE audit.events_log DETACH PARTITION audit.{name}")
    tamper(database, f"UPDATE audit.{name} SET outcome = 'failure' WHERE actor_id = 'u1' AND message = 'event 1'")
    detached, changed = verified(database).findings
    assert (detached.kind, detached.day) == ("partition_detached", TODAY - timedelta(days=3))
    assert "no link says that retention is about to drop it" in detached.text
    assert changed.kind == "changed"


def test_a_note_that_was_taken_back_hides_nothing_later(database: str) -> None:
    name = fill(database, "log", 3)
    detach(database, name)
    clean(database, 20)
    assert retain(database).failures == []
    assert links(database, "taken_back") == [{"detail": {"partition": name}}]
    clean(database, count(database))
    forged_retiring(database, name)
    tamper(database, f"ALTER TABLE audit.events_log DETACH PARTITION audit.{name}")
    assert verified(database).kinds == ["partition_detached"]


def test_a_run_that_ended_before_the_detach_takes_its_link_back(database: str) -> None:
    name = fill(database, "log", 3)
    execute(database, f"SELECT audit.begin_retiring('audit.{name}'::regclass, '{name}', 'log', now(), now(), NULL)")
    clean(database, 20)
    retain(database)
    assert links(database, "taken_back") == [{"detail": {"partition": name}}]
    clean(database, count(database))


def test_copies_of_held_events_are_not_hidden_behind_a_forged_note_either(database: str) -> None:
    name = fill(database, "log", 3)
    create_hold(database, by="me", reason="court", text="{actor_id: u1}", match=parse_filter("{actor_id: u1}"))
    forged_retiring(database, name)
    tamper(
        database,
        f"ALTER TABLE audit.events_log DETACH PARTITION audit.{name}",
        f"""INSERT INTO audit.held_events SELECT e.*, 'log', '{{1}}', 'audit.{name}'::regclass FROM audit.{name} AS e
        LIMIT 2""",
    )
    assert sorted(verified(database).kinds) == ["not_sealed", "partition_detached"]


def test_a_partition_of_another_role_is_named_with_the_remedy_and_the_others_are_compared(
    database: str, stranger: str
) -> None:
    name = fill(database, "log", 3)
    fill(database, "log", 2)
    execute(database, f"ALTER TABLE audit.{name} OWNER TO {stranger}")
    tamper(database, f"DELETE FROM audit.{partition('log', 2)} WHERE message = 'event 1'")
    unreadable, deleted = verified(database).findings
    assert (unreadable.kind, unreadable.day) == ("unreadable", TODAY - timedelta(days=3))
    assert f"belongs to {stranger}" in unreadable.text
    assert f"ALTER TABLE audit.{name} OWNER TO auditgraf_owner" in unreadable.text
    assert deleted.kind == "deleted"
    done = command(database, "verify")
    assert (done.returncode, done.stderr) == (1, "")
    execute(database, f"ALTER TABLE audit.{name} OWNER TO auditgraf_owner")
    assert verified(database).kinds == ["deleted"]


@pytest.mark.parametrize("table", ["leaves_{day}", "held_events", "restored_events", "events_mine"])
def test_any_table_of_events_or_digests_of_another_role_is_named(database: str, stranger: str, table: str) -> None:
    fill(database, "log", 3)
    execute(
        database,
        """SET ROLE auditgraf_owner;
        CREATE TABLE audit.events_mine (LIKE audit.events_log INCLUDING ALL);
        ALTER TABLE audit.events_log ATTACH PARTITION audit.events_mine
        FOR VALUES FROM ('2001-01-01') TO ('2001-01-02')""",
    )
    table = table.replace("{day}", partition("log", 3)[7:])
    execute(database, f"ALTER TABLE audit.{table} OWNER TO {stranger}")
    [found] = verified(database).findings
    assert found.kind == "unreadable"
    assert f"ALTER TABLE audit.{table} OWNER TO auditgraf_owner" in found.text


def test_a_right_that_was_taken_from_the_owner_is_named(database: str) -> None:
    name = fill(database, "log", 3)
    execute(database, f"REVOKE ALL ON audit.{name} FROM auditgraf_owner")
    [found] = verified(database).findings
    assert (found.kind, found.text.split(":")[0]) == ("unreadable", f"permission denied for table {name}")


def test_where_nothing_can_be_verified_the_error_names_the_table_and_the_remedy(database: str, stranger: str) -> None:
    execute(database, f"ALTER TABLE audit.digests OWNER TO {stranger}")
    with pytest.raises(RetentionError, match=r"table digests; .* belong to auditgraf_owner: .* ALTER TABLE"):
        verified(database)
