"""What alerts say, and how often: texts as Grafana would send them, numbers to tune a rule by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from collector.alerts.annotations import expanded
from collector.alerts.history import Labels
from collector.alerts.trial import Firing, Trial
from provisioning.alerts import message
from provisioning.alerts.fields import field
from provisioning.alerts.rule import Rule

# Labels that tell one alert of somebody from another one of the same.
_OF_ONE_EVENT = frozenset({"event_id", "at"})
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Told:
    """All firings of the alerts that differ by nothing but the event and its time."""

    labels: Labels
    summary: str
    first: datetime
    last: datetime
    duration: timedelta
    times: int
    value: float


def summary(rule: Rule, labels: Labels, value: float) -> str:
    """The annotation `summary` of the alert, as Grafana expands it."""
    return expanded(message.summary(rule), dict(labels), value)


def grouped(rule: Rule, firings: Iterable[Firing]) -> list[Told]:
    """The firings by whom they are about; those first that fired most often."""
    by_labels: defaultdict[Labels, list[Firing]] = defaultdict(list)
    for firing in firings:
        by_labels[plain(firing.labels)].append(firing)
    told = [_told(rule, labels, together) for labels, together in by_labels.items()]
    return sorted(told, key=lambda each: (-each.times, each.first, each.labels))


def plain(labels: Labels) -> Labels:
    """The labels without those of one event, and without the keys behind names that say the same."""
    given = dict(labels)
    return tuple(
        (name, text)
        for name, text in labels
        if name not in _OF_ONE_EVENT and not (name.endswith("_key") and given.get(name.removesuffix("_key")) == text)
    )


def verdict(trial: Trial) -> str:
    """In one sentence, how much there would have been."""
    span = trial.until - trial.since
    times = sum(firing.times for firing in trial.firings)
    if not times:
        return f"would not have fired in {_spoken(span)}"
    whom = _groups(trial.rule, [firing.labels for firing in trial.firings])
    often = f": {_rate(times, span)}" if span >= _DAY else ""
    return f"would have fired {_number(times, 'time')}{whom} in {_spoken(span)}{often}"


def per_day(trial: Trial) -> float:
    """How many times a day it would have fired."""
    days = (trial.until - trial.since) / _DAY
    return sum(firing.times for firing in trial.firings) / days if days else 0.0


def short(span: timedelta) -> str:
    """A duration in its two largest units: 2d 3h, 1h 5m, 40s."""
    seconds = int(span.total_seconds())
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number}{unit}")
    return " ".join(parts[:2]) or "0s"


def _told(rule: Rule, labels: Labels, firings: Sequence[Firing]) -> Told:
    greatest = max(firings, key=lambda firing: firing.value)
    times = sum(firing.times for firing in firings)
    # The row of the rest says how many it stands for.
    value = float(times) if ("more", "true") in labels else greatest.value
    return Told(
        labels,
        summary(rule, greatest.labels, value),
        firings[0].since,
        max(firing.since for firing in firings),
        sum((firing.duration for firing in firings), timedelta(0)),
        times,
        value,
    )


def _groups(rule: Rule, alerts: Iterable[Labels]) -> str:
    """' for 9 actors', of what the rule groups by; of events one by one, whose they are."""
    names = [field(name).label for name in (rule.grouped()[:1] if rule.per_event else rule.grouped())]
    if not names:
        return ""
    known = {tuple(dict(labels).get(name, "") for name in names) for labels in alerts}
    what = names[0].replace("_", " ") if len(names) == 1 else "group"
    return f" for {_number(len(known), what)}"


def _number(number: int, what: str) -> str:
    if number == 1:
        return f"1 {what}"
    if what.endswith("y") and what != "day":
        return f"{number:,} {what[:-1]}ies"
    return f"{number:,} {what}{'es' if what.endswith('s') else 's'}"


def _spoken(span: timedelta) -> str:
    for unit, size in (("day", _DAY), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if span >= 2 * size:
            return _number(round(span / size), unit)
    return short(span)


def _rate(times: int, span: timedelta) -> str:
    days = span / _DAY
    for number, what in ((times / days, "a day"), (times / days * 7, "a week"), (times / days * 30, "a month")):
        if number >= 1:
            return f"about {round(number):,} {what}"
    return "less than once a month"
