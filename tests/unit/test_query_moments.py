"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.query.moments import parse_moment, parse_range, parse_zone
from collector.query.slots import bars, cut

NOW = datetime(2026, 11, 22, 21, 5, 30, tzinfo=UTC)  # a Sunday
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-11-22 22:05:30"),
        ("2h", "2026-11-22 20:05:30"),
        ("1d 6h", "2026-11-21 16:05:30"),
        ("90 minutes ago", "2026-11-22 20:35:30"),
        ("3 Days Ago", "2026-11-19 22:05:30"),
        ("an hour ago", "2026-11-22 21:05:30"),
        ("a week ago", "2026-11-15 22:05:30"),
        ("1 hour and 5 minutes ago", "2026-11-22 21:00:30"),
        ("now-2h", "2026-11-22 20:05:30"),
        ("-2h", "2026-11-22 20:05:30"),
        ("today", "2026-11-22 00:00:00"),
        ("yesterday", "2026-11-21 00:00:00"),
        ("yesterday 10:00", "2026-11-21 10:00:00"),
        ("10:00", "2026-11-22 10:00:00"),
        ("sunday", "2026-11-22 00:00:00"),
        ("last sunday", "2026-11-15 00:00:00"),
        ("monday", "2026-11-16 00:00:00"),
        ("last mon 9:30", "2026-11-16 09:30:00"),
        ("this week", "2026-11-16 00:00:00"),
        ("last week", "2026-11-09 00:00:00"),
        ("this month", "2026-11-01 00:00:00"),
        ("last month", "2026-10-01 00:00:00"),
        ("last year", "2025-01-01 00:00:00"),
        ("2026-11", "2026-11-01 00:00:00"),
        ("2026-11-01", "2026-11-01 00:00:00"),
        ("2026-11-01 10:00", "2026-11-01 10:00:00"),
        ("2026-11-01T10:00:00Z", "2026-11-01 11:00:00"),
        ("2026-11-01 10:00:00.5+05:30", "2026-11-01 05:30:00.500000"),
        ("@1790000000", "2026-09-21 16:13:20"),
        ("2026-10-25", "2026-10-25 00:00:00"),
        ("90min", "2026-11-22 20:35:30"),
        ("2hrs", "2026-11-22 20:05:30"),
        ("two hours ago", "2026-11-22 20:05:30"),
        ("half an hour ago", "2026-11-22 21:35:30"),
        ("last 7 days", "2026-11-15 22:05:30"),
        ("the past 24 hours", "2026-11-21 22:05:30"),
        ("last hour", "2026-11-22 21:05:30"),
        ("past week", "2026-11-15 22:05:30"),
        ("past month", "2026-10-22 22:05:30"),
        ("a month ago", "2026-10-22 22:05:30"),
        ("9 months", "2026-02-22 22:05:30"),
        ("2 days ago 14:00", "2026-11-20 14:00:00"),
        ("two weeks ago at 9am", "2026-11-08 09:00:00"),
        ("yesterday at 14:00", "2026-11-21 14:00:00"),
        ("monday 9am", "2026-11-16 09:00:00"),
        ("on monday", "2026-11-16 00:00:00"),
        ("this monday 9:30 pm", "2026-11-16 21:30:00"),
        ("12am", "2026-11-22 00:00:00"),
        ("yesterday noon", "2026-11-21 12:00:00"),
        ("midnight", "2026-11-22 00:00:00"),
        ("the day before yesterday", "2026-11-20 00:00:00"),
        ("Nov 1", "2026-11-01 00:00:00"),
        ("1st November, 2025 10:00", "2025-11-01 10:00:00"),
        ("24 Dec", "2025-12-24 00:00:00"),
        ("december", "2025-12-01 00:00:00"),
        ("2025", "2025-01-01 00:00:00"),
        ("2026-11-01 10:00 UTC", "2026-11-01 11:00:00"),
        ("2026-11-01 10:00 America/New_York", "2026-11-01 16:00:00"),
        ("yesterday 10:00 utc", "2026-11-21 11:00:00"),
    ],
)
def test_a_time_is_read_as_people_mean_it(text: str, expected: str) -> None:
    assert parse_moment(text, BERLIN, NOW).astimezone(BERLIN).replace(tzinfo=None) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "soon",
            "2026-13-01",
            "25:00",
            "mo",
            "last",
            "10",
            "99999999999y",
            "never",
            "ago",
            "month",
            "13pm",
            "0am",
        ),
        *("14:00pm", "30 feb", "1 nov 2", "11/01/2026", "01.11.2026", "last 14:00"),
        *("UTC", "10:00 Mars/Olympus", "utc utc"),
    ],
)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time; write e\.g\. 2h"):
        parse_moment(text, UTC, NOW)


def test_seconds_since_1970_without_their_mark_are_told_what_to_write() -> None:
    with pytest.raises(ValueError, match="write @1790000000 for seconds since 1970"):
        parse_moment("1790000000", UTC, NOW)


def test_what_the_calendar_does_not_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="write ever"):
        parse_moment("9000y", UTC, NOW)


@given(st.text(max_size=12))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        assert parse_moment(text, UTC, NOW).tzinfo is UTC
    except ValueError as failure:
        assert "write" in str(failure)


def test_ever_is_no_bound() -> None:
    assert parse_range("ever", UTC, NOW) is None
    assert parse_range(" Beginning ", UTC, NOW) is None
    assert parse_range("now", UTC, NOW) == NOW


def test_a_zone_is_a_name_or_this_machines() -> None:
    assert parse_zone(None) is None
    assert parse_zone("local") is None
    assert parse_zone("utc") is UTC
    assert parse_zone("Europe/Berlin") == BERLIN
    assert parse_zone("europe/berlin") == BERLIN
    assert parse_zone("+05:30").utcoffset(NOW) == timedelta(hours=5, minutes=30)  # type: ignore[union-attr]
    for name in ("Mars/Olympus", "../etc/passwd", ""):
        with pytest.raises(ValueError, match="is no time zone"):
            parse_zone(name)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def test_two_days_are_cut_into_hours_and_one_that_comes_twice_is_one() -> None:
    slots = cut(at("2026-10-25"), at("2026-10-26"), BERLIN)
    assert slots.unit == "hour"
    assert len({start.astimezone(UTC) for start in slots.starts}) == 24
    assert slots.starts[0] == at("2026-10-25")


@pytest.mark.parametrize(
    ("since", "until", "unit", "first", "count"),
    [
        ("2026-11-01 15:30", "2026-11-08", "day", "2026-11-01", 7),
        ("2026-10-24", "2026-10-28", "day", "2026-10-24", 4),
        ("2026-08-01", "2026-11-01", "week", "2026-07-27", 14),
        ("2024-01-31", "2026-01-01", "month", "2024-01-01", 24),
        ("1990-01-01", "2026-01-01", "month", "2016-01-01", 120),
    ],
)
def test_longer_times_are_cut_as_the_calendar_is(since: str, until: str, unit: str, first: str, count: int) -> None:
    slots = cut(at(since), at(until), BERLIN)
    assert (slots.unit, slots.starts[0], len(slots.starts)) == (unit, at(first), count)


def test_bars_are_as_high_as_their_part_of_the_greatest_and_seen_where_there_is_one_event() -> None:
    assert bars([0, 1, 500, 1000], ascii_only=False) == " ▁▄█"
    assert bars([0, 1, 1000], ascii_only=True) == " .@"
    assert bars([0, 0], ascii_only=False) == "  "
