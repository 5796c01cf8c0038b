"""The event columns that a mapping can fill, and the sources that it can fill them from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from exporter.mapping.paths import parse_path
from exporter.mapping.section import Scalar, kind, nearest

ColumnKind = Literal["text", "float", "int", "json", "time"]
SourceKind = Literal["attribute", "resource", "record", "scope"]

# As in exporter/store/schema, but for `time`, which says when it happened where the record itself does not know.
# The other columns (id, trace ids, ...) are not for rules to write.
COLUMNS: dict[str, ColumnKind] = {
    "time": "time",
    "action": "text",
    "outcome": "text",
    "actor_id": "text",
    "actor_name": "text",
    "actor_email": "text",
    "actor_type": "text",
    "on_behalf_of": "text",
    "client_address": "text",
    "country": "text",
    "city": "text",
    "latitude": "float",
    "longitude": "float",
    "asn": "int",
    "as_org": "text",
    "target_type": "text",
    "target_id": "text",
    "target_name": "text",
    "service": "text",
    "environment": "text",
    "tenant": "text",
    "session_id": "text",
    "user_agent": "text",
    "message": "text",
    "changes": "json",
}
# They are columns of audit.sources too, which a resource fills once for all of its records.
RESOURCE_COLUMNS = frozenset({"service", "environment", "tenant"})
CHOICES: dict[str, tuple[str, ...]] = {
    "outcome": ("success", "failure", "unknown"),
    "actor_type": ("user", "service", "system", "anonymous"),
}
# What senders say for an outcome, in any case; any other word is as good as none.
OUTCOMES = {
    word: outcome
    for outcome, words in {
        "success": "success succeeded successful ok okay allow allowed accept accepted grant granted pass passed "
        "permitted approved complete completed done true yes",
        "failure": "failure failed fail error errored deny denied refused reject rejected forbidden block blocked "
        "unauthorized unauthenticated unsuccessful timeout timed_out timed-out aborted false no",
        "unknown": "unknown",
    }.items()
    for word in words.split()
} | {"timed out": "failure"}
RECORD_FIELDS = ("event_name", "severity_text", "severity_number", "body", "trace_id", "span_id")
SCOPE_FIELDS = ("name", "version")
_BOUNDS = {"latitude": (-90, 90), "longitude": (-180, 180), "asn": (0, 2**32 - 1)}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value is read: an attribute of record or resource by its key, or a field of record or scope."""

    kind: SourceKind
    key: str

    def __str__(self) -> str:
        plain = self.kind == "attribute" and ":" not in self.key
        return self.key if plain else f"{self.kind}:{self.key}"


def parse_source(text: object) -> Source:
    """A source as rules write it: `user.id`, `resource:service.name`, `record:body`, `scope:name`.

    `attribute:` in front lets an attribute's own name have a colon. Raises ValueError for anything else.
    """
    if not isinstance(text, str):
        raise ValueError(f"must be the name of an attribute, not {kind(text)}; put it in quotes")
    prefix, colon, key = text.partition(":")
    if not colon:
        prefix, key = "attribute", text
    if not key.strip():
        raise ValueError(f"{text!r} names nothing; write e.g. user.id or resource:service.name")
    match prefix:
        case "attribute" | "resource":
            return Source(prefix, key)
        case "record" | "scope":
            known = RECORD_FIELDS if prefix == "record" else SCOPE_FIELDS
            if key not in known:
                raise ValueError(f"{text!r}: a {prefix} has no field {key!r}; {nearest(key, known)}")
            return Source(prefix, key)
    raise ValueError(
        f"{text!r}: unknown prefix {prefix!r}; write resource:, record: or scope:, "
        f"or attribute:{text} if the attribute's name has a colon"
    )


def check_column(column: object) -> str:
    """The column's name; raises ValueError with the nearest one where there is no such column."""
    if isinstance(column, str) and column in COLUMNS:
        return column
    raise ValueError(f"no column that rules can fill; {nearest(column, COLUMNS)}")


def check_source(column: str, source: Source) -> None:
    """Raises ValueError where the column can't be filled from there."""
    if column in RESOURCE_COLUMNS and source.kind != "resource":
        raise ValueError(f"{source}: {column} belongs to the resource; write resource:{source.key}")
    if source.kind == "attribute" and "[" in source.key:
        parse_path(source.key)


def constant(column: str, value: Scalar) -> str | int | float:
    """A constant in the type of its column; raises ValueError where the column can't have it."""
    if column in {"changes", "time"}:
        raise ValueError(f"{column} can't be a constant; copy it from an attribute")
    if isinstance(value, bool):
        raise ValueError(f"must not be true or false; put it in quotes: '{str(value).lower()}'")
    if column in _BOUNDS:
        low, high = _BOUNDS[column]
        whole = COLUMNS[column] == "int"
        if isinstance(value, str) or (whole and isinstance(value, float)) or not low <= value <= high:
            raise ValueError(f"{value!r}: must be a {'whole ' if whole else ''}number from {low} to {high}")
        return value if whole else float(value)
    text = str(value)
    if column in CHOICES and text not in CHOICES[column]:
        raise ValueError(f"{text!r}: must be one of {', '.join(CHOICES[column])}")
    if column == "country" and not (len(text) == 2 and text.isascii() and text.isalpha() and text.isupper()):
        raise ValueError(f"{text!r}: must be an ISO 3166-1 code of two capitals, e.g. DE")
    if not text:
        raise ValueError("must not be empty; leave the column out to keep what it has")
    return text
