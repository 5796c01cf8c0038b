"""What Grafana's own, generated models say to our dashboards: keys and values that they don't know.

grafana-foundation-sdk (Apache-2.0) is generated from the schemas that Grafana publishes. Its models read leniently: a
key they don't know is not there when they write it again, a value of the wrong type is kept. Here both are found.
"""

from __future__ import annotations

import copy
import enum
import functools
import json
import re
import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest

plugins = pytest.importorskip("grafana_foundation_sdk.cog.plugins")
encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder")
models = pytest.importorskip("grafana_foundation_sdk.models.dashboard")
plugins.register_default_plugins()

Json = dict[str, Any]
# Where the schemas say less than Grafana does.
RELAXED = (
    # Tables after 9.4 hide columns by it, as charts do; the schema has but the `hidden` of 9.4.
    re.compile(r"\.fieldConfig\.defaults\.custom\.hideFrom$"),
    # Maps have fractions of these, and Grafana's own sliders give them.
    re.compile(r"\.options\.(view\.zoom|layers\[\d+\]\.opacity): [\d.]+ is no int$"),
)


def complaints(dashboard: Json) -> list[str]:
    """Place and fault of each key or value of a dashboard that Grafana's models don't have; [] where all is well."""
    found = [fault for part in _parts(dashboard) for fault in _faults(part)]
    return [fault for fault in found if not any(relaxed.search(fault) for relaxed in RELAXED)]


def _parts(dashboard: Json) -> Iterator[Json]:
    """The dashboard, and each property of an override where a model says what it may be: among the defaults."""
    yield dashboard
    seen = set()
    for panel in dashboard["panels"]:
        properties = [item for one in panel["fieldConfig"]["overrides"] for item in one["properties"]]
        for item in properties:
            known = f"{panel['type']} {json.dumps(item, sort_keys=True)}"
            if known not in seen:
                seen.add(known)
                fields = {"defaults": _nested(item["id"].split("."), item["value"]), "overrides": []}
                yield {"panels": [{"type": panel["type"], "fieldConfig": fields}]}


def _nested(names: list[str], value: Any) -> Json:
    return {names[0]: _nested(names[1:], value) if names[1:] else value}


def _faults(dashboard: Json) -> Iterator[str]:
    try:
        read = models.Dashboard.from_json(copy.deepcopy(dashboard))
    except (KeyError, TypeError, AttributeError, ValueError) as failure:
        yield f"can't be read: {failure!r}"
        return
    written = json.loads(encoder.JSONEncoder().encode(read))
    yield from _lost(dashboard, written, "")
    yield from _wrong(read, models.Dashboard, "")


def _lost(given: Any, written: Any, place: str) -> Iterator[str]:
    """Keys that did not come back."""
    if isinstance(given, dict) and isinstance(written, dict):
        for key, value in given.items():
            if key in written:
                yield from _lost(value, written[key], f"{place}.{key}")
            else:
                yield f"{place}.{key}"
    elif isinstance(given, list) and isinstance(written, list):
        for number, (one, other) in enumerate(zip(given, written, strict=True)):
            yield from _lost(one, other, f"{place}[{number}]")


def _wrong(value: Any, expected: Any, place: str) -> Iterator[str]:
    """Values that are not of the type, or none of the words, that the models name."""
    arms = typing.get_args(expected)
    if typing.get_origin(expected) in {typing.Union, types.UnionType}:
        # Of a model that was read, its own faults; not that it is none of the others.
        possible = [arm for arm in arms if (arm is types.NoneType) == (value is None)]
        near = [arm for arm in possible if type(value) in {arm, typing.get_origin(arm)}] or possible
        tried = [list(_wrong(value, arm, place)) for arm in near]
        yield from min(tried, key=len) if all(tried) else []
    elif typing.get_origin(expected) in {list, dict}:
        yield from _wrong_members(value, expected, place)
    elif typing.get_origin(expected) is typing.Literal:
        if value not in arms:
            yield f"{place}: {value!r} is none of {arms}"
    elif expected is not Any and issubclass(expected, enum.Enum):
        if value not in [member.value for member in expected]:
            yield f"{place}: {value!r} is none of {[member.value for member in expected]}"
    elif expected is not Any and not _is_a(value, expected):
        yield f"{place}: {value!r} is no {expected.__name__}"
    elif hasattr(value, "to_json"):
        model: Any = type(value)
        for name, kind in _fields(model).items():
            yield from _wrong(getattr(value, name), kind, f"{place}.{name}")


@functools.cache
def _fields(kind: type) -> Json:
    return typing.get_type_hints(kind)


def _wrong_members(value: Any, expected: Any, place: str) -> Iterator[str]:
    origin, member = typing.get_origin(expected), typing.get_args(expected)[-1]
    if not isinstance(value, origin):
        yield f"{place}: {value!r} is no {origin.__name__}"
        return
    for key, one in value.items() if origin is dict else enumerate(value):
        yield from _wrong(one, member, f"{place}[{key}]")


def _is_a(value: Any, expected: type) -> bool:
    if expected in {int, float} and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if expected is float else expected)
