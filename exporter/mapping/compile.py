"""A Ruleset applied to decoded records: every event column's value, and what is left as attributes."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import orjson
import polars as pl

from exporter.mapping.columns import COLUMNS, RESOURCE_COLUMNS, Source
from exporter.mapping.conditions import compile_match
from exporter.mapping.fields import Column, Picker
from exporter.mapping.rules import Rule, Ruleset
from exporter.otlp.decode import Records
from exporter.otlp.decode import Source as Origin

_EVENT_NAME = Source("record", "event_name")
_BODY = Source("record", "body")


@dataclass(slots=True)
class Mapped:
    """What the mapping says of each record, a row each."""

    columns: dict[str, Column]  # by event column, text
    audit: np.ndarray  # bool: a rule calls it an audit event, or gives it a class
    retention_class: list[str | None] | None  # by record, where rules chose; None: nowhere
    keep: np.ndarray  # bool by attribute: not taken by a column, not dropped
    dropped: np.ndarray  # bool by attribute: a rule wants it gone, whatever becomes of the column it filled
    keys: list[str]  # JSON of the attribute keys, followed by ':'; `key` indexes it
    key: np.ndarray  # int32 by attribute
    extras: dict[str, pl.Series] = field(default_factory=dict)  # further attributes, JSON by record, null: none

    def add_field(self, key: str, values: pl.Series, records: Records) -> None:
        """Keeps a field of the records (JSON, null: none) as an attribute; `record.<key>` where one has that name."""
        taken = records.attributes.having(key)
        if taken is None:
            self.extras[key] = values
            return
        has = pl.Series(taken)
        self.extras[key] = values.set(has, None)
        self.extras[f"record.{key}"] = values.set(~has, None)


class Mapper:
    """A compiled Ruleset. Holds no state of the records it maps."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._fields = dict(ruleset.fields)
        # The body is the message unless a rule or an attribute says better.
        self._fields["message"] = (*self._fields.get("message", ()), _BODY)
        self._rules = ruleset.rules
        self._conditions = [compile_match(rule.match) for rule in self._rules]
        self._inputs = frozenset().union(*(rule.match.columns() for rule in self._rules))

    def source_columns(self, origin: Origin) -> dict[str, str | None]:
        """service, environment and tenant of a source, as its row in audit.sources has them."""
        return {
            name: next(
                (text for source in self._fields.get(name, ()) if (text := origin.resource_text(source.key))),
                None,
            )
            for name in sorted(RESOURCE_COLUMNS)
        }

    def map(self, records: Records) -> Mapped:
        """Maps a group of records."""
        picker = Picker(records)
        columns = {name: picker.column(self._fields.get(name, ())) for name in COLUMNS if name in self._fields}
        keys = [orjson.dumps(key).decode() + ":" for key in records.attributes.keys]
        count = len(records)
        mapped = Mapped(
            columns=columns,
            audit=np.zeros(count, bool),
            retention_class=None,
            keep=np.ones(len(records.attributes.key), bool),
            dropped=np.zeros(len(records.attributes.key), bool),
            keys=keys,
            key=records.attributes.key,
        )
        holding = self._holding(picker)
        for rule, holds in holding:
            _apply(rule, holds, mapped, picker)
        # Later rules win here too: theirs is the first default that an empty column gets.
        for rule, holds in reversed(holding):
            _fill(rule, holds, mapped)
        self._keep_what_no_column_took(mapped, records)
        return mapped

    def _holding(self, picker: Picker) -> list[tuple[Rule, np.ndarray]]:
        """The rules that hold for any record, in order, with the records they hold for."""
        if not self._rules or not len(picker.records):
            return []
        frame = pl.DataFrame({name: self._input(name, picker) for name in sorted(self._inputs)})
        if not frame.width:
            frame = pl.DataFrame({"": np.zeros(len(picker.records), bool)})
        results = frame.select(condition.alias(str(index)) for index, condition in enumerate(self._conditions))
        if len(results) != len(frame):  # only constants: `match: all`
            results = results.select(pl.all().repeat_by(len(frame)).explode())
        holding = []
        for index, rule in enumerate(self._rules):
            result = results[str(index)]
            if result.any():
                holding.append((rule, result.to_numpy()))
        return holding

    def _input(self, name: str, picker: Picker) -> pl.Series:
        prefix, _, key = name.partition(":")
        columns = picker.records.columns
        match prefix:
            case "attr":
                return picker.text(key)
            case "res":
                return _known(picker, Source("resource", key))
            case "service":
                return _known(picker, Source("resource", "service.name"))
            case "scope":
                return _known(picker, Source("scope", "name"))
            case "severity":
                return columns["severity_number"]
            case _:
                return columns[name]

    def _keep_what_no_column_took(self, mapped: Mapped, records: Records) -> None:
        for column in mapped.columns.values():
            taken = column.picked[column.picked >= 0]
            mapped.keep[taken] = False
        for name, source, key in (("action", _EVENT_NAME, "event.name"), ("message", _BODY, "body")):
            given = records.columns[source.key]
            used = mapped.columns[name].values if name in mapped.columns else None
            lost = given.is_not_null() & (given != "")
            if used is not None:
                lost &= used.ne_missing(given)
            if lost.any():
                json = records.columns["body_json"] if key == "body" else _quoted(given)
                mapped.add_field(key, pl.select(pl.when(lost).then(json)).to_series(), records)


def _known(picker: Picker, source: Source) -> pl.Series:
    series = picker.field(source)
    if series is None:
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(picker.records))
    return series


def _quoted(texts: pl.Series) -> pl.Series:
    unique = texts.unique()
    return texts.replace_strict(unique, [None if text is None else orjson.dumps(text).decode() for text in unique])


def _apply(rule: Rule, holds: np.ndarray, mapped: Mapped, picker: Picker) -> None:
    count = len(holds)
    for name, value in rule.set_columns.items():
        _column(mapped, name, count).replace(holds, _constant(value, count))
    for name, source in rule.copies.items():
        copied = picker.column((source,))
        column = _column(mapped, name, count)
        column.replace(holds & copied.values.is_not_null().to_numpy(), copied.values, copied.picked)
    if rule.drops:
        _on_attributes(rule.drops, holds, mapped, picker)
    for old, new in rule.renames.items():
        _rename(old, new, holds, mapped, picker)
    for key, value in rule.set_attributes.items():
        # jsonb keeps the last of two equal keys: extras stand behind the attributes as sent.
        json = _constant(orjson.dumps(value).decode(), count)
        before = mapped.extras.get(key, _constant(None, count))
        mapped.extras[key] = before.zip_with(pl.Series(~holds), json)
    if rule.retention_class is not None:
        chosen = mapped.retention_class or [None] * count
        for index in np.flatnonzero(holds):
            chosen[index] = rule.retention_class
        mapped.retention_class = chosen
        mapped.audit |= holds
    if rule.audit is not None:
        mapped.audit = np.where(holds, rule.audit, mapped.audit)


def _fill(rule: Rule, holds: np.ndarray, mapped: Mapped) -> None:
    for name, value in rule.defaults.items():
        column = _column(mapped, name, len(holds))
        column.replace(holds & column.values.is_null().to_numpy(), _constant(value, len(holds)))


def _column(mapped: Mapped, name: str, count: int) -> Column:
    if name not in mapped.columns:
        mapped.columns[name] = Column(_constant(None, count), np.full(count, -1, np.int64))
    return mapped.columns[name]


def _constant(value: Any, count: int) -> pl.Series:
    text = None if value is None else str(value)
    return pl.Series([text], dtype=pl.String).new_from_index(0, count)


def _on_attributes(globs: tuple[str, ...], holds: np.ndarray, mapped: Mapped, picker: Picker) -> None:
    """Drops attributes by glob; a column that was filled from one keeps its value."""
    names = picker.attributes.keys
    doomed = np.array([any(fnmatchcase(name, glob) for glob in globs) for name in names], bool)
    if doomed.any():
        mapped.dropped |= doomed[picker.attributes.key] & holds[picker.attributes.record]
        mapped.keep &= ~mapped.dropped


def _rename(old: str, new: str, holds: np.ndarray, mapped: Mapped, picker: Picker) -> None:
    names = picker.attributes.keys
    if old not in names:
        return
    at = (picker.attributes.key == names.index(old)) & holds[picker.attributes.record]
    mapped.keys.append(orjson.dumps(new).decode() + ":")
    mapped.key = np.where(at, np.int32(len(mapped.keys) - 1), mapped.key)
