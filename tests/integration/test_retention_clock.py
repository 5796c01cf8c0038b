"""Clocks that jump: what is dropped for a wrong one is gone for good, so nothing is."""

from __future__ import annotations

from datetime import timedelta

from tests.integration.retained import execute, fill, partitions, retain, steps
from tests.sending import fetch


def jump(database: str, days: int) -> None:
    """As if all that happened until now had happened so many days ago: the same as a clock that jumped ahead."""
    past = timedelta(days=days)
    execute(database, "UPDATE audit.migrations SET applied_at = applied_at - %s", past)
    execute(database, "UPDATE audit.retention_runs SET started_at = started_at - %s", past)


def test_nothing_is_dropped_when_the_clock_has_jumped(database: str) -> None:
    expired = fill(database, "log", 30)
    jump(database, 400)
    report = retain(database)
    assert steps(report, "dropped") == {}
    assert list(steps(report, "kept")) == [expired]
    [told] = report.failures
    assert "--clock-is-right" in str(told.detail)
    # It stays so: a run that did not believe the clock is no evidence for the next one.
    assert list(steps(retain(database), "kept")) == [expired]


def test_who_knows_that_the_clock_is_right_can_say_so_once(database: str) -> None:
    expired = fill(database, "log", 30)
    jump(database, 400)
    retain(database)
    assert list(steps(retain(database, clock_is_right=True), "dropped")) == [expired]
    later = fill(database, "log", 20)
    assert list(steps(retain(database), "dropped")) == [later]


def test_events_that_arrived_meanwhile_prove_that_time_has_passed(database: str) -> None:
    expired = fill(database, "log", 30)
    jump(database, 6)
    assert list(steps(retain(database), "kept")) == [expired]
    for days in (6, 4, 2, 1):
        fill(database, "default", days)
    assert list(steps(retain(database), "dropped")) == [expired]


def test_events_of_a_sender_that_fill_in_the_past_prove_nothing(database: str) -> None:
    expired = fill(database, "log", 30)
    jump(database, 6)
    for days in range(6):
        fill(database, "default", days)
    execute(database, "UPDATE audit.events_default SET received_at = now()")
    assert list(steps(retain(database), "kept")) == [expired]


def test_a_time_that_was_believed_wrongly_does_not_let_the_clock_jump_there_again(database: str) -> None:
    retain(database)
    retain(database, clock_is_right=True)
    # The second of the runs was three years ahead; the clock has been set right since, and now jumps half as far.
    execute(database, "UPDATE audit.retention_runs SET started_at = started_at + interval '500 days' WHERE id = 2")
    jump(database, 400)
    expired = fill(database, "log", 30)
    assert list(steps(retain(database), "kept")) == [expired]


def test_whoever_looks_after_the_database_sees_that_the_clock_is_not_believed(database: str) -> None:
    fill(database, "log", 30)
    jump(database, 400)
    for _ in range(3):
        retain(database)
    rows = fetch(database, "SELECT partition, action, detail FROM audit.retention_log ORDER BY started_at")
    # What is kept is told once, that the clock is not believed as long as it is not.
    assert [row["action"] for row in rows if row["partition"]] == ["kept"]
    assert len([row for row in rows if row["action"] == "failed" and "--clock-is-right" in row["detail"]]) == 3
    assert [row["outcome"] for row in fetch(database, "SELECT outcome FROM audit.retention_runs")] == ["failed"] * 3


def test_a_clock_that_was_set_back_drops_nothing_early_and_the_job_goes_on(database: str) -> None:
    expired, kept = fill(database, "log", 30), fill(database, "log", 6)
    execute(database, "UPDATE audit.migrations SET applied_at = applied_at + interval '1 hour'")
    assert list(steps(retain(database), "dropped")) == [expired]
    # As if the run before had been an hour later than it is now.
    execute(database, "UPDATE audit.retention_runs SET started_at = started_at + interval '1 hour'")
    again = fill(database, "log", 20)
    assert list(steps(retain(database), "dropped")) == [again]
    assert partitions(database) == [kept]
