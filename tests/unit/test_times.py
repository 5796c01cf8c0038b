"""When a record happened: its own time where it can be believed, else its arrival."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import times
from exporter.transform import Window
from tests.records import ARRIVAL_NS, NS, event, record, transform
from tests.records import request as request_of

HOUR = 3600 * NS
DAY = 24 * HOUR


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS


def test_the_timestamp_comes_before_the_observed_one_and_both_are_kept_in_nanoseconds() -> None:
    made = event(record(time_unix_nano=ARRIVAL_NS - 7, observed_time_unix_nano=ARRIVAL_NS - 3))
    assert (made["occurred_ns"], made["observed_ns"]) == (ARRIVAL_NS - 7, ARRIVAL_NS - 3)
    assert made["occurred_at"] == "2026-09-21 14:13:19.999999+00"
    assert made["flags"] == set()


def test_the_observed_time_stands_in_for_a_missing_one() -> None:
    made = event(record(time_unix_nano=0, observed_time_unix_nano=ARRIVAL_NS - 3))
    assert (made["occurred_ns"], made["observed_ns"]) == (ARRIVAL_NS - 3, ARRIVAL_NS - 3)
    assert made["flags"] == set()


def test_a_record_without_any_time_is_filed_under_its_arrival() -> None:
    made = event(record(time_unix_nano=0))
    assert (made["occurred_ns"], made["observed_ns"]) == (ARRIVAL_NS, None)
    assert made["occurred_at"] == "2026-09-21 14:13:20.000000+00"
    assert made["received_at"] == "2026-09-21T14:13:20+00:00"
    assert made["flags"] == {"no_timestamp"}
    assert made["attributes"] == {}


@pytest.mark.parametrize(
    "time_ns",
    [
        1,
        NS,
        at("1970-01-02"),
        at("2018-05-01"),
        at("2200-01-01"),
        2**63 - 1,
        2**63,
        2**64 - 1,
        ARRIVAL_NS + DAY + 1,
    ],
)
def test_a_time_outside_the_window_is_filed_under_its_arrival_and_kept(time_ns: int) -> None:
    made = event(record(time_unix_nano=time_ns, observed_time_unix_nano=ARRIVAL_NS - 5))
    assert (made["occurred_ns"], made["observed_ns"]) == (ARRIVAL_NS, ARRIVAL_NS - 5)
    assert made["flags"] == {"bad_timestamp"}
    assert made["attributes"] == {"time_unix_nano": time_ns}


def test_an_observed_time_beyond_bigint_is_kept_as_an_attribute() -> None:
    made = event(record(observed_time_unix_nano=2**64 - 1))
    assert (made["observed_ns"], made["flags"]) == (None, {"bad_timestamp"})
    assert made["attributes"] == {"observed_time_unix_nano": 2**64 - 1}
    assert event(record(observed_time_unix_nano=2**63 - 1))["observed_ns"] == 2**63 - 1


def test_one_record_out_of_time_takes_no_neighbour_along() -> None:
    frame = transform(request_of(record(time_unix_nano=1), record(), record(time_unix_nano=0))).events.frame
    assert frame["flags"].to_list() == ["{bad_timestamp}", "{}", "{no_timestamp}"]
    assert frame["attributes"].to_list() == ['{"time_unix_nano":1}', "{}", "{}"]


@pytest.mark.parametrize(
    ("ahead_ns", "flags"),
    [(300 * NS, set()), (300 * NS + 1, {"clock_skew"}), (DAY, {"clock_skew"}), (DAY + 1, {"bad_timestamp"})],
)
def test_a_clock_that_is_ahead_is_flagged_and_then_not_believed(ahead_ns: int, flags: set[str]) -> None:
    assert event(record(time_unix_nano=ARRIVAL_NS + ahead_ns))["flags"] == flags


@pytest.mark.parametrize(
    ("name", "days"), [("", 7), ("login", 365)], ids=["a log, kept for 7 days", "an event, kept for 365"]
)
def test_the_window_reaches_as_far_back_as_the_records_class_is_kept(name: str, days: int) -> None:
    inside = event(record(time_unix_nano=ARRIVAL_NS - days * DAY, event_name=name))
    outside = event(record(time_unix_nano=ARRIVAL_NS - days * DAY - 1, event_name=name))
    assert (inside["flags"], inside["occurred_ns"]) == (set(), ARRIVAL_NS - days * DAY)
    assert (outside["flags"], outside["occurred_ns"]) == ({"bad_timestamp"}, ARRIVAL_NS)


@pytest.mark.parametrize("past", [timedelta(0), timedelta(hours=1), timedelta(days=30000)])
def test_a_configured_window_holds_for_every_class(past: timedelta) -> None:
    earliest = max(ARRIVAL_NS - past // timedelta(microseconds=1) * 1000, 1)
    window = Window(past=past)
    assert event(record(time_unix_nano=earliest), window=window)["flags"] == set()
    if earliest > 1:
        assert event(record(time_unix_nano=earliest - 1), window=window)["flags"] == {"bad_timestamp"}


@given(st.integers(0, 2**63 // 1000 - 1))
def test_a_moment_reads_as_postgresql_reads_it(us: int) -> None:
    [text] = times.as_text(np.array([us]))
    read = datetime.strptime(text.replace("+00", "+0000"), "%Y-%m-%d %H:%M:%S.%f%z")
    assert (read - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) == us
