"""A column while it is being filled: no text is copied before all is decided."""

from __future__ import annotations

from typing import Self

import numpy as np
import polars as pl


class Column:
    """Which text each record's value is.

    `picked` has the place of the text that a record's value was read from, or -1: attributes first, in their order,
    then what was found inside nested ones.
    """

    __slots__ = ("_at", "_texts", "_values", "picked")

    def __init__(self, texts: pl.Series, at: np.ndarray, picked: np.ndarray) -> None:
        """`at` is the place in `texts` (String, no nulls at these places) of each record's value (int64, -1: none)."""
        self._texts = [texts]
        self._at = at
        self._values: pl.Series | None = None
        self.picked = picked

    @classmethod
    def of(cls, values: pl.Series, picked: np.ndarray | None = None) -> Self:
        """A column of computed values, null where there is none; without `picked` they were read from nowhere."""
        at = np.arange(len(values))
        if values.null_count():
            at = np.where(values.is_not_null().to_numpy(), at, -1)
        return cls(values, at, np.full(len(values), -1, np.int64) if picked is None else picked)

    @classmethod
    def constant(cls, value: str | None, count: int) -> Self:
        """The same for every record."""
        nowhere = np.full(count, -1, np.int64)
        return cls(
            pl.Series([value], dtype=pl.String), nowhere if value is None else np.zeros(count, np.int64), nowhere
        )

    @property
    def filled(self) -> np.ndarray:
        """Which records (bool) have a value."""
        filled: np.ndarray = self._at >= 0
        return filled

    @property
    def values(self) -> pl.Series:
        """The values (String), null where there is none."""
        if self._values is None:
            self._values = self._gathered()
        return self._values

    def copy(self) -> Self:
        """Another column of the same values."""
        made = type(self)(self._texts[0], self._at, self.picked)
        made._texts, made._values = list(self._texts), self._values
        return made

    def replace(self, where: np.ndarray, other: Column) -> None:
        """Takes the other column's values, absent ones too, where `where` holds.

        What an attribute lost its place to stays an attribute.
        """
        if not where.any():
            return
        texts, at = other._texts, other._at
        if len(texts) > 1:
            texts, at = [other.values], np.where(other.filled, np.arange(len(at)), -1)
        start = 0
        if not self.filled.any():
            self._texts = []
        for known in self._texts:
            if known is texts[0]:
                break
            start += len(known)
        else:
            self._texts.append(texts[0])
        self._at = np.where(where, np.where(at >= 0, at + start, -1), self._at)
        self.picked = np.where(where, other.picked, self.picked)
        self._values = None

    def _gathered(self) -> pl.Series:
        filled = self.filled
        if not filled.any():
            return pl.Series([None], dtype=pl.String).new_from_index(0, len(filled))
        texts = self._texts[0] if len(self._texts) == 1 else pl.concat(self._texts)
        if len(texts) == len(filled) and np.array_equal(self._at[filled], np.flatnonzero(filled)) and filled.all():
            return texts
        index = pl.Series(self._at)
        return texts.gather(index if filled.all() else index.set(pl.Series(~filled), None))
