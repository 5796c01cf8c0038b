"""Events of archives brought back into a table that audit.events shows, and taken out of it again."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
from psycopg import sql

from exporter.errors import RetentionError
from exporter.store.archive import files, incoming
from exporter.store.archive.content import columns
from exporter.store.archive.files import Content
from exporter.store.archive.manifest import Manifest, manifests
from exporter.store.archive.place import Place
from exporter.store.forget import Order, Recogniser
from exporter.store.integrity.form import LEAF
from exporter.store.queries import query
from exporter.store.retention import journal
from exporter.store.retention.holds import refuse_held
from exporter.store.retention.owner import alone, as_owner
from exporter.store.session import Connection

_PACKAGE = __package__
_NAME = "auditgraf archive"


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open range of time, in UTC."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Loaded:
    """An archive of which events were restored; `events` does not count those that were here already.

    `forgotten`: events by the order under which they were pseudonymised on the way; the archive still has the persons.
    """

    name: str
    events: int
    forgotten: Mapping[int, int]


def parse_period(text: str) -> Period:
    """'2026-01-01..2026-01-31' (whole days, both included) or moments, 'FROM..TO' (TO excluded); without a zone: UTC.

    Raises RetentionError that says what to write.
    """
    parts = text.split("..")
    if len(parts) != 2:
        raise RetentionError(f"{text!r} is no range of time; write FROM..TO, e.g. 2026-01-01..2026-01-31")
    since, until = _moment(parts[0], last=False), _moment(parts[1], last=True)
    if since >= until:
        raise RetentionError(f"{text!r} ends before it begins; write the earlier time first")
    return Period(since, until)


def restore(url: str, place: Place, period: Period, *, by: str) -> Generator[Loaded]:
    """Brings back what archives have of a range of time, an archive a transaction; yields each as it is there.

    `url`: the owner's. What is there already (held, in its partition, restored before) is not brought back twice.
    Persons who were forgotten after an archive was written have the pseudonym of their order in what comes back.
    Raises RetentionError for an archive that is not what was written: nothing of that one is restored.
    """
    with as_owner(url, _NAME) as connection, alone(url, _NAME) as mine:
        if not mine:
            raise RetentionError("a run of retention is under way; try again when it has ended")
        known = {column.name for column in columns(connection)}
        for name, manifest in manifests(place, period.since, period.until):
            with connection.transaction():
                loaded = _load(connection, place, name, manifest, period, known)
                if loaded.events:
                    _note(connection, place, loaded, period, by)
            yield loaded


def unload(url: str, period: Period | None, *, by: str) -> int:
    """Removes restored events, of a range of time or all (None); how many. The archives stay as they are.

    Raises RetentionError where a hold keeps any of them; then none is removed.
    """
    since, until = (None, None) if period is None else (period.since, period.until)
    with as_owner(url, _NAME) as connection, connection.transaction():
        refuse_held(connection, since, until)
        row = connection.execute(query("unload", _PACKAGE), {"since": since, "until": until}).fetchone()
        removed = int(row[0]) if row else 0
        connection.execute(query("read_summaries_again", "exporter.store.retention"))
        message = f"{removed} restored events removed"
        journal.note(connection, "archive.unloaded", message, actor=by, target=("archive", "restored_events"))
        return removed


def _load(
    connection: Connection, place: Place, name: str, manifest: Manifest, period: Period, known: set[str]
) -> Loaded:
    of, content, restored = manifest.event_columns(), Content(), 0
    shared = [column.name for column in of if column.name in known]
    inserting = sql.SQL(query("restore_lines", _PACKAGE)).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, shared)),
        values=sql.SQL(", ").join(map(_value, shared)),
        leaf=LEAF,
    )
    values = {"retention_class": manifest.retention_class, "archive": name}
    values |= {"since": period.since.isoformat(), "until": period.until.isoformat()}
    origin = {**values, "location": place.location, "sha256": manifest.sha256}
    _check_dropped(connection, origin)
    incoming.prepare(connection)
    recogniser = Recogniser(connection, manifest.created_at, manifest.forget_orders)
    forgotten: dict[int, int] = {}
    connection.execute(query("read_in_full", "exporter.store.retention"), (manifest.range_start,))
    for some in files.read(place, manifest.sources.name, of):
        for line in some:
            connection.execute(query("restore_source", _PACKAGE), (line,))
    for file in manifest.files:
        place.check(file.stored)
        for some in files.read(place, file.name, of):
            content.add(some)
            incoming.take_in(connection, some)
            for order in _recognised(recogniser, some):
                forgotten[order.id] = forgotten.get(order.id, 0) + incoming.forget(connection, order)
            events, leaves = connection.execute(inserting, values).fetchone() or (0, None)
            if events:
                connection.execute(query("seal_restored", _PACKAGE), {**origin, "leaves": leaves})
            restored += events
    if (content.events, content.sha256) != (manifest.events, manifest.sha256):
        raise RetentionError(
            f"archive {place.location}: {name}: its events are not those that were written (SHA-256 "
            f"{content.sha256} instead of {manifest.sha256}); nothing of it is restored"
        )
    return Loaded(name, restored, forgotten)


def _note(connection: Connection, place: Place, loaded: Loaded, period: Period, by: str) -> None:
    journal.note(
        connection,
        "archive.restored",
        f"{loaded.events} events restored from {place.location}: {loaded.name}",
        actor=by,
        target=("archive", loaded.name),
        attributes={
            "archive.location": place.location,
            "archive.events": loaded.events,
            "archive.from": period.since.isoformat(),
            "archive.to": period.until.isoformat(),
        },
    )


def _check_dropped(connection: Connection, origin: Mapping[str, str]) -> None:
    """Raises RetentionError where a partition was dropped for an archive of this name, and this is not that one."""
    known = [sha256 for (sha256,) in connection.execute(query("dropped_for", _PACKAGE), origin)]
    if known and origin["sha256"] not in known:
        raise RetentionError(
            f"archive {origin['location']}: {origin['archive']} is not what its partition was dropped for: its SHA-256 "
            f"is {origin['sha256']}, and was {known[-1]}; nothing of it is restored. Find out who wrote it, and put a "
            "backup of the original in its place"
        )


def _recognised(recogniser: Recogniser, some: pl.Series) -> list[Order]:
    if not recogniser:
        return []
    return [Order(number, pseudonym, names) for (number, pseudonym), names in recogniser.names(some).items()]


def _value(name: str) -> sql.Composed:
    column = sql.Identifier("event", name)
    if name == "source_id":
        return sql.SQL("coalesce(source.ours, {})").format(column)
    return sql.SQL("{}").format(column)


def _moment(text: str, *, last: bool) -> datetime:
    text = text.strip()
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            moment = datetime.combine(date.fromisoformat(text), time(), UTC)
            return moment + timedelta(days=1) if last else moment
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise RetentionError(f"{text!r} is no time; write e.g. 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
