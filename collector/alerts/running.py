"""Rules tried one after the other: which ones, in one session, with a bar that shows how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Generic, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from collector.alerts.evaluation import RuleError, session
from collector.alerts.known import Known, adjusted, chosen, known_rules
from collector.alerts.trial import Now, Report, Trial, try_history, try_now
from collector.config import Config
from collector.rendering import version
from exporter.errors import ConfigError
from provisioning.alerts.rule import Rule

Found = TypeVar("Found", Now, Trial)


@dataclass(frozen=True, slots=True)
class Tried(Generic[Found]):
    """What came out, and a sentence for each rule that PostgreSQL did not answer in time."""

    found: tuple[Found, ...]
    failed: tuple[str, ...]


def known(config: Config) -> list[Known]:
    """The rules of the configuration's files and Auditgraf's own. Raises ConfigError."""
    return known_rules(config.alerts.files, version(config), defaults=config.alerts.defaults)


def rules_of(config: Config, name: str | None, settings: Sequence[str]) -> list[Rule]:
    """The rule of this id, or those of the file that is called so, or all that are on; `settings`: see adjusted.

    Raises ConfigError for one that there is not, and where there is none.
    """
    if name is None:
        found = [each for each in known(config) if each.is_on]
    elif name.endswith((".yaml", ".yml")) or "/" in name:
        source = str(Path(name))
        found = [each for each in known_rules([Path(name)], version(config), defaults=False) if each.source == source]
    else:
        found = [chosen(known(config), name)]
    if not found:
        raise ConfigError(f"there are no rules{f' in {name}' if name else '; set alerts.files or alerts.defaults'}")
    if settings and len(found) > 1:
        raise ConfigError("--set is for one rule; name it by its id")
    return [adjusted(each, settings) for each in found]


def now_of(url: str, rules: Sequence[Rule], now: datetime) -> Tried[Now]:
    """What each of the rules has at this moment. Raises StoreUnavailableError, RuleError for the only rule."""
    found, failed = [], []
    with session(url) as connection:
        for rule in rules:
            try:
                found.append(try_now(connection, rule, now))
            except RuleError as failure:
                if len(rules) == 1:
                    raise
                failed.append(str(failure))
    return Tried(tuple(found), tuple(failed))


def past_of(
    url: str, rules: Sequence[Rule], since: datetime, until: datetime, step: timedelta | None, console: Console
) -> Tried[Trial]:
    """What each of the rules would have had; an interrupt ends it. Raises as now_of. `console`: where the bar goes."""
    found, failed = [], []
    with session(url) as connection, _bar(console, since, until, len(rules)) as begin:
        for rule in rules:
            try:
                found.append(try_history(connection, rule, since, until, step=step, report=begin(rule)))
            except RuleError as failure:
                if len(rules) == 1:
                    raise
                failed.append(str(failure))
            if found and found[-1].cut == "interrupted":
                break
    return Tried(tuple(found), tuple(failed))


@contextmanager
def _bar(console: Console, since: datetime, until: datetime, rules: int) -> Iterator[Callable[[Rule], Report]]:
    """Gives what a rule's progress is reported to; nothing is shown where there is no terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[reached]}", style="dim"),
        TimeRemainingColumn(compact=True),
    )
    total = (until - since).total_seconds()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total * rules, reached="")
        done = 0

        def begin(rule: Rule) -> Report:
            nonlocal done
            before, done = done * total, done + 1
            bar.update(task, description=rule.id)

            def report(reached: datetime) -> None:
                at = min(max((reached - since).total_seconds(), 0.0), total)
                bar.update(task, completed=before + at, reached=f"{reached:%Y-%m-%d %H:%M}")

            return report

        yield begin
