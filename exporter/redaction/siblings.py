"""Secrets that are told by what stands beside them: {"name": "DB_PASSWORD", "value": x}, and Kubernetes' Secrets.

The same holds for the members of an object in a document and for the attributes of a record with the same prefix.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import orjson

from exporter.otlp.decode import Attributes
from exporter.redaction import defaults
from exporter.redaction.documents import Document, Leaf
from exporter.redaction.keys import Keys, Verdict
from exporter.redaction.names import segments, squashed

# Senders choose the names: what is remembered about them has a bound, and so has how deep an attribute's name is read.
_REMEMBERED = 16_384
_DEEPEST = 12
_PATCHED = re.compile(r"/(?:data|stringData)(?:/.*)?", re.DOTALL)
_DATA = frozenset({"data", "stringdata"})
_REFERENCE, _OBJECTS = "objectref", frozenset({"requestobject", "responseobject"})
_ITEMS = frozenset({"items"})
# What `type` says is often no name of a value: a token may have other data beside it.
_TYPED = frozenset({"value", "values", "plain", "plaintext", "raw", "stringvalue"})
_SPOKEN_OF = defaults.VALUES | _DATA | _OBJECTS | _ITEMS


@dataclass(frozen=True, slots=True)
class Hint:
    """What a value says about members beside it."""

    members: frozenset[str]  # their names, see `word`
    verdict: Verdict
    inner: bool = False  # they hold Kubernetes' Secrets: only what is in data and stringData there


def word(name: str) -> str:
    """A member's name as it is compared here: `fieldName`, `field_name` and `FIELD-NAME` are `fieldname`."""
    return _word(name) if len(name) <= defaults.LONGEST_KEY else ""


@lru_cache(_REMEMBERED)
def _word(name: str) -> str:
    return squashed("_".join(segments(name)))


def hint(name: str, value: str, keys: Keys) -> Hint | None:
    """What the member of this name says with its value."""
    said = word(name)
    if said == "kind":
        kind = value.lower()
        if kind not in ("secret", "secretlist") or (verdict := keys.verdict("secret")) is None:
            return None
        return Hint(_DATA, verdict) if kind == "secret" else Hint(_ITEMS, verdict, inner=True)
    if _is_argument(said):
        verdict = keys.verdict(value[2:]) if value.startswith("--") and "=" not in value else None
        return Hint(frozenset({f"a{int(said[1:]) + 1}"}), verdict) if verdict else None
    members = _TYPED if said == "type" else defaults.VALUES if said in defaults.NAMING else None
    if members is None or (verdict := keys.verdict(value)) is None:
        return None
    return Hint(members, verdict)


def _is_argument(said: str) -> bool:
    """Whether a name is that of a command's argument in auditd's records: a0, a1, a2."""
    return said[:1] == "a" and len(said) <= 4 and said[1:].isdecimal()


def referring(name: str, value: str, keys: Keys) -> Hint | None:
    """What a member of Kubernetes' `objectRef` says about the members beside objectRef."""
    if value != "secrets" or word(name) != "resource" or (verdict := keys.verdict("secret")) is None:
        return None
    return Hint(_OBJECTS, verdict, inner=True)


def in_document(
    document: Document, keys: Keys, kubernetes: Verdict | None = None
) -> Callable[[Leaf], Verdict | None] | None:
    """What a document hides because of members beside it; None where there is nothing of the kind.

    `kubernetes`: the document is a Secret's, or a change of one; what becomes of the values in it.
    """
    hints: dict[int, list[Hint]] = defaultdict(list)
    patches: list[int] = []  # objects that change a value of what may be a Secret
    for leaf in document.leaves:
        if not leaf.string or leaf.object < 0 or len(leaf.name) > defaults.LONGEST_NAMING:
            continue
        value = document.value(leaf)
        if found := hint(leaf.name, value, keys):
            hints[leaf.object].append(found)
        parent, name = document.parents[leaf.object]
        if parent >= 0 and word(name) == _REFERENCE and (found := referring(leaf.name, value, keys)):
            hints[parent].append(found)
        if leaf.name == "path" and _PATCHED.fullmatch(value):
            patches.append(leaf.object)
    if not hints and kubernetes is None:
        return None

    def climb(number: int, name: str) -> Verdict | None:
        below = False
        while number >= 0:
            said = word(name)
            for each in hints.get(number, ()):
                if said in each.members and (below or not each.inner):
                    return each.verdict
            below = below or said in _DATA
            number, name = document.parents[number]
        return kubernetes if below else None

    # Whether a patch belongs to a Secret is asked as if it were its data.
    found_in = {number: _in_secret(document, number, hints, kubernetes) for number in patches}
    for number, verdict in found_in.items():
        if verdict is not None:
            hints[number].append(Hint(defaults.VALUES, verdict))
    return lambda leaf: climb(leaf.object, leaf.name)


def _in_secret(
    document: Document, number: int, hints: dict[int, list[Hint]], kubernetes: Verdict | None
) -> Verdict | None:
    while number >= 0:
        number, name = document.parents[number]
        for each in hints.get(number, ()):
            if each.inner and word(name) in each.members:
                return each.verdict
    return kubernetes


def in_attributes(attributes: Attributes, keys: Keys) -> dict[int, Hint]:
    """The attributes (by index) of which another attribute of the same record says that they are secret.

    A hint with `inner` means that an attribute holds a Secret of Kubernetes.
    """
    naming = {code: speaker for code, key in enumerate(attributes.keys) if (speaker := _naming(key))}
    prefixes = {prefix for prefix, _, _ in naming.values()}
    spoken_of = {
        code: members
        for code, key in enumerate(attributes.keys)
        if naming and (members := [member for member in _members(key) if member[0] in prefixes])
    }
    prefixes = {prefix for members in spoken_of.values() for prefix, _, _ in members}
    naming = {code: speaker for code, speaker in naming.items() if speaker[0] in prefixes}
    if not naming or not spoken_of:
        return {}
    hints: dict[tuple[int, str], list[Hint]] = defaultdict(list)
    for _, record, code, text in _rows(attributes, list(naming)):
        prefix, name, referred = naming[code]
        if not text:
            continue
        if word(name) == _REFERENCE:
            found = referring("resource", _resource(text), keys)
        else:
            found = referring(name, text, keys) if referred else hint(name, text, keys)
        if found:
            hints[record, prefix].append(found)
    if not hints:
        return {}
    return {
        row: found
        for row, record, code, text in _rows(attributes, list(spoken_of))
        if text and (found := _said(spoken_of[code], record, hints))
    }


def _resource(reference: str) -> str:
    """The resource that an objectRef, as JSON, names; "" where it names none."""
    try:
        found = orjson.loads(reference)
    except orjson.JSONDecodeError:
        return ""
    resource = found.get("resource") if isinstance(found, dict) else None
    return resource if isinstance(resource, str) else ""


def _said(members: list[tuple[str, str, bool]], record: int, hints: dict[tuple[int, str], list[Hint]]) -> Hint | None:
    for prefix, name, in_data in members:
        for each in hints.get((record, prefix), ()):
            if name in each.members:
                return Hint(each.members, each.verdict, each.inner and not in_data)
    return None


def _rows(attributes: Attributes, codes: list[int]) -> list[tuple[int, int, int, str | None]]:
    """Index, record, key and text of the attributes with these keys."""
    asked = np.zeros(len(attributes.keys), bool)
    asked[codes] = True
    rows = np.flatnonzero(asked[attributes.key])
    records = np.searchsorted(attributes.offsets, rows, side="right") - 1
    texts = attributes.text.gather(rows).to_list()
    return list(zip(rows.tolist(), records.tolist(), attributes.key[rows].tolist(), texts, strict=True))


@lru_cache(_REMEMBERED)
def _naming(key: str) -> tuple[str, str, bool] | None:
    """The prefix of which an attribute says something, its own last name, and whether that is within objectRef."""
    if len(key) > defaults.LONGEST_KEY:
        return None
    prefix, _, name = key.rpartition(".")
    said = word(name)
    if said == "resource" and word((above := prefix.rpartition("."))[2]) == _REFERENCE:
        return above[0], name, True
    speaks = said in defaults.NAMING or said in ("kind", "type", _REFERENCE) or _is_argument(said)
    return (prefix, name, False) if speaks else None


@lru_cache(_REMEMBERED)
def _members(key: str) -> list[tuple[str, str, bool]]:
    """Of which members an attribute is (a part of) the value: prefix, name, and whether it is below `data` in it."""
    if len(key) > defaults.LONGEST_KEY:
        return []
    parts = key.split(".", _DEEPEST)
    words = [word(part) for part in parts]
    return [
        (".".join(parts[:at]), said, any(below in _DATA for below in words[at + 1 :]))
        for at, said in enumerate(words)
        if said in _SPOKEN_OF or _is_argument(said)
    ]
