"""What is looked for in texts: detectors and the administrator's rules, as one kind of thing.

A pattern marks what it finds by U+0000, which no text has (see otlp/values.py), so that Rust searches and only what
was found comes to Python.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from exporter.redaction.actions import Actions
from exporter.redaction.detectors import (
    DETECTORS,
    FORMS,
    LEADS,
    OTHER_LEADS,
    SECRET_NAMES,
    Detector,
    Form,
    Judge,
    whole,
)
from exporter.redaction.keys import Keys, Names, Verdict, as_verdict
from exporter.redaction.names import segments
from exporter.redaction.options import Redaction

_MARKED = r"${before}" + "\0${key}\0${between}\0${secret}\0${after}"
_ANYTHING = re.compile("")
# Path and what was found to replacement and reason; None where it is no secret.
Replace = Callable[[str, "Marked"], tuple[str, str] | None]
Found = Counter[tuple[str, str]]  # (path, reason), how often


class Marked(NamedTuple):
    """What a pattern found: the groups of its name, and all that stands in front."""

    front: str
    key: str
    between: str
    secret: str


@dataclass(frozen=True, slots=True)
class Search:
    """A detector, all forms together, or a rule, ready to be run over texts."""

    pattern: str
    lead: re.Pattern[str]  # in every text that has one
    on: Callable[[str], bool]  # whether it is run on the value of this path
    replace: Replace

    def run(self, texts: list[str], paths: Sequence[str], found: Sequence[Found]) -> None:
        """Replaces what is secret in the texts, and adds to what was found in each."""
        hits = [place for place, text in enumerate(texts) if self.lead.search(text) and self.on(paths[place])]
        if not hits:
            return
        marked = pl.Series([texts[hit] for hit in hits]).str.replace_all(self.pattern, _MARKED)
        for hit, text in zip(hits, marked, strict=True):
            if "\0" in text:
                texts[hit] = self._unmarked(text, paths[hit], found[hit])

    def _unmarked(self, marked: str, path: str, found: Found) -> str:
        pieces = marked.split("\0")
        for at in range(0, len(pieces) - 4, 4):
            replaced = self.replace(path, Marked(*pieces[at : at + 4]))
            if replaced is not None and replaced[0] != pieces[at + 3]:
                pieces[at + 3] = replaced[0]
                found[path, replaced[1]] += 1
        return "".join(pieces)


def searches(options: Redaction, actions: Actions, keys: Keys) -> Iterator[Search]:
    """The rules, then what the options leave of the detectors."""
    for rule in options.rules:
        if rule.value is not None:
            on = _below(Names(rule.key)) if rule.key else _everywhere
            yield Search(
                f"(?P<secret>{rule.value})", _ANYTHING, on, _by_verdict(as_verdict(rule, options), whole, actions)
            )
    forms = [form for form in FORMS if options.values.get(form.name, True)]
    if forms:
        pattern = f"(?P<before>^|[^A-Za-z0-9_])(?P<secret>{'|'.join(form.pattern for form in forms)})"
        yield Search(pattern, re.compile(f"{LEADS}|{OTHER_LEADS}"), _everywhere, _by_form(forms, options, actions))
    for detector in DETECTORS:
        if options.values.get(detector.name, True):
            pattern = detector.pattern.replace(SECRET_NAMES, keys.names)
            verdict = _verdict(detector, options)
            replace = _by_name(keys, actions) if detector.by_key else _by_verdict(verdict, detector.judge, actions)
            yield Search(pattern, re.compile(detector.lead, re.IGNORECASE), _on(detector.spares), replace)


def _by_name(keys: Keys, actions: Actions) -> Replace:
    def replaced(path: str, marked: Marked) -> tuple[str, str] | None:
        verdict = keys.verdict(f"{path}.{marked.key}")
        # The kind of a resource is no name of a value: arn:aws:secretsmanager:eu-west-1:1:secret:mail
        if verdict is None or (marked.between == ":" and marked.front.endswith(":")):
            return None
        opening, inner, closing = _unwrapped(marked.secret)
        return f"{opening}{actions.apply(verdict, inner)}{closing}", verdict.reason

    return replaced


def _by_verdict(verdict: Verdict, judge: Judge, actions: Actions) -> Replace:
    def replaced(_path: str, marked: Marked) -> tuple[str, str]:
        secret = marked.secret
        pieces, at = [], 0
        for start, end in judge(secret):
            pieces += [secret[at:start], actions.apply(verdict, secret[start:end])]
            at = end
        return "".join((*pieces, secret[at:])), verdict.reason

    return replaced


def _by_form(forms: Sequence[Form], options: Redaction, actions: Actions) -> Replace:
    known = [
        (re.compile(form.pattern), _on(form.spares), _by_verdict(_verdict(form, options), form.judge, actions))
        for form in forms
    ]

    def replaced(path: str, marked: Marked) -> tuple[str, str] | None:
        for pattern, on, replace in known:
            if pattern.fullmatch(marked.secret):
                return replace(path, marked) if on(path) else None
        return None

    return replaced


def _verdict(each: Form | Detector, options: Redaction) -> Verdict:
    return Verdict(f"value {each.reason}", options.action, options.keep)


_QUOTED = re.compile(r"""(\\*["'])(.*?)(\\*["']?)""", re.DOTALL)


def _unwrapped(secret: str) -> tuple[str, str, str]:
    """The quotes around a value, and what is in them."""
    found = _QUOTED.fullmatch(secret)
    return (found[1], found[2], found[3]) if found else ("", secret, "")


def _everywhere(_path: str) -> bool:
    return True


def _on(spares: str | None) -> Callable[[str], bool]:
    if spares is None:
        return _everywhere
    pattern = re.compile(spares)

    def on(path: str) -> bool:
        parts = segments(path)
        return not (parts and pattern.fullmatch(parts[-1]))

    return on


def _below(names: Names) -> Callable[[str], bool]:
    def on(path: str) -> bool:
        parts = segments(path)
        return any(names.match(parts[:end]) for end in range(len(parts), 0, -1))

    return on
