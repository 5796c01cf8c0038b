"""A Ruleset applied to decoded records: every event column's value, and what is left as attributes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import polars as pl

from exporter.enrich import changes
from exporter.mapping.client import CLIENT_KEYS, resolve_clients
from exporter.mapping.column import Column
from exporter.mapping.columns import COLUMNS, OUTCOMES, RESOURCE_COLUMNS, Source
from exporter.mapping.expressions import First, Value, evaluate, sources
from exporter.mapping.fields import Picker
from exporter.mapping.matching import Compiled, compiled, holding
from exporter.mapping.pairs import paired_changes
from exporter.mapping.parsing import Parser
from exporter.mapping.paths import Paths
from exporter.mapping.rules import Rule, RuleGroup, Ruleset
from exporter.mapping.trace import Trace
from exporter.otlp.decode import Records
from exporter.otlp.decode import Source as Origin

if TYPE_CHECKING:
    from exporter.enrich.forwarded import TrustedProxies

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
    discards: list[tuple[Rule, np.ndarray]] = field(default_factory=list)  # rules that discard records, and which
    flags: dict[str, np.ndarray] = field(default_factory=dict)  # bool by record
    shown_changes: pl.Series | None = None  # what changed as the redacted records tell it; None: as the column does

    def add_field(self, key: str, values: pl.Series, records: Records) -> None:
        """Keeps a field of the records (JSON, null: none) as an attribute; `record.<key>` where one has that name."""
        while values.null_count() < len(values):
            taken = pl.Series(self.having(key, records))
            self.extras[key] = values.set(taken, None)
            values = values.set(~taken, None)
            key = f"record.{key}"

    def having(self, key: str, records: Records) -> np.ndarray:
        """Which records (bool) keep an attribute of that name, renamed ones too."""
        name = orjson.dumps(key).decode() + ":"
        codes = [code for code, known in enumerate(self.keys) if known == name]
        having = np.zeros(len(self.audit), bool)
        if codes:
            having[records.attributes.record[np.isin(self.key, codes)]] = True
        if key in self.extras:
            having |= self.extras[key].is_not_null().to_numpy()
        return having

    def take(self, picked: np.ndarray) -> None:
        """The attributes that columns were filled from whole are not kept twice."""
        self.keep[self._attributes(picked)] = False

    def give_back(self, picked: np.ndarray) -> None:
        """The attributes that filled these values stay attributes too."""
        attributes = self._attributes(picked)
        self.keep[attributes] = ~self.dropped[attributes]

    def _attributes(self, picked: np.ndarray) -> np.ndarray:
        # What was found inside of a nested attribute stands behind all attributes; its attribute is kept anyway.
        return picked[(picked >= 0) & (picked < len(self.keep))]


class Mapper:
    """A compiled Ruleset. Holds no state of the records it maps."""

    def __init__(self, ruleset: Ruleset, proxies: TrustedProxies | None = None) -> None:
        self._fields = {name: First(options) for name, options in ruleset.fields.items()}
        # The body is the message unless a rule or an attribute says better.
        message = ruleset.fields.get("message", ())
        self._fields["message"] = First((*message, *(() if _BODY in message else (_BODY,))))
        self._groups = [_CompiledGroup(group) for group in ruleset.groups]
        self._proxies = proxies
        self._paths = Paths(ruleset.attribute_keys() | (CLIENT_KEYS if proxies else frozenset()))
        self.parse = Parser(ruleset.steps)

    def source_columns(self, origin: Origin) -> dict[str, str | None]:
        """service, environment and tenant of a source, as its row in audit.sources has them."""
        return {
            name: next((text for key in self._resource_keys(name) if (text := origin.resource_text(key))), None)
            for name in sorted(RESOURCE_COLUMNS)
        }

    def _resource_keys(self, column: str) -> list[str]:
        options = self._fields[column].options if column in self._fields else ()
        return [option.key for option in options if isinstance(option, Source)]

    def map(
        self,
        records: Records,
        unredacted: Records | None = None,
        trace: Trace | None = None,
        secret: changes.Secret = changes.never,
    ) -> Mapped:
        """Maps a group of records, whose texts are parsed already.

        `unredacted` are the same records as they came, for what only comparing them tells: that a secret changed.
        `trace` is told where every value came from. `secret`: fields whose values no document of changes may show.
        """
        picker = Picker(records, self._paths)
        same = unredacted is None or unredacted is records
        original = picker if same or unredacted is None else Picker(unredacted, self._paths)
        if trace is not None:
            trace.picker = picker
        count = len(records)
        mapped = Mapped(
            columns={},
            audit=np.zeros(count, bool),
            retention_class=None,
            keep=np.ones(len(records.attributes.key), bool),
            dropped=np.zeros(len(records.attributes.key), bool),
            keys=[orjson.dumps(key).decode() + ":" for key in records.attributes.keys],
            key=records.attributes.key,
        )
        for name in COLUMNS:
            if name in self._fields and name != "changes":
                mapped.columns[name] = evaluate(self._fields[name], picker)
                if trace is not None:
                    trace.field(name, self._fields[name].options, mapped.columns[name])
        if "time" in mapped.columns:
            _only_where_undated(mapped.columns["time"], records)
        rules = [found for group in self._groups for found in group.holding(picker)]
        for rule, holds in rules:
            if trace is not None:
                trace.matched(rule.name, holds)
            _apply(rule, holds, mapped, picker, trace)
        _drop_unknown_outcomes(mapped)
        # Later rules win here too: theirs is the first value that an empty column gets.
        for rule, holds in reversed(rules):
            _fill(rule, holds, mapped, picker, trace)
        _drop_unknown_outcomes(mapped)
        for rule, holds in reversed(rules):
            _default(rule, holds, mapped, trace)
        if self._proxies is not None:
            by_rule = _copied("client_address", rules, picker)
            resolve_clients(self._proxies, mapped.columns, picker, by_rule, trace)
        changed = self._changes(original, rules, secret, trace)
        mapped.columns["changes"] = changed.column
        mapped.take(changed.paired)
        if original is not picker:
            mapped.shown_changes = self._changes(picker, rules, secret).column.values
        self._keep_what_no_column_took(mapped, records)
        return mapped

    def _changes(
        self,
        picker: Picker,
        rules: Sequence[tuple[Rule, np.ndarray]],
        secret: changes.Secret,
        trace: Trace | None = None,
    ) -> _Changed:
        """What changed, by the same lists, rules and pairs, whichever state of the records it is read from."""
        options = self._fields["changes"].options if "changes" in self._fields else ()
        column = evaluate(First(options), picker, nested=True, secret=secret)
        if trace is not None:
            trace.field("changes", options, column)
        given = [(rule, holds, value) for rule, holds in rules if (value := rule.copies.get("changes"))]
        filling = [(rule, holds, value) for rule, holds in reversed(rules) if (value := rule.fills.get("changes"))]
        for place, (rule, holds, value) in enumerate((*given, *filling)):
            copied = evaluate(value, picker, nested=True, secret=secret)
            where = holds & copied.filled
            if place >= len(given):
                where &= ~column.filled
            column.replace(where, copied)
            if trace is not None:
                trace.copied("changes", rule.name, value, where, copied)
        found = paired_changes(column.values, picker, secret)
        if found is None:
            return _Changed(column, np.empty(0, np.int64))
        where = np.zeros(len(picker.records), bool)
        where[found.rows] = True
        column.replace(where, Column.of(_scattered(found.rows, found.documents, len(where))))
        if trace is not None:
            trace.computed("changes", "pairs", where)
        return _Changed(column, found.attributes)

    def _keep_what_no_column_took(self, mapped: Mapped, records: Records) -> None:
        for column in mapped.columns.values():
            mapped.take(column.picked)
        for name, source, key in (("action", _EVENT_NAME, "event.name"), ("message", _BODY, "body")):
            given = records.columns[source.key]
            used = mapped.columns[name].values if name in mapped.columns else None
            lost = given.is_not_null() & (given != "")
            if used is not None:
                lost &= used.ne_missing(given)
            if lost.any():
                json = records.columns["body_json"] if key == "body" else _quoted(given)
                mapped.add_field(key, pl.select(pl.when(lost).then(json)).to_series(), records)


class _CompiledGroup:
    """The rules of one file, whose shared condition is asked first."""

    def __init__(self, group: RuleGroup) -> None:
        self._when: list[Compiled] = [compiled(group.when)] if group.when else []
        self._rules = group.rules
        self._conditions = [compiled(rule.match) for rule in group.rules]

    def holding(self, picker: Picker) -> list[tuple[Rule, np.ndarray]]:
        """The rules that hold for any record, in order, with the records they hold for."""
        if not self._when:
            return [(self._rules[index], holds) for index, holds in holding(self._conditions, picker)]
        found = []
        for _, applies in holding(self._when, picker):
            for index, holds in holding(self._conditions, picker):
                both = holds & applies
                if both.any():
                    found.append((self._rules[index], both))
        return found


@dataclass(frozen=True, slots=True)
class _Changed:
    """The column `changes`, and the attributes that stood in pairs."""

    column: Column
    paired: np.ndarray


def _only_where_undated(column: Column, records: Records) -> None:
    dated = (records.columns["time_unix_nano"] != 0).to_numpy()
    column.replace(dated, Column.constant(None, len(records)))


def _scattered(rows: np.ndarray, texts: list[str | None], count: int) -> pl.Series:
    return _constant(None, count).scatter(rows, texts)


def _quoted(texts: pl.Series) -> pl.Series:
    unique = texts.unique()
    return texts.replace_strict(unique, [None if text is None else orjson.dumps(text).decode() for text in unique])


def _apply(rule: Rule, holds: np.ndarray, mapped: Mapped, picker: Picker, trace: Trace | None) -> None:
    count = len(holds)
    for name, value in rule.set_columns.items():
        _column(mapped, name, count).replace(holds, Column.constant(str(value), count))
        if trace is not None:
            trace.constant(name, rule.name, holds)
    for name, copied in rule.copies.items():
        if name == "changes":
            continue
        _copy(rule, name, copied, holds, mapped, picker, trace)
        if name == "time":
            _flag_unread(copied, holds, mapped, picker)
    if rule.drops:
        _on_attributes(_any_of(rule.drops), holds, mapped, picker)
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
    if rule.discard is not None:
        mapped.discards.append((rule, holds))


def _copy(
    rule: Rule, name: str, value: Value, holds: np.ndarray, mapped: Mapped, picker: Picker, trace: Trace | None
) -> None:
    copied = evaluate(value, picker)
    where = holds & copied.filled
    _column(mapped, name, len(holds)).replace(where, copied)
    if trace is not None:
        trace.copied(name, rule.name, value, where, copied)


def _copied(column: str, rules: Sequence[tuple[Rule, np.ndarray]], picker: Picker) -> np.ndarray:
    """Which records (bool) a rule copied a value of the column from."""
    found = np.zeros(len(picker.records), bool)
    for rule, holds in rules:
        if column in rule.copies:
            found |= holds & evaluate(rule.copies[column], picker).filled
    return found


def _drop_unknown_outcomes(mapped: Mapped) -> None:
    """A word that nobody knows says nothing: what rules give in its absence applies. It stays an attribute."""
    column = mapped.columns.get("outcome")
    if column is not None and column.filled.any():
        words = column.values.str.strip_chars().str.to_lowercase()
        odd = words.is_not_null() & ~words.is_in(list(OUTCOMES))
        column.replace(odd.fill_null(False).to_numpy(), Column.constant(None, len(words)))


def _flag_unread(value: Value, holds: np.ndarray, mapped: Mapped, picker: Picker) -> None:
    """Flags times that the rule names and nobody can read."""
    lacking = holds & ~mapped.columns["time"].filled
    if lacking.any():
        said = picker.column(tuple(sources(value))).filled
        mapped.flags["bad_timestamp"] = mapped.flags.get("bad_timestamp", False) | (lacking & said)


def _fill(rule: Rule, holds: np.ndarray, mapped: Mapped, picker: Picker, trace: Trace | None) -> None:
    for name, value in rule.fills.items():
        if name == "changes":
            continue
        empty = holds & ~_column(mapped, name, len(holds)).filled
        if name == "time":  # a record that knows its time needs none
            empty &= (picker.records.columns["time_unix_nano"] == 0).to_numpy()
        if empty.any():
            _copy(rule, name, value, empty, mapped, picker, trace)


def _default(rule: Rule, holds: np.ndarray, mapped: Mapped, trace: Trace | None) -> None:
    for name, value in rule.defaults.items():
        column = _column(mapped, name, len(holds))
        where = holds & ~column.filled
        column.replace(where, Column.constant(str(value), len(holds)))
        if trace is not None:
            trace.constant(name, rule.name, where)


def _column(mapped: Mapped, name: str, count: int) -> Column:
    if name not in mapped.columns:
        mapped.columns[name] = Column.constant(None, count)
    return mapped.columns[name]


def _constant(value: Any, count: int) -> pl.Series:
    text = None if value is None else str(value)
    return pl.Series([text], dtype=pl.String).new_from_index(0, count)


def _on_attributes(globs: re.Pattern[str], holds: np.ndarray, mapped: Mapped, picker: Picker) -> None:
    """Drops attributes by glob; a column that was filled from one keeps its value."""
    doomed = np.array([globs.match(name) is not None for name in picker.attributes.keys], bool)
    if doomed.any():
        mapped.dropped |= doomed[picker.attributes.key] & holds[picker.attributes.record]
        mapped.keep &= ~mapped.dropped


def _rename(old: str, new: str, holds: np.ndarray, mapped: Mapped, picker: Picker) -> None:
    """Renames an attribute where the record has none of the new name: two of one name would be one."""
    names = picker.attributes.keys
    if old not in names:
        return
    free = holds & ~mapped.having(new, picker.records)
    at = (picker.attributes.key == names.index(old)) & free[picker.attributes.record]
    mapped.keys.append(orjson.dumps(new).decode() + ":")
    mapped.key = np.where(at, np.int32(len(mapped.keys) - 1), mapped.key)


@cache
def _any_of(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, globs)))
