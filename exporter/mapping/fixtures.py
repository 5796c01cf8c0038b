"""Records and the events that they must become: how presets, and administrators' own rules, are tested."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import polars as pl
from google.protobuf.message import Message
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from pydantic import BeforeValidator, ConfigDict, Field, StrictStr

from exporter import times
from exporter.document import Document, load
from exporter.errors import ConfigError
from exporter.explain import Explanation, explain
from exporter.mapping.columns import COLUMNS
from exporter.mapping.section import Problem, Section, kind, nearest, place, refuse
from exporter.otlp.encode import any_value, key_values, request
from exporter.transform import Transform

_OWN_COLUMNS = ("id", "occurred_at", "client_ip", "trace_id", "span_id", "severity", "severity_text", "attributes")
_EXPECTED = (*COLUMNS, *_OWN_COLUMNS, "class", "flags", "redacted", "left_out_by")


def _instant(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return round(aware.timestamp()) * times.NS_PER_S + aware.microsecond * times.NS_PER_US
    parsed = times.parse(pl.Series([str(value)]), "iso8601").item()
    if parsed is None:
        raise ValueError(f"{value!r} is no time; write e.g. 2026-01-31T12:00:00Z or nanoseconds since 1970")
    return int(parsed)


def _mapping(value: object) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"must be a mapping, not {kind(value)}")
    return value


def _expectation(value: object) -> object:
    unknown = [key for key in _mapping(value) if key not in _EXPECTED]
    if unknown:
        refuse([((place(key),), f"no column of an event; {nearest(key, _EXPECTED)}") for key in unknown])
    return value


Instant = Annotated[int, BeforeValidator(_instant)]
PlainMapping = Annotated[dict[str, Any], BeforeValidator(_mapping)]
Expectation = Annotated[dict[str, Any], BeforeValidator(_expectation)]
# The Transform of a file's presets and rules; None where the file names none.
Make = Callable[[tuple[str, ...] | None, tuple[Path, ...] | None], Transform]


class RecordSpec(Section):
    """A log record in few words. `json` is a body of JSON text; `body` is text, or a map as OTLP has them."""

    line: StrictStr | None = None
    json_: Any = Field(None, alias="json")
    body: Any = None
    attributes: PlainMapping = Field(default_factory=dict)
    resource: PlainMapping = Field(default_factory=dict)
    scope: StrictStr = ""
    event_name: StrictStr = ""
    severity: int = 0
    time: Instant = 0
    observed_time: Instant = 0

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        given = [name for name in ("line", "json", "body") if name in data]
        if len(given) > 1:
            yield (given[1],), f"{given[0]} is the body already; keep one of them"

    def payload(self) -> bytes:
        """The request, as bytes, that has this record alone."""
        made = LogRecord(
            time_unix_nano=self.time,
            # Whoever forwards a record says when it was seen, at least.
            observed_time_unix_nano=self.observed_time or (0 if self.time else time.time_ns()),
            severity_number=self.severity,  # type: ignore[arg-type]
            event_name=self.event_name,
        )
        made.attributes.extend(key_values(self.attributes))
        if "json" in self.model_fields_set or "json_" in self.model_fields_set:
            made.body.CopyFrom(any_value(orjson.dumps(self.json_).decode()))
        elif self.line is not None:
            made.body.CopyFrom(any_value(self.line))
        elif self.body is not None:
            made.body.CopyFrom(any_value(self.body))
        message: Message = request(made, resource=self.resource, scope=self.scope)
        return message.SerializeToString()


class Case(Section):
    """One record and what is expected of its event: columns by name, null for one that must be empty."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: StrictStr
    record: RecordSpec
    expect: Expectation


class FixtureFile(Section):
    """One file of cases, and the presets and rules that they are for; without either, the configuration's."""

    presets: tuple[StrictStr, ...] | None = None
    rules: tuple[Path, ...] | None = None
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that is not as a case expects it."""

    place: str  # file and line of the case
    case: str
    key: str
    expected: object
    found: object

    def __str__(self) -> str:
        shown = (orjson.dumps(value, default=str).decode() for value in (self.expected, self.found))
        expected, found = shown
        return f"{self.place}: {self.case}: {self.key}: expected {expected}, found {found}"


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a folder of fixtures."""

    cases: int
    failures: tuple[Failure, ...]


def run(folder: Path, make: Make) -> Ran:
    """Runs every *.yaml below a folder (or one file). Raises ConfigError where a file or its rules are wrong."""
    count, failures = 0, []
    for where, case, became in explained(folder, make):
        count += 1
        failures += list(_failures(where, case, became))
    return Ran(count, tuple(failures))


def explained(folder: Path, make: Make) -> Iterator[tuple[str, Case, Explanation]]:
    """Each case below a folder (or in one file): its place (file and line), the case, and what became of it."""
    files = [folder] if folder.is_file() else sorted(folder.rglob("*.yaml"))
    if not files:
        raise ConfigError(f"{folder}: no *.yaml in there; write cases as docs/mapping.md shows")
    for file in files:
        document = load(file)
        fixtures = document.parse(FixtureFile)
        rules = None if fixtures.rules is None else tuple(file.parent / rule for rule in fixtures.rules)
        transform = make(fixtures.presets, rules)
        became = explain(transform, [case.record.payload() for case in fixtures.cases])
        for index, case in enumerate(fixtures.cases):
            yield f"{document.name}:{_line(document, index)}", case, became[index]


def _line(document: Document, index: int) -> int:
    return document.line_of(("cases", index))


def _failures(place: str, case: Case, became: Explanation) -> Iterator[Failure]:
    for key, expected in case.expect.items():
        found = _found(key, became)
        if key == "time":
            wanted = _instant(expected)
            if found != wanted:
                yield Failure(place, case.name, key, wanted, found)
        elif key == "attributes":
            attributes = found if isinstance(found, dict) else {}
            for name, value in expected.items():
                if attributes.get(name) != value:
                    yield Failure(place, case.name, f"attributes.{name}", value, attributes.get(name))
        elif not _same(expected, found):
            yield Failure(place, case.name, key, expected, found)


def _found(key: str, became: Explanation) -> object:
    match key:
        case "class":
            return became.retention_class
        case "flags":
            return sorted(became.flags)
        case "redacted":
            return sorted({finding.where for finding in became.redacted})
        case "left_out_by":
            return became.left_out_by
        case "time":
            return became.occurred_ns
    return became.event.get(key)


def _same(expected: object, found: object) -> bool:
    if isinstance(expected, list) and isinstance(found, list):
        return sorted(map(str, expected)) == sorted(map(str, found))
    if isinstance(expected, dict) or expected is None or isinstance(expected, float):
        return expected == found
    return str(expected) == str(found)
