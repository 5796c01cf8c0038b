"""Names that lead into nested values: `user.name`, `target[0].id`, `annotations["k8s.io/decision"]`.

An attribute whose own name is `user.name` is always found first; else the attribute `user` is looked into.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from exporter.otlp.jsonb import dumps

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_BRACKET = re.compile(rf"\[(?:(-?\d{{1,6}})|({_QUOTED})|([^\]=\"\[]+)=([^\]]*))\]")
_NAME = re.compile(r"[^.\[\]]+")
_MISSING: Any = object()
_NESTED = frozenset({dict, list})


@dataclass(frozen=True, slots=True)
class Where:
    """The first item of a list whose member `name` reads `value`."""

    name: str
    value: str


Segment = str | int | Where


def parse_path(text: str) -> tuple[Segment, ...]:
    """The steps of a path below an attribute. Raises ValueError where the text is none."""
    segments: list[Segment] = []
    at = 0
    while at < len(text):
        if text[at] == "[":
            found = _BRACKET.match(text, at)
            if found is None:
                raise ValueError(f"{text!r}: after [ comes a number, a quoted name or name=value, then ]")
            segments.append(_bracket(found))
        else:
            found = _NAME.match(text, at + 1 if text[at] == "." and segments else at)
            if found is None:
                raise ValueError(f"{text!r}: a name is missing after {text[: at + 1]!r}")
            segments.append(found[0])
        at = found.end()
    return tuple(segments)


def _bracket(found: re.Match[str]) -> Segment:
    number, quoted, name, value = found.groups()
    if number is not None:
        return int(number)
    if quoted is not None:
        return str(orjson.loads(quoted))
    return Where(name.strip(), value.strip())


@dataclass(slots=True)
class _Node:
    """One step of all paths at once; `code` is the path that ends here, or -1."""

    code: int = -1
    names: dict[str, _Node] = field(default_factory=dict)
    others: list[tuple[int | Where, _Node]] = field(default_factory=list)

    def child(self, segment: Segment) -> _Node:
        if isinstance(segment, str):
            return self.names.setdefault(segment, _Node())
        for known, node in self.others:
            if known == segment:
                return node
        node = _Node()
        self.others.append((segment, node))
        return node


class Paths:
    """All paths that a set of rules reads, ready to be looked up in nested values."""

    def __init__(self, texts: Iterable[str]) -> None:
        """`texts` as rules name attributes; those that can't lead into a nested value are left out."""
        self.texts = tuple(sorted(text for text in set(texts) if _starts(text)))
        self._below: dict[str, _Node] = {}
        for code, text in enumerate(self.texts):
            for end in _starts(text):
                node = self._below.setdefault(text[:end], _Node())
                for segment in parse_path(text[end:].removeprefix(".")):
                    node = node.child(segment)
                node.code = code

    def below(self, key: str) -> _Node | None:
        """What is looked for in an attribute of that name; None: nothing."""
        return self._below.get(key)


def _starts(text: str) -> list[int]:
    """Where the attribute's own name can end and the path into it begin."""
    try:
        parse_path(text)
    except ValueError:
        return []  # an attribute's own name, whatever it looks like
    ends = [index for index, character in enumerate(text) if character in ".[" and 0 < index < len(text) - 1]
    # Not within brackets: annotations["a.b"] has one start only.
    depth, inside = 0, set()
    for index, character in enumerate(text):
        if depth:
            inside.add(index)
        depth += (character == "[") - (character == "]")
    return [end for end in ends if end not in inside]


@dataclass(slots=True)
class Found:
    """What was found, one below the other: paths, texts, and which of the texts are JSON of an array or a map."""

    paths: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    nested: list[int] = field(default_factory=list)

    def add(self, path: int, value: Any) -> None:
        """One value; null is none."""
        if value is None:
            return
        if type(value) in _NESTED:
            self.nested.append(len(self.texts))
        self.paths.append(path)
        self.texts.append(value if type(value) is str else as_text(value))


def find(value: Any, node: _Node, found: Found) -> None:
    """Adds whatever the value has at the paths."""
    if node.names and type(value) is dict:
        names = node.names
        # Whichever is shorter is gone through.
        shared = value if len(value) <= len(names) else names
        for name in shared:
            if name in names and name in value:
                child, member = names[name], value[name]
                if child.code >= 0:
                    found.add(child.code, member)
                if child.names or child.others:
                    find(member, child, found)
    for segment, child in node.others:
        member = _item(value, segment)
        if member is not _MISSING:
            if child.code >= 0:
                found.add(child.code, member)
            find(member, child, found)


def _item(value: Any, segment: int | Where) -> Any:
    if not isinstance(value, list):
        return _MISSING
    if isinstance(segment, int):
        return value[segment] if -len(value) <= segment < len(value) else _MISSING
    return next((item for item in value if _is(item, segment)), _MISSING)


def _is(item: Any, wanted: Where) -> bool:
    return isinstance(item, Mapping) and wanted.name in item and as_text(item[wanted.name]) == wanted.value


def as_text(value: Any) -> str:
    """A JSON value as columns and conditions take it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return dumps(value)[0]
