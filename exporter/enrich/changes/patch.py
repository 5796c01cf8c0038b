"""JSON Patch (RFC 6902): what its operations did, as far as they say."""

from __future__ import annotations

from typing import Any

from exporter.enrich.changes.document import Changes, Path
from exporter.enrich.changes.fields import word

_WITH_VALUE = ("add", "replace", "test")
_WITH_SOURCE = ("move", "copy")
_OPERATIONS = (*_WITH_VALUE, *_WITH_SOURCE, "remove")
_OLD = ("old", "oldvalue", "fromvalue", "previous", "previousvalue", "before")
_UNKNOWN = object()


def json_patch(data: Any, changes: Changes, named: bool) -> bool:
    """[{"op": "replace", "path": "/a/b", "value": y}].

    The value before is the operation's `old` (`oldValue`, `fromValue`) if it has one, else that of a `test` of the same
    path earlier in the patch, else null. SCIM's way is taken too (RFC 7644, 3.5.2): "Replace", a path without a slash,
    or none.
    """
    if not isinstance(data, list) or not (data or named) or not all(map(_is_operation, data)):
        return False
    patch = _Patch(changes)
    for operation in data:
        patch.apply(operation)
    patch.finish()
    return True


class _Patch:
    """The values of each path before and after, while operations go by."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._tested: dict[Path, Any] = {}
        self._values: dict[Path, tuple[Any, Any]] = {}

    def apply(self, operation: dict[str, Any]) -> None:
        kind, path = operation["op"].lower(), _segments(operation.get("path", ""))
        if kind == "test":
            self._tested[path] = operation["value"]
            return
        old = next((value for key, value in operation.items() if word(key) in _OLD), _UNKNOWN)
        if old is _UNKNOWN:
            old = self._tested.pop(path, _UNKNOWN)
        if kind in _WITH_SOURCE:
            self._from_elsewhere(kind, path, _segments(operation["from"]))
        elif kind == "add" and _is_position(path) and old is _UNKNOWN:
            self._changes.members(path[:-1], {"added": [operation["value"]], "removed": []})
        else:
            self._set(path, old, operation.get("value") if kind != "remove" else None)

    def finish(self) -> None:
        for path, (before, after) in self._values.items():
            if not path:
                self._changes.documents(None if before is _UNKNOWN else before, after)
            elif before is not _UNKNOWN:
                self._changes.pair(path, before, after)
            elif after is not None:
                self._changes.pair(path, None, after)
            else:
                self._untold(path)

    def _set(self, path: Path, old: Any, value: Any) -> None:
        first = self._values[path][0] if path in self._values else old
        self._values[path] = (first, value)

    def _from_elsewhere(self, kind: str, path: Path, source: Path) -> None:
        value = self._values[source][1] if source in self._values else self._tested.get(source, _UNKNOWN)
        if value is _UNKNOWN:
            self._untold(path)
            if kind == "move":
                self._untold(source)
            return
        self._set(path, _UNKNOWN, value)
        if kind == "move":
            self._set(source, value, None)

    def _untold(self, path: Path) -> None:
        self._changes.incomplete = True
        self._changes.unshown(path or ("value",))


def _is_operation(operation: Any) -> bool:
    if not isinstance(operation, dict) or not isinstance(operation.get("op"), str):
        return False
    kind = operation["op"].lower()
    return (
        kind in _OPERATIONS
        and isinstance(operation.get("path", ""), str)
        and (kind not in _WITH_VALUE or "value" in operation)
        and (kind not in _WITH_SOURCE or isinstance(operation.get("from"), str))
    )


def _segments(pointer: str) -> Path:
    """RFC 6901; a text without the slash at its start is one name."""
    if not pointer.startswith("/"):
        return (pointer,) if pointer else ()
    return tuple(name.replace("~1", "/").replace("~0", "~") for name in pointer[1:].split("/"))


def _is_position(path: Path) -> bool:
    """Whether an addition there goes into a list: at its end, or before one of its members."""
    return len(path) > 1 and (path[-1] == "-" or (path[-1].isascii() and path[-1].isdigit()))
