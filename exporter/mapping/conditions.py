"""Conditions of rules. predicates.py puts them to records, exporter/store/conditions.py to stored events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictBool

from exporter.document import Location
from exporter.mapping.patterns import check_glob, check_regex
from exporter.mapping.section import Problem, Scalar, Section, kind, scalar

# How deep any, all and not may be nested: more than a person can follow, less than what recursion can bear.
MAX_DEPTH = 16
MAX_SEVERITY = 24

_TEXTS = ("event", "service", "scope", "body", "parsed")


def _number(value: object) -> int | float:
    number = scalar(value)
    if isinstance(number, str | bool):
        raise ValueError(f"must be a number, not {kind(value)}")
    return number


def _severity(value: object) -> int:
    number = _number(value)
    if not isinstance(number, int) or not 0 <= number <= MAX_SEVERITY:
        raise ValueError(f"{number}: a severity is a whole number from 0 to {MAX_SEVERITY} (17 is ERROR)")
    return number


def _choices(value: object) -> object:
    if isinstance(value, list) and not value:
        raise ValueError("an empty list matches nothing; name the values")
    return value


def _key(key: object) -> object:
    if not isinstance(key, str) or not key.strip():
        raise ValueError(f"{key!r} is no attribute's name; put it in quotes")
    return key


Key = Annotated[str, BeforeValidator(_key)]
ScalarValue = Annotated[Any, BeforeValidator(scalar)]
Number = Annotated[int | float, BeforeValidator(_number)]
Severity = Annotated[int, BeforeValidator(_severity)]
Glob = Annotated[str, BeforeValidator(check_glob)]
Regex = Annotated[str, BeforeValidator(check_regex)]


class Condition(Section):
    """What one part of a record must be like: all of the keys given hold."""

    @classmethod
    def expand(cls, data: object) -> object:
        if isinstance(data, str | bool | int | float):
            return {"equals": data}
        if isinstance(data, list):
            raise ValueError("a list; write {one_of: [...]}")
        if data is None:
            raise ValueError("nothing to compare with; write a value, or {exists: true} or {exists: false}")
        return data if isinstance(data, dict) else scalar(data)

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        if not data:
            yield (), f"an empty condition; give it one of {', '.join(cls.model_fields)}"
        for key, value in data.items():
            if value is None and key not in {"equals", "one_of"}:
                yield (key,), "nothing given; write a value or remove this line"


class SeverityCondition(Condition):
    """A condition on the severity number, 0 to 24."""

    equals: Severity | None = None
    one_of: Annotated[tuple[Severity, ...] | None, BeforeValidator(_choices)] = None
    at_least: Severity | None = None
    at_most: Severity | None = None


class TextCondition(Condition):
    """A condition on text; numbers and booleans compare by how they are written: 200, 1.5, true."""

    equals: ScalarValue = None
    one_of: Annotated[tuple[ScalarValue, ...] | None, BeforeValidator(_choices)] = None
    glob: Glob | None = None
    regex: Regex | None = None
    exists: StrictBool | None = None


class AttributeCondition(TextCondition):
    """A condition on an attribute, which may be a number: at_least and at_most hold for no other text."""

    at_least: Number | None = None
    at_most: Number | None = None

    def needs_presence(self) -> bool:
        """Whether it holds for no record that lacks the attribute."""
        return any(getattr(self, name) is not None for name in type(self).model_fields if name != "exists") or bool(
            self.exists
        )


class Match(Section):
    """Which records a rule is about: all of the keys given hold. Without any it holds for every record."""

    event: TextCondition | None = None
    service: TextCondition | None = None
    scope: TextCondition | None = None
    body: TextCondition | None = None
    parsed: TextCondition | None = None  # the name of the step that made attributes of the record's text
    severity: SeverityCondition | None = None
    attributes: dict[Key, AttributeCondition] = Field(default_factory=dict)
    resource: dict[Key, AttributeCondition] = Field(default_factory=dict)
    any_of: tuple[Match, ...] = Field((), alias="any")
    all_of: tuple[Match, ...] = Field((), alias="all")
    negated: Match | None = Field(None, alias="not")

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        empty = [key for key in ("attributes", "resource", "any", "all") if data.get(key) in ({}, [])]
        yield from (((key,), "empty; give it a condition or remove it") for key in empty)
        nothing = [key for key, value in data.items() if value is None]
        yield from (((key,), "nothing to match; give it a condition or remove it") for key in nothing)
        if not data:
            yield (), "no condition; a rule for every record says `match: all`"

    def own(self) -> Iterator[tuple[str, Location, Condition]]:
        """This part's own conditions: column that each reads, its place below this part, the condition."""
        for key in (*_TEXTS, "severity"):
            condition: Condition | None = getattr(self, key)
            if condition is not None:
                yield "event_name" if key == "event" else key, (key,), condition
        for key, attribute in self.attributes.items():
            yield f"attr:{key}", ("attributes", key), attribute
        for key, attribute in self.resource.items():
            yield f"res:{key}", ("resource", key), attribute

    def parts(self) -> Iterator[Match]:
        """This match and all within it."""
        yield self
        for part in (*self.any_of, *self.all_of, *((self.negated,) if self.negated else ())):
            yield from part.parts()

    def columns(self) -> frozenset[str]:
        """The columns that the compiled expression reads."""
        return frozenset(column for part in self.parts() for column, _, _ in part.own())

    def needed(self) -> frozenset[str]:
        """Attributes without which this can't hold, so that most matches are settled by a look at the names."""
        own = {key for key, condition in self.attributes.items() if condition.needs_presence()}
        return frozenset(own).union(*(part.needed() for part in self.all_of))


def texts(value: Scalar) -> list[str]:
    """How an attribute of this value is written: 200 is `200` as an integer and `200.0` as a double."""
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, str):
        return [value]
    import polars as pl  # noqa: PLC0415 for who compares numbers; the command line reads conditions too

    written = pl.Series([float(value)]).cast(pl.String).item()
    return [str(int(value)), written] if value == int(value) else [written]
