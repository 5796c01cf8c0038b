"""Events that were stored before there were digests: told, counted, and sealed late where somebody asks for it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from collector.config import as_role
from exporter.store import migrate as module
from exporter.store.forget import forget
from exporter.store.integrity import seal_late
from exporter.store.migrate import migrate
from exporter.store.retention import create_hold, parse_filter
from tests.conftest import CLASSES
from tests.integration.retained import TODAY, fill, partition, retain
from tests.integration.sealed import clean, tamper, verified
from tests.sending import fetch


@pytest.fixture
def unsealed(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with 30 events of today and 20 of three days ago that are older than the digests."""
    known = module.migrations()
    with monkeypatch.context() as patched:
        patched.setattr(module, "migrations", lambda: known[:5])
        migrate(empty_database, CLASSES)
    fill(empty_database, "log", 3)
    fill(empty_database, "log", 0, 30)
    migrate(empty_database, CLASSES)
    return empty_database


def test_events_older_than_the_digests_are_told_and_are_no_finding(unsealed: str) -> None:
    fill(unsealed, "log", 0, 4)
    outcome = clean(unsealed, 4)
    assert outcome.unsealed == (("log", TODAY - timedelta(days=3), 20), ("log", TODAY, 30))
    told = fetch(unsealed, "SELECT detail FROM audit.digest_links WHERE kind = 'unsealed' ORDER BY sequence")
    assert [link["detail"] for link in told] == [{"events": 20}, {"events": 30}]


def smuggled(url: str, days_ago: int) -> None:
    tamper(
        url,
        f"""INSERT INTO audit.{partition("log", days_ago)}
            (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome, attributes, flags)
        SELECT gen_random_uuid(), occurred_at, received_at, 1, 1, 9, 'success', '{{}}', '{{}}'
        FROM audit.{partition("log", days_ago)} LIMIT 2""",
    )


def test_among_older_events_an_inserted_one_is_noticed_by_their_number(unsealed: str) -> None:
    smuggled(unsealed, 3)
    [found] = verified(unsealed).findings
    assert (found.kind, found.day) == ("not_sealed", TODAY - timedelta(days=3))
    assert found.text.startswith("2 more events")


def test_inserted_events_are_told_after_they_were_sealed_late_with_the_older_ones(unsealed: str) -> None:
    smuggled(unsealed, 3)
    seal_late(unsealed)
    [found] = verified(unsealed).findings
    assert (found.kind, found.day) == ("not_sealed", TODAY - timedelta(days=3))
    assert found.text.startswith("2 more events were sealed late")


def test_older_events_deleted_before_they_were_sealed_leave_no_room_for_others(unsealed: str) -> None:
    tamper(unsealed, f"DELETE FROM audit.{partition('log', 3)} WHERE message IN ('event 1', 'event 2')")
    seal_late(unsealed)
    clean(unsealed)
    smuggled(unsealed, 3)
    assert verified(unsealed).kinds == ["inserted", "inserted"]


def test_older_events_forgotten_and_then_sealed_late_are_no_finding(unsealed: str) -> None:
    forget(unsealed, as_role(unsealed, "auditgraf_writer"), "u1", by="officer")
    seal_late(unsealed)
    clean(unsealed)


def test_older_events_can_be_sealed_late_and_are_watched_from_then_on(unsealed: str) -> None:
    fill(unsealed, "log", 0, 4)
    assert seal_late(unsealed) == 50
    assert seal_late(unsealed) == 0
    assert clean(unsealed, 54).unsealed == ()
    tamper(unsealed, f"UPDATE audit.{partition('log', 3)} SET outcome = 'failure' WHERE message = 'event 1'")
    assert verified(unsealed).kinds == ["changed"]


def test_older_events_can_be_forgotten_held_and_dropped(unsealed: str) -> None:
    number = forget(unsealed, as_role(unsealed, "auditgraf_writer"), "u1", by="officer").order
    assert clean(unsealed).orders == {number: 5}
    create_hold(unsealed, by="me", reason="u2", text="{actor_id: u2}", match=parse_filter("{actor_id: u2}"))
    retain(unsealed, {"log": timedelta(days=1), "default": None, "security": None})
    clean(unsealed)
    tamper(unsealed, "DELETE FROM audit.held_events WHERE message = 'event 2'")
    assert verified(unsealed).kinds == ["deleted"]
