"""A batch that comes out of the spool is the one that went in."""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from collector.batch import Batch
from collector.spool import file
from collector.spool.file import DamagedError
from tests.sending import record, request
from tests.spooling import batch

ODD = 'žluťoučký "quoted", \\ back\nnew line \N{GRINNING FACE}'


def assert_equal(one: Batch, other: Batch) -> None:
    assert one.origins == other.origins
    assert_frame_equal(one.events.frame, other.events.frame)
    assert one.events.occurred_us.tolist() == other.events.occurred_us.tolist()
    assert one.events.retention_class.tolist() == other.events.retention_class.tolist()
    assert one.events.classes == other.events.classes
    assert one.events.received_at == other.events.received_at
    ours, theirs = one.events.arrivals, other.events.arrivals
    assert (ours is None) is (theirs is None)
    if ours is not None and theirs is not None:
        assert_frame_equal(ours, theirs)


@pytest.mark.parametrize(
    "made",
    [
        lambda: batch(request(record("a"))),
        lambda: batch(request(record("a"), record("b", at_ns=0)), request(record(ODD, user__id=ODD), service="till")),
        lambda: batch(request(*(record(f"{number}", at_ns=0) for number in range(300)))),
        lambda: batch(request(record("a", event="")), request(record("years ago", at_ns=10**18))),
    ],
    ids=["one record", "two sources, no time, odd letters", "no times", "classes, an old time"],
)
def test_it_is_the_same_in_every_field(made: Callable[[], Batch]) -> None:
    before = made()
    assert_equal(file.read(file.write(before)), before)


def test_the_first_line_says_how_many_events_there_are() -> None:
    content = file.write(batch(request(record("a"), record("b"))))
    assert file.head(content.partition(b"\n")[0]).events == 2


def test_a_flipped_bit_is_noticed() -> None:
    content = bytearray(file.write(batch(request(record("a")))))
    content[-20] ^= 1
    with pytest.raises(DamagedError, match="SHA-256"):
        file.read(bytes(content))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "can't be read"),
        (b"\x00\xff", "can't be read"),
        (b"{}", "can't be read"),
        (b"[1, 2]", "can't be read"),
        (orjson.dumps({"format": "auditgraf spool", "version": 2, "events": 1, "sha256": ""}), "another release"),
    ],
)
def test_what_is_no_file_of_this_release_is_refused(line: bytes, why: str) -> None:
    with pytest.raises(DamagedError, match=why):
        file.read(line + b"\n")


def test_columns_of_types_that_a_later_polars_may_choose_otherwise_keep_theirs() -> None:
    before = batch(request(record("a")), arrival_ns=time.time_ns())
    after = file.read(file.write(before))
    assert after.events.frame.schema == before.events.frame.schema
    assert after.events.frame["source_id"].dtype == pl.Int32
