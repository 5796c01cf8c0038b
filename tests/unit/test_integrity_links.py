"""Links computed anew, and the file that keeps the heads of chains elsewhere."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from exporter.errors import ConfigError
from exporter.store.integrity import Heads, parse_heads
from exporter.store.integrity.link import FIRST, Cover, Link, parse_covers

LINK = Link(
    chain=3,
    sequence=17,
    period=date(2026, 11, 1),
    made_at=datetime(2026, 11, 23, 0, 10, 23, 751542, tzinfo=UTC),
    kind="stored",
    retention_class="default",
    events=2,
    covers=f"1 2026-11-23 2 0 {'ab' * 32}\n9 - 0 1 {'cd' * 32}",
    detail=None,
    form=1,
    previous=FIRST,
    digest=FIRST,
)


def test_a_digest_is_over_the_one_before_and_a_line_for_each_column() -> None:
    lines = f"1\n3\n17\n2026-11-01\n1795392623751542\nstored\ndefault\n2\n\n{LINK.covers}"
    assert LINK.computed() == hashlib.sha256(bytes(32) + lines.encode()).digest()


@pytest.mark.parametrize(
    "change",
    [
        {"chain": 4},
        {"sequence": 18},
        {"period": date(2026, 12, 1)},
        {"made_at": datetime(2026, 11, 23, 0, 10, 23, 751543, tzinfo=UTC)},
        {"kind": "held"},
        {"retention_class": "log"},
        {"events": 3},
        {"covers": ""},
        {"detail": "{}"},
        {"previous": hashlib.sha256(b"").digest()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_column_changes_the_digest(change: dict[str, object]) -> None:
    assert replace(LINK, **change).computed() != LINK.computed()  # type: ignore[arg-type]


def test_covers_are_read_by_line() -> None:
    assert parse_covers(LINK.covers) == (
        Cover(1, date(2026, 11, 23), 2, 0, "ab" * 32),
        Cover(9, None, 0, 1, "cd" * 32),
    )
    assert parse_covers("") == ()


@pytest.mark.parametrize(
    "text", ["x", "1 2026-11-23 2 0", "1 2026-13-23 2 0 ab", "a 2026-11-23 2 0 ab", "1 - 2 0 ab cd"]
)
def test_covers_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_covers(text)


@pytest.mark.parametrize(
    "change",
    [
        {"events": 3},
        {"kind": "retired", "chain": 0},
        {"kind": "unsealed", "chain": 0},
        {"chain": 0},
        {"kind": "sealed_late"},
        {"kind": "no kind"},
        {"covers": f"1 2026-11-23 2 1 {'ab' * 32}"},
        {"kind": "pseudonymised", "chain": 0, "covers": f"1 2026-11-23 2 1 {'ab' * 32}"},
        {"kind": "released", "chain": 0, "covers": f"1 2026-11-23 2 0 {'ab' * 32}"},
        {"kind": "restored", "chain": 0},
        {"kind": "restored", "chain": 0, "events": 0, "covers": f"1 - 0 2 {'ab' * 32}"},
        {"kind": "unloaded", "chain": 0, "covers": f"1 - 2 0 {'ab' * 32}"},
        {"kind": "retiring", "chain": 0},
        {"kind": "taken_back", "chain": 0},
        {"detail": f"\n9 - 0 1 {'cd' * 32}"},
        {"retention_class": "default\n2"},
    ],
    ids="+".join,
)
def test_what_no_link_of_a_kind_says_is_refused(change: dict[str, object]) -> None:
    link = replace(LINK, covers=f"1 2026-11-23 2 0 {'ab' * 32}")
    assert len(link.parts()) == 1
    with pytest.raises((ValueError, KeyError), match=r"."):
        replace(link, **change).parts()  # type: ignore[arg-type]


def test_a_detail_that_is_no_json_says_nothing() -> None:
    assert replace(LINK, detail='{"order": 7}').told() == {"order": 7}
    assert replace(LINK, detail="{").told() is None


def test_heads_are_read_as_they_were_written() -> None:
    heads = Heads(datetime(2026, 11, 23, tzinfo=UTC), {0: (4, bytes(32)), 33: (1, hashlib.sha256(b"").digest())})
    assert Heads.parse(heads.text(), "heads.json") == heads


def test_all_heads_in_a_log_are_read_and_a_broken_one_is_named_with_its_line() -> None:
    first = Heads(datetime(2026, 11, 23, tzinfo=UTC), {0: (4, bytes(32))})
    second = Heads(datetime(2026, 11, 24, tzinfo=UTC), {0: (9, bytes(32)), 7: (1, bytes(32))})
    log = f"something\nINFO heads of the chains: {first.line()}\n\nINFO heads of the chains: {second.line()}\n"
    assert parse_heads(log, "collector.log") == (first, second)
    assert parse_heads(first.text(), "heads.json") == (first,)
    with pytest.raises(ConfigError, match=r"^collector.log:4: chains\.1\.chain: .*; give a file"):
        parse_heads(log.replace('"chain":7', '"chain":70'), "collector.log")
    with pytest.raises(ConfigError, match=r"^empty.log: the file: .*or a log of a collector"):
        parse_heads("nothing of the kind\n", "empty.log")


HEAD = '{"chain": 1, "sequence": 2, "digest": "' + "00" * 32 + '"}'
BROKEN = {
    "the file": "nonsense",
    "version": '{"version": 2, "made_at": "2026-11-23T00:00:00Z", "chains": []}',
    "made_at": '{"version": 1, "made_at": "2026-11-23T00:00:00", "chains": []}',
    "chains.0.digest": '{"version": 1, "made_at": "2026-11-23T00:00:00Z", "chains": ['
    + HEAD.replace("00", "0g")
    + "]}",
    "chains.0.chain": '{"version": 1, "made_at": "2026-11-23T00:00:00Z", "chains": ['
    + HEAD.replace("1,", "34,")
    + "]}",
    "extra": '{"version": 1, "made_at": "2026-11-23T00:00:00Z", "chains": [], "extra": 1}',
    "twice": '{"version": 1, "made_at": "2026-11-23T00:00:00Z", "chains": [' + HEAD + "," + HEAD + "]}",
}


@pytest.mark.parametrize(("place", "text"), BROKEN.items(), ids=list(BROKEN))
def test_a_file_that_is_none_is_refused_with_its_name_and_the_place(place: str, text: str) -> None:
    with pytest.raises(ConfigError, match=r"heads\.json") as refused:
        Heads.parse(text, "heads.json")
    assert place in str(refused.value)
    assert "--heads" in str(refused.value)
