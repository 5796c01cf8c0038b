"""Holds: what they keep, for how long, and that nothing else of retention stands in their way."""

from __future__ import annotations

import json

import psycopg
import pytest

from collector.config import as_role
from exporter.errors import ConfigError, RetentionError
from exporter.store.queries import query
from exporter.store.retention import Hold, create_hold, holds, parse_filter, release_hold
from tests.integration.retained import command, execute, fill, messages, pending_detach, reading, retain, steps, told
from tests.sending import Store, fetch, record, request


def hold(database: str, text: str | None = "{actor_id: u1}", reason: str = "court") -> Hold:
    match = None if text is None else parse_filter(text)
    return create_hold(database, by="lawyer", reason=reason, text=text, match=match)


def kept(count: int, actor: int = 1) -> list[str]:
    """The messages of one actor among so many events."""
    return sorted(f"event {number}" for number in range(1, count + 1) if number % 10 == actor)


def test_held_events_are_seen_after_their_partition_is_gone_and_the_others_are_not(database: str) -> None:
    expired = fill(database, "log", 30)
    assert hold(database).events == 2
    report = retain(database)
    assert steps(report, "dropped")[expired].detail == "2 events are held"
    assert messages(database) == kept(20)
    retain(database)
    assert messages(database) == kept(20)


def test_a_held_event_is_the_same_in_every_column(store: Store, database: str) -> None:
    store.write(request(record('a "quoted"\nline', user__id="alice", client__address="81.2.69.142", n="1")))
    past = fill(database, "default", 500, 0)
    names = [row["attname"] for row in fetch(database, query("template_columns", "exporter.store.retention"))]
    others = ", ".join(name for name in names if name != "occurred_at")
    moving = f"INSERT INTO audit.{past} (occurred_at, {others}) SELECT occurred_at - interval '500 days', {others}"
    execute(database, f"{moving} FROM audit.events_default WHERE actor_id = 'alice'")
    [before] = fetch(database, "SELECT * FROM audit.events WHERE occurred_at < now() - interval '1 year'")
    hold(database, "{actor_id: alice}")
    assert list(steps(retain(database), "dropped")) == [past]
    [after] = fetch(database, "SELECT * FROM audit.events WHERE occurred_at < now() - interval '1 year'")
    assert after == before


@pytest.mark.usefixtures("impatient")
def test_a_held_event_is_never_seen_twice_and_never_missed_while_its_partition_goes(database: str) -> None:
    busy = fill(database, "log", 30)
    hold(database)
    with reading(database, busy):
        # Copied, and in its partition still.
        assert list(steps(retain(database), "failed")) == [busy]
        assert fetch(database, "SELECT count(*) FROM audit.held_events") == [{"count": 2}]
        assert len(messages(database)) == 20
        # Half detached: the partition is out of sight.
        pending_detach(database, busy)
        assert messages(database) == kept(20)
    retain(database)
    assert messages(database) == kept(20)


def test_an_event_that_two_holds_want_is_kept_once_and_until_both_are_released(database: str) -> None:
    fill(database, "log", 30)
    first, second = hold(database), hold(database, "{message: {regex: '^event 1'}}")
    retain(database)
    both = sorted({*kept(20), *(f"event {number}" for number in (1, *range(10, 20)))})
    assert messages(database) == both
    release_hold(database, first.id, by="lawyer", reason="settled")
    retain(database)
    assert messages(database) == sorted(f"event {number}" for number in (1, *range(10, 20)))
    release_hold(database, second.id, by="lawyer", reason="settled")
    assert messages(database) != []
    retain(database)
    assert messages(database) == []


def test_what_a_released_hold_kept_stays_while_its_class_is_kept_longer_now(database: str) -> None:
    fill(database, "log", 30)
    made = hold(database)
    retain(database)
    release_hold(database, made.id, by="lawyer", reason="over")
    retain(database, {"log": None})
    assert messages(database) == kept(20)


def test_a_new_hold_also_keeps_what_another_one_kept_so_far(database: str) -> None:
    fill(database, "log", 30)
    first = hold(database)
    retain(database)
    hold(database, "{message: event 11}")
    release_hold(database, first.id, by="lawyer", reason="over")
    retain(database)
    assert messages(database) == ["event 11"]


def test_a_hold_on_everything_keeps_the_partitions_themselves(database: str) -> None:
    expired = fill(database, "log", 30)
    made = hold(database, None)
    report = retain(database)
    assert steps(report, "kept")[expired].detail == f"hold {made.id} keeps every event"
    assert fetch(database, "SELECT count(*) FROM audit.held_events") == [{"count": 0}]
    release_hold(database, made.id, by="lawyer", reason="over")
    assert list(steps(retain(database), "dropped")) == [expired]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("{retention_class: log, outcome: success}", 20),
        ("{retention_class: security}", 0),
        ("{not: {actor_id: u1}}", 18),
        ("{any: [{actor_id: u1}, {message: event 2}], severity: {at_least: 9}}", 3),
        ("{attributes: {n: {at_least: 1}}, occurred_at: {at_most: '2100-01-01T00:00:00Z'}}", 20),
        ("{resource: {service.name: nowhere}}", 0),
    ],
)
def test_filters_are_the_conditions_of_rules_and_columns(database: str, text: str, count: int) -> None:
    fill(database, "log", 30)
    made = hold(database, text)
    retain(database)
    assert made.events == count == len(messages(database))


def test_a_hold_says_who_wants_it_when_and_why(database: str) -> None:
    made = hold(database)
    release_hold(database, made.id, by="judge", reason="settled")
    [released] = holds(database, released=True)
    assert holds(database) == []
    assert (released.created_by, released.reason, released.filter) == ("lawyer", "court", "{actor_id: u1}")
    assert (released.released_by, released.release_reason) == ("judge", "settled")
    retain(database)
    [created], [gone] = told(database, "hold.created"), told(database, "hold.released")
    assert (created["actor_id"], created["target_id"], created["message"]) == ("lawyer", "1", "hold 1 created: court")
    assert (gone["actor_id"], gone["attributes"]["hold.release_reason"]) == ("judge", "settled")


def test_the_reader_sees_the_holds_in_force(database: str) -> None:
    hold(database)
    hold(database, None, "freeze")
    with psycopg.connect(as_role(database, "auditgraf_reader")) as reader:
        rows = reader.execute("SELECT reason, filter, events FROM audit.active_holds ORDER BY id").fetchall()
    assert rows == [("court", "{actor_id: u1}", 0), ("freeze", "(every event)", 0)]


def test_nothing_is_dropped_while_a_hold_can_not_be_read(database: str) -> None:
    expired = fill(database, "log", 30)
    made = hold(database)
    execute(database, """UPDATE audit.holds SET conditions = '{"nonsense": 1}'""")
    report = retain(database)
    assert f"hold {made.id} can't be read" in str(steps(report, "failed")[expired].detail)
    assert len(messages(database)) == 20


def test_releasing_what_is_no_hold_is_refused(database: str) -> None:
    with pytest.raises(RetentionError, match="no hold 7 in force"):
        release_hold(database, 7, by="me", reason="why not")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{actor: alice}", "unknown key"),
        ("[a]", "no filter"),
        ("{client_ip: nowhere}", "no address"),
        ("{message: {regex: '('}}", "message"),
        ("{", "not valid YAML"),
    ],
)
def test_a_filter_that_can_not_be_understood_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_filter(text)


def test_holds_on_the_command_line(database: str) -> None:
    fill(database, "log", 30)
    made = command(database, "hold", "create", "--reason", "court", "--filter", "actor_id=u1 severity>=9", "--by", "me")
    assert (made.returncode, made.stdout) == (0, "hold 1 is in force: 2 events match now\n")
    [listed] = json.loads(command(database, "hold", "list", "--json").stdout)
    assert (listed["reason"], listed["filter"], listed["events"]) == ("court", "actor_id=u1 severity>=9", 2)
    assert [row["actor_id"] for row in told(database, "hold.created")] == ["me"]
    retain(database)
    assert messages(database) == kept(20)
    assert command(database, "hold", "release", "1", "--reason", "settled").returncode == 0
    assert command(database, "hold", "list").stdout == "no hold is in force\n"
    neither = command(database, "hold", "create", "--reason", "court")
    assert (neither.returncode, "--filter" in neither.stderr) == (2, True)
    wrong = command(database, "hold", "create", "--reason", "court", "--filter", "{actor: x}")
    assert wrong.returncode == 1
    assert "unknown key" in wrong.stderr
