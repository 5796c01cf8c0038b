"""JSON values side by side: whether they are the same, what sets gained and lost, and what may be seen of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Secret = Callable[[str], bool]

MASK = "[redacted]"
# What senders put in a secret's place before they send it.
_SENT_MASK = re.compile(r"[*•]{3,}|[\[<(]?(?:filtered|redacted|masked|hidden)[\])>]?", re.IGNORECASE)
_IDS = ("id", "pk", "uid", "uuid")
_NAMES = ("name", "username", "title", "display_name", "displayName", "label", "email")
# orjson writes 254 levels, so what lies deeper is never stored.
_DEEPEST = 254
# A longer path is no name that anybody put on a list of secrets; its last part may still be.
LONGEST_PATH = 512


def never(name: str) -> bool:
    """No name is a secret's."""
    return False


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: 1 is 1.0, true is not 1. Takes any depth."""
    pairs = [(one, other)]
    while pairs:
        one, other = pairs.pop()
        if one is other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys():
                return False
            pairs.extend((value, other[name]) for name, value in one.items())
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            pairs.extend(zip(one, other, strict=True))
        elif isinstance(one, dict | list) or isinstance(other, dict | list) or _scalar(one) != _scalar(other):
            return False
    return True


def is_mask(value: Any) -> bool:
    """Whether the sender has hidden the value: stars, "[FILTERED]" and their like."""
    return isinstance(value, str) and len(value) <= 256 and _SENT_MASK.fullmatch(value) is not None


def is_another(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether two references are to different things, so that their members say nothing about each other."""
    return any(name in before and name in after and not same(before[name], after[name]) for name in _IDS) and (
        _has_name(before) or _has_name(after)
    )


def members(before: list[Any], after: list[Any]) -> tuple[list[Any], list[Any]] | None:
    """What a set gained and what it lost; None where the lists are no sets, or differ in order alone.

    Sets are lists of scalars, or of references with an id and a name, in which nothing comes twice.
    """
    was, now = _keyed(before), _keyed(after)
    if was is None or now is None or any(not same(was[key], now[key]) for key in was.keys() & now.keys()):
        return None
    added = [value for key, value in now.items() if key not in was]
    removed = [value for key, value in was.items() if key not in now]
    return (added, removed) if added or removed else None


def masked(value: Any, other: Any, secret: Secret, path: str, depth: int = 0) -> Any:
    """The value with no secret in it. `other` is the same field's value on the other side of the change.

    A secret member that differs there is {"changed": true}, one that doesn't is "[redacted]".
    """
    if secret is never:
        return value
    if depth > _DEEPEST:
        return MASK
    if isinstance(value, dict):
        counterpart = other if isinstance(other, dict) else {}
        shown: dict[str, Any] = {}
        for name, member in value.items():
            beside = counterpart.get(name)
            inner = below(path, name)
            if is_secret(secret, inner, name):
                shown[name] = MASK if same(member, beside) else {"changed": True}
            else:
                shown[name] = masked(member, beside, secret, inner, depth + 1)
        return shown
    if isinstance(value, list):
        beside = other if isinstance(other, list) else []
        shown_items: list[Any] = []
        for index, item in enumerate(value):
            shown_items.append(masked(item, beside[index] if index < len(beside) else None, secret, path, depth + 1))
        return shown_items
    return value


def below(path: str, name: str) -> str:
    """The dotted path of a member, for asking whether it is a secret; its name alone where that would be long."""
    return f"{path}.{name}" if len(path) + len(name) < LONGEST_PATH else name


def is_secret(secret: Secret, path: str, name: str) -> bool:
    """Whether a field is a secret's by its path, its name, or the last part of a name that is a path itself."""
    if secret(path) or (name != path and secret(name)):
        return True
    if "." not in name:
        return False
    last = name[name.rfind('["') + 2 : -2] if name.endswith('"]') else name
    return secret(last) or secret(last.rpartition(".")[2])


def _scalar(value: Any) -> tuple[bool, Any]:
    return isinstance(value, bool), value


def _has_name(value: dict[str, Any]) -> bool:
    return any(isinstance(value.get(name), str) for name in _NAMES)


def _keyed(values: list[Any]) -> dict[Any, Any] | None:
    """The members of a set by what tells them apart; None where it is no set."""
    keyed: dict[Any, Any] = {}
    for value in values:
        key = _reference(value) if isinstance(value, dict) else None if isinstance(value, list) else _scalar(value)
        if key is None or key in keyed:
            return None
        keyed[key] = value
    return keyed


def _reference(value: dict[str, Any]) -> tuple[str, tuple[bool, Any]] | None:
    name = next((name for name in _IDS if isinstance(value.get(name), str | int | float)), None)
    return (name, _scalar(value[name])) if name and _has_name(value) else None
