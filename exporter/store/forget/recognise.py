"""Forgotten persons recognised by keyed hashes of what they were called: nothing else of them is known any more.

An archive that was written before an order has the person's names. What a restore brings back is looked through for
texts with one of the hashes; such a text is a name, which the order's pseudonym replaces as it did at the time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

import orjson

from exporter.store.queries import query
from exporter.store.session import Connection

_PACKAGE = __package__
# As audit.name_pattern has it: shorter names, and numbers, are looked for as whole values only.
_SHORTEST = 3
_BOUNDARY = re.compile(r"(?<!\w)(?=.)", re.DOTALL)


def name_hash(key: bytes, name: str) -> bytes:
    """The keyed hash of a name, whatever its case."""
    return hmac.digest(key, name.strip().lower().encode(), hashlib.sha256)


def hash_key(connection: Connection) -> bytes:
    """The key of this database."""
    row = connection.execute(query("key", _PACKAGE)).fetchone()
    assert row is not None
    key: bytes = row[0]
    return key


def note_names(connection: Connection, order: int, names: Iterable[str]) -> None:
    """Keeps the hashes of what the person of an order is called."""
    key = hash_key(connection)
    for name in names:
        within = len(name) >= _SHORTEST and not name.isdigit()
        values = {"order": order, "hash": name_hash(key, name), "length": len(name) if within else None}
        connection.execute(query("note_name", _PACKAGE), values)


class Recogniser:
    """Knows the persons of the orders that an archive has not heard of. False where there are none."""

    def __init__(self, connection: Connection, archived_at: datetime, done: Collection[int]) -> None:
        """`archived_at`: when the archive was written; `done`: orders under which it was rewritten since."""
        self._key = hash_key(connection)
        self._orders: dict[bytes, list[tuple[int, str]]] = {}
        self._lengths: set[int] = set()
        values = {"archived_at": archived_at, "done": list(done)}
        for number, pseudonym, digest, length in connection.execute(query("recognised", _PACKAGE), values):
            self._orders.setdefault(digest, []).append((number, pseudonym))
            if length is not None:
                self._lengths.add(length)

    def __bool__(self) -> bool:
        return bool(self._orders)

    def names(self, lines: Iterable[str]) -> dict[tuple[int, str], list[str]]:
        """The names that stand in events (a JSON object a line), by the number and the pseudonym of the order."""
        candidates: set[str] = set()
        for line in lines:
            for text in _texts(orjson.loads(line)):
                for form in _forms(text):
                    candidates.update(self._candidates(form))
        found: dict[tuple[int, str], list[str]] = {}
        for candidate in sorted(candidates):
            for order in self._orders.get(name_hash(self._key, candidate), ()):
                found.setdefault(order, []).append(candidate)
        return dict(sorted(found.items()))

    def _candidates(self, text: str) -> Iterator[str]:
        yield text
        if not self._lengths:
            return
        for boundary in _BOUNDARY.finditer(text):
            for length in self._lengths:
                end = boundary.start() + length
                if end == len(text) or (end < len(text) and not _is_word(text[end])):
                    yield text[boundary.start() : end]


def _forms(text: str) -> set[str]:
    """In lower case as Python has it and as PostgreSQL has it, a letter at a time: with no sigma for a word's end.

    As it is where it has the one capital that is another letter for PostgreSQL's patterns.
    """
    forms = {text.lower(), "".join(character.lower()[:1] for character in text)}
    return forms | {text} if "\u0130" in text else forms


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _texts(value: Any) -> Iterator[str]:
    """All texts and keys of JSON, and its whole numbers, which may be ids."""
    match value:
        case str():
            yield value
        case bool():
            return
        case int():
            yield str(value)
        case dict():
            for key, member in value.items():
                yield key
                yield from _texts(member)
        case list():
            for member in value:
                yield from _texts(member)
