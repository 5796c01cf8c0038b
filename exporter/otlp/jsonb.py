"""JSON as PostgreSQL's jsonb takes it."""

from __future__ import annotations

from typing import Any

import orjson

NUL_REPLACEMENT = "\ufffd"  # PostgreSQL's text and jsonb can't hold U+0000


def dumps(value: Any) -> tuple[str, bool]:
    """Compact JSON that jsonb accepts, and whether a U+0000 had to be replaced in it."""
    text = orjson.dumps(value).decode()
    if "\\u0000" not in text:  # may also be a backslash that is itself escaped, so look again
        return text, False
    without = _without_nul(value)
    return orjson.dumps(without).decode(), without != value


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", NUL_REPLACEMENT)
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    return value
