"""Whether retention does its work: when it last ran well, what failed, what is overdue, where archives go, holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from collector.config import Config
from collector.doctor.finding import TIMEOUT_S, Finding, first_line
from collector.doctor.sessions import Connection
from collector.retention import place
from exporter.errors import RetentionError
from exporter.store.queries import query

_CHECK = "retention job"
_RUN = "run auditgraf retention run, and look at what it says"
# A run may take its time where it archives; and where cron runs it, a day may pass.
_LEAST_PATIENCE = timedelta(hours=3)
_DAILY = timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class _State:
    """The row of audit.retention_state, and PostgreSQL's time."""

    migrated_at: datetime
    last_started_at: datetime | None
    last_done_at: datetime | None
    last_outcome: str | None
    last_detail: str | None
    overdue: int
    overdue_since: datetime | None
    retiring: int
    holds: int
    oldest_hold_at: datetime | None
    holds_of_everything: int
    superseded_archives: int
    now: datetime


def findings(connection: Connection, config: Config) -> Iterator[Finding]:
    """The job, what is overdue, the archives' place, holds. `connection`: the owner's or the reader's."""
    row = connection.execute(query("retention_state", __package__)).fetchone()
    assert row is not None
    state = _State(*row)
    yield from _job(connection, state, config)
    yield from _overdue(state)
    yield from _half_detached(connection)
    yield from _archive(state, config)
    yield from _holds(state)


def _job(connection: Connection, state: _State, config: Config) -> Iterator[Finding]:
    every = config.retention_job.every
    patience = _DAILY if every is None else max(3 * every, _LEAST_PATIENCE)
    if state.last_outcome == "failed":
        failed = [row[0] for row in connection.execute(query("retention_failures", __package__))]
        text = f"the last run failed: {state.last_detail}" + "".join(f"; {each}" for each in failed)
        yield Finding(_CHECK, "warning", text, f"see to it; {_RUN}")
    elif state.last_done_at is None and state.now - state.migrated_at < patience:
        yield Finding(_CHECK, "ok", "has not run yet: a collector with the owner's URL runs it when it starts")
    elif state.last_done_at is None or state.now - state.last_done_at > patience:
        when = "never" if state.last_done_at is None else f"last on {state.last_done_at:%Y-%m-%d %H:%M} UTC"
        remedy = "let a collector with AUDITGRAF_DATABASE_URL, the compose service or cron run it: docs/retention.md"
        yield Finding(_CHECK, "warning", f"it ran to its end {when}", remedy)
    else:
        yield Finding(_CHECK, "ok", f"ran to its end on {state.last_done_at:%Y-%m-%d %H:%M} UTC")


def _overdue(state: _State) -> Iterator[Finding]:
    check = "expired partitions"
    if state.retiring:
        text = f"{state.retiring} are detached and not dropped: a run was interrupted"
        yield Finding(check, "warning", text, f"the next run goes on; {_RUN}")
    if state.overdue and state.holds_of_everything:
        yield Finding(check, "ok", f"{state.overdue} are kept by a hold of every event")
    elif state.overdue:
        text = f"{state.overdue} are still there, the oldest expired on {state.overdue_since:%Y-%m-%d} UTC"
        yield Finding(check, "warning", text, _RUN)
    elif not state.retiring:
        yield Finding(check, "ok", "none is left")


def _half_detached(connection: Connection) -> Iterator[Finding]:
    for name, parent, start, end in connection.execute(query("half_detached", __package__)):
        yield Finding(
            "half-detached partitions",
            "problem",
            f"somebody began to detach {name} and did not end it: its events are out of sight, and none can be stored "
            "beside them",
            f"wait, if the ALTER TABLE is under way still (pg_stat_activity shows it); else, as auditgraf_owner: ALTER "
            f"TABLE audit.{parent} DETACH PARTITION audit.{name} FINALIZE; ALTER TABLE audit.{parent} ATTACH PARTITION "
            f"audit.{name} FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')",
        )


def _archive(state: _State, config: Config) -> Iterator[Finding]:
    check = "archive"
    if config.archive.to is None:
        yield Finding(check, "ok", "not set: expired partitions are dropped without one")
        return
    try:
        where = place(config, patience_s=TIMEOUT_S)
        assert where is not None
        where.probe()
    except RetentionError as failure:
        remedy = "make the place reachable and writable for who runs retention; until then nothing expires"
        yield Finding(check, "problem", first_line(failure), remedy)
        return
    if state.superseded_archives:
        text = f"{state.superseded_archives} archives that were rewritten are still there beside those in their place"
        yield Finding(check, "warning", text, f"the next run that archives removes them; {_RUN}")
    yield Finding(check, "ok", f"{config.archive.to}: a file was written there and removed")


def _holds(state: _State) -> Iterator[Finding]:
    if state.oldest_hold_at is None:
        yield Finding("holds", "ok", "none is in force")
        return
    text = f"{state.holds} in force, the oldest since {state.oldest_hold_at:%Y-%m-%d}"
    if state.holds_of_everything:
        text += "; one keeps every event, and nothing is dropped"
    yield Finding("holds", "ok", text)
