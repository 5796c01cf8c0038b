"""What one event changed, a row for each value; the same rows as the event dashboard's (event_changes.sql)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["added", "removed", "changed", "secret"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field, nested ones by path, and its values as text; None where there was or is none."""

    field: str
    kind: Kind
    before: str | None = None
    after: str | None = None


class _Number(str):
    """A number as it is written, so that none loses digits."""


def differences(changes: str | None) -> list[Difference]:
    """The rows of a `changes` document (exporter/enrich/changes.py), by field."""
    document = json.loads(changes, parse_int=_Number, parse_float=_Number) if changes else None
    if not isinstance(document, dict):
        return []
    found = [row for field, change in document.items() if isinstance(change, dict) for row in _rows(field, change)]
    return sorted(found, key=lambda row: (row.field, row.kind, row.before or "", row.after or ""))


def _rows(field: str, change: dict[str, Any]) -> Iterator[Difference]:
    if change.keys() & {"before", "after"}:
        yield from _between(field, change.get("before"), change.get("after"))
    if isinstance(change.get("added"), list):
        yield from (Difference(field, "added", after=_text(member)) for member in change["added"])
    if isinstance(change.get("removed"), list):
        yield from (Difference(field, "removed", before=_text(member)) for member in change["removed"])
    if change.get("changed") is True:
        yield Difference(field, "secret")


def _between(path: str, before: Any, after: Any) -> Iterator[Difference]:
    """Nested objects are gone into; a list, as documents nest as deep as PostgreSQL lets them."""
    waiting = [(path, before, after)]
    while waiting:
        place, old, new = waiting.pop()
        if isinstance(old, dict) or isinstance(new, dict):
            olds, news = (side if isinstance(side, dict) else {} for side in (old, new))
            waiting += [(f"{place}.{key}", olds.get(key), news.get(key)) for key in {**olds, **news}]
            old, new = (None if isinstance(side, dict) else side for side in (old, new))
        if _text(old) != _text(new) or type(old) is not type(new):
            kind: Kind = "added" if old is None else "removed" if new is None else "changed"
            yield Difference(place, kind, _text(old), _text(new))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return _json(value)


def _json(value: Any) -> str:
    """As PostgreSQL writes it; numbers with the digits that they have."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_json(key)}: {_json(member)}' for key, member in value.items())}}}"
    return json.dumps(value, ensure_ascii=False)
