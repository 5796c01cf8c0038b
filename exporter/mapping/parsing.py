"""Text that is itself a document (JSON, pairs, a line of known shape) becomes attributes before the rules see it.

The one part of the mapping that costs a call per record, and only for the records that its steps name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import orjson
import polars as pl
from pydantic import BeforeValidator, Field, WrapValidator

from exporter.mapping.columns import Source, parse_source
from exporter.mapping.conditions import Match, Regex
from exporter.mapping.fields import Picker
from exporter.mapping.matching import Compiled, attribute_keys, compiled, holding
from exporter.mapping.naming import Name, read_match
from exporter.mapping.paths import Paths
from exporter.mapping.salvage import salvage
from exporter.mapping.section import Section, kind
from exporter.otlp.decode import Attributes, Records
from exporter.otlp.values import dumps

# Members of a document that become attributes of their own; a document of more stays whole beside those.
MOST_MEMBERS = 1_000
_PAIR = re.compile(r"""([A-Za-z_@][\w.@/-]*)=("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,;"']*)""")
_ESCAPED = re.compile(r"\\(.)")
# Numbers that a double may not hold: the text of such a document is kept beside its members.
_LONG_NUMBER = r"[0-9.]{16}"


def _source(value: object) -> Source:
    source = parse_source(value)
    if source.kind != "attribute" and str(source) != "record:body":
        raise ValueError(f"{source}: only record:body and attributes can be parsed")
    return source


def _format(value: object) -> object:
    if isinstance(value, dict) or value == "json" or value == "pairs":  # noqa: PLR1714 (of any type, hashable or not)
        return value
    raise ValueError(f"must be json, pairs or {{regex: ...}}, not {value if isinstance(value, str) else kind(value)}")


class Pattern(Section):
    """A regular expression whose named groups become attributes."""

    regex: Regex


class ParseStep(Section):
    """Makes attributes of a text, for the records that match."""

    name: Name
    match: Annotated[Match, WrapValidator(read_match)]
    source: Annotated[Any, BeforeValidator(_source)] = Field(Source("record", "body"), alias="from")
    form: Annotated[Literal["json", "pairs"] | Pattern, BeforeValidator(_format)] = Field(alias="as")
    prefix: str = ""  # put in front of the new attributes' names

    def reads(self) -> frozenset[str]:
        """The attributes that it looks at."""
        own = {self.source.key} if self.source.kind == "attribute" else set()
        return attribute_keys([self.match]) | own


@dataclass(frozen=True, slots=True)
class _Member:
    key: str
    text: str | None
    json: str
    nested: bool


# Members, whether they are all that the text says, and whether it was cut off.
_Parsed = tuple[list[_Member], bool, bool]


class Parser:
    """Compiled steps, in order; later ones see what earlier ones made."""

    def __init__(self, steps: Sequence[ParseStep]) -> None:
        self._steps: list[tuple[ParseStep, Compiled, Paths]] = [
            (step, compiled(step.match), Paths(step.reads())) for step in steps
        ]

    def __call__(self, records: Records) -> Records:
        """The records with the attributes that the steps make; flag `bad_json` where a document was cut off."""
        for step, condition, paths in self._steps:
            if not len(records):
                break
            picker = Picker(records, paths)
            if step.source.kind == "attribute" and not picker.has(step.source.key):
                continue
            for _, holds in holding([condition], picker):
                records = _parse(step, holds, records, picker)
        return records


def _parse(step: ParseStep, holds: np.ndarray, records: Records, picker: Picker) -> Records:
    column = picker.column((step.source,), nested=True)
    rows = np.flatnonzero(holds & column.values.is_not_null().to_numpy())
    if not len(rows):
        return records
    texts = column.values.gather(rows)
    if isinstance(step.form, Pattern):
        parsed: list[tuple[list[_Member], bool, bool]] = [
            (found, False, False) for found in _groups(step.form.regex, texts)
        ]
    elif step.form == "pairs":
        parsed = [(list(_pairs(text)), False, False) for text in texts]
    else:
        long = texts.str.contains(_LONG_NUMBER).to_list()
        parsed = [_document(text, inexact) for text, inexact in zip(texts, long, strict=True)]
    made = np.array([bool(members) or whole for members, whole, _ in parsed], bool)
    whole = np.array([whole for _, whole, _ in parsed], bool)
    bad = np.array([bad for _, _, bad in parsed], bool)
    records = _with_members(records, rows, [members for members, _, _ in parsed], step.prefix)
    records = _without_text(step.source, records, rows[whole & made])
    flags = dict(records.flags)
    if bad.any():
        flags["bad_json"] = flags.get("bad_json", np.zeros(len(records), bool)) | _mask(rows[bad], len(records))
    names = pl.Series([None], dtype=pl.String).new_from_index(0, len(records))
    before = names if records.parsed is None else records.parsed.clone()
    return replace(records, flags=flags, parsed=before.scatter(rows[made], step.name))


def _document(text: str, inexact: bool) -> _Parsed:
    start = text.find("{")
    if start < 0:
        return [], False, True
    bad = False
    try:
        document = orjson.loads(text[start:])
    except orjson.JSONDecodeError:
        document, bad = salvage(text[start:]), True
    if not isinstance(document, dict):
        return [], False, True
    whole = not (bad or inexact or text[:start].strip(" \t\r\n\ufeff"))
    members: list[_Member] = []
    try:
        for key, value in document.items():
            if len(members) == MOST_MEMBERS:
                return members, False, bad
            if key:
                members.append(_member(key, value))
            else:
                whole = False
    except orjson.JSONEncodeError:  # reads 1024 levels, but writes 254
        return [], False, True
    return members, whole, bad


def _member(key: str, value: Any) -> _Member:
    json, _ = dumps(value)
    key = key.replace("\0", "\ufffd")
    if isinstance(value, str):
        return _Member(key, value if "\0" not in value else str(orjson.loads(json)), json, False)
    return _Member(key, None if value is None else json, json, isinstance(value, dict | list))


def _pairs(text: str) -> Iterator[_Member]:
    for key, value in _PAIR.findall(text):
        quoted = value[:1] in {'"', "'"} and len(value) > 1
        yield _member(key, _ESCAPED.sub(r"\1", value[1:-1]) if quoted else value)


def _groups(regex: str, texts: pl.Series) -> list[list[_Member]]:
    frame = texts.str.extract_groups(regex).struct.unnest()
    names = [name for name in frame.columns if not name.isdigit()]
    return [
        [_member(name, row[name]) for name in names if row[name] is not None] for row in frame.iter_rows(named=True)
    ]


def _with_members(records: Records, rows: np.ndarray, members: list[list[_Member]], prefix: str) -> Records:
    """Members become attributes behind the record's own; one whose name is taken is put under `body.<name>`."""
    attributes = records.attributes
    codes = {key: code for code, key in enumerate(attributes.keys)}
    starts, ends = attributes.offsets[rows].tolist(), attributes.offsets[rows + 1].tolist()
    keys, texts, jsons, nested, counts = [], [], [], [], []
    for start, end, several in zip(starts, ends, members, strict=True):
        taken = set(attributes.key[start:end].tolist()) if end > start else set()
        for member in several:
            key = prefix + member.key
            if taken and codes.get(key, -1) in taken:
                key = f"body.{key}"
            keys.append(codes.setdefault(key, len(codes)))
            texts.append(member.text)
            jsons.append(member.json)
            nested.append(member.nested)
        counts.append(len(several))
    if not keys:
        return records
    record = np.concatenate([attributes.record, np.repeat(rows, counts)])
    order = np.argsort(record, kind="stable")
    before = np.zeros(len(attributes.key), bool) if attributes.nested is None else attributes.nested
    inside = np.concatenate([before, np.array(nested, bool)])[order]
    merged = Attributes(
        offsets=np.concatenate([[0], np.cumsum(np.bincount(record, minlength=len(records)))]).astype(np.int64),
        key=np.concatenate([attributes.key, np.array(keys, np.int32)])[order],
        keys=list(codes),
        text=pl.concat([attributes.text, pl.Series(texts, dtype=pl.String)]).gather(order),
        json=pl.concat([attributes.json, pl.Series(jsons, dtype=pl.String)]).gather(order),
        nested=inside if inside.any() else None,
    )
    return replace(records, attributes=merged)


def _without_text(source: Source, records: Records, rows: np.ndarray) -> Records:
    """Leaves out a body whose every member is an attribute now."""
    if source.kind != "record" or not len(rows):
        return records
    gone = pl.Series(_mask(rows, len(records)))
    columns = records.columns
    return replace(
        records,
        columns=columns.with_columns(
            body=columns["body"].set(gone, None), body_json=columns["body_json"].set(gone, "null")
        ),
    )


def _mask(rows: np.ndarray, count: int) -> np.ndarray:
    mask = np.zeros(count, bool)
    mask[rows] = True
    return mask
