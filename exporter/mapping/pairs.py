"""What changed, where an app sends it as attributes in pairs: `email.before` and `email.after`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from exporter.enrich import changes
from exporter.mapping.fields import Picker

_SUFFIXES = ((".before", ".after"), (".old", ".new"), (".old_value", ".new_value"))
_PREFIXES = ("audit.changes.", "audit.change.", "changes.", "change.")


@dataclass(frozen=True, slots=True)
class Paired:
    """Change documents (JSON) by row, and the attributes that they were made of."""

    rows: np.ndarray
    documents: list[str | None]
    attributes: np.ndarray


def paired_changes(known: pl.Series, picker: Picker, secret: changes.Secret) -> Paired | None:
    """The changes of records that have both of a pair and no other document of changes; None where none has."""
    pairs = list(_pairs(picker.attributes.keys))
    if not pairs:
        return None
    free = known.is_null().to_numpy()
    fields: dict[int, dict[str, tuple[str | None, str | None]]] = {}
    used: list[np.ndarray] = []
    json = picker.attributes.json
    for name, before, after in pairs:
        sides = picker.attribute(before), picker.attribute(after)
        rows = np.flatnonzero((sides[0] >= 0) & (sides[1] >= 0) & free)
        used += [side[rows] for side in sides]
        texts = (json.gather(side[rows]).to_list() for side in sides)
        for row, old, new in zip(rows.tolist(), *texts, strict=True):
            fields.setdefault(row, {})[name] = (old, new)
    if not fields:
        return None
    read = [changes.from_pairs(pair, secret=secret) for pair in fields.values()]
    documents = [None if found is None else found.json for found in read]
    return Paired(np.array(list(fields), np.int64), documents, np.concatenate(used))


def _pairs(keys: list[str]) -> list[tuple[str, str, str]]:
    known = set(keys)
    found = []
    for before_suffix, after_suffix in _SUFFIXES:
        for key in keys:
            stem = key.removesuffix(before_suffix)
            if stem and stem != key and stem + after_suffix in known:
                prefix = next((prefix for prefix in _PREFIXES if stem.startswith(prefix)), "")
                found.append((stem.removeprefix(prefix) or stem, key, stem + after_suffix))
    return found
