"""The base of the rules file's models: all that is wrong is found in one pass, each thing in its place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NoReturn, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from exporter.document import Location

Problem = tuple[Location, str]
Scalar = str | bool | int | float

_REMEDIES = {
    "missing": "this key is required",
    "string_type": "must be text; put it in quotes",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "tuple_type": "must be a list, e.g. [first, second]",
    "dict_type": "must be a mapping of keys to values",
}


def nearest(word: object, known: Collection[str]) -> str:
    """'; did you mean x?' with the nearest known word, else the list of all known ones."""
    close = get_close_matches(str(word), known, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"


def kind(value: object) -> str:  # noqa: PLR0911
    """What a person would call a YAML value."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case dict():
            return "a mapping"
        case list():
            return "a list"
    return f"a {type(value).__name__}"


def refuse(problems: Iterable[Problem]) -> NoReturn:
    """Raises all problems at once, each at its location below the value that is validated."""
    raise ValidationError.from_exception_data("rules", [_detail(at, text) for at, text in problems])


def _detail(at: Location, text: str) -> InitErrorDetails:
    # One line each, whatever a key, a value or a regex engine's message has in it.
    error = PydanticCustomError("rule", "{text}", {"text": " ".join(text.split())})
    loc = tuple(part if isinstance(part, int) or part.isprintable() else repr(part) for part in at)
    return InitErrorDetails(type=error, loc=loc, input=None)


def place(key: object) -> str | int:
    """A mapping's key as a part of a location."""
    return key if isinstance(key, str | int) else str(key)


def explain(failure: ValueError) -> Iterator[Problem]:
    """What a validator's error says, each part at its location."""
    if not isinstance(failure, ValidationError):
        yield (), str(failure)
        return
    for error in failure.errors(include_url=False):
        # pydantic marks a mapping's key, as opposed to its value, by a part of its own.
        at = error["loc"][:-1] if error["loc"][-1:] == ("[key]",) else error["loc"]
        yield at, _REMEDIES.get(error["type"]) or error["msg"].removeprefix("Value error, ")


def scalar(value: object) -> Scalar:
    """A YAML value that an attribute can have; raises ValueError for lists, dates, nothing and NaN."""
    if isinstance(value, str) and "\0" in value:
        raise ValueError("has a NUL character, which PostgreSQL can't store; leave it out")
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        # OTLP knows integers of 64 bits, and no text stands for NaN or the infinities beyond doubt.
        if not -(2**63) <= value < 2**63:
            raise ValueError(f"{value}: not a number of 64 bits; put it in quotes to compare text")
        return value
    raise ValueError(f"must be text, a number, true or false, not {kind(value)}; put text in quotes")


class Section(BaseModel):
    """A part of the rules file: unknown keys are refused, with the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def expand(cls, data: object) -> object:
        """Writes a shorthand out; raises ValueError for a form that is none."""
        return data

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        """What is wrong between the keys of this part, which are as the file has them, unvalidated."""
        yield from ()

    @model_validator(mode="wrap")
    @classmethod
    def _everything_at_once(cls, data: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(data, cls):
            return data
        data = cls.expand(data)
        known = {field.alias or name for name, field in cls.model_fields.items()}
        if not isinstance(data, dict):
            raise ValueError(f"must be a mapping with some of {', '.join(sorted(known))}, not {kind(data)}")
        unknown: list[Problem] = [
            ((place(key),), f"unknown key; {nearest(key, known)}") for key in data if key not in known
        ]
        given = {key: value for key, value in data.items() if key in known}
        # What a part as a whole lacks is most likely what its unknown key was meant to be.
        problems = unknown + [problem for problem in cls.conflicts(given) if problem[0] or not unknown]
        try:
            section = handler(given)
        except ValidationError as failure:
            refuse([*problems, *explain(failure)])
        if problems:
            refuse(problems)
        return section
