"""Retention beside a collector that serves."""

from __future__ import annotations

import os

import psycopg

from collector.config import load_config
from collector.retention.schedule import start_child
from tests.collector_process import collector, wait_until
from tests.integration.retained import fill, partitions, tables, told
from tests.sending import fetch

HOURLY = {"AUDITGRAF_RETENTION_EVERY": "1h"}
RUNNING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'auditgraf retention' AND datname = current_database()
"""


def test_a_collector_retires_what_is_expired_from_its_start_on(database: str) -> None:
    expired, kept = fill(database, "log", 30), fill(database, "log", 2)
    with collector(database, HOURLY):
        wait_until(lambda: told(database, "retention.run"), "a run has ended")
    assert partitions(database) == [kept]
    assert tables(database, expired) == []


def test_of_two_collectors_one_at_a_time_does_the_work(database: str) -> None:
    expired = fill(database, "log", 30)
    with collector(database, HOURLY), collector(database, HOURLY):
        wait_until(lambda: told(database, "retention.run"), "a run has ended")
        wait_until(lambda: not fetch(database, RUNNING)[0]["count"], "both have ended")
    assert [row["target_id"] for row in told(database, "retention.partition_dropped")] == [expired]


def test_a_collector_that_stops_does_not_wait_for_retention(database: str) -> None:
    fill(database, "log", 30)
    with psycopg.connect(database) as blocking, collector(database, HOURLY) as process:
        blocking.execute("LOCK TABLE audit.retention_runs")
        wait_until(lambda: fetch(database, RUNNING)[0]["count"], "a run is under way")
        assert process.terminate() == 0
    wait_until(lambda: not fetch(database, RUNNING)[0]["count"], "the run has ended with it")


def test_whoever_stores_events_comes_before_retention(database: str) -> None:
    expired = fill(database, "log", 30)
    with psycopg.connect(database) as blocking:
        blocking.execute("LOCK TABLE audit.retention_runs")
        process = start_child(load_config({"AUDITGRAF_DATABASE_URL": database}))
        assert process.pid is not None
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(ours + 10, 19)
    process.join()
    assert process.exitcode == 0
    assert tables(database, expired) == []
