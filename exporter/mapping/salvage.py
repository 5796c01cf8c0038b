"""What a cut-off JSON document still says."""

from __future__ import annotations

import re
from typing import Any

import orjson

# Strings, brackets and commas; whatever else stands between them belongs to the value that is being read.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|["{}\[\],]', re.DOTALL)
_CLOSING = {"{": "}", "[": "]"}


def salvage(text: str) -> Any:
    """The document up to its last whole member, with its brackets closed; None where nothing can be read."""
    open_brackets: list[str] = []
    cut, closers = 0, ""
    for token in _TOKEN.finditer(text):
        symbol = token[0]
        if symbol == '"':
            break  # a string that never ends
        if symbol in "{[":
            open_brackets.append(_CLOSING[symbol])
        elif symbol in "}]":
            if not open_brackets or open_brackets.pop() != symbol:
                break
            if open_brackets:
                cut, closers = token.end(), "".join(reversed(open_brackets))
            else:
                cut, closers = token.end(), ""
                break  # a whole document, and something behind it
        elif symbol == "," and open_brackets:
            cut, closers = token.start(), "".join(reversed(open_brackets))
    if not cut:
        return None
    try:
        return orjson.loads(text[:cut] + closers)
    except orjson.JSONDecodeError:
        return None
