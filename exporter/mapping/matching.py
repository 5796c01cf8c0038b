"""Conditions put to a group of records: which of them hold for which record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from exporter.mapping.columns import Source
from exporter.mapping.conditions import Match
from exporter.mapping.fields import Picker
from exporter.mapping.predicates import compile_match

_SOURCES = {"service": Source("resource", "service.name"), "scope": Source("scope", "name")}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A match as a Polars expression, with what it reads."""

    expression: pl.Expr
    columns: frozenset[str]
    needed: frozenset[str]  # attributes without which it can't hold


def compiled(match: Match) -> Compiled:
    """Compiles a match; the same columns as compile_match says."""
    return Compiled(compile_match(match), match.columns(), match.needed())


def attribute_keys(matches: Sequence[Match]) -> frozenset[str]:
    """The attributes that matches read."""
    columns = (column for match in matches for column in match.columns())
    return frozenset(column.removeprefix("attr:") for column in columns if column.startswith("attr:"))


def holding(conditions: Sequence[Compiled], picker: Picker) -> list[tuple[int, np.ndarray]]:
    """The conditions that hold for any record, by index, in order, with the records (bool) that they hold for."""
    count = len(picker.records)
    possible = [index for index, one in enumerate(conditions) if all(picker.has(key) for key in one.needed)]
    if not possible or not count:
        return []
    inputs = sorted(frozenset[str]().union(*(conditions[index].columns for index in possible)))
    frame = pl.DataFrame({name: _input(name, picker) for name in inputs} or {"": np.zeros(count, bool)})
    results = frame.select(conditions[index].expression.alias(str(index)) for index in possible)
    if len(results) != count:  # only constants: `match: all`
        results = results.select(pl.all().repeat_by(count).explode())
    found = []
    for index in possible:
        result = results[str(index)]
        if result.any():
            found.append((index, result.to_numpy()))
    return found


def _input(name: str, picker: Picker) -> pl.Series:
    prefix, _, key = name.partition(":")
    columns = picker.records.columns
    match prefix:
        case "attr":
            return picker.text(key)
        case "res":
            return _known(picker.field(Source("resource", key)), len(picker.records))
        case "service" | "scope":
            return _known(picker.field(_SOURCES[prefix]), len(picker.records))
        case "parsed":
            return _known(picker.records.parsed, len(picker.records))
        case "severity":
            return columns["severity_number"]
        case _:
            return columns[name]


def _known(series: pl.Series | None, count: int) -> pl.Series:
    return pl.Series([None], dtype=pl.String).new_from_index(0, count) if series is None else series
