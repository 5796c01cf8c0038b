"""`verify` names links that were changed, removed, forged or cut off."""

from __future__ import annotations

import pytest

from exporter.store.integrity import Heads
from tests.integration.retained import partition
from tests.integration.sealed import clean, tamper, verified
from tests.sending import Store, record, request


def stored(store: Store, *bodies: str) -> None:
    """Each body in a group of its own, so that each has a link."""
    for body in bodies:
        store.write(request(record(body)))


@pytest.mark.parametrize(
    "change",
    [
        "events = 7",
        "made_at = made_at + interval '1 microsecond'",
        "kind = 'retired'",
        "retention_class = 'log'",
        "covers = replace(covers, '1 0', '2 0')",
        "detail = '{}'",
        "previous = sha256('')",
        "form = 2",
    ],
)
def test_a_changed_link_is_named(store: Store, database: str, change: str) -> None:
    stored(store, "one", "two", "three")
    tamper(database, f"UPDATE audit.digests SET {change} WHERE sequence = 2")
    found = [finding for finding in verified(database).findings if finding.kind == "link_changed"]
    assert (found[0].chain, found[0].sequence) == (1, 2)


def test_a_link_written_anew_no_longer_fits_the_next(store: Store, database: str) -> None:
    stored(store, "one", "two", "three")
    tamper(database, "UPDATE audit.digests SET digest = sha256('forged') WHERE sequence = 2")
    found = [(finding.kind, finding.sequence) for finding in verified(database).findings]
    assert found == [("link_changed", 2), ("link_changed", 3)]


def test_a_link_that_says_nonsense_is_named_and_the_others_are_read(store: Store, database: str) -> None:
    stored(store, "one", "two")
    tamper(database, "UPDATE audit.digests SET covers = 'x' WHERE sequence = 1")
    assert ("link_changed", 1) in [(finding.kind, finding.sequence) for finding in verified(database).findings]


def test_links_removed_from_the_middle_are_named(store: Store, database: str) -> None:
    stored(store, "one", "two", "three", "four")
    tamper(database, "DELETE FROM audit.digests WHERE sequence IN (2, 3)")
    first = verified(database).findings[0]
    assert (first.kind, first.text) == ("link_missing", "chain 1: links 2 to 3 are gone")


def test_links_removed_from_the_beginning_are_named(store: Store, database: str) -> None:
    stored(store, "one", "two")
    tamper(database, "DELETE FROM audit.digests WHERE sequence = 1")
    first = verified(database).findings[0]
    assert (first.kind, first.text) == ("link_missing", "chain 1: link 1 is gone")


def test_a_forged_checkpoint_does_not_hide_removed_links(store: Store, database: str) -> None:
    stored(store, "one", "two")
    tamper(
        database,
        """INSERT INTO audit.digest_checkpoints SELECT chain, sequence, period, digest FROM audit.digests
        WHERE sequence = 1""",
        "DELETE FROM audit.digests WHERE sequence = 1",
    )
    assert "link_missing" in verified(database).kinds


def test_a_chain_cut_with_its_events_and_leaves_is_found_by_heads_kept_elsewhere(store: Store, database: str) -> None:
    stored(store, "one", "two", "three")
    kept = clean(database, 3).heads
    table = f"audit.leaves_{partition('default', 0)[7:]}"
    tamper(
        database,
        "DELETE FROM audit.events_default WHERE message <> 'one'",
        f"DELETE FROM {table} WHERE sequence > 1",
        "DELETE FROM audit.digests WHERE sequence > 1",
    )
    clean(database, 1)
    [found] = verified(database, against=kept).findings
    assert (found.kind, found.chain, found.sequence) == ("chain_cut", 1, 3)


def test_a_chain_written_anew_is_found_by_heads_kept_elsewhere(store: Store, database: str) -> None:
    stored(store, "one", "two")
    kept = clean(database).heads
    other = Heads(kept.made_at, {1: (2, bytes(32))})
    assert verified(database, against=kept).findings == []
    assert verified(database, against=other).kinds == ["chain_cut"]


def test_heads_of_a_chain_that_has_grown_since_are_still_there(store: Store, database: str) -> None:
    stored(store, "one")
    kept = clean(database).heads
    stored(store, "two", "three")
    assert verified(database, against=kept).findings == []
