"""Rules and what became of trying them, on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

import orjson
from rich.console import Console

from collector.alerts.history import Labels
from collector.alerts.known import Known
from collector.alerts.told import Told, grouped, per_day, plain, short, summary, verdict
from collector.alerts.trial import Now, Trial
from collector.printable import printable_json
from collector.query.moments import shown
from collector.query.table import columns_table
from collector.terminal import say, write
from provisioning.alerts.rule import Rule

_TIME = "%Y-%m-%d %H:%M"


def print_json(console: Console, document: Any) -> None:
    """One JSON document, safe for a terminal."""
    write(console, printable_json(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()) + "\n")


def listed(known: Known) -> dict[str, Any]:
    """A rule as a row of the list."""
    rule = known.rule
    return {
        "id": rule.id,
        "on": known.is_on,
        "severity": rule.severity,
        "kind": rule.kind,
        "name": rule.name,
        "contact_point": rule.contact_point,
        "from": known.source,
        "description": rule.description,
    }


def print_list(console: Console, rules: Sequence[Known]) -> None:
    """The rules as a table."""
    rows = []
    for known in rules:
        row = listed(known)
        rows.append({**row, "on": "on" if known.is_on else "off", "what": row["name"]})
    columns = ["id", "on", "severity", "kind", "what", "contact_point", "from"]
    if not any(row["contact_point"] for row in rows):
        columns.remove("contact_point")
    write(console, columns_table(rows, columns, console, None))


def print_now(console: Console, now: Now, zone: tzinfo | None) -> None:
    """What fires at this moment."""
    rule, firing, pending = now.rule, now.firing, now.pending
    at = f"{shown(now.at, zone):{_TIME}}"
    counted = f"{len(firing)} {'alert' if len(firing) == 1 else 'alerts'} firing" if firing else "nothing is firing"
    waiting = f", {len(pending)} that must last for {short(rule.pending)} first" if pending else ""
    _line(console, f"{rule.id}: {counted}{waiting} at {at}", bold=bool(firing))
    rows = [_now_row(rule, labels, value, "firing") for labels, value in firing.items()]
    rows += [_now_row(rule, labels, value, "pending") for labels, value in pending.items()]
    columns = ["state", "value", "summary", "labels"] if pending else ["value", "summary", "labels"]
    if rows:
        write(console, columns_table(rows, columns, console, zone))


def print_trial(console: Console, trial: Trial, zone: tzinfo | None) -> None:
    """What would have fired, by whom it is about, and in one sentence how much that is."""
    rows = [
        {
            "times": f"{told.times:,}",
            "first": f"{shown(told.first, zone):{_TIME}}",
            "last": f"{shown(told.last, zone):{_TIME}}",
            "for": short(told.duration),
            "value": f"{told.value:g}",
            "summary": told.summary,
            "labels": _listed(told.labels),
        }
        for told in grouped(trial.rule, trial.firings)
    ]
    columns = ["times", "first", "last", "for", "value", "summary", "labels"]
    if trial.rule.per_event:
        columns = ["times", "first", "last", "summary", "labels"]
    if rows:
        write(console, columns_table(rows, columns, console, zone))
    _line(console, f"{trial.rule.id}: {verdict(trial)}", bold=bool(rows))
    _limits(console, trial, zone)


def print_trials(console: Console, trials: Sequence[Trial], zone: tzinfo | None) -> None:
    """A line for each rule."""
    rows = [
        {
            "rule": trial.rule.id,
            "severity": trial.rule.severity,
            "fired": f"{sum(firing.times for firing in trial.firings):,}",
            "a day": f"{per_day(trial):.1f}",
            "alerts": f"{len(grouped(trial.rule, trial.firings)):,}",
            "result": verdict(trial),
        }
        for trial in trials
    ]
    write(console, columns_table(rows, ["rule", "severity", "fired", "a day", "alerts", "result"], console, zone))
    for trial in trials:
        _limits(console, trial, zone)


def now_json(now: Now) -> dict[str, Any]:
    """What fires at this moment, as JSON."""
    return {
        "rule": now.rule.id,
        "at": now.at,
        "alerts": [
            {"state": state, "value": value, "summary": summary(now.rule, labels, value), "labels": dict(labels)}
            for state, active in (("firing", now.firing), ("pending", now.pending))
            for labels, value in active.items()
        ],
    }


def trial_json(trial: Trial) -> dict[str, Any]:
    """What would have fired, as JSON; durations in seconds."""
    return {
        "rule": trial.rule.id,
        "since": trial.since,
        "until": trial.until,
        "cut": trial.cut or None,
        "coarse_seconds": trial.coarse.total_seconds() if trial.coarse else None,
        "fired": sum(firing.times for firing in trial.firings),
        "per_day": round(per_day(trial), 3),
        "alerts": [_told_json(trial.rule, told) for told in grouped(trial.rule, trial.firings)],
    }


def _told_json(rule: Rule, told: Told) -> dict[str, Any]:
    found = {
        "times": told.times,
        "first": told.first,
        "last": told.last,
        "value": told.value,
        "summary": told.summary,
        "labels": dict(told.labels),
    }
    return found if rule.per_event else found | {"seconds": told.duration.total_seconds()}


def _now_row(rule: Rule, labels: Labels, value: float, state: str) -> Mapping[str, str]:
    text = summary(rule, labels, value)
    return {"state": state, "value": f"{value:g}", "summary": text, "labels": _listed(plain(labels))}


def _listed(labels: Labels) -> str:
    return " ".join(f"{name}={text}" for name, text in labels)


def _limits(console: Console, trial: Trial, zone: tzinfo | None) -> None:
    if trial.cut:
        until = f"{shown(trial.until, zone):{_TIME}}"
        remedy = "" if trial.cut == "interrupted" else "; ask for less time, or for a longer --step"
        _line(console, f"{trial.rule.id}: looked up to {until} only: {trial.cut}{remedy}", style="yellow")
    if trial.coarse:
        _line(console, f"{trial.rule.id}: looked every {short(trial.coarse)}; what was over sooner may be missing")


def _line(console: Console, text: str, *, bold: bool = False, style: str = "") -> None:
    given = f"{'bold ' if bold else ''}{style}".strip()
    say(console, text, given)
