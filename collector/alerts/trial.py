"""A rule on the events that are there: what fires now, and what would have fired over a range of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from collector.alerts.evaluation import alerts_at
from collector.alerts.history import Active, Labels, Spans, walk
from collector.reading import Connection
from exporter.store.queries import query
from provisioning.alerts.rule import CountRule, Distinct, Ingestion, New, Rule, Sequence, Travel
from provisioning.alerts.statements import statement

# A minute or two of PostgreSQL's time.
MOST_EVALUATIONS = 5_000
# How many there are where more would show but what lasted for a moment.
_ENOUGH = 2_000
# The rules' statements look at no more events than that at once.
_MOST_EVENTS = 100_000
_WIDEST = 512  # strides that are looked at together
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK = timedelta(hours=6)
_INSTANT = timedelta(microseconds=1)

# What these tell of happens at a moment, and is seen for a time that is known.
_OF_MOMENTS = (CountRule, Distinct, New, Sequence, Travel)

Report = Callable[[datetime], None]


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert for as long as it fired at a stretch; an event, which is told of once, has no `duration`.

    `times` is more than one where Grafana would tell the rest of many events as a number.
    """

    labels: Labels
    since: datetime
    duration: timedelta
    value: float
    times: int = 1


@dataclass(frozen=True, slots=True)
class Now:
    """What a rule has at a moment: `firing`, and `pending` what has to last a while longer (the rule's `for`)."""

    rule: Rule
    at: datetime
    firing: Active
    pending: Active


@dataclass(frozen=True, slots=True)
class Trial:
    """What would have fired from `since` to `until`; `cut` says why that is not as far as was asked for.

    `coarse`: what lasted for less may be missing.
    """

    rule: Rule
    since: datetime
    until: datetime
    firings: tuple[Firing, ...]
    evaluations: int
    cut: str = ""
    coarse: timedelta | None = None


def try_now(connection: Connection, rule: Rule, now: datetime) -> Now:
    """What Grafana would say of the rule at this moment. Raises as alerts_at."""
    sql = statement(rule)

    def at(back: timedelta) -> Active:
        return alerts_at(connection, rule.id, sql, now - back - rule.lookback, now - back)

    active = at(timedelta(0))
    lasting = set(active)
    back = rule.pending
    while lasting and back > timedelta(0):
        lasting &= at(back).keys()
        back -= stride(rule) * rule.interval
    return Now(
        rule,
        now,
        {labels: value for labels, value in active.items() if labels in lasting},
        {labels: value for labels, value in active.items() if labels not in lasting},
    )


def try_history(
    connection: Connection,
    rule: Rule,
    since: datetime,
    until: datetime,
    *,
    step: timedelta | None = None,
    report: Report = lambda reached: None,
) -> Trial:
    """What the rule would have said from `since` to `until`, if each event had come in at once.

    `step`: the time between evaluations, at least the rule's interval; None: as far apart as misses nothing, or next to
    nothing. `report` is told how far it is. An interrupt ends it with what was found. Raises as alerts_at.
    """
    run = _Events(connection, rule) if rule.per_event else _Grid(connection, rule, step)
    cut, reached = "", since
    try:
        for reached in run.steps(since, until):
            report(reached)
    except _EnoughError:
        cut = f"{MOST_EVALUATIONS} evaluations are the most"
    except KeyboardInterrupt:
        cut = "interrupted"
    reached = reached if cut else until
    return Trial(rule, since, reached, tuple(run.firings()), run.evaluations, cut, run.coarse)


def stride(rule: Rule) -> int:
    """How many evaluations apart nothing is missed.

    More than so many at c, the first of them at f >= c - window, are seen by all evaluations from c to f + lookback,
    which is at least lookback - window. What is told of as an event is seen for as long as the event is recent. How the
    others come and go nothing is known of.
    """
    match rule:
        case CountRule() | Distinct():
            span = rule.lookback - rule.window
        case New() | Sequence() | Travel():
            span = rule.recent
        case _:
            span = rule.interval
    return max(1, span // rule.interval)


class _EnoughError(Exception):
    """No more evaluations."""


@dataclass
class _Asking:
    connection: Connection
    rule: Rule
    evaluations: int = 0
    coarse: timedelta | None = None

    def ask(self, sql: str, start: datetime, end: datetime) -> dict[Labels, float]:
        if self.evaluations >= MOST_EVALUATIONS:
            raise _EnoughError
        self.evaluations += 1
        return alerts_at(self.connection, self.rule.id, sql, start, end)


class _Events(_Asking):
    """Events one by one: all of a stretch of time at once, unless there are more than a statement tells."""

    def __init__(self, connection: Connection, rule: Rule) -> None:
        super().__init__(connection, rule)
        # Where events of the past were imported, all have the same arrival.
        self._sql = statement(rule, by_arrival=False)
        self._found: list[Firing] = []

    def steps(self, since: datetime, until: datetime) -> Iterator[datetime]:
        while since <= until:
            end = min(since + _CHUNK, until)
            yield from self._stretch(since, end)
            since = end + _INSTANT

    def firings(self) -> list[Firing]:
        if self.rule.pending >= self.rule.lookback:
            return []
        return self._found

    def _stretch(self, start: datetime, end: datetime) -> Iterator[datetime]:
        found = self.ask(self._sql, start, end)
        if any(("more", "true") in labels for labels in found) and end - start > self.rule.interval:
            middle = start + (end - start) / 2
            yield from self._stretch(start, middle)
            yield from self._stretch(middle + _INSTANT, end)
            return
        # Newest first, as the statement has them.
        for labels, value in reversed(found.items()):
            at = dict(labels).get("at", "")
            moment = datetime.strptime(at, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC) if at else start
            self._found.append(Firing(labels, moment, timedelta(0), 1, int(value)))
        yield end


class _Grid(_Asking):
    """Evaluations at multiples of the rule's interval since 1970, as Grafana's scheduler has them."""

    def __init__(self, connection: Connection, rule: Rule, step: timedelta | None) -> None:
        super().__init__(connection, rule)
        self._sql = statement(rule)
        self._step = step
        self._stride = stride(rule) if step is None else max(1, step // rule.interval)
        self._spans = Spans()
        self._by_hour: dict[datetime, int] = {}
        self._quiet = range(0)
        self._reach = 1
        self._farthest = self._last = 0
        self._can_be_quiet = _can_be_quiet(rule)

    def steps(self, since: datetime, until: datetime) -> Iterator[datetime]:
        first = -((_EPOCH - since) // self.rule.interval)
        self._last = max(first, (until - _EPOCH) // self.rule.interval)
        self._farthest = first - 1
        if self._step is None and self._stride == 1 and not isinstance(self.rule, _OF_MOMENTS):
            self._stride = max(1, (self._last - first) // _ENOUGH)
        if self._stride > stride(self.rule):
            self.coarse = self._stride * self.rule.interval
        if self._can_be_quiet:
            self._reach = 4
            parameters = {"since": self._time(first) - self.rule.lookback, "until": self._time(self._last)}
            asked = self.connection.execute(query("events_by_hour", __package__), parameters)
            self._by_hour = dict(asked.fetchall())
        for index, active in walk(self._evaluate, first, self._last, self._stride):
            self._spans.add(index, active)
            yield self._time(index)

    def firings(self) -> list[Firing]:
        interval = self.rule.interval
        return [
            Firing(span.labels, self._time(span.first), (span.last - span.first + 1) * interval, span.value)
            for span in self._spans.fired(-(-self.rule.pending // interval))
        ]

    def _evaluate(self, index: int) -> Active:
        if index in self._quiet:
            return {}
        is_ahead, self._farthest = index > self._farthest, max(index, self._farthest)
        while is_ahead and self._reach > 1:
            end = min(index + self._reach * self._stride, self._last)
            if self._is_quiet(index, end):
                self._quiet = range(index, end + 1)
                self._reach = min(self._reach * 2, _WIDEST)
                return {}
            self._reach //= 4
        moment = self._time(index)
        found = self.ask(self._sql, moment - self.rule.lookback, moment)
        if is_ahead and self._can_be_quiet:
            self._reach = 1 if found else 4
        return found

    def _is_quiet(self, first: int, last: int) -> bool:
        """Whether one statement over the time of all these evaluations shows that none has an alert."""
        rule, end = self.rule, self._time(last)
        start = self._time(first) - rule.lookback
        sql = self._sql
        if isinstance(rule, Sequence | Travel):
            # They tell of recent events only: here, all since the first evaluation are.
            late = max(rule.late, rule.interval) + (last - first) * rule.interval
            rule = rule.model_copy(update={"late": late})
            start, sql = end - rule.lookback, statement(rule)
        inside = (events for hour, events in self._by_hour.items() if start - timedelta(hours=1) < hour <= end)
        # Of more events it would look at the newest.
        return sum(inside) <= _MOST_EVENTS and not self.ask(sql, start, end)

    def _time(self, index: int) -> datetime:
        return _EPOCH + index * self.rule.interval


def _can_be_quiet(rule: Rule) -> bool:
    """Whether all alerts of a range are alerts of any that includes it: where a wide one has none, none of it has."""
    if isinstance(rule, Ingestion):
        return rule.check != "silent"
    return isinstance(rule, CountRule | Distinct | Sequence | Travel)
