"""Text of others, made safe to print."""

from __future__ import annotations

import json
import re
import unicodedata

# What JSON leaves as it is and a terminal may obey: DEL, the C1 controls, the direction overrides and their like.
_NOT_ASCII = re.compile(r"[\x7f-\U0010ffff]+")


def printable(text: str) -> str:
    """The text with an escape such as \\x1b, \\n or \\u202e for each character that is not seen as itself.

    Those are control characters, line breaks, direction marks and overrides, zero-width characters, and what Python's
    Unicode tables don't know; printed raw, they would steer the terminal or show another text than there is.
    """
    if text.isprintable():
        return text
    return "".join(character if _is_seen(character) else _escape(character) for character in text)


def printable_json(document: str) -> str:
    """The same for a JSON document, which stays the same value: the escapes are JSON's own."""
    return _NOT_ASCII.sub(_escape_json, document)


def _is_seen(character: str) -> bool:
    # isprintable is False for spaces other than the ASCII one too: U+3000 separates words in Japanese.
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _escape_json(found: re.Match[str]) -> str:
    text = found[0]
    if text.isprintable():
        return text
    return "".join(character if _is_seen(character) else json.dumps(character)[1:-1] for character in text)
