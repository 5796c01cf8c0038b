"""Follows events by LISTEN: each committed group announces itself (exporter/store/queries.sql, notify)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from uuid import UUID

import psycopg
from psycopg import errors, sql
from psycopg.rows import dict_row
from rich.console import Console

from collector.printable import printable
from collector.reading import Connection, connect, explained, first_line
from collector.tail.filter import TailFilter
from collector.tail.line import Event
from collector.tail.output import Output
from exporter.errors import ConfigError, StoreUnavailableError
from exporter.store.queries import query

# Rows held in memory at a time, and about as many as a screen is scrolled by at once.
_PAGE = 500
# Groups asked for at once: many small ones cost one query, not one each.
_GROUPS = 500
# How far the newest events are looked for: most often the last day has enough, and few partitions are touched.
_REACHES = (timedelta(days=1), timedelta(days=30), None)
# After a lost connection: how much earlier than the last one printed a group may have arrived and be committed later,
# and how late its events may be. Without the second bound every partition there is would be read.
_OVERLAP_S = 60.0
_LATE = timedelta(days=1)
_RETRY_S = (0.5, 1.0, 2.0, 5.0)
_FIRST_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Events to look for: of the groups received at those moments (None: at any from `since` on)."""

    from_at: datetime
    to_at: datetime | str  # or "infinity"
    since: datetime | str  # or "-infinity"
    groups: tuple[datetime, ...] | None = None
    from_id: UUID = _FIRST_ID


def follow(
    url: str,
    filter: TailFilter,
    *,
    last: int,
    count: int | None,
    as_json: bool,
    console: Console,
    since: datetime | None = None,
    zone: tzinfo | None = None,
) -> None:
    """Prints the newest `last` matching events, or all `since` then, oldest first, then new ones as they are committed.

    Ends after `count` events altogether, at Ctrl-C, and when nobody reads the output any more. `url` is the reader's,
    `zone` the one that times are shown in (None: this machine's).
    Lost connections are made again, with a line on standard error. Raises StoreUnavailableError where the first one
    can't be made, ConfigError for a class that the database doesn't have, AuditgrafError where nothing was migrated.
    """
    if last < 0 or (count is not None and count < 0):
        raise ConfigError(f"--last {last}, --count {count}: neither can be below 0")
    output = Output(console, as_json=as_json, count=count, zone=zone)
    try:
        _Follower(url, filter, output).run(last, since)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        output.discard()


class _Follower:
    def __init__(self, url: str, filter: TailFilter, output: Output) -> None:
        self._url = url
        self._filter = filter
        self._output = output

    def run(self, last: int, since: datetime | None) -> None:
        connection, lost = self._connect(), False
        started: datetime | None = None
        while not self._output.full:
            try:
                with explained(), connection:
                    if started is None:
                        self._check_classes(connection)
                        started = _moment(connection)
                    if since:
                        self._print(connection, Stretch(since, "infinity", "-infinity"), "the events since then")
                    elif last:
                        self._print_newest(connection, last)
                    last, since = 0, None
                    if lost:
                        self._print(connection, self._missed(started), "what was received meanwhile")
                    self._print_new(connection)
            except psycopg.OperationalError as failure:
                connection, lost = self._connect_again(failure), True

    def _print_new(self, connection: Connection) -> None:
        while not self._output.full:
            groups = [group for payload in _payloads(connection) if (group := _group(payload))]
            for start in range(0, len(groups), _GROUPS):
                self._print(connection, _together(groups[start : start + _GROUPS]), "new events")
            if not groups:
                self._output.wait(connection.fileno(), timeout=60)

    def _print_newest(self, connection: Connection, last: int) -> None:
        wanted = self._output.limit(last)
        begin = None
        for reach in _REACHES:
            parameters = {**self._filter.parameters(), "reach": reach, "last": wanted}
            try:
                begin = connection.execute(self._statement("oldest_of_newest"), parameters).fetchone() or begin
            except errors.QueryCanceled:
                _tell(f"not all of the newest {wanted} events were found in time; a narrower filter or --last 0 helps")
                break
            if begin is not None and begin[2] >= wanted:
                break
        if begin is not None:
            self._print(connection, Stretch(begin[0], "infinity", "-infinity", from_id=begin[1]), "the newest events")

    def _print(self, connection: Connection, stretch: Stretch, what: str) -> None:
        try:
            for page in self._pages(connection, stretch):
                self._output.print(page)
                if self._output.full:
                    return
        except errors.QueryCanceled:
            _tell(f"{what}: reading them took too long; some are not shown")

    def _pages(self, connection: Connection, stretch: Stretch) -> Iterator[Sequence[Event]]:
        """Page by page and without a transaction, so that a reader who pauses holds nothing up."""
        while True:
            parameters = {**self._filter.parameters(), "limit": _PAGE, "groups": None}
            parameters |= {name: getattr(stretch, name) for name in ("from_at", "from_id", "to_at", "since")}
            if stretch.groups is not None:
                parameters["groups"] = list(stretch.groups)
            with connection.cursor(row_factory=dict_row) as cursor:
                page = cursor.execute(self._statement("page"), parameters).fetchall()
            yield page
            if len(page) < _PAGE:
                return
            stretch = replace(stretch, from_at=page[-1]["occurred_at"], from_id=page[-1]["id"])

    def _statement(self, name: str) -> sql.Composed:
        matching = sql.SQL(query("matching", __package__)).format(match=self._filter.condition()[0])
        return sql.SQL(query(name, __package__)).format(matching=matching)

    def _missed(self, started: datetime) -> Stretch:
        horizon = self._output.horizon(started, _OVERLAP_S)
        return Stretch(horizon - _LATE, "infinity", horizon)

    def _check_classes(self, connection: Connection) -> None:
        known = [row[0] for row in connection.execute(query("known_classes", __package__))]
        for name in self._filter.classes:
            if name not in known:
                raise ConfigError(f"--class: no retention class {name!r} in the database; it has {', '.join(known)}")

    def _connect(self) -> Connection:
        """A session that listens. Raises StoreUnavailableError."""
        connection = connect(self._url, "auditgraf tail", query("session", __package__))
        try:
            connection.execute(query("listen", __package__))
        except psycopg.Error as failure:
            connection.close()
            raise StoreUnavailableError(f"PostgreSQL can't be asked: {str(failure).strip()}") from failure
        return connection

    def _connect_again(self, failure: psycopg.Error) -> Connection:
        _tell(f"the connection to PostgreSQL is lost, trying again: {first_line(failure)}")
        attempt = 0
        while True:
            self._output.wait(None, _RETRY_S[min(attempt, len(_RETRY_S) - 1)])
            attempt += 1
            try:
                connection = self._connect()
            except StoreUnavailableError:
                continue
            _tell("connected again")
            return connection


def _payloads(connection: Connection) -> list[str]:
    """What was announced since the last call; does not wait."""
    return [notification.payload for notification in connection.notifies(timeout=0)]


def _group(payload: str) -> Stretch | None:
    """A group as announced; anybody may send a notification, so None for what is none."""
    try:
        values = json.loads(payload)
        received, start, end = (datetime.fromisoformat(values[key]) for key in ("received_at", "from", "to"))
        if received.tzinfo and start.tzinfo and end.tzinfo:
            return Stretch(start, end, received, groups=(received,))
    except (ValueError, TypeError, KeyError):
        pass
    _tell(f"a notification was ignored, it announces no events: {payload[:200]!r}")
    return None


def _together(groups: Sequence[Stretch]) -> Stretch:
    moments = tuple(moment for group in groups for moment in group.groups or ())
    latest = max(group.to_at for group in groups if isinstance(group.to_at, datetime))
    return Stretch(min(group.from_at for group in groups), latest, min(moments), groups=moments)


def _moment(connection: Connection) -> datetime:
    row = connection.execute(query("now", __package__)).fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def _tell(message: str) -> None:
    sys.stderr.write(f"auditgraf tail: {printable(message)}\n")
    sys.stderr.flush()
