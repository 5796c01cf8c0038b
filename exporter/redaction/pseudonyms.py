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
_V4 = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}"
_V6 = rf"[0-9A-Fa-f]{{0,4}}:[0-9A-Fa-f:]{{0,37}}(?:[0-9A-Fa-f]|:|:{_V4})"
_ADDRESS = re.compile(rf"(?:(?<![\w.]){_V4}|(?<![\w.:]){_V6})(?![\w]|\.[0-9])(?<![^:]:)")


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
        addresses = _replacing(_ADDRESS, lambda text: actions.address(text, truncate=truncate))
        pseudonyms.append(
            Pseudonym("address", r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|:[0-9A-Fa-f]{0,4}:|::", addresses)
        )
    return pseudonyms


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
