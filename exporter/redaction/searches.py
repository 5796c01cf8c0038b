"""What is looked for in texts: detectors and the administrator's rules, as one kind of thing.

A pattern marks what it finds by U+0000, which no text has (see otlp/values.py), so that Rust searches and only what
was found comes to Python.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from exporter.redaction.actions import Actions
from exporter.redaction.detectors import DETECTORS, FORMS, SECRET_NAMES, Detector, Form, Judge, whole
from exporter.redaction.keys import Keys, Names, Verdict, as_verdict
from exporter.redaction.names import segments
from exporter.redaction.options import Redaction

_MARKED = r"${before}" + "\0${key}\0${between}\0${secret}\0${after}"
# Path, key and secret to replacement and reason; None where it is no secret.
Replace = Callable[[str, str, str], tuple[str, str] | None]
Found = Counter[tuple[str, str]]  # (path, reason), how often


@dataclass(frozen=True, slots=True)
class Search:
    """A detector, all forms together, or a rule, ready to be run over texts."""

    pattern: str
    literals: tuple[str, ...]
    on: Callable[[str], bool]  # whether it is run on the value of this path
    replace: Replace

    def run(self, texts: list[str], paths: Sequence[str], found: Sequence[Found]) -> None:
        """Replaces what is secret in the texts, and adds to what was found in each."""
        hits = [
            place
            for place, text in enumerate(texts)
            if self.on(paths[place]) and (not self.literals or _has_any(text.lower(), self.literals))
        ]
        if not hits:
            return
        marked = pl.Series([texts[hit] for hit in hits]).str.replace_all(self.pattern, _MARKED)
        for hit, text in zip(hits, marked, strict=True):
            if "\0" in text:
                texts[hit] = self._unmarked(text, paths[hit], found[hit])

    def _unmarked(self, marked: str, path: str, found: Found) -> str:
        pieces = marked.split("\0")
        for at in range(0, len(pieces) - 4, 4):
            replaced = self.replace(path, pieces[at + 1], pieces[at + 3])
            if replaced is not None and replaced[0] != pieces[at + 3]:
                pieces[at + 3] = replaced[0]
                found[path, replaced[1]] += 1
        return "".join(pieces)


def searches(options: Redaction, actions: Actions, keys: Keys) -> Iterator[Search]:
    """The rules, then what the options leave of the detectors."""
    for rule in options.rules:
        if rule.value is not None:
            pattern = rule.value if "(?P<secret>" in rule.value else f"(?P<secret>{rule.value})"
            on = _below(Names(rule.key)) if rule.key else _everywhere
            yield Search(pattern, (), on, _by_verdict(as_verdict(rule, options), whole, actions))
    forms = [form for form in FORMS if options.values.get(form.name, True)]
    if forms:
        pattern = f"(?P<before>^|[^A-Za-z0-9_])(?P<secret>{'|'.join(form.pattern for form in forms)})"
        yield Search(pattern, (), _everywhere, _by_form(forms, options, actions))
    for detector in DETECTORS:
        if options.values.get(detector.name, True):
            pattern = detector.pattern.replace(SECRET_NAMES, keys.names)
            verdict = _verdict(detector, options)
            replace = _by_name(keys, actions) if detector.by_key else _by_verdict(verdict, detector.judge, actions)
            yield Search(pattern, detector.literals, _on(detector.spares), replace)


def _by_name(keys: Keys, actions: Actions) -> Replace:
    def replaced(path: str, key: str, secret: str) -> tuple[str, str] | None:
        verdict = keys.verdict(f"{path}.{key}")
        if verdict is None:
            return None
        opening, inner, closing = _unwrapped(secret)
        return f"{opening}{actions.apply(verdict, inner)}{closing}", verdict.reason

    return replaced


def _by_verdict(verdict: Verdict, judge: Judge, actions: Actions) -> Replace:
    def replaced(_path: str, _key: str, secret: str) -> tuple[str, str]:
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

    def replaced(path: str, key: str, secret: str) -> tuple[str, str] | None:
        for pattern, on, replace in known:
            if pattern.fullmatch(secret):
                return replace(path, key, secret) if on(path) else None
        return None

    return replaced


def _verdict(each: Form | Detector, options: Redaction) -> Verdict:
    return Verdict(f"value {each.reason}", options.action, options.keep)


def _has_any(text: str, literals: tuple[str, ...]) -> bool:
    return any(literal in text for literal in literals)


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
