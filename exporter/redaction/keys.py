"""Which names are secret: the administrator's word first, then the defaults."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from exporter.redaction import defaults
from exporter.redaction.names import LONGEST_PATH, Pattern, Stem, segments, squashed
from exporter.redaction.options import Action, Redaction, Rule

# Senders choose the names: what is remembered about them has a bound.
_REMEMBERED = 16_384
# What may stand between a name and its value, in JSON, in code, in a query string, in XML.
_FOLLOWED = r"""(?:\.[A-Za-z0-9_.-]*)?(?:["'\\>\]]|[ \t]*[:=]|%3[dD])"""

_PLURALS = ("passwords", "secrets", "tokens", "credentials", "keys", "cookies")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A secret value: why, and what becomes of it."""

    reason: str  # "key password" with the name or glob that says so, or "rule NAME"
    action: Action
    keep: int
    counted: bool = False  # a number under this name says how many there are, and is no secret


class Names:
    """Many patterns, asked at once."""

    def __init__(self, globs: Iterable[str]) -> None:
        self.patterns = [Pattern.parse(glob) for glob in globs]
        self._exact = {pattern.exact: pattern for pattern in reversed(self.patterns) if pattern.exact}
        single = [pattern for pattern in self.patterns if len(pattern.parts) == 1 and pattern.exact is None]
        # One search tells whether any matches; which one is looked for only then.
        self._single = single
        self._any = re.compile("|".join(f"(?:{pattern.parts[0].pattern})" for pattern in single) or r"(?!)")
        self._longer = [pattern for pattern in self.patterns if len(pattern.parts) > 1]

    def match(self, path: tuple[str, ...]) -> Pattern | None:
        """The pattern that the end of the path matches."""
        if not path:
            return None
        exact = self._exact.get(squashed(path[-1]))
        if exact is not None:
            return exact
        if self._any.fullmatch(path[-1]):
            return next(pattern for pattern in self._single if pattern.matches(path))
        return next((pattern for pattern in self._longer if pattern.matches(path)), None)


class Keys:
    """The verdicts on names, remembered."""

    def __init__(self, options: Redaction) -> None:
        self._keys, self._allow = Names(options.keys), Names(options.allow)
        self._secret = Names(defaults.SECRET if options.default_keys else ())
        self._harmless = Names(defaults.HARMLESS)
        self._rules = [(rule, Names(rule.key)) for rule in options.rules if rule.key and rule.value is None]
        self._options = options
        self._remembered = lru_cache(_REMEMBERED)(self._verdict)

    def verdict(self, path: str) -> Verdict | None:
        """What becomes of the values under this path, dotted; None where it is no secret by its name."""
        return self._remembered(path[-LONGEST_PATH:])

    @property
    def names(self) -> str:
        """A regular expression (Rust) that every secret name matches, and few others."""
        patterns = [*self._keys.patterns, *self._secret.patterns]
        patterns += [pattern for _, names in self._rules for pattern in names.patterns]
        stems = {pattern.stem for pattern in patterns}
        given = [stem for stem in stems if stem is not None]
        if len(given) < len(stems):
            return "[A-Za-z0-9_]"
        least = [stem for stem in given if not any(other.covers(stem) for other in given if other != stem)]
        parts = []
        for inner, opened in product((True, False), repeat=2):
            alternatives = _alternatives(stem for stem in least if (stem.inner, stem.open) == (inner, opened))
            parts.append(alternatives + ("[A-Za-z0-9_-]*" if opened else "[0-9_-]{0,3}"))
        return "|".join(parts)

    @property
    def suspicious(self) -> str:
        """A regular expression (Rust) that a text matches where it may hold a secret name in front of a value."""
        return f"(?:{self.names}){_FOLLOWED}"

    def _verdict(self, path: str) -> Verdict | None:
        parts = segments(path)
        for rule, names in self._rules:
            if names.match(parts):
                return as_verdict(rule, self._options)
        if self._allow.match(parts):
            return None
        # What is below a secret name is secret too; the administrator's own names hide all of it.
        for end in range(len(parts), 0, -1):
            if found := self._keys.match(parts[:end]):
                return self._of(found)
        if self._harmless.match(parts):
            return None
        for end in range(len(parts), 0, -1):
            if found := self._secret.match(parts[:end]):
                return self._of(found)
        return None

    def _of(self, pattern: Pattern) -> Verdict:
        return Verdict(f"key {pattern.text}", self._options.action, self._options.keep, pattern.text.endswith(_PLURALS))


def _alternatives(stems: Iterable[Stem]) -> str:
    found = sorted(stems, key=lambda stem: stem.words)
    if not found:
        return r"[^\s\S]"
    small = f"(?i-u:{'|'.join(stem.regex for stem in found)})"
    if found[0].inner:
        return small
    # Where a name begins: without this, a short one (pin) would be found inside of words (shipping).
    return rf"(?:(?:(?-u:\b)|_){small}|[a-z](?:{'|'.join(stem.capitals for stem in found)}))"


def as_verdict(rule: Rule, options: Redaction) -> Verdict:
    """What a rule of the administrator's does."""
    return Verdict(f"rule {rule.name}", rule.action or options.action, rule.keep or options.keep)
