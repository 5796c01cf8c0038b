"""The `redaction:` part of the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, StrictBool

from exporter.mapping.patterns import check_regex
from exporter.mapping.section import Problem, Section, kind, nearest, place, refuse
from exporter.redaction.detectors import NAMES
from exporter.redaction.names import Pattern

Action = Literal["replace", "hash", "truncate"]


def _globs(value: object) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple):
        raise ValueError(f"must be a name, or a list of names, not {kind(value)}")
    problems: list[Problem] = []
    for index, glob in enumerate(given):
        try:
            Pattern.parse(glob)
        except ValueError as failure:
            problems.append(((index,), str(failure)))
    if problems:
        refuse(problems)
    return tuple(given)


def _detectors(value: object) -> dict[str, bool]:
    if not isinstance(value, dict):
        raise ValueError(f"must be a mapping of detectors to true or false, e.g. {{cards: false}}, not {kind(value)}")
    problems: list[Problem] = []
    for name, wanted in value.items():
        if name not in NAMES:
            problems.append(((place(name),), f"no detector of that name; {nearest(name, NAMES)}"))
        elif not isinstance(wanted, bool):
            problems.append(((place(name),), "must be true or false"))
    if problems:
        refuse(problems)
    return value


def _name(value: object) -> str:
    if isinstance(value, str) and value.isprintable() and 0 < len(value.strip()) <= 64:
        return value.strip()
    raise ValueError(f"{value!r} is no name of a rule; write a few words, e.g. customer numbers")


def _pattern(value: object) -> str | None:
    if value is None:
        return None
    pattern = check_regex(value)
    if re.search(r"\(\?P?<[A-Za-z_]", pattern):
        raise ValueError(f"{pattern!r} has a named group; write (...) or (?:...): the whole match is what is redacted")
    return pattern


Globs = Annotated[tuple[str, ...], BeforeValidator(_globs)]
Keep = Annotated[int, Field(strict=True, ge=1, le=1000)]


class Rule(Section):
    """A rule of the administrator's own: what is redacted by its key, by its value, or by both together."""

    name: Annotated[str, BeforeValidator(_name)]
    key: Globs = ()
    value: Annotated[str | None, BeforeValidator(_pattern)] = None
    action: Action | None = None  # None: as the whole configuration
    keep: Keep | None = None

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        if not data.get("key") and not data.get("value"):
            yield (), "the rule matches nothing; give it a key (name or glob), a value (regular expression), or both"


class Redaction(Section):
    """What is secret, and what is put in its place. On from the start."""

    enabled: StrictBool = True
    keys: Globs = ()  # further names
    allow: Globs = ()  # further names that are harmless, whatever they look like
    default_keys: StrictBool = True
    values: Annotated[dict[str, bool], BeforeValidator(_detectors)] = Field(default_factory=dict)
    action: Action = "replace"
    keep: Keep = 4  # characters that `truncate` leaves
    rules: tuple[Rule, ...] = ()
    emails: Literal["keep", "hash"] = "keep"
    addresses: Literal["keep", "truncate", "hash"] = "keep"
    # From AUDITGRAF_REDACTION_KEY, never from the file.
    key: SecretStr | None = Field(None, exclude=True)

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        names: set[str] = set()
        rules = data.get("rules")
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            name = rule.get("name") if isinstance(rule, dict) else None
            if isinstance(name, str) and name in names:
                yield ("rules", index, "name"), f"{name!r} is the name of an earlier rule already; give it another one"
            if isinstance(name, str):
                names.add(name)

    def keyed(self) -> list[str]:
        """The settings that need the key."""
        settings = [("action", self.action), ("emails", self.emails), ("addresses", self.addresses)]
        settings += [(f"rules: {rule.name}: action", rule.action) for rule in self.rules if rule.action]
        return [f"{name}: hash" for name, value in settings if value == "hash"]

    def secret_key(self) -> bytes | None:
        """The key of hashes and pseudonyms, as `Redactor` takes it."""
        return None if self.key is None else self.key.get_secret_value().encode()
