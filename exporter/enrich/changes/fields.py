"""The forms that are an object: two documents, or a member for each field that changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from exporter.enrich.changes.document import Changes

_ENDINGS = ("", "value", "values", "state", "data")
_BEFORE = frozenset(stem + end for stem in ("before", "old", "from", "previous", "prev") for end in _ENDINGS)
_AFTER = frozenset(stem + end for stem in ("after", "new", "to", "current") for end in _ENDINGS)
_LONGEST_WORD = max(map(len, _BEFORE | _AFTER)) + 2
# OCSF's entity management, Kubernetes' admission review: words that mean a half only beside the other one.
_DOCUMENTS = (("entity", "entity_result"), ("oldObject", "object"))
_EARLIER = re.compile(r"(?:previous|prev|old|before)(?:_(.+)|([A-Z].*))", re.DOTALL)
_LATER = ("new", "current", "after", "updated")
_OWN = ({"before", "after"}, {"added", "removed"}, {"changed"})
# Django auditlog's operations on sets.
_M2M = {"add": "added", "delete": "removed", "remove": "removed", "clear": "removed"}


def word(key: str) -> str:
    """A key as senders agree on it: old_value, oldValue and OldValue are oldvalue; "" for what is no word."""
    return key.replace("_", "").replace("-", "").lower() if len(key) <= _LONGEST_WORD else ""


def loaded(value: Any) -> Any:
    """What a text of JSON says; anything else is itself."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def halves(data: dict[str, Any]) -> tuple[str | None, str | None] | None:
    """The keys of the value before and of the value after, None for one that isn't there.

    None where there is neither, or two of one kind.
    """
    before = [key for key in data if word(key) in _BEFORE]
    after = [key for key in data if word(key) in _AFTER]
    if len(before) > 1 or len(after) > 1 or not (before or after):
        return None
    return before[0] if before else None, after[0] if after else None


def auditgraf(data: Any, changes: Changes, named: bool) -> bool:
    """The stored form itself; half of a pair may be missing."""
    if not isinstance(data, dict) or not data or not all(map(_is_change, data.values())):
        return False
    for field, change in data.items():
        changes.as_sent((field,), change)
    return True


def documents(data: Any, changes: Changes, named: bool) -> bool:
    """{"before": {...}, "after": {...}}: the whole thing as it was and as it is."""
    if not isinstance(data, dict):
        return False
    keys = next((pair for pair in _DOCUMENTS if pair[0] in data and pair[1] in data), None) or halves(data)
    if keys is None:
        return False
    before, after = (_document(data[key]) if key is not None else None for key in keys)
    rest = len(data) - sum(key is not None for key in keys)
    if not named and (rest or (None in keys and not isinstance(before or after, dict))):
        return False
    changes.incomplete = rest > 0
    changes.documents(before, after)
    return True


def both_documents(data: Any, changes: Changes, named: bool) -> bool:
    """As `documents`, where neither half is missing."""
    return isinstance(data, dict) and len(data) == 2 and documents(data, changes, named)


def authentik(data: Any, changes: Changes, named: bool) -> bool:
    """{"field": {"previous_value": x, "new_value": y}}, and {"add": [...], "remove": [...], "clear": true} for sets.

    authentik/enterprise/audit/middleware.py
    """
    if not _is_object_of(data, _is_authentiks, named):
        return False
    for field, change in data.items():
        if "previous_value" in change or "new_value" in change:
            changes.pair((field,), change.get("previous_value"), change.get("new_value"))
        elif change.get("clear"):
            # Who was in it before is not told.
            changes.as_sent((field,), {"after": change.get("add", [])})
        else:
            changes.members((field,), {"added": change.get("add", []), "removed": change.get("remove", [])})
    return True


def fields(data: Any, changes: Changes, named: bool) -> bool:
    """{"field": {"old": x, "new": y}}, in any of the words for old and new."""
    if not _is_object_of(data, lambda change: _is_pair_of_words(change, named), named):
        return False
    for field, change in data.items():
        before, after = halves(change) or (None, None)
        changes.pair((field,), None if before is None else change[before], None if after is None else change[after])
    return True


def pairs(data: Any, changes: Changes, named: bool) -> bool:
    """{"field": [old, new]} of Rails (paper_trail, audited) and Django auditlog, which has its own way for sets."""
    if not _is_object_of(data, _is_list_of_two_or_m2m, named):
        return False
    for field, change in data.items():
        if isinstance(change, list):
            changes.pair((field,), *change)
        else:
            changes.members((field,), {_M2M[change["operation"]]: change["objects"]})
    return True


def created(data: Any, changes: Changes, named: bool) -> bool:
    """{"field": value}: all of a thing that wasn't there before."""
    if not isinstance(data, dict):
        return False
    changes.documents(None, data)
    return True


def deleted(data: Any, changes: Changes, named: bool) -> bool:
    """{"field": value}: all of a thing that is no more."""
    if not isinstance(data, dict):
        return False
    changes.documents(data, None)
    return True


def ecs(data: Any, changes: Changes, named: bool) -> bool:
    """{"name": x, "changes": {"name": y}} as in ECS' user.changes.*; {"prev_level": x, "level": y} as in OCSF."""
    if not isinstance(data, dict):
        return False
    changed = data.get("changes")
    if isinstance(changed, dict):
        if not named and not changed.keys() & data.keys():
            return False
        # Of a user who changed another one, the other one's fields.
        target = data.get("target")
        changed_one = target if isinstance(target, dict) else data
        for field, after in changed.items():
            before = changed_one.get(field)
            if isinstance(before, dict) and isinstance(after, dict):
                # What changes.* doesn't mention is as it was.
                before = {name: before.get(name) for name in after}
            changes.pair((field,), before, after)
        changes.incomplete = not data.keys() - {"changes"} <= changed.keys()
        return True
    return _earlier_and_later(data, changes, named)


def _earlier_and_later(data: dict[str, Any], changes: Changes, named: bool) -> bool:
    found: dict[str, tuple[str, str]] = {}
    for key in data:
        if match := _EARLIER.fullmatch(key):
            field = match[1] or match[2][0].lower() + match[2][1:]
            spellings = (f"{word}_{field}" if match[1] else f"{word}{match[2]}" for word in _LATER)
            partner = next((name for name in (field, *spellings) if name in data), None)
            if partner is not None:
                found[field] = key, partner
    rest = len(data) - len({key for keys in found.values() for key in keys})
    if not found or (rest and not named):
        return False
    for field, (before, after) in found.items():
        changes.pair((field,), data[before], data[after])
    changes.incomplete = rest > 0
    return True


def _is_object_of(data: Any, is_change: Callable[[Any], bool], named: bool) -> bool:
    return isinstance(data, dict) and (bool(data) or named) and all(map(is_change, data.values()))


def _is_change(change: Any) -> bool:
    return isinstance(change, dict) and bool(change) and any(change.keys() <= form for form in _OWN)


def _is_authentiks(change: Any) -> bool:
    if not isinstance(change, dict) or not change:
        return False
    if set(change) <= {"previous_value", "new_value"}:
        return True
    sides = (change.get("add", []), change.get("remove", []))
    return set(change) <= {"add", "remove", "clear"} and all(isinstance(side, list) for side in sides)


def _is_pair_of_words(change: Any, half_is_enough: bool) -> bool:
    keys = halves(change) if isinstance(change, dict) else None
    if keys is None:
        return False
    given = sum(key is not None for key in keys)
    return given == len(change) and (half_is_enough or given == 2)


def _is_list_of_two_or_m2m(change: Any) -> bool:
    if isinstance(change, dict):
        operation = change.get("operation")
        return (
            set(change) <= {"type", "operation", "objects"}
            and change.get("type") == "m2m"
            and isinstance(operation, str)
            and operation in _M2M
            and isinstance(change.get("objects"), list)
        )
    return isinstance(change, list) and len(change) == 2


def _document(value: Any) -> Any:
    """A half of two documents, which may be the text of its JSON."""
    return loaded(value) if isinstance(value, str) and value.lstrip()[:1] in ("{", "[") else value
