"""Which events `auditgraf tail` shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from collector.query.fields import names_class
from collector.severity import HIGHEST_SEVERITY
from exporter.errors import ConfigError
from exporter.store.conditions import EventMatch, where
from exporter.store.patterns import postgres_glob

OUTCOMES = ("success", "failure", "unknown")


@dataclass(frozen=True, slots=True)
class TailFilter:
    """Each field leaves out what it does not name; empty fields leave out nothing. Raises ConfigError.

    `services`, `actions` and `actors` are globs, upper and lower case alike; an actor is its id, name, email address or
    whom it acts on behalf of. `classes` are retention classes; without them all but `log`, with `logs` all of them,
    and where `match` names a class, all that it names.
    `grep`: any of an event's texts contains it, upper and lower case alike. `match`: conditions of an expression.
    """

    services: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    logs: bool = False
    min_severity: int = 0  # OpenTelemetry severity number
    grep: str | None = None
    match: EventMatch | None = None

    def __post_init__(self) -> None:
        for option, globs in (("service", self.services), ("action", self.actions), ("actor", self.actors)):
            for glob in globs:
                _check_glob(option, glob)
        for outcome in self.outcomes:
            if outcome not in OUTCOMES:
                raise ConfigError(f"--outcome: {outcome!r} is no outcome; use one of {', '.join(OUTCOMES)}")
        if not 0 <= self.min_severity <= HIGHEST_SEVERITY:
            raise ConfigError(f"--level: {self.min_severity} is not among 0 to {HIGHEST_SEVERITY}")
        for option, texts in (("class", self.classes), ("grep", (self.grep or "",))):
            if any("\0" in text for text in texts):
                raise ConfigError(f"--{option}: PostgreSQL has no text with a NUL character; leave it out")

    def parameters(self) -> dict[str, object]:
        """What the filter `matching` of queries.sql is bound to."""
        return {
            "classes": list(self.classes) or None,
            "logs": self.logs or "log" in self.classes or names_class(self.match),
            "min_severity": self.min_severity,
            "outcomes": list(self.outcomes) or None,
            "services": _patterns(self.services),
            "actions": _patterns(self.actions),
            "actors": _patterns(self.actors),
            "grep": self.grep or None,
            **self.condition()[1],
        }

    def condition(self) -> tuple[sql.Composed, dict[str, object]]:
        """The condition of `match`, and its parameters, which `parameters` has too."""
        return where(self.match) if self.match else (sql.SQL("{}").format(sql.SQL("TRUE")), {})


def _check_glob(option: str, glob: str) -> None:
    try:
        postgres_glob(glob)
    except ValueError as failure:
        raise ConfigError(f"--{option}: {failure}") from None


def _patterns(globs: Sequence[str]) -> list[str] | None:
    return [postgres_glob(glob) for glob in globs] or None
