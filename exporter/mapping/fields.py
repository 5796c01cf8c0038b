"""Which attribute fills which column: picked by position, so that no text is copied before it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson
import polars as pl

from exporter.mapping.columns import Source
from exporter.mapping.paths import Paths, find
from exporter.otlp.decode import Attributes, Records

_NO_PATHS = Paths(())


@dataclass(slots=True)
class Column:
    """One event column while it is being filled.

    `picked` has the place of the text that each record's value is, or -1: attributes first, in their order, then what
    was found inside nested ones.
    """

    values: pl.Series
    picked: np.ndarray

    def replace(self, where: np.ndarray, values: pl.Series, picked: np.ndarray | None = None) -> None:
        """Puts other values where `where` holds; what an attribute lost its place to stays an attribute."""
        mask = pl.Series(where)
        self.values = self.values.zip_with(~mask, values)
        self.picked = np.where(where, -1 if picked is None else picked, self.picked)


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

    def column(self, sources: Sequence[Source], *, nested: bool = False) -> Column:
        """The first non-empty of the sources, for each record; arrays and maps only where `nested` allows them."""
        count = len(self.records)
        picked = np.full(count, -1, np.int64)
        parts: list[pl.Series] = []
        for source in reversed(sources):
            if source.kind == "attribute":
                positions = self.positions(source.key, nested=nested)
                if positions is not None:
                    picked = np.where(positions >= 0, positions, picked)
                continue
            series = self.field(source)
            if series is None:
                continue
            # A field of the record beats whatever comes after it in the list, attributes included.
            present = (series.is_not_null() & (series != "")).to_numpy()
            parts = [series.zip_with(pl.Series(present), self._gather(picked, parts))]
            picked = np.where(present, -1, picked)
        return Column(self._gather(picked, parts), picked)

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
        match source.kind:
            case "record":
                return self._record_field(source.key)
            case "resource":
                return self._of_source([origin.resource_text(source.key) for origin in self.records.sources])
            case "scope":
                texts = [str(origin.scope[source.key]) or None for origin in self.records.sources]
                return self._of_source(texts)
        return None

    def text(self, key: str) -> pl.Series:
        """An attribute as a column of text, null where a record does not have it."""
        positions = self._find(key, None)
        if positions is None:
            return pl.Series([None], dtype=pl.String).new_from_index(0, len(self.records))
        return self._gather(positions, [])

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

    def _gather(self, picked: np.ndarray, otherwise: list[pl.Series]) -> pl.Series:
        some = picked >= 0
        if not some.any():
            return otherwise[0] if otherwise else pl.Series([None], dtype=pl.String).new_from_index(0, len(picked))
        if some.all():
            return self._pool.gather(picked)
        index = pl.Series(picked).set(pl.Series(~some), None)
        values = self._pool.gather(index)
        return values.zip_with(pl.Series(some), otherwise[0]) if otherwise else values

    def _record_field(self, key: str) -> pl.Series:
        columns = self.records.columns
        if key in {"trace_id", "span_id"}:
            return columns[key].bin.encode("hex")
        return columns[key].cast(pl.String)

    def _of_source(self, texts: list[str | None]) -> pl.Series | None:
        if not any(texts):
            return None
        return pl.Series(texts, dtype=pl.String).gather(self.records.source)


def _look_inside(attributes: Attributes, record: np.ndarray, paths: Paths) -> _Inside | None:
    """What the nested attributes have at the paths; None where that is nothing."""
    if attributes.nested is None or not paths.texts:
        return None
    wanted = [paths.below(key) for key in attributes.keys]
    interesting = np.array([node is not None for node in wanted], bool)
    at = np.flatnonzero(attributes.nested & interesting[attributes.key])
    found: list[tuple[int, str, bool]] = []
    ends = np.empty(len(at), np.int64)
    nodes = [wanted[code] for code in attributes.key[at].tolist()]
    for index, (text, node) in enumerate(zip(attributes.json.gather(at).to_list(), nodes, strict=True)):
        assert node is not None
        find(orjson.loads(text), node, found)
        ends[index] = len(found)
    if not found:
        return None
    keys, texts, nested = zip(*found, strict=True)
    of = record[np.repeat(at, np.diff(ends, prepend=0))]
    return _Inside(np.array(keys, np.int32), of, pl.Series(texts, dtype=pl.String), np.array(nested, bool))
