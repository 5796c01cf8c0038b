"""The members of documents, as attributes of the records that the documents came in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
import polars as pl

from exporter.mapping.salvage import salvage
from exporter.otlp.decode import Attributes, Records
from exporter.otlp.values import NUL_REPLACEMENT, dumps, quote

# Members of a document that become attributes of their own; a document of more stays whole beside those.
_MOST = 1_000
# orjson reads 1024 levels and writes 254: a document with so many brackets is tried.
_MANY_BRACKETS = 250
_PAIR = re.compile(r"""([A-Za-z_@][\w.@/-]*)=("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,;"']*)""")
_VALUE = re.compile(r"""[ \t]*"((?:[^"]++|"")*+)("?)[^,]*|([^,]*)""")
_NESTED = frozenset({dict, list})
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Read:
    """A text that was read as a document."""

    members: dict[str, Any]
    whole: bool  # the members are all that the text says
    bad: bool = False  # it was cut off, or is no document at all


_NOTHING = Read({}, whole=False, bad=True)


def read_json(text: str, *, inexact: bool) -> Read:
    """A JSON object, what is left of one that was cut off, or one behind other text.

    `inexact`: it may hold numbers that a double can't, so the text is worth keeping.
    """
    start = text.find("{")
    if start < 0:
        return _NOTHING
    bad = False
    try:
        document = orjson.loads(text[start:])
    except orjson.JSONDecodeError:
        document, bad = salvage(text[start:]), True
    if not isinstance(document, dict) or (
        text.count("{") + text.count("[") > _MANY_BRACKETS and not _can_be_written(document)
    ):
        return _NOTHING
    whole = not (bad or inexact or text[:start].strip(" \t\r\n\ufeff"))
    if len(document) > _MOST or "" in document:
        some = list(document.items())[:_MOST]
        return Read({key: value for key, value in some if key}, whole=False, bad=bad)
    return Read(document, whole, bad)


def _can_be_written(document: dict[str, Any]) -> bool:
    try:
        orjson.dumps(document)
    except orjson.JSONEncodeError:
        return False
    return True


def read_pairs(text: str) -> Read:
    """`key=value` and `key="value"`, whatever stands between them; of equal keys the last."""
    members = {}
    for key, value in _PAIR.findall(text):
        quoted = value[:1] in {'"', "'"} and len(value) > 1
        members[key] = _ESCAPED.sub(r"\1", value[1:-1]) if quoted else value
        if len(members) == _MOST:
            break
    return Read(members, whole=False)


def read_csv(text: str, names: Sequence[str]) -> Read:
    """Comma-separated values by name; those in quotes may have commas, line breaks and doubled quotes in them.

    Empty values, values behind the names and names behind the values are left out. `bad`: a quote is never closed.
    """
    members: dict[str, str] = {}
    at = 0
    for name in names:
        found = _VALUE.match(text, at)
        if found is None or at > len(text):
            break
        quoted, closed, plain = found.groups()
        value = plain.strip() if quoted is None else quoted.replace('""', '"')
        if value:
            members[name] = value
        if quoted is not None and not closed:
            return Read(members, whole=False, bad=True)
        at = found.end() + 1
    return Read(members, whole=False)


def read_groups(regex: str, texts: pl.Series) -> list[Read]:
    """The named groups of an expression, where it matches."""
    frame = texts.str.extract_groups(regex).struct.unnest()
    rows = frame.select(name for name in frame.columns if not name.isdigit()).iter_rows(named=True)
    return [Read({name: text for name, text in row.items() if text is not None}, whole=False) for row in rows]


def with_members(records: Records, rows: np.ndarray, documents: Iterable[dict[str, Any]], prefix: str) -> Records:
    """Members become attributes behind the record's own; one whose name is taken goes by `body.<name>`.

    `rows` are the records of the documents, in order.
    """
    attributes = records.attributes
    codes = {key: code for code, key in enumerate(attributes.keys)}
    starts, ends = attributes.offsets[rows].tolist(), attributes.offsets[rows + 1].tolist()
    keys: list[int] = []
    values: list[Any] = []
    counts: list[int] = []
    for start, end, members in zip(starts, ends, documents, strict=True):
        taken = set(attributes.key[start:end].tolist()) if end > start else set()
        names = [prefix + name for name in members] if prefix else members
        if taken:
            names = [f"body.{name}" if codes.get(name, -1) in taken else name for name in names]
        keys += [codes.setdefault(name, len(codes)) for name in names]
        values += members.values()
        counts.append(len(members))
    if not keys:
        return records
    text, json = _rendered(values)
    record = np.concatenate([attributes.record, np.repeat(rows, counts)])
    order = np.argsort(record, kind="stable")
    before = np.zeros(len(attributes.key), bool) if attributes.nested is None else attributes.nested
    nested = np.concatenate([before, np.array([type(value) in _NESTED for value in values], bool)])[order]
    merged = Attributes(
        offsets=np.concatenate([[0], np.cumsum(np.bincount(record, minlength=len(records)))]).astype(np.int64),
        key=np.concatenate([attributes.key, np.array(keys, np.int32)])[order],
        keys=[key.replace("\0", NUL_REPLACEMENT) for key in codes],
        text=pl.concat([attributes.text, text]).gather(order),
        json=pl.concat([attributes.json, json]).gather(order),
        nested=nested if nested.any() else None,
    )
    return replace(records, attributes=merged)


def _rendered(values: list[Any]) -> tuple[pl.Series, pl.Series]:
    """JSON values as attributes have them: the text that columns take, and the JSON."""
    rest = pl.Series(
        [None if type(value) is str else orjson.dumps(value).decode() for value in values], dtype=pl.String
    )
    if rest.str.contains("\\u0000", literal=True).any():
        rest = pl.Series([None if type(value) is str else dumps(value)[0] for value in values], dtype=pl.String)
    strings = pl.Series([value if type(value) is str else None for value in values], dtype=pl.String)
    strings = strings.str.replace_all("\0", NUL_REPLACEMENT, literal=True)
    text = strings.zip_with(strings.is_not_null(), rest.set(rest == "null", None))
    return text, quote(strings).zip_with(strings.is_not_null(), rest)
