"""What a JSON document that is cut off, or says what JSON can't, still says."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import orjson

# Strings, brackets and commas; whatever else stands between them belongs to the value that is being read.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|["{}\[\],]', re.DOTALL)
_CLOSING = {"{": "}", "[": "]"}
# A string, or a number that may be none of JSON's.
_SCALAR = re.compile(
    r'"(?:[^"\\]++|\\.)*+"?|(?<![\w.+-])-?(?:NaN|Infinity|[0-9][0-9.]*+[eE]\+?[0-9]++)(?![\w.])', re.DOTALL
)
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.|([\x00-\x1f])",
    re.DOTALL,
)


def salvage(text: str) -> Any:
    """The document up to its last whole member, with its brackets closed; None where nothing can be read.

    Numbers that JSON hasn't (NaN, Infinity, 1e400) become strings, halves of surrogates U+FFFD; a member of the
    document that can't be read all the same is left out.
    """
    repaired = _SCALAR.sub(_repaired, text)
    depth, cut, commas = 0, 0, [0]
    open_brackets: list[str] = []
    for token in _TOKEN.finditer(repaired):
        symbol = token[0]
        if symbol == '"':
            break  # a string that never ends
        if symbol in _CLOSING:
            open_brackets.append(_CLOSING[symbol])
        elif symbol in "}]":
            if not open_brackets or open_brackets[-1] != symbol:
                break
            open_brackets.pop()
            depth, cut = len(open_brackets), token.end()
            if not open_brackets:
                break  # a whole document, and something behind it
        elif symbol == "," and open_brackets:
            depth, cut = len(open_brackets), token.start()
            if depth == 1:
                commas.append(cut)
    if not cut:
        return None
    closed = repaired[:cut] + "".join(reversed(open_brackets[:depth]))
    try:
        return orjson.loads(closed)
    except orjson.JSONDecodeError:
        return dict(_readable(closed, [*commas, len(closed) - 1])) or None


def _readable(document: str, bounds: list[int]) -> Iterator[tuple[str, Any]]:
    """The members of an object that can be read; `bounds`: where its brace, its commas and its last brace are."""
    if not document.startswith("{"):
        return
    for start, end in pairwise(bounds):
        try:
            yield from orjson.loads("{" + document[start + 1 : end] + "}").items()
        except orjson.JSONDecodeError:
            continue


def _repaired(scalar: re.Match[str]) -> str:
    text = scalar[0]
    if text.startswith('"'):
        return _ESCAPE.sub(_escape, text) if "\\" in text or not text.isprintable() else text
    if text[-1].isdigit() and math.isfinite(_number(text)):
        return text
    return f'"{text}"'


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _escape(found: re.Match[str]) -> str:
    if found[1]:
        return "\\ufffd"
    return f"\\u{ord(found[2]):04x}" if found[2] else found[0]
