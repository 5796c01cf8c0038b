"""The members of documents, as attributes of the records that the documents came in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
import polars as pl

from exporter.mapping.salvage import salvage
from exporter.otlp.decode import Attributes, Records
from exporter.otlp.jsonb import NUL_REPLACEMENT, dumps
from exporter.otlp.values import quote

# Members of a document that become attributes of their own; a document of more stays whole beside those.
_MOST = 1_000
# Names are bounded and never begin inside a word, or a long text without a `=` costs the square of its length.
_PAIR = re.compile(
    r"""(?<![A-Za-z_@])([A-Za-z_@][\w.@/-]{0,255}+)=("(?:[^"\\]++|\\.)*+"|'(?:[^'\\]++|\\.)*+'|[^\s,;"']*+)"""
)
_VALUE = re.compile(r"""[ \t]*"((?:[^"]++|"")*+)("?)[^,]*|([^,]*)""")
_NESTED = frozenset({dict, list})
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Read:
    """A text that was read as a document."""

    members: dict[str, Any]
    whole: bool  # the members are all that the text says
    bad: bool = False  # it was cut off, has what JSON hasn't, or is no document at all
    repeated: bool = False  # a key came twice


_NOTHING = Read({}, whole=False, bad=True)


def read_json(text: str, *, inexact: bool) -> Read:
    """A JSON object, what is left of one that was cut off, or one behind other text; of equal members the last.

    `inexact`: it may hold numbers that a double can't, so the text is worth keeping.
    """
    start = text.find("{")
    if start < 0:
        return _NOTHING
    sent = text[start:] if start else text
    bad = repeated = False
    try:
        document = orjson.loads(sent)
    except orjson.JSONDecodeError:
        document, bad = salvage(sent), True
    if not isinstance(document, dict):
        return _NOTHING
    try:
        written = orjson.dumps(document)
    except orjson.JSONEncodeError:  # reads 1024 levels, but writes 254
        return _NOTHING
    if not bad:
        repeated = _says_twice(sent, written)
    if "\\u0000" in sent:
        clean = {key.replace("\0", NUL_REPLACEMENT): value for key, value in document.items()}
        repeated |= len(clean) < len(document)
        document = clean
    whole = not (bad or inexact or repeated or text[:start].strip(" \t\r\n\ufeff"))
    if len(document) > _MOST or "" in document:
        some = list(document.items())[:_MOST]
        return Read({key: value for key, value in some if key}, whole=False, bad=bad, repeated=repeated)
    return Read(document, whole, bad, repeated)


def _says_twice(sent: str, written: bytes) -> bool:
    """Whether an object in a document has a member twice: reading and writing it again loses that one's colon."""
    if "\\u003" not in sent:
        return sent.count(":") != written.count(b":")
    repeated = False

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        found = dict(pairs)
        repeated |= len(found) < len(pairs)
        return found

    json.loads(sent, object_pairs_hook=members, parse_int=str)
    return repeated


def read_pairs(text: str) -> Read:
    """`key=value` and `key="value"`, whatever stands between them.

    Of equal keys the first: what somebody typed, such as a user's name with `, type=LOGIN` in it, mostly comes last.
    """
    members: dict[str, str] = {}
    repeated = False
    for found in _PAIR.finditer(text):
        key, value = found.groups()
        if key in members:
            repeated = True
            continue
        if len(members) == _MOST:
            break
        quoted = value[:1] in {'"', "'"} and len(value) > 1
        members[key] = _ESCAPED.sub(r"\1", value[1:-1]) if quoted else value
    return Read(members, whole=False, repeated=repeated)


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

    Where that is taken too, by `body.body.<name>`, and so on. `rows` are the records of the documents, in order.
    """
    attributes = records.attributes
    codes = {key: code for code, key in enumerate(attributes.keys)}
    starts, ends = attributes.offsets[rows].tolist(), attributes.offsets[rows + 1].tolist()
    keys: list[int] = []
    values: list[Any] = []
    counts: list[int] = []
    for start, end, members in zip(starts, ends, documents, strict=True):
        taken = set(attributes.key[start:end].tolist()) if end > start else set()
        names: Iterable[str] = [prefix + name for name in members] if prefix else members
        if taken:
            names = _free_names(names, {name for name in names if codes.get(name, -1) in taken}, taken, codes)
        keys += [codes.setdefault(name, len(codes)) for name in names]
        values += members.values()
        counts.append(len(members))
    if not keys:
        return records
    text, rendered = _rendered(values)
    record = np.concatenate([attributes.record, np.repeat(rows, counts)])
    order = np.argsort(record, kind="stable")
    before = np.zeros(len(attributes.key), bool) if attributes.nested is None else attributes.nested
    nested = np.concatenate([before, np.array([type(value) in _NESTED for value in values], bool)])[order]
    merged = Attributes(
        offsets=np.concatenate([[0], np.cumsum(np.bincount(record, minlength=len(records)))]).astype(np.int64),
        key=np.concatenate([attributes.key, np.array(keys, np.int32)])[order],
        keys=[key.replace("\0", NUL_REPLACEMENT) for key in codes],
        text=pl.concat([attributes.text, text]).gather(order),
        json=pl.concat([attributes.json, rendered]).gather(order),
        nested=nested if nested.any() else None,
    )
    return replace(records, attributes=merged)


def _free_names(names: Iterable[str], displaced: set[str], taken: set[int], codes: dict[str, int]) -> Iterable[str]:
    """The names, with others for those that are displaced: none of the record's own (`taken`), nor each other's."""
    if not displaced:
        return names
    used = set(names)
    found = []
    for name in names:
        free = name
        while (free in used and name in displaced) or codes.get(free, -1) in taken:
            free = f"body.{free}"
        used.add(free)
        found.append(free)
    return found


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
