"""E-mail and network addresses, hidden on request wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from exporter.redaction.actions import Actions
from exporter.redaction.options import Redaction

# Possessive and bounded throughout: linear, whatever the text.
_LOCAL = r"""[^\s@<>"',;:/()\[\]{}=|\\]"""
_EMAIL = re.compile(rf"(?<!{_LOCAL}){_LOCAL}{{1,64}}+@(?:[\w-]{{1,63}}+\.){{1,16}}[\w-]{{2,63}}")
# Whatever an address is written with, in one run; what of it is one is told by trying.
_RUN = re.compile(r"(?:(?<![\w.:])|(?<=\w)(?=:))[0-9A-Fa-f:.]{2,64}+(?!\w)")
_V4 = re.compile(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?!\w|\.[0-9])")


@dataclass(frozen=True, slots=True)
class Pseudonym:
    """`mark` (Rust) is what a text has to match to have one."""

    reason: str
    mark: str
    apply: Callable[[str], tuple[str, int]]  # the text, and how many were replaced in it


def chosen(options: Redaction, actions: Actions) -> list[Pseudonym]:
    """What the options ask for."""
    pseudonyms = []
    if options.emails == "hash":
        emails = _replacing(_EMAIL, actions.email)
        pseudonyms.append(Pseudonym("email", r"@[A-Za-z0-9_-]+\.|@[^\x00-\x7f]", emails))
    if options.addresses != "keep":
        truncate = options.addresses == "truncate"
        addresses = _replacing(_RUN, lambda run: _in_run(run, lambda text: actions.address(text, truncate=truncate)))
        pseudonyms.append(
            Pseudonym("address", r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|:[0-9A-Fa-f]{0,4}:|::", addresses)
        )
    return pseudonyms


def _in_run(run: str, replace: Callable[[str], str | None]) -> str | None:
    if run.count(".") < 3 and run.count(":") < 2:
        return None
    # A full stop or a colon behind an address is the sentence's.
    for core in dict.fromkeys((run, run.rstrip("."), run.removesuffix(":"))):
        if replaced := replace(core):
            return replaced + run[len(core) :]
    return _V4.sub(lambda found: replace(found[0]) or found[0], run)


def _replacing(pattern: re.Pattern[str], replace: Callable[[str], str | None]) -> Callable[[str], tuple[str, int]]:
    def apply(text: str) -> tuple[str, int]:
        count = 0

        def one(found: re.Match[str]) -> str:
            nonlocal count
            replaced = replace(found[0])
            count += replaced is not None and replaced != found[0]
            return found[0] if replaced is None else replaced

        return pattern.sub(one, text), count

    return apply
