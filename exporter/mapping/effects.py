"""What rules and fields fill: mappings of columns or attributes, every entry of which is checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator

from exporter.mapping.columns import check_column, constant
from exporter.mapping.expressions import First, Value
from exporter.mapping.reading import read_value
from exporter.mapping.section import Problem, Scalar, explain, kind, place, refuse, scalar

ATTRIBUTES = "attributes."


def _each(value: object, read: Callable[[str, Any], Any]) -> dict[str, Any]:
    """Reads every entry of a mapping, refusing all bad ones at once, each under its own key."""
    if not isinstance(value, dict):
        raise ValueError(f"must be a mapping of keys to values, not {kind(value)}")
    entries: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, entry in value.items():
        try:
            if not isinstance(key, str) or not key.strip():
                raise ValueError(f"{key!r}: a key must be text; put it in quotes")
            entries[key] = read(key, entry)
        except ValueError as failure:
            problems += [((place(key), *at), text) for at, text in explain(failure)]
    if problems:
        refuse(problems)
    return entries


def _constants(value: object) -> dict[str, Any]:
    def read(key: str, entry: object) -> Scalar:
        if key.startswith(ATTRIBUTES) and key != ATTRIBUTES:
            return scalar(entry)
        return constant(check_column(key), scalar(entry))

    return _each(value, read)


def _defaults(value: object) -> dict[str, Any]:
    return _each(value, lambda key, entry: constant(check_column(key), scalar(entry)))


def _copies(value: object) -> dict[str, Any]:
    def read(key: str, entry: object) -> Value:
        if key.startswith(ATTRIBUTES):
            raise ValueError("copy fills event columns; attributes are renamed with rename:")
        return read_value(check_column(key), entry)

    return _each(value, read)


@dataclass(frozen=True, slots=True)
class FieldSources:
    """What fills a column, best first; `only`: in place of what earlier files say."""

    options: tuple[Value, ...]
    only: bool = False


def _fields(value: object) -> dict[str, Any]:
    def read(key: str, entry: object) -> FieldSources:
        check_column(key)
        only = isinstance(entry, dict) and entry.keys() == {"only"}
        listed = entry["only"] if isinstance(entry, dict) and only else entry
        if not isinstance(listed, list) or not listed:
            raise ValueError(
                f"must be a list of sources, best first, e.g. [user.id], or {{only: [...]}}, not {kind(listed)}"
            )
        read = read_value(key, listed)
        return FieldSources(read.options if isinstance(read, First) else (read,), only)

    return _each(value, read)


def _renames(value: object) -> dict[str, Any]:
    def read(key: str, entry: object) -> str:
        if not isinstance(entry, str) or not entry.strip():
            raise ValueError(f"must be the attribute's new name, not {kind(entry)}")
        if entry == key:
            raise ValueError(f"renamed onto itself; give {key!r} another name or remove this line")
        return entry

    return _each(value, read)


Fields = Annotated[dict[str, Any], BeforeValidator(_fields)]
Constants = Annotated[dict[str, Any], BeforeValidator(_constants)]
Defaults = Annotated[dict[str, Any], BeforeValidator(_defaults)]
Copies = Annotated[dict[str, Any], BeforeValidator(_copies)]
Renames = Annotated[dict[str, str], BeforeValidator(_renames)]
