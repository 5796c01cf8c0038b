"""Which attribute fills which column: picked by position, so that no text is copied before it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from exporter.mapping.columns import Source
from exporter.otlp.decode import Attributes, Records


@dataclass(slots=True)
class Column:
    """One event column while it is being filled. `picked` has the attribute each record's value is from, or -1."""

    values: pl.Series
    picked: np.ndarray

    def replace(self, where: np.ndarray, values: pl.Series, picked: np.ndarray | None = None) -> None:
        """Puts other values where `where` holds; what an attribute lost its place to stays an attribute."""
        mask = pl.Series(where)
        self.values = self.values.zip_with(~mask, values)
        self.picked = np.where(where, -1 if picked is None else picked, self.picked)


class Picker:
    """Looks attributes and record fields up by Source, for one group of records."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.attributes: Attributes = records.attributes
        self._codes = {key: code for code, key in enumerate(self.attributes.keys)}
        self._record = self.attributes.record
        text = self.attributes.text
        self._filled = (text.is_not_null() & (text != "")).to_numpy()
        self._positions: dict[str, np.ndarray | None] = {}

    def column(self, sources: Sequence[Source]) -> Column:
        """The first non-empty of the sources, for each record."""
        count = len(self.records)
        picked = np.full(count, -1, np.int64)
        parts: list[pl.Series] = []
        for source in reversed(sources):
            if source.kind == "attribute":
                positions = self.positions(source.key)
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

    def positions(self, key: str) -> np.ndarray | None:
        """Where each record's attribute of that key stands, the last of duplicates; -1 where it has none.

        None where no record has a non-empty one.
        """
        if key not in self._positions:
            self._positions[key] = self._find(key)
        return self._positions[key]

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
        code = self._codes.get(key)
        count = len(self.records)
        if code is None:
            return pl.Series([None], dtype=pl.String).new_from_index(0, count)
        at = np.flatnonzero(self.attributes.key == code)
        picked = np.full(count, -1, np.int64)
        picked[self._record[at]] = at
        return self._gather(picked, [])

    def _find(self, key: str) -> np.ndarray | None:
        code = self._codes.get(key)
        if code is None:
            return None
        at = np.flatnonzero((self.attributes.key == code) & self._filled)
        positions = np.full(len(self.records), -1, np.int64)
        positions[self._record[at]] = at
        return positions

    def _gather(self, picked: np.ndarray, otherwise: list[pl.Series]) -> pl.Series:
        some = picked >= 0
        if not some.any():
            return otherwise[0] if otherwise else pl.Series([None], dtype=pl.String).new_from_index(0, len(picked))
        if some.all():
            return self.attributes.text.gather(picked)
        index = pl.Series(picked).set(pl.Series(~some), None)
        values = self.attributes.text.gather(index)
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
