"""Finds matches that no record can satisfy, by trying the values that they allow.

A match is searched once all of its conditions can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from exporter.document import Location
from exporter.mapping.conditions import (
    MAX_SEVERITY,
    Condition,
    Match,
    SeverityCondition,
    TextCondition,
    texts,
)
from exporter.mapping.predicates import compile_condition
from exporter.mapping.section import Problem


@dataclass(frozen=True, slots=True)
class Fact:
    """A condition that every record of a match meets, or, negated, that none does."""

    column: str
    key: str
    condition: Condition
    negated: bool

    def expression(self) -> pl.Expr:
        """Whether a value of the column agrees with this fact; never null."""
        holds = compile_condition(self.column, self.condition)
        return ~holds if self.negated else holds

    def __str__(self) -> str:
        given = self.condition.model_dump(exclude_none=True, by_alias=True, mode="json")
        text = ", ".join(f"{name} {value!r}" for name, value in given.items())
        return f"not ({text})" if self.negated else text


def contradictions(match: Match, at: Location = (), outer: tuple[Fact, ...] = ()) -> Iterator[Problem]:
    """Each part that no record can satisfy, at its location below the match; what encloses it counts too."""
    found = [*_facts(match, at)]
    facts = (*outer, *(fact for _, fact in found))
    for place, fact in found:
        about = [other for other in facts if other.column == fact.column]
        if fact is about[-1] and not _possible(about):
            reasons = " and ".join(dict.fromkeys(str(other) for other in about))
            yield place, f"no record can match: {fact.key} would have to be {reasons}"
            return
    for place, part in _alternatives(match, at):
        yield from contradictions(part, place, facts)
    for place, part in _negations(match, at):
        yield from contradictions(part, place)


def _facts(match: Match, at: Location) -> Iterator[tuple[Location, Fact]]:
    for column, key, condition in match.own():
        yield (*at, *key), Fact(column, ".".join(map(str, key)), condition, negated=False)
    if match.negated:
        inner = list(match.negated.own())
        if len(inner) == 1 and len(list(match.negated.parts())) == 1:
            column, key, condition = inner[0]
            yield (*at, "not", *key), Fact(column, ".".join(map(str, key)), condition, negated=True)
    for index, part in enumerate(match.all_of):
        yield from _facts(part, (*at, "all", index))


def _alternatives(match: Match, at: Location) -> Iterator[tuple[Location, Match]]:
    yield from (((*at, "any", index), part) for index, part in enumerate(match.any_of))
    for index, part in enumerate(match.all_of):
        yield from _alternatives(part, (*at, "all", index))


def _negations(match: Match, at: Location) -> Iterator[tuple[Location, Match]]:
    if match.negated:
        yield (*at, "not"), match.negated
    for index, part in enumerate(match.all_of):
        yield from _negations(part, (*at, "all", index))


def _possible(facts: list[Fact]) -> bool:
    """Whether some value meets all facts about one column; True where the values can't be listed."""
    if len(facts) == 1 and len(facts[0].condition.model_fields_set) == 1:
        return True
    values = _candidates(facts)
    if values is None:
        lows, highs = _ends(facts, "at_least"), _ends(facts, "at_most")
        return not lows or not highs or max(lows) <= min(highs)
    column = facts[0].column
    met = [fact.expression() for fact in facts]
    return bool(pl.DataFrame({column: values}).select(pl.all_horizontal(met).any()).item())


def _candidates(facts: list[Fact]) -> pl.Series | None:
    if isinstance(facts[0].condition, SeverityCondition):
        return pl.Series(range(MAX_SEVERITY + 1))
    if any(_needs_absence(fact) for fact in facts):
        return pl.Series([None], dtype=pl.String)
    listed = [fact.condition for fact in facts if isinstance(fact.condition, TextCondition) and not fact.negated]
    values = [value for condition in listed for value in (*(condition.one_of or ()), condition.equals)]
    allowed = [text for value in values if value is not None for text in texts(value)]
    return pl.Series(allowed, dtype=pl.String) if allowed else None


def _needs_absence(fact: Fact) -> bool:
    if not isinstance(fact.condition, TextCondition):
        return False
    if fact.negated:
        return fact.condition.exists is True and fact.condition.model_fields_set == {"exists"}
    return fact.condition.exists is False


def _ends(facts: list[Fact], name: str) -> list[float]:
    ends = [getattr(fact.condition, name, None) for fact in facts if not fact.negated]
    return [end for end in ends if end is not None]
