"""Holds where something else happens at the same time, and filters that PostgreSQL can't bear."""

from __future__ import annotations

import threading

import psycopg
import pytest

from exporter.errors import RetentionError
from exporter.store.retention import create_hold, parse_filter, release_hold
from tests.collector_process import wait_until
from tests.integration.retained import command, execute, fill, messages, retain, steps
from tests.sending import fetch

# Too large for PostgreSQL, which finds that out only when it compares a text with it.
ENORMOUS = "{message: {regex: '(x{1,255}){1,255}'}}"


def hold(database: str, text: str) -> int:
    return create_hold(database, by="lawyer", reason="court", text=text, match=parse_filter(text)).id


def test_a_hold_that_is_being_created_while_a_released_one_lets_go_keeps_what_it_wants(database: str) -> None:
    fill(database, "log", 30)
    first = hold(database, "{actor_id: u1}")
    retain(database)
    release_hold(database, first, by="lawyer", reason="over")
    with psycopg.connect(database) as creating:
        # As create_hold does it, and not committed yet.
        creating.execute(
            "INSERT INTO audit.holds (created_by, reason, conditions) "
            """VALUES ('lawyer', 'appeal', '{"actor_id": {"equals": "u1"}}')"""
        )
        creating.execute("UPDATE audit.held_events SET hold_ids = hold_ids || 2::bigint")
        running = threading.Thread(target=retain, args=(database,))
        running.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database"
        wait_until(
            lambda: fetch(database, f"{waiting} WHERE datname = current_database())")[0]["count"], "the run waits"
        )
    running.join()
    retain(database)
    assert messages(database) == ["event 1", "event 11"]


def test_a_filter_that_postgresql_can_not_bear_is_told_with_its_hold_and_nothing_is_dropped(database: str) -> None:
    expired = fill(database, "log", 30)
    with pytest.raises(RetentionError, match="hold 1: it is in force, and what it holds can't be counted"):
        hold(database, ENORMOUS)
    assert "hold 1: what it wants can't be copied" in str(steps(retain(database), "failed")[expired].detail)
    assert len(messages(database)) == 20
    release_hold(database, 1, by="lawyer", reason="written otherwise")
    assert list(steps(retain(database), "dropped")) == [expired]


@pytest.mark.parametrize(
    "value",
    ["O'Brien", 'the "boss"', "CORP\\ümit", "Ärger & Söhne", "a%s{}b", "x\ty", "日本", "\u0130brahim", "\\\\srv\\x"],
)
def test_a_hold_keeps_whoever_has_a_name_that_others_have_to_escape(database: str, value: str) -> None:
    fill(database, "log", 30)
    execute(database, "UPDATE audit.events_log SET actor_id = %s WHERE message = 'event 3'", value)
    attributes = (
        "UPDATE audit.events_log SET attributes = jsonb_build_object(%s::text, %s::text) WHERE message = 'event 4'"
    )
    execute(database, attributes, value, value)
    quoted = "'" + value.replace("'", "''") + "'" if "\t" not in value else '"x\\ty"'
    hold(database, f"{{any: [{{actor_id: {quoted}}}, {{attributes: {{{quoted}: {quoted}}}}}]}}")
    retain(database)
    assert messages(database) == ["event 3", "event 4"]


def test_a_hold_on_the_command_line_says_where_its_filter_is_wrong_and_holds_nothing(database: str) -> None:
    wrong = command(database, "hold", "create", "--reason", "court", "--filter", '{message: "a\\0b"}')
    assert (wrong.returncode, "message" in wrong.stderr, "Traceback" in wrong.stderr) == (1, True, False)
    assert fetch(database, "SELECT count(*) FROM audit.holds") == [{"count": 0}]
