"""Conditions of rules as SQL over audit.events: for queries, holds and alerts.

They hold for the same events as in the mapping (exporter/mapping/predicates.compile_match), what is absent included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import LiteralString

from psycopg import sql

from exporter.document import Location
from exporter.errors import ConfigError
from exporter.mapping.conditions import AttributeCondition, Condition, Match, SeverityCondition, TextCondition, texts
from exporter.mapping.paths import parse_path
from exporter.mapping.section import Scalar
from exporter.store.event_match import (
    COLUMNS,
    AddressCondition,
    EventMatch,
    IdCondition,
    MomentCondition,
    Network,
    NumberCondition,
)
from exporter.store.patterns import postgres_glob, postgres_regex

__all__ = ["EventMatch", "where"]

Sql = sql.Composed

# Columns whose text is another expression, or that a rule calls otherwise.
_TEXTS: dict[str, LiteralString] = {
    "event_name": "action",
    "body": "message",
    "scope": "source.scope ->> 'name'",
    "client_ip": "host(client_ip)",
    "changes": "changes::text",
    "flags": "flag",
}
_OF_SOURCE: LiteralString = "source_id IN (SELECT source.source_id FROM audit.event_sources AS source WHERE {})"
# OTLP sends "" where these are not set; see exporter/mapping/conditions.py.
_EMPTY_IS_ABSENT = frozenset({"event_name", "service", "scope"})
# What Polars reads as a number, within what `numeric` can hold: a longer text raises an error there.
_NUMBER = r"^[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?|inf(inity)?)$"
_LONGEST_NUMBER = 1000


def where(match: Match, *, prefix: str = "match") -> tuple[Sql, dict[str, object]]:
    """A condition on rows of audit.events, and its parameters, whose names begin with `prefix`.

    It is to stand in a WHERE or FILTER: where it does not hold it may be NULL, so what is to be its opposite is
    `(condition) IS NOT TRUE`, not NOT. Columns are not qualified: audit.events has to be the only table with them.
    A key of `attributes` or `resource` with dots in it is looked for as it is, then as a path into nested values.
    Raises ConfigError, with the place within the match, for a pattern or path that PostgreSQL can't be asked for.
    """
    writer = _Writer(prefix)
    return writer.match(match, ()), writer.parameters


class _Writer:
    """Writes conditions and keeps their values, which never become part of the SQL."""

    def __init__(self, prefix: str) -> None:
        self.parameters: dict[str, object] = {}
        self._prefix = prefix

    def match(self, match: Match, at: Location) -> Sql:
        parts: list[Sql] = []
        of_source: list[Sql] = []
        for column, place, condition in match.own():
            try:
                made = self._condition(column, condition)
            except ValueError as failure:
                raise ConfigError(f"{'.'.join(map(str, (*at, *place)))}: {failure}") from None
            (of_source if column == "scope" or column.startswith("res:") else parts).append(made)
        if of_source:
            sources: LiteralString = (
                "source_id IN (SELECT source.source_id FROM audit.event_sources AS source WHERE {})"
            )
            parts.append(sql.SQL(sources).format(_all(of_source)))
        parts += [self.match(part, (*at, "all", index)) for index, part in enumerate(match.all_of)]
        if match.any_of:
            some = [self.match(part, (*at, "any", index)) for index, part in enumerate(match.any_of)]
            parts.append(sql.SQL("({})").format(sql.SQL(" OR ").join(some)))
        if match.negated:
            parts.append(sql.SQL("({}) IS NOT TRUE").format(self.match(match.negated, (*at, "not"))))
        return _all(parts) if parts else _raw("TRUE")

    def _condition(self, column: str, condition: Condition) -> Sql:
        match condition:
            case AddressCondition():
                return _all(self._address(condition))
            case SeverityCondition() | NumberCondition():
                return _all(self._number(column, condition))
            case MomentCondition():
                return _all(self._moment(column, condition))
            case IdCondition():
                return _all(self._id(condition))
            case TextCondition() if column == "flags":
                return _all(self._flags(condition))
            case TextCondition():
                return _all(self._text(column, condition))
        raise ValueError(f"a {type(condition).__name__} can't be asked of stored events; remove it")

    def _text(self, column: str, condition: TextCondition) -> Iterator[Sql]:
        value = self._value(column)
        choices = [] if condition.one_of is None else list(condition.one_of)
        if condition.equals is not None:
            yield self._is_in(value, _written(condition.equals))
        if condition.one_of is not None:
            yield self._is_in(value, [text for choice in choices for text in _written(choice)])
        yield from self._patterns(value, condition)
        if condition.exists is not None:
            empty: LiteralString = "coalesce({}, '') {} ''" if column in _EMPTY_IS_ABSENT else "{} IS {} NULL"
            signs: tuple[LiteralString, LiteralString] = ("<>", "=") if column in _EMPTY_IS_ABSENT else ("NOT", "")
            yield sql.SQL(empty).format(value, sql.SQL(signs[0] if condition.exists else signs[1]))
        if isinstance(condition, AttributeCondition):
            yield from self._number_in_text(value, condition)

    def _patterns(self, value: Sql, condition: TextCondition | AddressCondition) -> Iterator[Sql]:
        if condition.glob is not None:
            yield sql.SQL("{} ~ {}").format(value, self._put("text", postgres_glob(condition.glob)))
        if condition.regex is not None:
            yield sql.SQL("{} ~ {}").format(value, self._put("text", postgres_regex(condition.regex)))

    def _is_in(self, value: Sql, choices: list[str]) -> Sql:
        if len(choices) == 1:
            return sql.SQL("{} = {}").format(value, self._put("text", choices[0]))
        return sql.SQL("{} = ANY ({})").format(value, self._put("text[]", choices))

    def _number_in_text(self, value: Sql, condition: AttributeCondition) -> Iterator[Sql]:
        # CASE, unlike AND, is evaluated in order: no text reaches the cast that is no number.
        form: LiteralString = (
            "CASE WHEN length({value}) <= {longest} AND {value} ~* {number} THEN ({value})::numeric {sign} {bound} END"
        )
        signs: tuple[tuple[LiteralString, int | float | None], ...] = (
            (">=", condition.at_least),
            ("<=", condition.at_most),
        )
        for sign, bound in signs:
            if bound is not None:
                yield sql.SQL(form).format(
                    value=value,
                    longest=sql.Literal(_LONGEST_NUMBER),
                    number=self._put("text", _NUMBER),
                    sign=sql.SQL(sign),
                    bound=self._put("numeric", _exact(bound)),
                )

    def _flags(self, condition: TextCondition) -> Iterator[Sql]:
        alike = condition.model_copy(update={"exists": None})
        parts = list(self._text("flags", alike))
        if parts:
            yield sql.SQL("EXISTS (SELECT FROM unnest(flags) AS flag WHERE {})").format(_all(parts))
        if condition.exists is not None:
            yield _raw("cardinality(flags) > 0" if condition.exists else "cardinality(flags) = 0")

    def _address(self, condition: AddressCondition) -> Iterator[Sql]:
        if condition.equals is not None:
            yield self._within(condition.equals)
        if condition.one_of is not None:
            yield sql.SQL("({})").format(sql.SQL(" OR ").join(map(self._within, condition.one_of)))
        yield from self._patterns(self._value("client_ip"), condition)
        yield from _existence("client_ip", condition.exists)

    def _within(self, network: Network) -> Sql:
        return sql.SQL("client_ip <<= {}").format(self._put("inet", str(network)))

    def _number(self, column: str, condition: SeverityCondition | NumberCondition) -> Iterator[Sql]:
        bounds: tuple[tuple[LiteralString, int | float | None], ...] = (
            ("=", condition.equals),
            (">=", condition.at_least),
            ("<=", condition.at_most),
        )
        for sign, bound in bounds:
            if bound is not None:
                yield self._compared(column, sign, self._put("numeric", _exact(bound)))
        if condition.one_of is not None:
            choices = [_exact(choice) for choice in condition.one_of]
            yield self._compared(column, "= ANY", sql.SQL("({})").format(self._put("numeric[]", choices)))
        if isinstance(condition, NumberCondition):
            yield from _existence(column, condition.exists)

    def _moment(self, column: str, condition: MomentCondition) -> Iterator[Sql]:
        bounds: tuple[tuple[LiteralString, object], ...] = (
            ("=", condition.equals),
            (">=", condition.at_least),
            ("<=", condition.at_most),
        )
        for sign, moment in bounds:
            if moment is not None:
                yield self._compared(column, sign, self._put("timestamptz", moment))

    def _compared(self, column: str, sign: LiteralString, value: Sql) -> Sql:
        return sql.SQL("{} {} {}").format(sql.Identifier(column), sql.SQL(sign), value)

    def _id(self, condition: IdCondition) -> Iterator[Sql]:
        for ids in ((condition.equals,), condition.one_of):
            if ids is not None and None not in ids:
                yield sql.SQL("id = ANY ({})").format(self._put("uuid[]", list(ids)))

    def _value(self, column: str) -> Sql:
        """The text that a condition on this column sees."""
        if column.startswith("attr:"):
            return self._nested("attributes", column.removeprefix("attr:"))
        if column.startswith("res:"):
            return self._nested("source.resource", column.removeprefix("res:"))
        if column in _TEXTS:
            return _raw(_TEXTS[column])
        if column not in COLUMNS:
            raise ValueError("known only while a record becomes an event; remove it, or write what it led to")
        return sql.SQL("{}").format(sql.Identifier(column))

    def _nested(self, document: LiteralString, key: str) -> Sql:
        found = [sql.SQL("{} ->> {}").format(sql.SQL(document), self._put("text", key))]
        for path in _paths(key):
            found.append(sql.SQL("{} #>> {}").format(sql.SQL(document), self._put("text[]", path)))
        return sql.SQL("({})" if len(found) == 1 else "coalesce({})").format(sql.SQL(", ").join(found))

    def _put(self, type_name: LiteralString, value: object) -> Sql:
        name = f"{self._prefix}_{len(self.parameters)}"
        self.parameters[name] = value
        return sql.SQL("{}::{}").format(sql.Placeholder(name), sql.SQL(type_name))


def _paths(key: str) -> Iterator[list[str]]:
    """The ways that a key can lead into nested values, the longest name of an attribute first."""
    try:
        parse_path(key)
    except ValueError:
        return  # an attribute's own name, whatever it looks like
    bracket = key.find("[") if "[" in key else len(key)
    ends = [index for index, character in enumerate(key[: bracket + 1]) if character in ".[" and index]
    for end in reversed(ends):
        steps = parse_path(key[end:].removeprefix("."))
        if not all(isinstance(step, str | int) for step in steps):
            raise ValueError(f"{key!r}: [name=value] can't be asked of stored events; name the item by its number")
        yield [key[:end], *map(str, steps)]


def _written(value: Scalar) -> list[str]:
    """The texts that this value has among attributes: Polars' and, where it is a number, PostgreSQL's."""
    known = texts(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        known.append(format(_exact(value), "f"))
    return list(dict.fromkeys(known))


def _exact(value: int | float) -> Decimal:
    return Decimal(repr(value))


def _existence(column: str, exists: bool | None) -> Iterator[Sql]:
    if exists is not None:
        yield sql.SQL("{} IS NOT NULL" if exists else "{} IS NULL").format(sql.Identifier(column))


def _all(parts: Iterable[Sql]) -> Sql:
    return sql.SQL("({})").format(sql.SQL(" AND ").join(parts))


def _raw(text: LiteralString) -> Sql:
    return sql.SQL("{}").format(sql.SQL(text))
