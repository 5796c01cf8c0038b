"""Verification: the chains, then partition by partition, each in one snapshot, while writers go on writing."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime

from psycopg import IsolationLevel, errors

from exporter.errors import AuditgrafError, ConfigError
from exporter.store.integrity import leaves
from exporter.store.integrity.chains import Sealed, Walk
from exporter.store.integrity.finding import Finding, Kind
from exporter.store.integrity.heads import Heads
from exporter.store.integrity.outcome import Outcome, Progress, Scope
from exporter.store.integrity.record import KEPT_FINDINGS, record
from exporter.store.queries import query
from exporter.store.retention import clock, journal
from exporter.store.retention.owner import as_owner
from exporter.store.session import Connection

log = logging.getLogger(__name__)
_PACKAGE = __package__
_NAME = "auditgraf verify"
_TRIES = 3
_ALL = Scope()
_OTHER_WAY = "were inserted by another way than the collector's"


def verify(
    url: str,
    scope: Scope = _ALL,
    *,
    against: Sequence[Heads] = (),
    writer_url: str | None = None,
    found: Callable[[Finding], None] = lambda finding: None,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Outcome:
    """Computes every digest anew and compares. `url`: the owner's; `found` gets each finding as it is made.

    Locks nothing that writers need; retention finds a partition in use while its events are read, and takes it in its
    next run. Leaves a row in audit.verifications and an audit event, `integrity.verified`; without `writer_url`, or
    where the writer can't store it now, the next run of retention stores that. Raises ConfigError for a class that
    there is not, RetentionError, StoreUnavailableError.
    """
    with as_owner(url, _NAME) as connection:
        outcome = _Run(connection, scope, Walk(against), found, progress).do()
        if writer_url is not None:
            try:
                journal.announce(connection, writer_url)
            except AuditgrafError as failure:
                log.warning("the audit event of this verification is stored by the next run of retention: %s", failure)
        return outcome


def seal_late(url: str, report: Callable[[str, date | None, int], None] = lambda name, day, events: None) -> int:
    """Seals the events that were there before there were digests; how many. `report` gets each class's day.

    From then on they are watched. Raises RetentionError, StoreUnavailableError.
    """
    total = 0
    with as_owner(url, _NAME) as connection:
        connection.execute(query("settings", _PACKAGE))
        walk = Walk()
        with _snapshot(connection):
            for _ in walk.begin(connection):
                pass
        for sealed in _live(walk):
            if sealed.unsealed > 0:
                row = connection.execute(query("seal_late", _PACKAGE), (sealed.number,)).fetchone()
                assert row is not None
                report(sealed.retention_class, sealed.day, row[0])
                total += int(row[0])
    return total


@dataclass(slots=True)
class _Run:
    connection: Connection
    scope: Scope
    walk: Walk
    found: Callable[[Finding], None]
    progress: Callable[[Progress], None]
    events: int = 0
    total: int = 0
    partitions: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    first: list[Finding] = field(default_factory=list)
    unsealed: list[tuple[str, date | None, int]] = field(default_factory=list)
    leaving: list[tuple[str, date | None, datetime]] = field(default_factory=list)

    def do(self) -> Outcome:
        self.connection.execute(query("settings", _PACKAGE))
        self._check_scope()
        started_at = clock.now(self.connection)
        self.progress(Progress())
        with _snapshot(self.connection):
            self._add(self.walk.begin(self.connection))
            self._add(self._unsealed_classes())
        live = [sealed for sealed in _live(self.walk) if self.scope.has(sealed.retention_class, sealed.day)]
        self.total = sum(sealed.events for sealed in live)
        for sealed in live:
            self.progress(Progress(self.events, self.total, sealed.retention_class, sealed.day))
            self._partition(sealed)
        self.progress(Progress(self.events, self.total))
        with _snapshot(self.connection):
            self._add(self.walk.extend(self.connection))
            self._add(self._without_leaves())
            self._add(self._unknown_orders())
            self._add(self.walk.archives.forged())
            heads = Heads(clock.now(self.connection), dict(self.walk.heads))
        outcome = self._outcome(started_at, heads)
        record(self.connection, self.scope, outcome, self.kinds, self.first)
        return outcome

    def _outcome(self, started_at: datetime, heads: Heads) -> Outcome:
        return Outcome(
            started_at,
            self.events,
            self.walk.links,
            self.partitions,
            self.kinds.total(),
            heads,
            tuple(self.unsealed),
            {order: events for order, events in self.walk.orders.items() if events},
            self.walk.uncompared,
            self.walk.archives.unproven(),
            tuple(self.leaving),
        )

    def _check_scope(self) -> None:
        """A verification of nothing must not look like one that found nothing."""
        known = sorted(name for (name,) in self.connection.execute(query("classes", _PACKAGE)))
        if self.scope.retention_class not in (None, *known):
            raise ConfigError(f"there is no retention class {self.scope.retention_class}; there are {', '.join(known)}")

    def _add(self, findings: Iterator[Finding]) -> None:
        for finding in findings:
            self.kinds[finding.kind] += 1
            if len(self.first) < KEPT_FINDINGS:
                self.first.append(finding)
            self.found(finding)

    def _partition(self, sealed: Sealed) -> None:
        """Compares one partition; again where it is just being dropped."""
        for attempt in range(_TRIES):
            there = leaves.tables(self.connection, [sealed.number]).get(sealed.number)
            try:
                with _snapshot(self.connection):
                    if there is not None:
                        # Before the snapshot: what is there then stays until its end.
                        leaves.keep(self.connection, there)
                    self._add(self.walk.extend(self.connection))
                    if not sealed.retired:
                        self._compare(sealed, leaves.tables(self.connection, [sealed.number]).get(sealed.number))
                return
            except errors.InsufficientPrivilege as denied:
                names = [] if there is None else [there.partition, there.leaves]
                self._add(self._unreadable(names, denied, sealed.retention_class, sealed.day))
                return
            except (errors.UndefinedTable, errors.LockNotAvailable):
                if attempt == _TRIES - 1:
                    raise

    def _compare(self, sealed: Sealed, found: leaves.Tables | None) -> None:
        if found is None or not found.has_events:
            text = f"the whole partition is gone, {sealed.events} events, and retention did not drop it"
            self._add(iter([_of(sealed, "partition_missing", text)]))
            return
        self.partitions += 1
        if not found.attached and found.retiring and sealed.retiring_since is not None:
            self.leaving.append((sealed.retention_class, sealed.day, sealed.retiring_since))
        elif not found.attached:
            text = f"{found.partition} is no partition of its class any more: audit.events does not show its events"
            if found.retiring:
                text += ", and no link says that retention is about to drop it, though audit.retiring does"
            self._add(iter([_of(sealed, "partition_detached", text)]))
        if not found.has_leaves:
            text = f"the digests of all events of {found.partition} are gone: there is no table {found.leaves}"
            self._add(iter([_of(sealed, "leaves_deleted", text)]))
            return
        allowance = leaves.Allowance(sealed.unsealed, sealed.sealed_late)
        self._add(leaves.check(self.connection, self.walk, sealed, found, allowance))
        self.events += sealed.events
        if allowance.events:
            self.unsealed.append((sealed.retention_class, sealed.day, allowance.events))

    def _unsealed_classes(self) -> Iterator[Finding]:
        for (name,) in self.connection.execute(query("unsealed_classes", _PACKAGE)).fetchall():
            if self.scope.retention_class in (None, name):
                text = f"what is stored in class {name} is not sealed: its trigger is off; run auditgraf migrate"
                yield Finding("sealing_off", text, name)

    def _without_leaves(self) -> Iterator[Finding]:
        """Events of partitions that no link watches: nothing was stored in them by way of their class, or they are said
        to be dropped.
        """
        live = [sealed for sealed in self.walk.sealed.values() if not sealed.retired]
        watched = [sealed.number for sealed in live]
        for name, partition, day, numbers in self.connection.execute(query("attached_partitions", _PACKAGE)).fetchall():
            if not set(watched).isdisjoint(numbers) or not self.scope.has(name, day):
                continue
            try:
                with self.connection.transaction():
                    count = leaves.count_events(self.connection, partition, name)
            except errors.InsufficientPrivilege as denied:
                yield from self._unreadable([partition], denied, name, day)
                continue
            if count:
                dropped = not self.walk.sealed.keys().isdisjoint(numbers)
                what = "should be gone: a link says that retention dropped the partition" if dropped else _OTHER_WAY
                yield Finding("not_sealed", f"all {count} events of {partition} {what}", name, day)
        retiring = [sealed.number for sealed in live if sealed.retiring_since is not None]
        values = {"watched": watched, "retiring": retiring}
        for table, way in ((leaves.HELD, "retention's"), (leaves.RESTORED, "auditgraf archive restore")):
            yield from self._outside(table, way, values)

    def _outside(self, table: str, way: str, values: dict[str, list[int]]) -> Iterator[Finding]:
        what = table.removesuffix("_events")
        try:
            with self.connection.transaction():
                rows = self.connection.execute(query(f"{what}_without_leaves", _PACKAGE), values).fetchall()
        except errors.InsufficientPrivilege as denied:
            yield from self._unreadable([table], denied)
            return
        for name, count in rows:
            if self.scope.has(name, None):
                text = f"{count} {what} events of class {name} were inserted by another way than {way}"
                yield Finding("not_sealed", text, name)

    def _unreadable(
        self, tables: list[str], denied: errors.InsufficientPrivilege, name: str | None = None, day: date | None = None
    ) -> Iterator[Finding]:
        """Of tables that could not be read: whose they are, and how to get them back."""
        foreign = self.connection.execute(query("foreign_owners", _PACKAGE), (tables,)).fetchall()
        for table, role in foreign:
            text = (
                f"{table} can't be read, because it belongs to {role}: find out who has changed that, then ALTER TABLE "
                f"audit.{table} OWNER TO auditgraf_owner"
            )
            yield Finding("unreadable", text, name, day)
        if not foreign:
            text = f"{denied.diag.message_primary}: find out who took that right away, then grant it to auditgraf_owner"
            yield Finding("unreadable", text, name, day)

    def _unknown_orders(self) -> Iterator[Finding]:
        known = {number for (number,) in self.connection.execute(query("orders", _PACKAGE))}
        for order in sorted(self.walk.orders.keys() - known):
            events = self.walk.orders[order]
            text = f"{events} events were changed under order {order} to forget a person, which was never given"
            yield Finding("unfounded", text)


def _of(sealed: Sealed, kind: Kind, text: str) -> Finding:
    return Finding(kind, text, sealed.retention_class, sealed.day)


def _live(walk: Walk) -> list[Sealed]:
    """Partitions that have to be there, the oldest first; held events, which have no day, after them."""
    return sorted(
        (sealed for sealed in walk.sealed.values() if not sealed.retired),
        key=lambda sealed: (sealed.day or date.max, sealed.retention_class, sealed.number),
    )


@contextmanager
def _snapshot(connection: Connection) -> Iterator[None]:
    """All that is read within is of one moment."""
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    try:
        with connection.transaction():
            yield
    finally:
        if not connection.closed:
            connection.isolation_level = connection.read_only = None
