"""What of retention needs no database: its settings, ranges of time, where it runs."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from collector.config import load_config
from collector.retention import place, policy
from collector.retention.schedule import Schedule
from exporter.errors import ConfigError, RetentionError
from exporter.store.archive import parse_period
from exporter.store.archive.content import Column, lines

URL = {"AUDITGRAF_WRITER_DATABASE_URL": "postgresql://auditgraf_writer@127.0.0.1:1/audit"}


def config_file(tmp_path: Path, text: str) -> dict[str, str]:
    file = tmp_path / "auditgraf.yaml"
    file.write_text(text, encoding="utf-8")
    return {"AUDITGRAF_CONFIG": str(file)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("retention:\n  default: 1y\n  log: 0s\n", "{file}:3: retention.log: shorter than an hour; write at least 1h"),
        ("retention:\n  log: 1001y\n", "{file}:2: retention.log: longer than a thousand years; write never"),
        ("rollups: 300000y\n", "{file}:1: rollups: longer than a thousand years; write never"),
        ("retention:\n  log: -1d\n", "{file}:2: retention.log: '-1d' is no duration"),
        ("retention:\n  log: 1d\n  log: 2d\n", "{file}:3: log: given twice"),
        ("retention:\n  log_p20260101: 1d\n", "'log_p20260101' would be a partition's name"),
        ("retention_job:\n  every: 1s\n", "{file}:2: retention_job.every: write a time from 1m to 1d"),
        ("retention_job:\n  every: 2d\n", "{file}:2: retention_job.every: write a time from 1m to 1d"),
        ("archive:\n  to: here\n", "{file}:2: archive.to: 'here' is no place for archives; write an absolute folder"),
        ("archive:\n  to: s3://\n", "{file}:2: archive.to: 's3://' is no place"),
        ("archive:\n  format: zip\n", "{file}:2: archive.format"),
        ("archive:\n  endpoint: http://me:secret@host\n", "{file}:2: archive.endpoint: write http(s)://host:port"),
        ("archive:\n  secret_key: x\n", "{file}:2: archive.secret_key: unknown key"),
    ],
)
def test_policies_and_places_that_can_not_be_are_refused_with_their_line(
    tmp_path: Path, text: str, message: str
) -> None:
    environ = config_file(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        load_config(environ)
    assert message.format(file=environ["AUDITGRAF_CONFIG"]) in str(refused.value)
    assert "secret@" not in str(refused.value)


def test_without_a_file_what_is_in_the_database_stays_in_force() -> None:
    assert policy(load_config({})).durations is None


def test_a_file_that_names_durations_decides_on_all_it_names_and_the_two_that_are_always_there(tmp_path: Path) -> None:
    made = policy(load_config(config_file(tmp_path, "retention: {legal: never}\n")))
    assert made.durations == {"default": timedelta(days=365), "log": timedelta(days=7), "legal": None}


@pytest.mark.parametrize(("future", "days"), [("0s", 3), ("1d", 3), ("36h", 3), ("5d", 7), ("13d", 15)])
def test_partitions_are_made_for_every_day_that_an_event_may_say(tmp_path: Path, future: str, days: int) -> None:
    made = policy(load_config(config_file(tmp_path, f"accept: {{future: {future}}}\n")))
    assert made.days_ahead == days


def test_without_a_place_nothing_is_archived() -> None:
    assert place(load_config({})) is None


def test_a_collector_that_knows_only_the_writer_says_that_retention_runs_elsewhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        schedule = Schedule(load_config(URL))
        schedule.start()
        asyncio.run(schedule.stop())
    assert "AUDITGRAF_DATABASE_URL" in caplog.text
    assert "retention run" in caplog.text


def test_retention_that_something_else_runs_is_not_mentioned(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Schedule(load_config({**URL, "AUDITGRAF_RETENTION_EVERY": "never"})).start()
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026-01-01..2026-01-31", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
        ("2026-01-01..2026-01-01", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        ("2026-01-01T12:00..2026-01-01T13:00:00", "2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z"),
        (" 2026-01-01T12:00+02:00 .. 2026-01-02 ", "2026-01-01T10:00:00Z", "2026-01-03T00:00:00Z"),
    ],
)
def test_a_range_of_time_is_days_that_are_both_meant_or_moments(text: str, since: str, until: str) -> None:
    period = parse_period(text)
    assert period.since == datetime.fromisoformat(since).astimezone(UTC)
    assert period.until == datetime.fromisoformat(until).astimezone(UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "..",
        "2026-01-02..2026-01-01",
        "2026-13-01..2026-13-02",
        "a..b",
        "1..2..3",
        "9999-12-31..9999-12-31",
    ],
)
def test_what_is_no_range_of_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(RetentionError, match=r"write|earlier"):
        parse_period(text)


def test_a_canonical_line_is_json_in_which_nothing_is_lost() -> None:
    columns = [
        Column("id", "uuid"),
        Column("occurred_at", "timestamp with time zone"),
        Column("severity", "smallint"),
        Column("latitude", "double precision"),
        Column("message", "text"),
        Column("attributes", "jsonb"),
        Column("flags", "text[]"),
    ]
    frame = pl.DataFrame(
        {
            "id": ["one", "two"],
            "occurred_at": pl.Series([1, None]).cast(pl.Datetime("us", "UTC")),
            "severity": [9, 0],
            "latitude": [1e-7, None],
            "message": ['a "b"\n\\', None],
            "attributes": ['{"n": 1.10}', "{}"],
            "flags": ['["a", "b"]', "[]"],
        }
    )
    assert lines(frame, columns).to_list() == [
        '{"id":"one","occurred_at":"1970-01-01T00:00:00.000001Z","severity":9,"latitude":1e-7,'
        '"message":"a \\"b\\"\\n\\\\","attributes":{"n": 1.10},"flags":["a", "b"]}',
        '{"id":"two","severity":0,"attributes":{},"flags":[]}',
    ]
