"""Which events `auditgraf tail` shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.errors import ConfigError
from exporter.mapping.patterns import check_glob, glob_regex

OUTCOMES = ("success", "failure", "unknown")
# First number of each range of four: https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
_SEVERITIES = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "warning": 13, "error": 17, "fatal": 21}
_HIGHEST_SEVERITY = 24


@dataclass(frozen=True, slots=True)
class TailFilter:
    """Each field leaves out what it does not name; empty fields leave out nothing. Raises ConfigError.

    `services`, `actions` and `actors` are globs, upper and lower case alike; an actor is its id, name, email address or
    whom it acts on behalf of. `classes` are retention classes; without them all but `log`, with `logs` all of them.
    `grep`: any of an event's texts contains it, upper and lower case alike.
    """

    services: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    logs: bool = False
    min_severity: int = 0  # OpenTelemetry severity number
    grep: str | None = None

    def __post_init__(self) -> None:
        for option, globs in (("service", self.services), ("action", self.actions), ("actor", self.actors)):
            for glob in globs:
                _check_glob(option, glob)
        for outcome in self.outcomes:
            if outcome not in OUTCOMES:
                raise ConfigError(f"--outcome: {outcome!r} is no outcome; use one of {', '.join(OUTCOMES)}")
        if not 0 <= self.min_severity <= _HIGHEST_SEVERITY:
            raise ConfigError(f"--min-severity: {self.min_severity} is not among 0 to {_HIGHEST_SEVERITY}")
        for option, texts in (("class", self.classes), ("grep", (self.grep or "",))):
            if any("\0" in text for text in texts):
                raise ConfigError(f"--{option}: PostgreSQL has no text with a NUL character; leave it out")

    def parameters(self) -> dict[str, object]:
        """What the filter `matching` of queries.sql is bound to."""
        return {
            "classes": list(self.classes) or None,
            "logs": self.logs or "log" in self.classes,
            "min_severity": self.min_severity,
            "outcomes": list(self.outcomes) or None,
            "services": _patterns(self.services),
            "actions": _patterns(self.actions),
            "actors": _patterns(self.actors),
            "grep": self.grep or None,
        }


def parse_severity(text: str) -> int:
    """A severity number (0 to 24) or name (`warn`, `error`, ...) as the number. Raises ConfigError."""
    number = int(text) if text.isascii() and text.isdigit() else _SEVERITIES.get(text.lower(), -1)
    if not 0 <= number <= _HIGHEST_SEVERITY:
        known = ", ".join(_SEVERITIES)
        raise ConfigError(f"--min-severity: {text!r} is none; use 0 to {_HIGHEST_SEVERITY} or one of {known}")
    return number


def _check_glob(option: str, glob: str) -> None:
    try:
        check_glob(glob)
    except ValueError as failure:
        raise ConfigError(f"--{option}: {failure}") from None
    if "\0" in glob:
        raise ConfigError(f"--{option}: PostgreSQL has no text with a NUL character; leave it out")


def _patterns(globs: Sequence[str]) -> list[str] | None:
    # PostgreSQL has no (?s:...), and needs none: its `.` matches line breaks too.
    return ["^(?:" + glob_regex(glob).removeprefix("^(?s:") for glob in globs] or None
