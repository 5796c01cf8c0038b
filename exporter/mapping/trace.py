"""What the mapping did, told while it does it, so that a person can see where a column's value came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from exporter.mapping.column import Column
from exporter.mapping.columns import Source
from exporter.mapping.expressions import Changes, Concat, First, Steps, Template, Time, Value
from exporter.mapping.fields import Picker
from exporter.redaction.redactor import Finding

if TYPE_CHECKING:
    from exporter.events import Events


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a column's value came from: by which rule (None: by the `fields` lists), and read where."""

    rule: str | None
    source: str


@dataclass(slots=True)
class _Note:
    column: str
    rule: str | None
    where: np.ndarray  # bool by record
    values: tuple[Value, ...] = ()
    picked: np.ndarray | None = None
    text: str = ""


@dataclass(slots=True)
class Trace:
    """Collects what happened to a group of records; one Trace serves one call of Mapper.map."""

    rules: list[tuple[str, np.ndarray]] = field(default_factory=list)
    findings: Sequence[Finding] = ()  # what was redacted
    picker: Picker | None = None  # of the records as they were mapped
    events: Events | None = None  # of every record, those that were left out too
    left_out: list[tuple[str, np.ndarray]] = field(default_factory=list)  # why (a rule, ...), and which (bool)
    _notes: list[_Note] = field(default_factory=list)

    def left_out_by(self, record: int) -> str | None:
        """Why a record is no event; None where it is one."""
        return next((reason for reason, gone in self.left_out if gone[record]), None)

    def matched(self, rule: str, holds: np.ndarray) -> None:
        self.rules.append((rule, holds))

    def field(self, column: str, options: Sequence[Value], filled: Column) -> None:
        self._notes.append(_Note(column, None, filled.filled, tuple(options), filled.picked))

    def copied(self, column: str, rule: str, value: Value, where: np.ndarray, filled: Column) -> None:
        options = value.options if isinstance(value, First) else (value,)
        self._notes.append(_Note(column, rule, where, options, filled.picked))

    def constant(self, column: str, rule: str, where: np.ndarray) -> None:
        self._notes.append(_Note(column, rule, where, text="constant"))

    def computed(self, column: str, how: str, where: np.ndarray) -> None:
        self._notes.append(_Note(column, None, where, text=how))

    def rules_of(self, record: int) -> list[str]:
        """The rules that matched a record, in order."""
        return [rule for rule, holds in self.rules if holds[record]]

    def origins(self, record: int, picker: Picker) -> dict[str, Origin]:
        """Where each column of a record came from, the last word on each."""
        found: dict[str, Origin] = {}
        for note in self._notes:
            if note.where[record]:
                found[note.column] = Origin(note.rule, note.text or _source(note, record, picker))
        return found


def _source(note: _Note, record: int, picker: Picker) -> str:
    if note.picked is not None and note.picked[record] >= 0:
        return picker.name(int(note.picked[record]))
    for value in note.values:
        if not isinstance(value, Source) or picker.column((value,), nested=True).values[record] is not None:
            return described(value)
    return "computed"


def described(value: Value) -> str:
    """A value as a person would name it."""
    match value:
        case Source():
            return str(value)
        case Template():
            return "template " + "".join(part if isinstance(part, str) else f"{{{part}}}" for part in value.parts)
        case Concat():
            return "concat of " + ", ".join(described(part) for part in value.values)
        case First():
            return "first of " + ", ".join(described(part) for part in value.options)
        case Steps() | Time():
            return described(value.of)
        case Changes():
            states = [str(side) for side in (value.of, value.before, value.after) if side is not None]
            return " and ".join(states)
