"""The job: what goes, what stays, and what it says of it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from collector.config import as_login, as_role
from exporter.errors import RetentionError
from exporter.store.migrate import migrate
from exporter.store.queries import query
from exporter.store.retention import Policy, plan
from tests.conftest import CLASSES
from tests.integration.retained import (
    TODAY,
    command,
    day,
    detach,
    execute,
    fill,
    messages,
    partition,
    partitions,
    pending_detach,
    reading,
    retain,
    steps,
    tables,
    told,
)
from tests.sending import Store, fetch, record, request


def test_what_is_older_than_its_class_is_kept_goes_and_nothing_else(database: str) -> None:
    gone = [fill(database, "log", days) for days in (30, 9)]
    kept = fill(database, "log", 7)
    other = fill(database, "default", 30)
    report = retain(database)
    assert list(steps(report, "dropped")) == gone
    assert partitions(database) == [kept]
    assert partitions(database, "default") == [other]
    assert tables(database, "|".join(gone)) == []
    assert len(messages(database)) == len(messages(database, "default")) == 20


def test_a_partition_stays_until_its_last_moment_is_too_old(database: str) -> None:
    """The day that began seven days and some hours ago has events that are younger than seven days."""
    fill(database, "log", 7)
    fill(database, "log", 8)
    assert list(steps(retain(database), "dropped")) == [partition("log", 8)]


def test_a_class_that_is_kept_for_ever_loses_nothing(database: str) -> None:
    migrate(database, CLASSES | {"legal": None})
    fill(database, "legal", 36_000)
    assert steps(retain(database), "dropped") == {}
    assert len(messages(database, "legal")) == 20


def test_a_shorter_duration_applies_to_what_is_stored(database: str) -> None:
    gone, kept = fill(database, "default", 40), fill(database, "default", 20)
    assert steps(retain(database), "dropped") == {}
    report = retain(database, {"default": timedelta(days=30), "log": None})
    assert list(steps(report, "dropped")) == [gone]
    assert partitions(database, "default") == [kept]
    durations = {row["class"]: row["keep"] for row in fetch(database, "SELECT class, keep FROM audit.retention")}
    assert durations == {"default": timedelta(days=30), "log": None, "security": timedelta(days=730)}


def test_a_longer_duration_saves_what_would_have_gone(database: str) -> None:
    fill(database, "log", 30)
    assert steps(retain(database, {"log": timedelta(days=60)}), "dropped") == {}


def test_a_class_that_is_no_longer_configured_keeps_its_last_duration(database: str) -> None:
    old, young = fill(database, "security", 800), fill(database, "security", 100)
    assert list(steps(retain(database, {"default": None, "log": None}), "dropped")) == [old]
    assert partitions(database, "security") == [young]


def test_a_class_that_is_new_in_the_configuration_gets_its_table(database: str) -> None:
    report = retain(database, {"legal": timedelta(days=3650)}, days_ahead=1)
    assert set(steps(report, "created")) == {partition("legal", ahead) for ahead in (0, -1)}
    assert messages(database, "legal") == []


def test_partitions_are_made_as_far_ahead_as_events_are_accepted(database: str) -> None:
    report = retain(database, days_ahead=12)
    expected = {partition(name, -ahead) for name in CLASSES for ahead in range(4, 13)}
    assert set(steps(report, "created")) == expected
    assert steps(retain(database, days_ahead=12), "created") == {}


def test_each_run_leaves_an_audit_event_and_one_for_each_partition(database: str) -> None:
    gone = fill(database, "log", 30)
    retain(database)
    [run] = told(database, "retention.run")
    assert (run["outcome"], run["retention_class"], run["actor_type"]) == ("success", "default", "system")
    assert run["attributes"]["retention.dropped"] == 1
    [dropped] = told(database, "retention.partition_dropped")
    assert (dropped["target_type"], dropped["target_id"]) == ("partition", gone)
    assert dropped["attributes"]["retention.events"] == 20
    retain(database)
    assert len(told(database, "retention.run")) == 2
    assert len(told(database, "retention.partition_dropped")) == 1


def test_what_could_not_be_announced_is_announced_by_the_next_run_once(database: str) -> None:
    gone = fill(database, "log", 30)
    execute(database, "ALTER TABLE audit.events_default ADD CONSTRAINT closed CHECK (service <> 'auditgraf') NOT VALID")
    with pytest.raises(Exception, match="can't take events now"):
        retain(database)
    assert told(database, "retention.partition_dropped") == []
    execute(database, "ALTER TABLE audit.events_default DROP CONSTRAINT closed")
    retain(database)
    # As if the process had been killed between the commit and the note of it.
    execute(database, "UPDATE audit.journal SET announced_at = NULL")
    retain(database)
    assert [row["target_id"] for row in told(database, "retention.partition_dropped")] == [gone]


def test_the_log_of_runs_is_what_the_reader_sees(database: str) -> None:
    gone = fill(database, "log", 30)
    retain(database, days_ahead=4)
    with psycopg.connect(as_role(database, "auditgraf_reader")) as reader:
        rows = reader.execute(
            "SELECT action, retention_class, partition, events, bytes > 0, finished_at >= started_at "
            "FROM audit.retention_log ORDER BY action DESC, partition"
        ).fetchall()
    assert rows[0] == ("dropped", "log", gone, 20, True, True)
    assert {row[0] for row in rows[1:]} == {"created"}


def test_counts_outlive_their_events(store: Store, database: str) -> None:
    store.write(request(record("counted")))
    execute(database, "SELECT audit.ensure_partitions('default', ARRAY[current_date - 30])")
    volume = "SELECT sum(events)::int AS events FROM audit.volume WHERE service = 'shop'"
    assert fetch(database, volume) == [{"events": 1}]
    # The partition of today is not expired, whatever the duration: its whole range is not past.
    retain(database, {"default": timedelta(hours=1)})
    assert fetch(database, volume) == [{"events": 1}]


def test_counts_go_after_a_time_of_their_own(database: str) -> None:
    execute(database, "SELECT audit.ensure_rollups(ARRAY[current_date, current_date - 800])")
    before = tables(database, "^rollups_p")
    report = retain(database, rollups=timedelta(days=365))
    assert [step.detail for step in report.steps if step.action == "dropped"] == ["1 month of counts"]
    assert tables(database, "^rollups_p") == before[1:]


def test_counts_that_somebody_reads_are_left_for_the_next_run(database: str) -> None:
    execute(database, "SELECT audit.ensure_rollups(ARRAY[current_date - 800])")
    with reading(database, "rollups"):
        [failed] = retain(database, rollups=timedelta(days=365)).failures
    assert "lock" in str(failed.detail)
    assert retain(database, rollups=timedelta(days=365)).failures == []


@pytest.mark.usefixtures("impatient")
def test_a_partition_that_somebody_uses_is_left_and_the_others_go(database: str) -> None:
    busy, free = fill(database, "log", 30), fill(database, "security", 800)
    with reading(database, busy):
        report = retain(database)
    assert list(steps(report, "dropped")) == [free]
    assert "is in use by PostgreSQL's process" in str(steps(report, "failed")[busy].detail)
    assert len(messages(database)) == 20
    [run] = fetch(database, "SELECT outcome FROM audit.retention_runs ORDER BY id DESC LIMIT 1")
    assert run == {"outcome": "failed"}
    assert list(steps(retain(database), "dropped")) == [busy]


def test_nobody_who_writes_or_reads_waits_for_a_partition_in_use(store: Store, database: str) -> None:
    busy = fill(database, "log", 30)
    store.write(request(record("before")))
    with reading(database, busy), psycopg.connect(database) as probe:
        pending_detach(database, busy)
        probe.execute("SET lock_timeout = '1s'")
        assert store.write(request(record("meanwhile"))).stored == 1
        assert probe.execute("SELECT count(*) FROM audit.events").fetchone() == (2,)


def test_a_detach_that_was_interrupted_is_finished_by_the_next_run(database: str) -> None:
    left = fill(database, "log", 30)
    with reading(database, left):
        pending_detach(database, left)
    assert list(steps(retain(database), "dropped")) == [left]
    assert tables(database, left) == []
    assert fetch(database, "SELECT * FROM audit.retiring") == []


@pytest.mark.parametrize("half", [False, True], ids=["detached", "half detached"])
def test_what_an_interrupted_run_had_detached_comes_back_if_it_is_kept_longer_now(database: str, half: bool) -> None:
    left = fill(database, "log", 30)
    if half:
        with reading(database, left):
            pending_detach(database, left)
    else:
        detach(database, left)
    assert messages(database) == []
    report = retain(database, {"log": timedelta(days=60)})
    assert list(steps(report, "kept")) == [left]
    assert partitions(database) == [left]
    assert len(messages(database)) == 20


def test_a_late_event_of_a_day_that_is_on_its_way_out_is_stored_all_the_same(database: str) -> None:
    left = fill(database, "log", 30)
    detach(database, left)
    fill(database, "log", 30, 3)
    assert partitions(database) == [f"{left}_2"]
    assert list(steps(retain(database), "dropped")) == [left, f"{left}_2"]


def test_one_run_at_a_time_in_a_database(database: str) -> None:
    fill(database, "log", 30)
    with psycopg.connect(database) as other:
        other.execute(query("lock", "exporter.store.retention"))
        assert not retain(database).done
        assert len(messages(database)) == 20
    assert retain(database).done


def test_who_can_not_act_as_the_owner_is_told_so(database: str) -> None:
    migrate(database, CLASSES, passwords={"auditgraf_writer": "w"})
    with pytest.raises(RetentionError, match="can't act as auditgraf_owner"):
        retain(as_login(database, "auditgraf_writer", "w"))


def test_an_older_schema_is_refused(database: str) -> None:
    execute(database, "DELETE FROM audit.migrations WHERE version >= 4")
    with pytest.raises(RetentionError, match="run auditgraf migrate"):
        retain(database)


def test_a_class_named_like_a_partition_is_refused(database: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        execute(database, "SELECT audit.ensure_class('log_p20260101', NULL)")


def test_the_plan_says_what_the_run_then_does(database: str) -> None:
    fill(database, "log", 30, 7)
    fill(database, "log", 5)
    made = plan(database, Policy(None, 3), exact=True)
    due = [each for each in made.leaving if each.due]
    assert [(each.partition, each.events, each.exact) for each in due] == [(partition("log", 30), 7, True)]
    later = next(each for each in made.leaving if each.partition == partition("log", 5))
    assert f"{later.goes_at:%Y-%m-%d}" == day(-3)
    assert [each.partition for each in due] == list(steps(retain(database), "dropped"))
    assert not [each for each in plan(database, Policy(None, 3)).leaving if each.due]


def test_the_plan_changes_nothing(database: str) -> None:
    fill(database, "log", 30)
    fetch_all = "SELECT relname, relkind FROM pg_class ORDER BY oid"
    before = fetch(database, fetch_all)
    plan(database, Policy({"log": timedelta(days=1), "fresh": None}, 3))
    assert fetch(database, fetch_all) == before
    assert fetch(database, "SELECT * FROM audit.retention_runs") == []


@pytest.mark.usefixtures("impatient")
def test_the_command_line_plans_and_runs(database: str, tmp_path: Path) -> None:
    expired = fill(database, "log", 3)
    config = tmp_path / "auditgraf.yaml"
    config.write_text("retention: {default: 1y, log: 2d}\naccept: {past: 30d}\n", encoding="utf-8")
    planned = command(database, "retention", "plan", config=config)
    assert f"with the next run\t{expired}\t20" in planned.stdout
    assert "7d until the next run" in planned.stdout
    assert "accept.past (30d) takes events that the next run drops" in planned.stdout
    assert "no longer configured" in planned.stdout
    as_json = json.loads(command(database, "retention", "plan", "--json", config=config).stdout)
    assert as_json["leaving"][0]["partition"] == expired
    done = command(database, "retention", "run", config=config)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"dropped   {expired}  20 events" in done.stdout
    with reading(database, fill(database, "log", 9)):
        failed = command(database, "retention", "run", "--json", config=config)
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["steps"][-1]["action"] == "failed"


def test_today_is_never_dropped(database: str) -> None:
    fill(database, "log", 0)
    report = retain(database, {"log": timedelta(hours=1)})
    assert partition("log", 0) not in steps(report, "dropped")
    assert f"{TODAY:%Y%m%d}" in "".join(tables(database, "^events_log"))


def test_what_runs_did_is_kept_for_a_year(database: str) -> None:
    fill(database, "log", 30)
    retain(database)
    execute(database, "UPDATE audit.retention_runs SET started_at = started_at - interval '364 days'")
    fill(database, "log", 20)
    retain(database, clock_is_right=True)
    assert fetch(database, "SELECT count(*) FROM audit.retention_runs") == [{"count": 2}]
    execute(database, "UPDATE audit.retention_runs SET started_at = started_at - interval '2 days'")
    retain(database, clock_is_right=True)
    assert fetch(database, "SELECT count(*) FROM audit.retention_runs") == [{"count": 2}]
    assert fetch(database, "SELECT count(*) FROM audit.retention_steps WHERE action = 'dropped'") == [{"count": 1}]
