"""What a comparison of the expression language becomes: field, operator and value as one condition on events."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from pydantic import ValidationError

from collector.severity import SEVERITIES
from exporter.errors import ConfigError
from exporter.mapping.section import Scalar, explain, nearest
from exporter.store.conditions import EventMatch, where
from exporter.store.event_match import COLUMNS

# Several columns under one name: any of them.
GROUPS = {
    "actor": ("actor_id", "actor_name", "actor_email", "on_behalf_of"),
    "target": ("target_id", "target_name"),
}
SHORT = {"class": "retention_class", "time": "occurred_at"}
_RULES_OWN = ("event", "body", "scope")
_DOCUMENTS = ("attributes", "resource")
FIELDS = (*COLUMNS, *GROUPS, *SHORT, *_RULES_OWN)
# What other systems call it, to be guessed.
_MEANT = {
    **dict.fromkeys(("user", "username", "who", "by", "principal", "subject"), "actor"),
    **dict.fromkeys(("user_id", "userid", "uid"), "actor_id"),
    **dict.fromkeys(("ip", "address", "ip_address", "remote_addr", "src_ip", "client"), "client_ip"),
    **dict.fromkeys(("timestamp", "date", "ts", "when", "at"), "time"),
    **dict.fromkeys(("level", "loglevel", "priority"), "severity"),
    **dict.fromkeys(("result", "status", "success"), "outcome"),
    **dict.fromkeys(("object", "resource_id", "what", "model"), "target"),
    **dict.fromkeys(("app", "application", "service.name", "program", "unit"), "service"),
    **dict.fromkeys(("msg", "log", "line"), "message"),
    **dict.fromkeys(("type", "kind", "verb", "operation"), "action"),
    **dict.fromkeys(("session", "sid"), "session_id"),
    "env": "environment",
    "trace": "trace_id",
    "location": "country",
}
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?")

# Operator: the form that the condition has, and whether it is turned round.
OPERATORS = {
    "=": ("equals", False),
    "!=": ("equals", True),
    "~": ("glob", False),
    "!~": ("glob", True),
    "=~": ("regex", False),
    "!=~": ("regex", True),
    ">=": ("at_least", False),
    "<=": ("at_most", False),
    ">": ("at_most", True),
    "<": ("at_least", True),
}


@dataclass(frozen=True, slots=True)
class Value:
    """A value as written; `quoted` is text, whatever it looks like."""

    text: str
    quoted: bool


class FieldError(ValueError):
    """The field is none, or can't be compared like that."""


class ValueProblem(ValueError):
    """The value can't be compared with; the number says which of the list's."""

    def __init__(self, message: str, index: int = 0) -> None:
        super().__init__(message)
        self.index = index


def check_field(name: str) -> None:
    """Raises FieldError with the nearest name where there is no such field."""
    document, dot, key = name.partition(".")
    if document in _DOCUMENTS:
        if not dot or not key:
            raise FieldError(f"{document} has many values; name one of them, e.g. {document}.http.route")
    elif name not in FIELDS:
        meant = _MEANT.get(name.lower())
        known = f"did you mean {meant}?" if meant else nearest(name, [*FIELDS, *_DOCUMENTS])
        columns = "fields are the columns of audit.events, actor, target, class, attributes.NAME and resource.NAME"
        guess = f"did you mean attributes.{name}?" if dot else known
        raise FieldError(f"there is no field {name!r}; {guess if guess.startswith('did') else columns}")


def names_class(match: EventMatch | None) -> bool:
    """Whether the conditions say themselves which classes are meant."""
    return any("retention_class" in part.model_fields_set for part in (match.parts() if match else ()))


def exists(field: str) -> EventMatch:
    """The field has a value. Raises FieldError for one that always has."""
    names = GROUPS.get(field, (SHORT.get(field, field),))
    if "exists" not in _forms(names[0]):
        example = f"{field}{_EXAMPLES.get(field, '=...')}"
        raise FieldError(f"every event has {field}; compare it with something, e.g. {example}")
    return _any([_made(name, {"exists": True}) for name in names])


def compared(field: str, operator: str, values: Sequence[Value], moment: Callable[[str], datetime]) -> EventMatch:
    """The comparison; several values mean any of them. `moment` reads times.

    Raises FieldError for an operator that the field has not, ValueProblem for a value that it can't have.
    """
    form, turned = OPERATORS[operator]
    names = GROUPS.get(field, (SHORT.get(field, field),))
    if form not in _forms(names[0]):
        usable = [sign for sign, (known, _) in OPERATORS.items() if known in _forms(names[0])]
        raise FieldError(f"{field} can't be compared by {operator}; use {' '.join(usable)}")
    if len(values) > 1 and form != "equals":
        raise ValueProblem(f"{operator} takes one value; write (a or b) for several", 1)
    matches = []
    for index, value in enumerate(values):
        try:
            matches += [_one(name, form, value, moment) for name in names]
        except ValueError as failure:
            raise ValueProblem(_explained(failure), index) from None
    found = _any(matches)
    if turned and operator in {"<", ">"}:
        # Neither holds for what is no number or absent: x < 5 is `there and not at least 5`.
        other = "at_least" if form == "at_most" else "at_most"
        return _all([_one(names[0], other, values[0], moment), _not(found)])
    return _not(found) if turned else found


def _one(name: str, form: str, value: Value, moment: Callable[[str], datetime]) -> EventMatch:
    condition: dict[str, Any]
    kind = _kind(name)
    if kind == "SeverityCondition" and value.text.lower() in SEVERITIES:
        first = SEVERITIES[value.text.lower()]
        # `error` is four numbers, of which >= means the first and <= the last.
        last = first + 3
        ranges = {"equals": {"at_least": first, "at_most": last}, "at_least": {"at_least": first}}
        condition = ranges.get(form, {"at_most": last})
    else:
        condition = {form: _typed(kind, form, value, moment)}
    return _made(name, condition)


def _typed(kind: str, form: str, value: Value, moment: Callable[[str], datetime]) -> Any:
    if kind == "MomentCondition":
        return moment(value.text)
    if kind in {"NumberCondition", "SeverityCondition"} or form in {"at_least", "at_most"}:
        return _number(value.text, example="error or 17" if kind == "SeverityCondition" else "17 or 0.5")
    if kind == "AttributeCondition" and form == "equals" and not value.quoted:
        # As YAML reads it: 200 is written 200 or 200.0 among attributes.
        return {"true": True, "false": False}.get(value.text, _number(value.text))
    return value.text


def _number(text: str, *, example: str | None = None) -> Scalar:
    if _NUMBER.fullmatch(text) and text not in {"-0", "-0.0"}:
        return float(text) if "." in text else int(text)
    if example:
        raise ValueError(f"{text!r} is no number; write e.g. {example}")
    return text


def _made(name: str, condition: Mapping[str, Any]) -> EventMatch:
    document, _, key = name.partition(".")
    tree = {document: {key: condition}} if document in _DOCUMENTS else {name: condition}
    match = EventMatch.model_validate(tree)
    try:
        where(match)  # what PostgreSQL can't be asked for is said here, where its column in the text is known
    except ConfigError as failure:
        raise ValueError(str(failure).partition(": ")[2]) from None
    return match


def _kind(name: str) -> str:
    if name.partition(".")[0] in _DOCUMENTS:
        return "AttributeCondition"
    return str(_class(name).__name__)


def _forms(name: str) -> frozenset[str]:
    if name.partition(".")[0] in _DOCUMENTS:
        return frozenset({"equals", "glob", "regex", "at_least", "at_most", "exists"})
    return frozenset(_class(name).model_fields)


def _class(name: str) -> Any:
    return next(kind for kind in get_args(EventMatch.model_fields[name].annotation) if kind is not type(None))


def _explained(failure: ValueError) -> str:
    if isinstance(failure, ValidationError):
        return "; ".join(text for _, text in explain(failure))
    return str(failure)


def _any(matches: Sequence[EventMatch]) -> EventMatch:
    return matches[0] if len(matches) == 1 else EventMatch.model_validate({"any": list(matches)})


def _all(matches: Sequence[EventMatch]) -> EventMatch:
    return matches[0] if len(matches) == 1 else EventMatch.model_validate({"all": list(matches)})


def _not(match: EventMatch) -> EventMatch:
    return EventMatch.model_validate({"not": match})


_EXAMPLES = {"severity": ">=error", "occurred_at": ">=yesterday", "received_at": ">=yesterday", "time": ">=yesterday"}
