"""The forms that are a list: an item for each field that changed."""

from __future__ import annotations

from typing import Any

from exporter.enrich.changes.document import Changes
from exporter.enrich.changes.fields import halves, loaded, word

# The first of these that an item has names its field: Jira's `field`, GitLab's `change`, Azure AD's `displayName`.
_FIELD = (
    *("field", "fieldname", "property", "propertyname", "attribute", "attributename"),
    *("change", "name", "displayname", "key", "column", "path"),
)
_DJANGO = ("added", "changed", "deleted")
_DJANGOS_KEYS = {"name", "object", "fields"}
# Google's reports: a list of parameters, two of which are the values of a third.
_SETTING = ("settingname", "fieldname", "privilegename", "userfieldname")
_SETTING_VALUE = ("value", "intValue", "boolValue", "multiValue", "multiIntValue")


def items(data: Any, changes: Changes, named: bool) -> bool:
    """[{"field": name, "old": x, "new": y}] in any of the words for field, old and new; or one such item alone."""
    if isinstance(data, dict):
        data = [data]
    if not isinstance(data, list) or not (data or named):
        return False
    if _parameters(data, changes):
        return True
    keys = [_keys(item) for item in data]
    if any(key is None for key in keys):
        return False
    for item, key in zip(data, keys, strict=True):
        assert key is not None
        field, before, after = key
        was = None if before is None else item[before]
        now = None if after is None else item[after]
        used = {field, before, after}
        if word(field) == "displayname":
            was, now = _of_azure(was, now)
        for name in ("fromString", "toString"):
            if name in item:
                used.add(name)
        was, now = _with_name(was, item.get("fromString")), _with_name(now, item.get("toString"))
        changes.incomplete |= not item.keys() <= used
        changes.pair((item[field],), was, now)
    return True


def django_admin(data: Any, changes: Changes, named: bool) -> bool:
    """[{"changed": {"fields": [...]}}, {"added": {"name": ..., "object": ...}}]: names without values.

    django/contrib/admin/utils.py, construct_change_message.
    """
    if not isinstance(data, list) or not (data or named) or not all(map(_is_message, data)):
        return False
    for message in data:
        ((kind, what),) = message.items()
        inline = tuple(what[key] for key in ("name", "object") if key in what)
        if kind == "changed":
            for field in what.get("fields", []):
                changes.unshown((*inline, field))
        elif inline:
            side = "added" if kind == "added" else "removed"
            changes.members((inline[0],), {side: list(inline[1:])})
        else:  # the thing itself was added or deleted, of which the message says no more
            changes.incomplete = True
    return True


def _keys(item: Any) -> tuple[str, str | None, str | None] | None:
    """The keys of an item's field, value before and value after."""
    if not isinstance(item, dict):
        return None
    words = {word(key): key for key in item}
    field = next((words[name] for name in _FIELD if name in words and isinstance(item[words[name]], str)), None)
    keys = halves(item)
    return None if field is None or keys is None else (field, *keys)


def _with_name(value: Any, name: Any) -> Any:
    """What Jira gives as an id and, beside it, as the name that people know it by."""
    if name is None:
        return value
    return name if value is None or value == name else {"id": value, "name": name}


def _of_azure(before: Any, after: Any) -> tuple[Any, Any]:
    """Azure AD's values are texts of JSON, most of them lists of one."""
    was, now = loaded(before), loaded(after)
    if all(value is None or (isinstance(value, list) and len(value) <= 1) for value in (was, now)):
        return (was[0] if was else None), (now[0] if now else None)
    return was, now


def _parameters(data: list[Any], changes: Changes) -> bool:
    """[{"name": "SETTING_NAME", "value": "x"}, {"name": "OLD_VALUE", ...}, {"name": "NEW_VALUE", ...}]."""
    if not all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in data):
        return False
    values = {item["name"]: next((item[key] for key in _SETTING_VALUE if key in item), None) for item in data}
    keys = halves(values)
    if keys is None or any(halves(item) for item in data):
        return False
    words = {word(name): name for name in values}
    setting = next((words[name] for name in _SETTING if isinstance(values.get(words.get(name, "")), str)), None)
    before, after = keys
    field = "value" if setting is None else str(values[setting])
    changes.pair(
        (field,),
        None if before is None else values[before],
        None if after is None else values[after],
    )
    changes.incomplete = not values.keys() <= {setting, before, after} or len(values) < len(data)
    return True


def _is_message(message: Any) -> bool:
    if not isinstance(message, dict) or len(message) != 1:
        return False
    ((kind, what),) = message.items()
    return (
        kind in _DJANGO
        and isinstance(what, dict)
        and what.keys() <= _DJANGOS_KEYS
        and all(isinstance(what.get(key, ""), str) for key in ("name", "object"))
        and isinstance(what.get("fields", []), list)
        and all(isinstance(field, str) for field in what.get("fields", []))
    )
