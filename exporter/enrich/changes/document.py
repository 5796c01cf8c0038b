"""Collects changes field by field, and finds those between two JSON values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from exporter.enrich.changes.values import (
    LONGEST_PATH,
    Secret,
    below,
    is_another,
    is_mask,
    is_secret,
    masked,
    members,
    never,
    same,
)

Path = tuple[str, ...]

# Objects nested deeper, and documents that differ in more places, keep whole values: changes have to be readable.
_DEEPEST = 16
_MOST_FIELDS = 500
_ROOT: Path = ()
# The one field of values that have none.
_VALUE: Path = ("value",)
# An attacker's path could be of any length, and each of its beginnings is looked at.
_MOST_BEGINNINGS = 32


class _TooManyFieldsError(Exception):
    """Objects differ in more places than are worth a field each."""


class Changes:
    """The changes of one document, on the way to their stored form.

    `incomplete` is set where the document says more than its changes can.
    """

    def __init__(self, secret: Secret, depth: int) -> None:
        """Objects are compared member by member down to `depth` levels below a field; 0 keeps each whole."""
        self.incomplete = False
        self._secret, self._depth = secret, depth
        self._changes: dict[Path, dict[str, Any]] = {}

    def pair(self, path: Path, before: Any, after: Any) -> None:
        """A field that the sender lists with both its values, null for none; left out where they are the same."""
        if self._is_secret(path) or (is_mask(before) and same(before, after)):
            self.unshown(path)
        else:
            self._differ(path, before, after, self._depth)

    def as_sent(self, path: Path, change: dict[str, Any]) -> None:
        """A change that has the stored form already; of `before` and `after` one may be missing."""
        if self._is_secret(path):
            self.unshown(path)
        elif "before" in change or "after" in change:
            self._whole(path, change.get("before"), change.get("after"))
        else:
            dotted = ".".join(path)
            self._put(path, {side: masked(value, None, self._secret, dotted) for side, value in change.items()})

    def members(self, path: Path, sides: dict[str, list[Any]]) -> None:
        """What a set gained (`added`) and lost (`removed`); a side that the sender doesn't give is left out."""
        if self._is_secret(path):
            self.unshown(path)
        else:
            self._set(path, sides)

    def unshown(self, path: Path) -> None:
        """A field that changed in a way that the sender doesn't tell, or that nobody may see."""
        self._put(path, {"changed": True})

    def documents(self, before: Any, after: Any) -> None:
        """Two whole documents, null for none. Two values that are no objects are the one field "value"."""
        if isinstance(before, dict | None) and isinstance(after, dict | None):
            self._members(_ROOT, before or {}, after or {}, self._depth)
        else:
            self._differ(_VALUE, before, after, self._depth)

    def finished(self) -> dict[str, Any]:
        """The stored form."""
        nested = {path[0] for path in self._changes if len(path) > 1}
        return {_text(path, nested): change for path, change in self._changes.items()}

    def _is_secret(self, path: Path) -> bool:
        """Whether the field, or one that it lies in, is a secret's."""
        if self._secret is never:
            return False
        if len(path) == 1:
            return is_secret(self._secret, path[0], path[0])
        ends = range(1, min(len(path), _MOST_BEGINNINGS) + 1)
        return any(is_secret(self._secret, ".".join(path[:end]), path[end - 1]) for end in ends) or is_secret(
            self._secret, ".".join(path), path[-1]
        )

    def _differ(self, path: Path, before: Any, after: Any, depth: int) -> None:
        if isinstance(before, dict) and isinstance(after, dict) and depth > 0 and _opens(path, before, after):
            self._members(path, before, after, depth - 1)
        elif same(before, after):
            return
        elif isinstance(before, list) and isinstance(after, list) and (sides := members(before, after)):
            self._set(path, {"added": sides[0], "removed": sides[1]})
        else:
            self._whole(path, before, after)

    def _members(self, path: Path, before: dict[str, Any], after: dict[str, Any], depth: int) -> None:
        dotted = ".".join(path)
        for name in before | after:
            was, now = before.get(name), after.get(name)
            inner = (*path, name)
            if is_secret(self._secret, below(dotted, name) if path else name, name):
                if not same(was, now):
                    self.unshown(inner)
            else:
                self._differ(inner, was, now, depth)

    def _whole(self, path: Path, before: Any, after: Any) -> None:
        if self._secret is never:
            self._put(path, {"before": before, "after": after})
            return
        dotted = ".".join(path)
        was, now = masked(before, after, self._secret, dotted), masked(after, before, self._secret, dotted)
        if same(was, now) and not same(before, after):
            self.unshown(path)
        else:
            self._put(path, {"before": was, "after": now})

    def _set(self, path: Path, sides: dict[str, list[Any]]) -> None:
        dotted = ".".join(path)
        self._put(
            path,
            {side: [masked(item, None, self._secret, dotted) for item in items] for side, items in sides.items()},
        )

    def _put(self, path: Path, change: dict[str, Any]) -> None:
        known = self._changes.get(path)
        self._changes[path] = change if known is None else _both(known, change)
        if self._depth and len(self._changes) > _MOST_FIELDS:
            raise _TooManyFieldsError


def collect(fill: Callable[[Changes], None], secret: Secret) -> Changes:
    """What `fill` puts in; it is called again, for whole values, where its objects differ in too many places."""
    try:
        fill(changes := Changes(secret, _DEEPEST))
    except _TooManyFieldsError:
        fill(changes := Changes(secret, 0))
    return changes


def between(before: Any, after: Any, *, secret: Secret = never) -> dict[str, Any]:
    """The stored form of what two JSON values differ in; {} where they are the same.

    None is a document that isn't there: all fields of the other one were created, or deleted. A field that is null is
    one that isn't there either. Where `secret` holds for a field's path or name, its values are not shown.
    """
    return collect(lambda changes: changes.documents(before, after), secret).finished()


def _opens(path: Path, before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether two objects are compared member by member: the same thing, and paths that stay short."""
    if is_another(before, after):
        return False
    longest = max(map(len, before | after), default=0)
    return sum(map(len, path)) + len(path) + longest <= LONGEST_PATH


def _both(known: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Two changes of one field: one after the other, or else what both of them added and removed."""
    if "changed" in known or "changed" in change:
        return change if "changed" in known else known
    if "after" in known and "after" in change and same(known["after"], change["before"]):
        return {"before": known["before"], "after": change["after"]}
    merged = _as_set(known)
    for side, items in _as_set(change).items():
        merged.setdefault(side, []).extend(items)
    return merged


def _as_set(change: dict[str, Any]) -> dict[str, Any]:
    if "after" not in change:
        return change
    before, after = change["before"], change["after"]
    return {"added": [] if after is None else [after], "removed": [] if before is None else [before]}


def _text(path: Path, nested: set[str]) -> str:
    """The path with dots between its names; a name that has a dot itself is in quotes, so that no two are alike."""
    top = path[0]
    if len(path) == 1 and not nested:
        return top
    text = _quoted(top) if '["' in top or _begins_like(top, nested) else top
    for name in path[1:]:
        text += _quoted(name) if "." in name or '["' in name else f".{name}"
    return text


def _begins_like(top: str, nested: set[str]) -> bool:
    """Whether a top field's name could be taken for the path of a field inside another."""
    if "." not in top:
        return False
    parts = top.split(".", _MOST_BEGINNINGS)
    return len(parts) > _MOST_BEGINNINGS or any(".".join(parts[:end]) in nested for end in range(1, len(parts)))


def _quoted(name: str) -> str:
    return f"[{json.dumps(name, ensure_ascii=False)}]"
