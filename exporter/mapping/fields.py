"""Which attribute fills which column: picked by position, so that no text is copied before it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson
import polars as pl

from exporter.mapping.column import Column
from exporter.mapping.columns import Source
from exporter.mapping.paths import Found, Paths, find
from exporter.otlp.decode import Attributes, Records

_NO_PATHS = Paths(())


@dataclass(frozen=True, slots=True)
class _Inside:
    """Values found inside nested attributes, one below the other."""

    key: np.ndarray  # int32, index into the paths' texts
    record: np.ndarray  # int64
    text: pl.Series
    nested: np.ndarray  # bool: it is itself an array or a map


class Picker:
    """Looks attributes and record fields up by Source, for one group of records."""

    def __init__(self, records: Records, paths: Paths = _NO_PATHS) -> None:
        self.records = records
        self.attributes: Attributes = records.attributes
        self._codes = {key: code for code, key in enumerate(self.attributes.keys)}
        self._record = self.attributes.record
        self._pool = self.attributes.text
        self._inside = _look_inside(self.attributes, self._record, paths)
        self._paths: dict[str, int] = {}
        if self._inside is not None:
            self._pool = pl.concat([self._pool, self._inside.text])
            self._paths = {paths.texts[code]: code for code in np.unique(self._inside.key).tolist()}
        self._filled = (self._pool.is_not_null() & (self._pool != "")).to_numpy()
        self._single = self._filled
        if self.attributes.nested is not None:
            inside = np.empty(0, bool) if self._inside is None else self._inside.nested
            self._single = self._filled & ~np.concatenate([self.attributes.nested, inside])
        self._positions: dict[tuple[str, bool], np.ndarray | None] = {}
        self._columns: dict[tuple[Source | bool, ...], Column] = {}  # what several rules ask for is gathered once

    def column(self, sources: Sequence[Source], *, nested: bool = False) -> Column:
        """The first non-empty of the sources, for each record; arrays and maps only where `nested` allows them."""
        if len(sources) > 1:
            return self._column(sources, nested=nested)
        known = self._columns.get((*sources, nested))
        if known is None:
            known = self._columns[*sources, nested] = self._column(sources, nested=nested)
        return known.copy()

    def _column(self, sources: Sequence[Source], *, nested: bool) -> Column:
        found = Column.constant(None, len(self.records))
        for source in reversed(sources):
            if source.kind == "attribute":
                positions = self.positions(source.key, nested=nested)
                if positions is not None:
                    found.replace(positions >= 0, Column(self._pool, positions, positions))
            elif (column := self._field_column(source)) is not None:
                # A field of the record beats whatever comes after it in the list, attributes included.
                found.replace(column.filled, column)
        return found

    def _field_column(self, source: Source) -> Column | None:
        if source.kind == "record":
            series = self._record_field(source.key)
            return Column.of(series.set(series == "", None) if (series == "").any() else series)
        texts = self._source_texts(source)
        if not any(texts):
            return None
        filled = np.array([bool(text) for text in texts], bool)
        at = np.where(filled[self.records.source], self.records.source, -1).astype(np.int64)
        return Column(pl.Series(texts, dtype=pl.String), at, np.full(len(at), -1, np.int64))

    def has(self, key: str) -> bool:
        """Whether any record has that attribute, or one within which the path leads somewhere."""
        return key in self._codes or key in self._paths

    def positions(self, key: str, *, nested: bool = False) -> np.ndarray | None:
        """Where each record's text of that name stands, the last of duplicates; -1 where it has none.

        None where no record has a non-empty one.
        """
        if (key, nested) not in self._positions:
            self._positions[key, nested] = self._find(key, self._filled if nested else self._single)
        return self._positions[key, nested]

    def attribute(self, key: str) -> np.ndarray:
        """Where each record's attribute of that very name stands, empty ones too; -1 where it has none."""
        positions = np.full(len(self.records), -1, np.int64)
        if key in self._codes:
            at = np.flatnonzero(self.attributes.key == self._codes[key])
            positions[self._record[at]] = at
        return positions

    def name(self, position: int) -> str:
        """The attribute, or the path into one, that a text is from."""
        inside = position - len(self.attributes.key)
        if inside < 0:
            return self.attributes.keys[int(self.attributes.key[position])]
        assert self._inside is not None
        return next(text for text, code in self._paths.items() if code == self._inside.key[inside])

    def field(self, source: Source) -> pl.Series | None:
        """A record's, resource's or scope's field as text."""
        if source.kind == "record":
            return self._record_field(source.key)
        texts = self._source_texts(source)
        return pl.Series(texts, dtype=pl.String).gather(self.records.source) if any(texts) else None

    def _source_texts(self, source: Source) -> list[str | None]:
        """What each source's resource or scope says."""
        if source.kind == "resource":
            return [origin.resource_text(source.key) for origin in self.records.sources]
        return [str(origin.scope[source.key]) or None for origin in self.records.sources]

    def text(self, key: str) -> pl.Series:
        """An attribute as a column of text, null where a record does not have it."""
        positions = self._find(key, None)
        if positions is None:
            return pl.Series([None], dtype=pl.String).new_from_index(0, len(self.records))
        return Column(self._pool, positions, positions).values

    def _find(self, key: str, among: np.ndarray | None) -> np.ndarray | None:
        code, path = self._codes.get(key), self._paths.get(key)
        if code is None and path is None:
            return None
        positions = np.full(len(self.records), -1, np.int64)
        count = len(self.attributes.key)
        if path is not None:
            assert self._inside is not None
            same = self._inside.key == path
            at = np.flatnonzero(same if among is None else same & among[count:])
            positions[self._inside.record[at]] = at + count
        if code is not None:  # an attribute of that very name goes first
            same = self.attributes.key == code
            at = np.flatnonzero(same if among is None else same & among[:count])
            positions[self._record[at]] = at
        return positions

    def _record_field(self, key: str) -> pl.Series:
        columns = self.records.columns
        if key in {"trace_id", "span_id"}:
            return columns[key].bin.encode("hex")
        return columns[key].cast(pl.String)


def _look_inside(attributes: Attributes, record: np.ndarray, paths: Paths) -> _Inside | None:
    """What the nested attributes have at the paths; None where that is nothing."""
    if attributes.nested is None or not paths.texts:
        return None
    wanted = [paths.below(key) for key in attributes.keys]
    interesting = np.array([node is not None for node in wanted], bool)
    at = np.flatnonzero(attributes.nested & interesting[attributes.key])
    found = Found()
    ends = np.empty(len(at), np.int64)
    nodes = [wanted[code] for code in attributes.key[at].tolist()]
    for index, (text, node) in enumerate(zip(attributes.json.gather(at).to_list(), nodes, strict=True)):
        assert node is not None
        find(orjson.loads(text), node, found)
        ends[index] = len(found.texts)
    if not found.texts:
        return None
    nested = np.zeros(len(found.texts), bool)
    nested[found.nested] = True
    of = record[np.repeat(at, np.diff(ends, prepend=0))]
    return _Inside(np.array(found.paths, np.int32), of, pl.Series(found.texts, dtype=pl.String), nested)
