"""Text that is itself a document (JSON, pairs, a line of known shape) becomes attributes before the rules see it.

The one part of the mapping that costs a call per record, and only for the records that its steps name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, WrapValidator

from exporter.mapping.columns import Source, parse_source
from exporter.mapping.conditions import Match, Regex
from exporter.mapping.fields import Picker
from exporter.mapping.matching import Compiled, attribute_keys, compiled, holding
from exporter.mapping.members import Read, read_csv, read_groups, read_json, read_pairs, with_members
from exporter.mapping.naming import Name, read_match
from exporter.mapping.paths import Paths
from exporter.mapping.section import Problem, Section, kind
from exporter.otlp.decode import Records

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
    raise ValueError(
        f"must be json, pairs, {{regex: ...}} or {{csv: [...]}}, not {value if isinstance(value, str) else kind(value)}"
    )


class Pattern(Section):
    """A regular expression whose named groups become attributes, or the names of comma-separated values."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["regex"]}, {"required": ["csv"]}]})

    regex: Regex | None = None
    csv: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        if data.get("regex") is None and data.get("csv") is None:
            yield (), "give it one of regex, csv: an expression with named groups, or the values' names in order"
        elif len(data) > 1:
            yield ("csv",), "regex says already how the text is read; keep one of them"


class ParseStep(Section):
    """Makes attributes of a text, for the records that match."""

    name: Name
    match: Annotated[Match, WrapValidator(read_match)]
    source: Annotated[Any, BeforeValidator(_source)] = Field(Source("record", "body"), alias="from")
    form: Annotated[
        Annotated[Literal["json", "pairs"], Tag("word")] | Annotated[Pattern, Tag("pattern")],
        Discriminator(lambda given: "word" if isinstance(given, str) else "pattern"),
        BeforeValidator(_format),
    ] = Field(alias="as")
    prefix: str = ""  # put in front of the new attributes' names

    def reads(self) -> frozenset[str]:
        """The attributes that it looks at."""
        own = {self.source.key} if self.source.kind == "attribute" else set()
        return attribute_keys([self.match]) | own


class Parser:
    """Compiled steps, in order; later ones see what earlier ones made."""

    def __init__(self, steps: Sequence[ParseStep]) -> None:
        self._steps: list[tuple[ParseStep, Compiled, Paths]] = [
            (step, compiled(step.match), Paths(step.reads())) for step in steps
        ]

    def __call__(self, records: Records) -> Records:
        """The records with the attributes that the steps make.

        Flags: `bad_json` where a document was cut off or is none, `duplicate_keys` where a name came twice in it.
        """
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
    read = _read(step.form, column.values.gather(rows))
    made = np.array([bool(one.members) or one.whole for one in read], bool)
    whole = np.array([one.whole for one in read], bool)
    records = with_members(records, rows, [one.members for one in read], step.prefix)
    records = _without_text(step.source, records, rows[whole & made])
    flags = dict(records.flags)
    for flag, found in (("bad_json", [one.bad for one in read]), ("duplicate_keys", [one.repeated for one in read])):
        if any(found):
            flags[flag] = flags.get(flag, np.zeros(len(records), bool)) | _mask(rows[found], len(records))
    names = pl.Series([None], dtype=pl.String).new_from_index(0, len(records))
    before = names if records.parsed is None else records.parsed.clone()
    return replace(records, flags=flags, parsed=before.scatter(rows[made], step.name))


def _read(form: str | Pattern, texts: pl.Series) -> list[Read]:
    if isinstance(form, Pattern):
        if form.regex is not None:
            return read_groups(form.regex, texts)
        return [read_csv(text, form.csv or ()) for text in texts]
    if form == "pairs":
        return [read_pairs(text) for text in texts]
    long = texts.str.contains(_LONG_NUMBER).to_list()
    return [read_json(text, inexact=inexact) for text, inexact in zip(texts.to_list(), long, strict=True)]


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
