"""The job: partitions ahead, expired ones retired, released holds let go; every step recorded, one run at a time."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import psycopg

from exporter.durations import format_duration
from exporter.errors import AuditgrafError, RetentionError
from exporter.store.queries import query
from exporter.store.retention import clock, journal
from exporter.store.retention.holds import active, let_go
from exporter.store.retention.owner import alone, as_owner
from exporter.store.retention.partitions import Partition, detach, ensure_ahead, partitions, users
from exporter.store.retention.policy import Policy
from exporter.store.retention.refusal import exhausted, in_the_way
from exporter.store.retention.retire import (
    Archiver,
    Gone,
    Leftover,
    all_of_it,
    expired,
    finish,
    forget_leftover,
    leftovers,
    retire,
    take_back,
)
from exporter.store.session import Connection

log = logging.getLogger(__name__)
_PACKAGE = __package__
# After each detach whoever writes looks the partitions up anew, which takes about as long as the drop: rests of three
# times as long keep the 99th percentile of writers within twice what it is without drops.
_REST = 3
_LONGEST_REST_S = 3.0
_DOUBTED = "PostgreSQL's clock is not believed"
Action = Literal["created", "dropped", "kept", "failed", "archived"]


@dataclass(frozen=True, slots=True)
class Step:
    """What was done with one partition, or why nothing was."""

    action: Action
    retention_class: str | None = None
    partition: str | None = None
    events: int | None = None
    bytes: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A run. `done` False: another one was under way, so this one did nothing."""

    steps: tuple[Step, ...] = ()
    done: bool = True

    @property
    def failures(self) -> list[Step]:
        return [step for step in self.steps if step.action == "failed"]


def run(
    url: str,
    writer_url: str,
    policy: Policy,
    *,
    archiver: Archiver | None = None,
    clock_is_right: bool = False,
    announced: bool = True,
    report: Callable[[Step], None] = lambda step: None,
) -> Report:
    """Does what is due. `url`: the owner's; `report` gets each step as it is done.

    `announced` False leaves it to the caller to store the audit events of what was done, or to the next run.
    What fails for one partition is a step of the report, and the others go on. Raises StoreUnavailableError where
    PostgreSQL goes away, RetentionError where nothing can be done at all; the next run goes on where this one ended.
    """
    with as_owner(url) as connection, alone(url) as mine:
        if not mine:
            return Report(done=False)
        current = _Run(connection, report)
        try:
            current.do(policy, archiver, clock_is_right)
        except (AuditgrafError, psycopg.Error) as failure:
            current.end(str(failure))
            raise
        current.end(None)
        if announced:
            journal.announce(connection, writer_url)
        return Report(tuple(current.steps))


@dataclass(slots=True)
class _Run:
    connection: Connection
    report: Callable[[Step], None]
    id: int = 0
    steps: list[Step] = field(default_factory=list)
    # Who used a whole class when one of its partitions could not go: until they end, none of the others can.
    busy: dict[str, set[tuple[int, str]]] = field(default_factory=dict)

    def do(self, policy: Policy, archiver: Archiver | None, clock_is_right: bool) -> None:
        row = self.connection.execute(
            query("begin_run", _PACKAGE), (f"{socket.gethostname()}/{os.getpid()}",)
        ).fetchone()
        assert row is not None
        self.id = row[0]
        moment = clock.now(self.connection)
        self._apply(policy, moment)
        doubt = None if clock_is_right else clock.doubt(self.connection, moment)
        if doubt is None:
            self.connection.execute(query("believe_clock", _PACKAGE), (self.id,))
        else:
            # Of no partition: somebody has to see it before all of them are overdue.
            self._failed(None, None, doubt, moment)
        self._go_on(moment, doubt, archiver)
        self._retire(moment, doubt, archiver)
        if doubt is None:
            self._let_go(policy)
            self.connection.execute(query("forget_old_runs", _PACKAGE))

    def end(self, failure: str | None) -> None:
        """Records how the run ended, unless PostgreSQL is away: then the next run does."""
        if self.connection.closed or not self.id:
            return
        failed = [step for step in self.steps if step.action == "failed"]
        detail = failure or (f"{len(failed)} of {len(self.steps)} steps failed" if failed else None)
        counts = {
            action: sum(step.action == action for step in self.steps) for action in ("created", "dropped", "kept")
        }
        told = (
            ", ".join(f"{count} partitions {action}" for action, count in counts.items() if count) or "nothing was due"
        )
        with self.connection.transaction():
            outcome = "failed" if detail else "done"
            values = {"run_id": self.id, "outcome": outcome, "detail": detail}
            self.connection.execute(query("end_run", _PACKAGE), values)
            journal.note(
                self.connection,
                "retention.run",
                f"retention: {told}" + (f"; {detail}" if detail else ""),
                outcome="failure" if detail else "success",
                target=("retention_run", str(self.id)),
                attributes={f"retention.{action}": count for action, count in counts.items()},
            )

    def _apply(self, policy: Policy, moment: datetime) -> None:
        known: dict[str, timedelta | None] = dict(self.connection.execute(query("classes", _PACKAGE)).fetchall())
        before = {partition.name for partition in partitions(self.connection)}
        for name, keep in {**known, **(policy.durations or {})}.items():
            # What is in the way of one class keeps neither the others nor what has expired from their turn.
            with self._recorded(name, None):
                if name not in known:
                    with self.connection.transaction():
                        self.connection.execute(query("ensure_class"), (name, keep))
                elif keep != known[name]:
                    self._set_duration(name, keep, known[name])
                ensure_ahead(self.connection, name, moment, policy.days_ahead)
        for made in partitions(self.connection):
            if made.name not in before:
                self._add(Step("created", made.retention_class, made.name), moment)

    def _set_duration(self, name: str, keep: timedelta | None, was: timedelta | None) -> None:
        now, before = format_duration(keep), format_duration(was)
        with self.connection.transaction():
            self.connection.execute(query("set_duration", _PACKAGE), {"class": name, "keep": keep})
            journal.note(
                self.connection,
                "retention.duration_changed",
                f"class {name} is kept {now} now, and was kept {before}",
                target=("retention_class", name),
                attributes={"retention.keep": now, "retention.kept_before": before},
            )

    def _go_on(self, moment: datetime, doubt: str | None, archiver: Archiver | None) -> None:
        for leftover in leftovers(self.connection):
            partition = leftover.partition
            with self._recorded(partition.retention_class, partition.name) as started:
                if leftover.attached or not leftover.present:
                    forget_leftover(self.connection, leftover)
                elif doubt is not None:
                    self._add(Step("kept", partition.retention_class, partition.name, detail=_DOUBTED), started)
                elif (reason := self._wanted_back(leftover, moment, archiver)) is not None:
                    detach(self.connection, partition.retention_class, partition.name, partition.relation)
                    take_back(self.connection, partition)
                    detail = f"attached again: {reason}"
                    self._add(Step("kept", partition.retention_class, partition.name, detail=detail), started)
                else:
                    self._dropped(partition, finish(self.connection, partition, leftover.archived_events), started)

    def _wanted_back(self, leftover: Leftover, moment: datetime, archiver: Archiver | None) -> str | None:
        if not leftover.partition.expired(moment):
            return "its class is kept longer now"
        if everything := all_of_it(active(self.connection)):
            return f"hold {everything.id} keeps every event"
        if archiver is not None and leftover.archived_events is None:
            return "it has no archive, and is to have one now"
        return None

    def _retire(self, moment: datetime, doubt: str | None, archiver: Archiver | None) -> None:
        failed = {step.partition for step in self.steps if step.action == "failed"}
        waiting: Counter[str] = Counter()
        for partition in expired(partitions(self.connection), moment):
            if partition.name in failed:
                continue  # it could not be finished above
            if self.busy.get(partition.retention_class, set()) & users(self.connection, partition.retention_class):
                waiting[partition.retention_class] += 1
                continue
            with self._recorded(partition.retention_class, partition.name) as started:
                everything = all_of_it(active(self.connection))
                held = f"hold {everything.id} keeps every event" if everything else None
                if doubt is not None or held is not None:
                    step = Step("kept", partition.retention_class, partition.name, partition.events, partition.bytes)
                    self._add(_because(step, held or _DOUBTED), started)
                    continue
                archived = None
                if archiver is not None:
                    archived = archiver.store(self.connection, partition)
                    if archived.fresh:
                        size = (archived.events, archived.bytes)
                        place = (partition.retention_class, partition.name)
                        self._add(Step("archived", *place, *size, detail=archived.manifest), started)
                began = time.monotonic()
                self._dropped(partition, retire(self.connection, partition, archived), started)
                time.sleep(min(_REST * (time.monotonic() - began), _LONGEST_REST_S))
        for name, count in waiting.items():
            self._failed(name, None, f"{count} more expired partitions are in use by the same transaction", moment)

    def _let_go(self, policy: Policy) -> None:
        with self._recorded(None, None) as started:
            for name, count in let_go(self.connection).items():
                self._add(Step("dropped", name, events=count, detail="held before, and released"), started)
        if policy.rollups is None:
            return
        with self._recorded(None, None) as started:
            row = self.connection.execute(query("drop_expired_rollups", _PACKAGE), (policy.rollups,)).fetchone()
            if row is not None and row[0]:
                self._add(Step("dropped", detail=f"{row[0]} month{'s' * (row[0] > 1)} of counts"), started)

    def _dropped(self, partition: Partition, gone: Gone, started: datetime) -> None:
        details = [] if gone.exact else ["about so many events"]
        details += [f"{gone.held} events are held"] if gone.held else []
        step = Step("dropped", partition.retention_class, partition.name, gone.events, gone.bytes)
        self._add(_because(step, "; ".join(details) or None), started)

    @contextmanager
    def _recorded(self, retention_class: str | None, partition: str | None) -> Iterator[datetime]:
        """The steps of one partition: what fails is one of them, unless PostgreSQL is away."""
        started = clock.now(self.connection)
        try:
            yield started
        except (RetentionError, psycopg.Error) as failure:
            if self.connection.closed:
                raise
            if retention_class and partition:
                self.busy[retention_class] = users(self.connection, retention_class)
            self._failed(retention_class, partition, _reason(failure), started)

    def _failed(self, retention_class: str | None, partition: str | None, reason: str, started: datetime) -> None:
        of = partition or retention_class
        log.warning("retention%s failed: %s", f" of {of}" if of else "", reason)
        self._add(Step("failed", retention_class, partition, detail=reason), started)

    def _add(self, step: Step, started: datetime) -> None:
        values = {name: getattr(step, name) for name in ("retention_class", "partition", "action")}
        values |= {"events": step.events, "bytes": step.bytes, "detail": step.detail}
        self.connection.execute(query("add_step", _PACKAGE), {**values, "run_id": self.id, "started_at": started})
        self.steps.append(step)
        self.report(step)


def _reason(failure: Exception) -> str:
    if not isinstance(failure, psycopg.Error):
        return str(failure)
    if (lacking := exhausted(failure)) is not None:
        return lacking
    reason = failure.diag.message_primary or str(failure)
    if in_the_way(failure):
        return f"somebody else's transaction is in the way ({reason}); the next run tries again"
    return reason


def _because(step: Step, detail: str | None) -> Step:
    return Step(step.action, step.retention_class, step.partition, step.events, step.bytes, detail)
