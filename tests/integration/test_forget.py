"""`auditgraf forget`: a pseudonym takes a person's place everywhere, and what it did can be seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from collector.config import as_role
from exporter.errors import RetentionError
from exporter.store.archive import ArchiveOptions, PersonInArchives, Place, parse_period, restore
from exporter.store.forget import Forgotten, forget, preview
from exporter.store.retention import create_hold, parse_filter, release_hold
from tests.integration.retained import command, execute, fill, messages, retain, told
from tests.sending import Store, fetch, record, request

ALICE: dict[str, Any] = {"user__id": "alice", "user__name": "Alice Smith", "user__email": "alice@example.org"}
EVERYTHING = "SELECT e::text AS event FROM audit.events AS e"


def order(database: str, actor: str = "alice", **options: Any) -> Forgotten:
    return forget(database, as_role(database, "auditgraf_writer"), actor, by="officer", **options)


def event(database: str, message: str) -> dict[str, Any]:
    [found] = fetch(database, "SELECT * FROM audit.events WHERE message = %s", message)
    return found


def everything(database: str) -> str:
    return "\n".join(row["event"] for row in fetch(database, EVERYTHING))


def test_a_persons_own_events_lose_all_that_names_or_places_them(store: Store, database: str) -> None:
    place: dict[str, Any] = {
        "client__address": "81.2.69.142",
        "geo__locality__name": "Berlin",
        "geo__location__lat": "52.5",
    }
    more: dict[str, Any] = {
        "session__id": "s-77",
        "user_agent__original": "curl",
        "note": "Alice Smith (alice@example.org) at 81.2.69.142",
    }
    store.write(request(record("one", geo__country__iso_code="DE", **ALICE, **place, **more)))
    done = order(database)
    found = event(database, "one")
    assert done.events == 1
    assert {found[name] for name in ("actor_id", "actor_name", "actor_email")} == {done.pseudonym}
    gone = ("client_ip", "client_address", "city", "latitude", "longitude", "asn", "as_org", "session_id", "user_agent")
    assert {found[name] for name in gone} == {None}
    assert (found["country"], found["action"], found["outcome"]) == ("DE", "user.login", "unknown")
    assert found["attributes"]["note"] == f"{done.pseudonym} ({done.pseudonym}) at {done.pseudonym}"
    assert found["flags"] == ["pseudonymised"]
    assert found["attributes"]["auditgraf.forget_orders"] == [done.order]
    for name in ("alice", "Smith", "81.2.69.142", "Berlin", "s-77"):
        assert name.lower() not in everything(database).lower()


def test_what_others_did_to_the_person_stays_theirs_without_the_person(store: Store, database: str) -> None:
    changes = json.dumps({"phone": {"before": "555", "after": "556"}})
    target: dict[str, Any] = {
        "audit__target__type": "user",
        "audit__target__id": "alice",
        "audit__target__name": "Alice",
    }
    by_bob: dict[str, Any] = {"user__id": "bob", "client__address": "81.2.69.1"}
    store.write(
        request(record("bob was here", audit__changes=changes, audit__action="user.updated", **by_bob, **target))
    )
    done = order(database)
    found = event(database, "bob was here")
    assert (found["actor_id"], str(found["client_ip"])) == ("bob", "81.2.69.1")
    assert (found["target_id"], found["target_name"]) == (done.pseudonym, done.pseudonym)
    assert found["changes"] == {"phone": {"changed": True}}


def test_whoever_stood_in_for_the_person_is_still_named(store: Store, database: str) -> None:
    store.write(request(record("helped", user__id="bob", audit__on_behalf_of="alice")))
    done = order(database)
    found = event(database, "helped")
    assert (found["actor_id"], found["on_behalf_of"]) == ("bob", done.pseudonym)


def test_names_are_found_in_texts_keys_and_nested_values_as_whole_words(store: Store, database: str) -> None:
    execute(
        database,
        """INSERT INTO audit.events_log (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome,
                                         message, attributes, flags)
        VALUES (gen_random_uuid(), now(), now(), 0, 1, 9, 'success', 'Mail to ALICE, not to malice',
                '{"list": [{"who": "alice"}, 7, null, true], "alice": 1, "malice": "alice.b", "path": "/u/alice/x"}',
                '{}')""",
    )
    done = order(database)
    [found] = fetch(database, "SELECT message, attributes FROM audit.events WHERE retention_class = 'log'")
    new = done.pseudonym
    assert found["message"] == f"Mail to {new}, not to malice"
    assert found["attributes"] == {
        "list": [{"who": new}, 7, None, True],
        new: 1,
        "malice": f"{new}.b",
        "path": f"/u/{new}/x",
        "auditgraf.forget_orders": [done.order],
    }


def test_a_number_means_the_person_only_where_it_stands_for_an_id(database: str) -> None:
    execute(
        database,
        """INSERT INTO audit.events_log (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome,
                                         message, attributes, flags, actor_id)
        VALUES (gen_random_uuid(), now(), now(), 0, 1, 9, 'success', 'paid 42 of 142', '{"user_id": 42, "total": 42}',
                '{}', '42')""",
    )
    done = order(database, "42")
    [found] = fetch(database, "SELECT actor_id, message, attributes FROM audit.events WHERE retention_class = 'log'")
    assert (found["actor_id"], found["message"]) == (done.pseudonym, "paid 42 of 142")
    assert (found["attributes"]["user_id"], found["attributes"]["total"]) == (done.pseudonym, 42)


def test_nobody_elses_events_are_touched(store: Store, database: str) -> None:
    fill(database, "log", 2)
    store.write(request(record("one", **ALICE), record("two", user__id="bob", user__email="bob@example.org")))
    before = {row["event"] for row in fetch(database, EVERYTHING)}
    order(database)
    assert len(before & {row["event"] for row in fetch(database, EVERYTHING)}) == len(before) - 1


def test_an_address_that_only_this_person_uses_means_the_person_and_a_shared_one_does_not(
    store: Store, database: str
) -> None:
    shared: dict[str, Any] = {"user__email": "team@example.org"}
    store.write(
        request(
            record("one", **ALICE),
            record("two", user__id="alice", **shared),
            record("three", user__id="bob", **shared),
            record("four", mail="alice@example.org"),
        )
    )
    assert preview(database, "alice").names == ("alice", "alice@example.org")
    order(database)
    assert event(database, "three")["actor_email"] == "team@example.org"
    assert "alice@" not in everything(database)


def test_other_names_are_looked_for_when_they_are_given(store: Store, database: str) -> None:
    store.write(request(record("one", user__id="asmith", other="Ally")))
    assert preview(database, "alice").events == {}
    assert order(database, also=["ASmith", "ally"]).events == 1
    assert "ally" not in everything(database).lower()


def test_every_order_has_a_pseudonym_of_its_own_and_never_the_name(store: Store, database: str) -> None:
    store.write(request(record("one", **ALICE)))
    first = order(database, text="ticket 7")
    store.write(request(record("two", **ALICE)))
    second = order(database)
    assert first.pseudonym != second.pseudonym
    assert event(database, "one")["actor_id"] == first.pseudonym
    rows = fetch(
        database, "SELECT o::text AS text, requested_by, order_text, events FROM audit.forget_orders AS o ORDER BY id"
    )
    assert [(row["requested_by"], row["order_text"], row["events"]) for row in rows] == [
        ("officer", "ticket 7", 1),
        ("officer", None, 1),
    ]
    assert not any("alice" in row["text"].lower() for row in rows)
    assert [earlier.id for earlier in preview(database, "ALICE").earlier] == [2, 1]


def test_an_audit_event_says_that_it_was_done(store: Store, database: str) -> None:
    store.write(request(record("one", **ALICE)))
    done = order(database, text="ticket 7")
    [found] = told(database, "person.forgotten")
    assert (found["actor_id"], found["target_type"], found["target_id"]) == ("officer", "person", done.pseudonym)
    assert found["attributes"]["forget.order"] == done.order
    assert found["attributes"]["forget.events"] == 1
    assert found["attributes"]["forget.order_text"] == "ticket 7"


def test_held_and_restored_events_are_pseudonymised_too(database: str, tmp_path: Path) -> None:
    place = Place(ArchiveOptions(str(tmp_path)))
    fill(database, "log", 30)
    create_hold(database, by="me", reason="court", text="", match=parse_filter("{message: event 1}"))
    retain(database, place=place)
    list(restore(database, place, parse_period("2000-01-01..2100-01-01"), by="me"))
    assert order(database, "u1").events == 2
    assert fetch(database, "SELECT count(*) FROM audit.events WHERE actor_id = 'u1'") == [{"count": 0}]
    assert len(messages(database)) == 20


def test_what_a_hold_wants_is_kept_though_its_filter_no_longer_finds_it(database: str) -> None:
    fill(database, "log", 30)
    made = create_hold(database, by="me", reason="court", text="", match=parse_filter("{actor_id: u1}"))
    done = order(database, "u1")
    assert len(messages(database)) == 20
    retain(database)
    assert messages(database) == ["event 1", "event 11"]
    assert fetch(database, "SELECT DISTINCT actor_id FROM audit.held_events") == [{"actor_id": done.pseudonym}]
    release_hold(database, made.id, by="me", reason="over")
    retain(database)
    assert messages(database) == []


def test_holds_quarantined_records_and_archives_that_name_the_person_are_told(database: str, tmp_path: Path) -> None:
    place = Place(ArchiveOptions(str(tmp_path)))
    fill(database, "log", 30)
    retain(database, place=place)
    text = "{actor_name: alice}"
    over = create_hold(database, by="alice", reason="about alice", text=text, match=parse_filter(text))
    made = create_hold(database, by="me", reason="about Alice", text=text, match=parse_filter(text))
    release_hold(database, over.id, by="me", reason="over")
    execute(database, "INSERT INTO audit.quarantine (received_at, reason, record) VALUES (now(), 'x', 'user alice')")
    done = order(database, archives=PersonInArchives(place))
    assert (done.holds, done.quarantined, done.archives) == ((made.id,), 1, ())
    [released] = fetch(database, "SELECT h::text AS text FROM audit.holds AS h WHERE id = %s", over.id)
    assert "alice" not in released["text"]
    named = order(database, "u1", archives=PersonInArchives(place))
    assert len(named.archives) == 1


def test_an_order_that_was_interrupted_goes_on_with_its_pseudonym(store: Store, database: str) -> None:
    fill(database, "log", 2)
    fill(database, "log", 3)
    execute(database, "UPDATE audit.events_log SET actor_email = 'u1@example.org' WHERE actor_id = 'u1'")
    interrupted = 0

    def stop(table: str, events: int) -> None:
        nonlocal interrupted
        interrupted += events
        if interrupted:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        order(database, "u1", report=stop)
    assert [earlier.finished for earlier in preview(database, "u1").earlier] == [False]
    with pytest.raises(RetentionError, match="was interrupted, under other names"):
        order(database, "u1", also=["somebody"])
    done = order(database, "u1")
    assert (done.order, done.events, interrupted) == (1, 4, 2)
    assert "u1@" not in everything(database)
    actors = fetch(database, "SELECT count(*) FROM audit.events WHERE actor_id = %s", done.pseudonym)
    assert actors == [{"count": 4}]
    assert fetch(database, "SELECT names FROM audit.forget_orders") == [{"names": None}]


def test_a_preview_changes_nothing(store: Store, database: str) -> None:
    store.write(request(record("one", **ALICE)))
    before = everything(database)
    found = preview(database, "alice")
    assert list(found.events.values()) == [1]
    assert found.also_seen == ("Alice Smith",)
    assert everything(database) == before
    assert fetch(database, "SELECT * FROM audit.forget_orders") == []


@pytest.mark.parametrize("actor", ["", "  ", "auditgraf"])
def test_who_is_nobody_can_not_be_forgotten(database: str, actor: str) -> None:
    with pytest.raises(RetentionError):
        order(database, actor)


def test_wildcards_and_patterns_in_a_name_are_only_characters(store: Store, database: str) -> None:
    store.write(request(record("one", user__id="a_%.*(x", other="a_%.*(x!"), record("two", user__id="aX%.*(x")))
    done = order(database, "a_%.*(x")
    assert done.events == 1
    assert event(database, "one")["attributes"]["other"] == f"{done.pseudonym}!"
    assert event(database, "two")["actor_id"] == "aX%.*(x"


@pytest.mark.parametrize("name", ["CORP\\alice", 'al"ice', "alice\t\\", "a_%\\b"])
def test_a_name_that_json_writes_otherwise_is_found_where_only_json_has_it(
    store: Store, database: str, name: str
) -> None:
    changes = json.dumps({"owner": {"before": "bob", "after": name}})
    store.write(
        request(
            record("attribute", login=name.upper()),
            record("change", audit__changes=changes),
            record("nobody", login="alice"),
        )
    )
    done = order(database, name)
    assert done.events == 2
    assert event(database, "attribute")["attributes"]["login"] == done.pseudonym
    assert event(database, "change")["changes"] == {"owner": {"before": "bob", "after": done.pseudonym}}
    assert event(database, "nobody")["attributes"]["login"] == "alice"


def test_forgetting_on_the_command_line(store: Store, database: str) -> None:
    store.write(request(record("one", **ALICE)))
    looked = command(database, "forget", "--actor", "alice", "--dry-run")
    assert "1 events name the person" in looked.stdout
    assert "also called Alice Smith" in looked.stdout
    refused = command(database, "forget", "--actor", "alice")
    assert refused.returncode == 1
    assert event(database, "one")["actor_id"] == "alice"
    done = command(database, "forget", "--actor", "alice", "--also", "Alice Smith", "--yes", "--order", "ticket 7")
    assert (done.returncode, done.stderr) == (0, "")
    assert "order 1: 1 events pseudonymised as person-" in done.stdout
    assert "alice" not in everything(database).lower()
