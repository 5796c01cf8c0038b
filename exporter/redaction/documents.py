"""JSON text, taken apart so that single values can be replaced and every other byte stays as it was.

Nothing is built from the text: a document that was cut off, numbers of any size and every way of writing survive.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from exporter.redaction.names import LONGEST_PATH

_TOKEN = re.compile(r"""[ \t\r\n]*+(?:("(?:[^"\\]++|\\.)*+"?)|([{}\[\]:,])|([A-Za-z0-9+.-]++))""", re.DOTALL)
_BLANK = re.compile(r"[ \t\r\n]*+")
_SCALAR = re.compile(r"true|false|null|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
# What decoded attributes can have is less (protobuf takes 100 messages within each other).
_DEEPEST = 200
_LONGEST_NAME = 256  # kept of a name, from its end: every leaf below it has it in its path
_FLAGS = frozenset({"true", "false", "null", '""'})  # never replaced


class Leaf(NamedTuple):
    """A string or number that may be replaced, and where it stands. (A tuple: documents have thousands.)"""

    start: int
    end: int
    path: str  # the members' names, dotted; below an array, the array's
    name: str  # the member's own name; "" for one that is no member
    object: int  # the object that it is in, directly or through arrays; -1: none
    string: bool


@dataclass(slots=True)
class Document:
    """The leaves of a text, and for each of its objects the parent object and the name in it."""

    text: str
    leaves: list[Leaf] = field(default_factory=list)
    parents: list[tuple[int, str]] = field(default_factory=list)

    def value(self, leaf: Leaf) -> str:
        """What a leaf says: a string without its quotes and escapes, anything else as it is written."""
        token = self.text[leaf.start : leaf.end]
        return _unquoted(token) if leaf.string else token

    def replaced(self, values: Mapping[int, str]) -> str:
        """The text with the leaves of these indices replaced by strings."""
        pieces, at = [], 0
        for index in sorted(values):
            leaf = self.leaves[index]
            pieces += [self.text[at : leaf.start], quoted(values[index])]
            at = leaf.end
        return "".join((*pieces, self.text[at:]))


def looks_like_document(text: str) -> bool:
    """Whether a text begins as an object or array does."""
    return text.lstrip(" \t\r\n")[:1] in ("{", "[")


def parse(text: str, path: str = "") -> Document | None:
    """Takes a text apart; `path` is what its own name is. None where it is no JSON; it may end too early."""
    reader = _Reader(text, path)
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return reader.document if _BLANK.fullmatch(text, at) else None
        at = token.end()
        if not reader.take(token):
            return None
    return reader.document


def quoted(value: str) -> str:
    """A string as JSON."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # half of a surrogate pair, which only an escape can say
        return json.dumps(value)


def _unquoted(token: str) -> str:
    if "\\" not in token and len(token) > 1 and token.endswith('"'):
        return token[1:-1]
    try:
        value: str = json.loads(token, strict=False)
    except ValueError:  # cut off, or an escape that is none
        return token[1:]
    return value


@dataclass(slots=True)
class _Frame:
    is_object: bool
    path: str
    name: str  # of the member that comes next in an object; of the array itself in an array
    object: int
    named: bool = False  # a name and its colon were read

    @property
    def expects_name(self) -> bool:
        return self.is_object and not self.named

    @property
    def below(self) -> str:
        """The path of the value that comes next."""
        if not self.is_object:
            return self.path
        return f"{self.path}.{self.name}"[-LONGEST_PATH:] if self.path else self.name


class _Reader:
    """Follows the tokens of one document. Each method says whether the token may stand where it does."""

    def __init__(self, text: str, path: str) -> None:
        self.document = Document(text)
        self._outside = _Frame(False, path, path.rpartition(".")[2], -1)
        self._stack = [self._outside]
        self._after_name = False

    def take(self, token: re.Match[str]) -> bool:
        if len(self._stack) == 1 and self._outside.named:
            return False  # something follows the document
        self._outside.named = True
        string, mark, _ = token.groups()
        if string is not None:
            return self._string(token)
        return self._mark(mark) if mark is not None else self._word(token)

    def _string(self, token: re.Match[str]) -> bool:
        top = self._stack[-1]
        self._after_name = top.expects_name
        if top.expects_name:
            top.name = _unquoted(token[1])[-_LONGEST_NAME:]
        elif token[1] not in _FLAGS:
            self._leaf(token, 1)
        return True

    def _word(self, token: re.Match[str]) -> bool:
        complete = token.end() == len(token.string) or _SCALAR.fullmatch(token[3])
        if self._stack[-1].expects_name or not complete:
            return False
        if token[3] not in _FLAGS:
            self._leaf(token, 3)
        return True

    def _mark(self, mark: str) -> bool:
        top = self._stack[-1]
        after_name, self._after_name = self._after_name, False
        if mark in "{[":
            return not top.expects_name and self._open(top, mark == "{")
        if mark == ":":
            top.named = after_name
            return after_name
        if mark == ",":
            top.named = False
            return True
        self._stack.pop()
        return (mark == "}") == top.is_object

    def _open(self, top: _Frame, is_object: bool) -> bool:
        number, name = top.object, top.name
        if is_object:
            self.document.parents.append((number, name))
            number, name = len(self.document.parents) - 1, ""
        self._stack.append(_Frame(is_object, top.below, name, number))
        return len(self._stack) <= _DEEPEST

    def _leaf(self, token: re.Match[str], group: int) -> None:
        top = self._stack[-1]
        leaf = Leaf(*token.span(group), top.below, top.name, top.object, group == 1)
        self.document.leaves.append(leaf)
