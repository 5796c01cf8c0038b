"""What a column is computed from: sources, the first of several, templates, and steps on their text.

Each of them is evaluated for a whole group of records at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import orjson
import polars as pl

from exporter import times
from exporter.enrich import changes
from exporter.mapping.column import Column
from exporter.mapping.columns import Source
from exporter.mapping.fields import Picker
from exporter.otlp.jsonb import dumps


@dataclass(frozen=True, slots=True)
class Template:
    """Text with sources in it; nothing where one of them is missing."""

    parts: tuple[str | Source, ...]


@dataclass(frozen=True, slots=True)
class Concat:
    """What is there of the values, one behind the other."""

    values: tuple[Value, ...]
    separator: str


@dataclass(frozen=True, slots=True)
class First:
    """The first of the values that is not empty."""

    options: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Steps:
    """A value's text, changed step by step, in the order of these fields."""

    of: Value
    extract: str | None = None  # a regular expression: its first group, or all that it matches
    split: str | None = None
    take: int = 0
    case: Literal["lower", "upper"] | None = None
    mapped: tuple[tuple[str, str], ...] | None = None
    otherwise: str | None = None  # for texts that are not mapped; None: nothing


@dataclass(frozen=True, slots=True)
class Time:
    """A value's text as a time: nanoseconds since 1970, as text."""

    of: Value
    form: times.Form = "auto"
    timezone: str = "UTC"  # of times that don't say


@dataclass(frozen=True, slots=True)
class Changes:
    """A document of changes in one of the known forms, or two states whose difference they are."""

    of: Source | None
    form: changes.Form | None = None
    before: Source | None = None
    after: Source | None = None
    field: str | Template | None = None  # what two plain values are the values of


Value = Source | Template | Concat | First | Steps | Time | Changes


def sources(value: Value) -> Iterator[Source]:
    """All sources that a value reads."""
    match value:
        case Source():
            yield value
        case Template():
            yield from (part for part in value.parts if isinstance(part, Source))
        case Concat():
            yield from (source for part in value.values for source in sources(part))
        case First():
            yield from (source for part in value.options for source in sources(part))
        case Steps() | Time():
            yield from sources(value.of)
        case Changes():
            yield from (source for source in (value.of, value.before, value.after) if source is not None)
            if isinstance(value.field, Template):
                yield from sources(value.field)


def evaluate(  # noqa: PLR0911
    value: Value, picker: Picker, *, nested: bool = False, secret: changes.Secret = changes.never
) -> Column:
    """The value for each record, null where there is none. Arrays and maps count only where `nested` allows them.

    `secret`: the fields whose values no document of changes may show.
    """
    match value:
        case Source():
            return picker.column((value,), nested=nested)
        case First():
            return _first(value, picker, nested=nested, secret=secret)
        case Template():
            return _computed(_template(value, picker))
        case Concat():
            parts = [evaluate(part, picker).values for part in value.values]
            joined = pl.select(
                pl.concat_str([pl.lit(part) for part in parts], separator=value.separator, ignore_nulls=True)
            )
            return _computed(_filled(joined.to_series()))
        case Steps():
            return _computed(_filled(_steps(value, evaluate(value.of, picker).values)))
        case Time():
            read = evaluate(value.of, picker)
            parsed = times.parse(read.values, value.form, value.timezone)
            return Column.of(parsed.cast(pl.String), np.where(parsed.is_null().to_numpy(), -1, read.picked))
        case Changes():
            return _changes(value, picker, secret)


def _first(value: First, picker: Picker, *, nested: bool, secret: changes.Secret) -> Column:
    found: Column | None = None
    for several in _runs(value.options, picker):
        if found is not None:
            missing = ~found.filled
            if not missing.any():
                break
        if isinstance(several, list):
            other = picker.column(several, nested=nested)
        else:
            other = evaluate(several, picker, nested=nested, secret=secret)
        if found is None:
            found = other
        else:
            found.replace(missing & other.filled, other)
    return found or picker.column(())


def _runs(options: tuple[Value, ...], picker: Picker) -> Iterator[list[Source] | Value]:
    """Options as they can be evaluated together: sources side by side are one, those that no record has are none."""
    run: list[Source] = []
    for option in options:
        if isinstance(option, Source):
            if option.kind != "attribute" or picker.has(option.key):
                run.append(option)
        elif any(source.kind != "attribute" or picker.has(source.key) for source in sources(option)):
            if run:
                yield run
            run = []
            yield option
    if run:
        yield run


def _template(value: Template, picker: Picker) -> pl.Series:
    read = [part if isinstance(part, str) else picker.column((part,)) for part in value.parts]
    complete = np.logical_and.reduce([part.filled for part in read if isinstance(part, Column)])
    if not complete.any():
        return Column.constant(None, len(complete)).values
    return pl.select(
        pl.concat_str([pl.lit(part.values if isinstance(part, Column) else part) for part in read])
    ).to_series()


def _steps(value: Steps, text: pl.Series) -> pl.Series:
    if text.null_count() == len(text):
        return text
    if value.extract is not None:
        group = 1 if _groups(value.extract) else 0
        text = text.str.extract(value.extract, group)
    if value.split is not None:
        text = text.str.split(value.split).list.get(value.take, null_on_oob=True)
    if value.case is not None:
        text = text.str.to_lowercase() if value.case == "lower" else text.str.to_uppercase()
    if value.mapped is not None:
        known, named = (list(side) for side in zip(*value.mapped, strict=True))
        present = text.is_not_null()
        text = text.replace_strict(known, named, default=value.otherwise, return_dtype=pl.String).set(~present, None)
    return text


def _groups(regex: str) -> int:
    # Polars tells the groups of an expression by the struct that it would extract.
    return len(pl.Series([""]).str.extract_groups(regex).struct.fields)


def _filled(text: pl.Series) -> pl.Series:
    return text.set(text == "", None)


def _computed(values: pl.Series) -> Column:
    """A column that no attribute lost its text to: what it was computed from stays an attribute."""
    return Column.of(values)


def _changes(value: Changes, picker: Picker, secret: changes.Secret) -> Column:
    if value.of is not None:
        column = picker.column((value.of,), nested=True)
        return column if value.form is None else _rewritten(column, value.form, secret)
    empty = pl.Series([None], dtype=pl.String).new_from_index(0, len(picker.records))
    before, after = (
        picker.column((side,), nested=True).values if side is not None else empty
        for side in (value.before, value.after)
    )
    rows = np.flatnonzero((before.is_not_null() | after.is_not_null()).to_numpy())
    if isinstance(value.field, Template):
        names = _template(value.field, picker).gather(rows).to_list()
    else:
        names = [value.field] * len(rows)
    states = zip(before.gather(rows).to_list(), after.gather(rows).to_list(), names, strict=True)
    return _computed(empty.scatter(rows, [_difference(*state, secret) for state in states]))


def _rewritten(column: Column, form: changes.Form, secret: changes.Secret) -> Column:
    """Documents in the form that events have; what is none stays as it is, for whoever flags it."""
    rows = np.flatnonzero(column.filled)
    texts = column.values.gather(rows).to_list()
    read = [changes.read(text, form, secret=secret) for text in texts]
    told = [text if one is None else one.json if one.document else None for text, one in zip(texts, read, strict=True)]
    picked = column.picked.copy()
    picked[rows[[one is not None and not (one.complete and one.document) for one in read]]] = -1
    return Column.of(column.values.clone().scatter(rows, told), picked)


def _difference(before: str | None, after: str | None, field: str | None, secret: changes.Secret) -> str | None:
    try:
        states = [None if side is None else orjson.loads(side) for side in (before, after)]
    except orjson.JSONDecodeError:
        # No JSON: two plain texts, the whole of which changed.
        states = [before, after]
    if field is not None:
        states = [{field: state} for state in states]
    found = changes.between(*states, secret=secret)
    return dumps(found)[0] if found else None
