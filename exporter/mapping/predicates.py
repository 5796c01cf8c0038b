"""Conditions as Polars expressions, over a whole group of records at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl

from exporter.mapping.conditions import AttributeCondition, Condition, Match, SeverityCondition, TextCondition, texts
from exporter.mapping.patterns import glob_regex

# Fields that OTLP sends as "" when they are not set; for attributes and bodies "" is a value.
_EMPTY_IS_ABSENT = frozenset({"event_name", "service", "scope"})


def compile_match(match: Match) -> pl.Expr:
    """One boolean expression, never null.

    It reads the columns event_name, service, scope, body, parsed (String), severity (integer), and for each attribute
    that a condition names `attr:<key>` or `res:<key>` (String; null where absent, 200, 1.5 and true as text).
    """
    parts = [compile_condition(column, condition) for column, _, condition in match.own()]
    parts += [compile_match(part) for part in match.all_of]
    if match.any_of:
        parts.append(_join(pl.any_horizontal, [compile_match(part) for part in match.any_of]))
    if match.negated:
        parts.append(~compile_match(match.negated))
    return _join(pl.all_horizontal, parts) if parts else pl.lit(True)


def compile_condition(column: str, condition: Condition) -> pl.Expr:
    """One condition on one column, as compile_match describes."""
    if isinstance(condition, SeverityCondition):
        return _join(pl.all_horizontal, list(_severity_parts(column, condition)))
    assert isinstance(condition, TextCondition)
    return _join(pl.all_horizontal, list(_text_parts(column, condition)))


def _severity_parts(column: str, condition: SeverityCondition) -> Iterator[pl.Expr]:
    value = pl.col(column)
    if condition.equals is not None:
        yield _is_in(value, [condition.equals])
    if condition.one_of is not None:
        yield _is_in(value, list(condition.one_of))
    yield from _bounds(value, condition)


def _text_parts(column: str, condition: TextCondition) -> Iterator[pl.Expr]:
    value = pl.col(column)
    if condition.equals is not None:
        yield _is_in(value, texts(condition.equals))
    if condition.one_of is not None:
        yield _is_in(value, [text for choice in condition.one_of for text in texts(choice)])
    if condition.glob is not None:
        yield value.str.contains(glob_regex(condition.glob)).fill_null(False)
    if condition.regex is not None:
        yield value.str.contains(condition.regex).fill_null(False)
    if condition.exists is not None:
        present = value.is_not_null()
        if column in _EMPTY_IS_ABSENT:
            present &= value.ne_missing(pl.lit(""))
        yield present if condition.exists else ~present
    if isinstance(condition, AttributeCondition):
        number = value.cast(pl.Float64, strict=False)
        # Polars takes NaN for the greatest of all numbers.
        yield from _bounds(number.fill_nan(None), condition)


def _bounds(number: pl.Expr, condition: AttributeCondition | SeverityCondition) -> Iterator[pl.Expr]:
    if condition.at_least is not None:
        yield (number >= condition.at_least).fill_null(False)
    if condition.at_most is not None:
        yield (number <= condition.at_most).fill_null(False)


def _is_in(value: pl.Expr, choices: list[str] | list[int]) -> pl.Expr:
    if len(choices) == 1:
        return value.eq_missing(pl.lit(choices[0]))
    return value.is_in(choices).fill_null(False)


def _join(join: Callable[..., pl.Expr], parts: list[pl.Expr]) -> pl.Expr:
    return parts[0] if len(parts) == 1 else join(parts)
