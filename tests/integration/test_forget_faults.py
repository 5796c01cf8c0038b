"""Where a person might be overlooked: tables out of sight, letters with two cases, words that are escaped."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from collector.config import as_role
from exporter.store.archive import ArchiveOptions, Place
from exporter.store.forget import forget, preview
from exporter.store.retention import create_hold, parse_filter
from tests.integration.forgotten import archived, order, restored
from tests.integration.retained import detach, execute, fill, pending_detach, reading, retain
from tests.sending import Store, fetch, record, request

EVERYTHING = "SELECT e::text AS event FROM audit.events AS e WHERE service IS DISTINCT FROM 'auditgraf'"


def everything(database: str) -> str:
    return "\n".join(row["event"] for row in fetch(database, EVERYTHING))


@pytest.mark.parametrize("half", [False, True], ids=["detached", "half detached"])
def test_who_is_in_a_partition_that_an_interrupted_run_took_out_does_not_come_back_with_it(
    database: str, half: bool
) -> None:
    left = fill(database, "log", 30)
    if half:
        with reading(database, left):
            pending_detach(database, left)
    else:
        detach(database, left)
    assert preview(database, "u1").events == {left: 2}
    assert order(database, None, "u1").events == 2
    retain(database, {"log": timedelta(days=60)})
    actors = fetch(database, "SELECT DISTINCT actor_id FROM audit.events WHERE retention_class = 'log'")
    assert len(actors) == 10
    assert "u1" not in {row["actor_id"] for row in actors}


@pytest.mark.parametrize("name", ["ΟΔΥΣΣΕΥΣ", "\u0130brahim", "Straße", "René MÜLLER", "CORP\\Özil"])
@pytest.mark.parametrize("archives", [False, True], ids=["stored", "restored"])
def test_letters_with_two_ways_to_their_lower_case_hide_nobody(
    store: Store, database: str, tmp_path: Path, name: str, archives: bool
) -> None:
    events = (record("one", user__id=name), record(f"mail to {name}, at noon"), record("two", to=name))
    if archives:
        place = Place(ArchiveOptions(str(tmp_path)))
        archived(store, database, place, *events)
        order(database, None, name)
        assert len(restored(database, place)) == 3
    else:
        store.write(request(*events))
        assert order(database, None, name).events == 3
    assert name.lower() not in everything(database).lower()


def test_a_word_that_ends_with_sigma_is_found_in_capitals_too(store: Store, database: str) -> None:
    store.write(request(record("one", user__id="ΟΔΥΣΣΕΥΣ"), record("two", user__id="Οδυσσευς")))
    assert order(database, None, "οδυσσευς").events == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CORP\\alice", '{actor_id: "CORP\\\\alice"}'),
        ("corp\\Alice", "{actor_id: {regex: '^CORP\\\\alice$'}}"),
        ("Ümit", '{"actor_id": "\\u00dcmit"}'),
        ('al"ice', '{"attributes": {"al\\"ice": {"exists": true}}}'),
        ("tab\tbed", '{any: [{actor_name: {one_of: ["tab\\tbed"]}}]}'),
    ],
)
def test_a_hold_that_writes_the_name_with_escapes_is_told(database: str, name: str, text: str) -> None:
    made = create_hold(database, by="me", reason="court", text=text, match=parse_filter(text))
    create_hold(database, by="me", reason="court", text="{actor_id: bob}", match=parse_filter("{actor_id: bob}"))
    assert order(database, None, name).holds == (made.id,)


@pytest.mark.parametrize("said", ["mail to ALICE", "mail to Alice", "mail to alice"])
def test_a_quarantined_record_that_writes_the_name_in_another_case_is_told(database: str, said: str) -> None:
    insert = "INSERT INTO audit.quarantine (received_at, reason, record) VALUES (now(), 'x', %s)"
    execute(database, insert, b"\xff\x00" + said.encode())
    execute(database, insert, b"\xff\x00 nobody")
    assert order(database, None, "alice").quarantined == 1


def test_a_quarantined_record_is_found_by_letters_beyond_ascii_and_by_backslashes(database: str) -> None:
    insert = "INSERT INTO audit.quarantine (received_at, reason, record) VALUES (now(), 'x', %s)"
    for said in ("ÜMIT", "Ümit", r"CORP\ümit", r"{\"user\": \"CORP\\ümit\"}"):
        execute(database, insert, said.encode())
    assert order(database, None, "ümit").quarantined == 4
    assert order(database, None, "corp\\ümit").quarantined == 2


def test_the_words_of_orders_do_not_keep_the_name(store: Store, database: str) -> None:
    forget(database, as_role(database, "auditgraf_writer"), "bob", by="alice@office")
    store.write(request(record("one", user__id="alice")))
    forget(database, as_role(database, "auditgraf_writer"), "alice", by="alice@office", text="letter of Alice")
    words = fetch(database, "SELECT concat(o::text, e::text) AS said FROM audit.forget_orders AS o, audit.events AS e")
    assert not any("alice" in row["said"].lower() for row in words)
    assert fetch(database, "SELECT j::text FROM audit.journal AS j WHERE j::text ILIKE '%%alice%%'") == []
