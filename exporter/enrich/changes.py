"""What changed, in the one form that audit.events has.

{"field": {"before": x, "after": y}}; for sets {"added": [...], "removed": [...]}; for secrets {"changed": true}.
"""

from __future__ import annotations

from typing import Any

import orjson

from exporter.otlp.values import dumps

_FORMS = ({"before", "after"}, {"added", "removed"}, {"changed"})


def parse(text: str) -> tuple[str, bool] | None:
    """The JSON as it is stored and whether a U+0000 was replaced in it; None where the text is no such document.

    Half of a pair may be missing: {"after": y} alone is a field that was not there before.
    """
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict) or not document or not all(map(_is_change, document.values())):
        return None
    try:
        return dumps({name: _complete(change) for name, change in document.items()})
    except orjson.JSONEncodeError:  # reads 1024 levels, but writes 254
        return None


def _is_change(change: Any) -> bool:
    return isinstance(change, dict) and bool(change) and any(set(change) <= form for form in _FORMS)


def _complete(change: dict[str, Any]) -> dict[str, Any]:
    if "before" in change or "after" in change:
        return {"before": change.get("before"), "after": change.get("after")}
    return change
