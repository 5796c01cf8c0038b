"""What changed, where an app sends it as attributes in pairs: `email.before` and `email.after`, or `old_email`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from exporter.enrich import changes
from exporter.mapping.fields import Picker

_SUFFIXES = ((".before", ".after"), (".old", ".new"), (".old_value", ".new_value"))
# Keycloak's and others'. Plain x beside new_x is no pair: too many things are called so.
_WORDS = (("previous_", "updated_"), ("previous_", "new_"), ("old_", "new_"))
_PREFIXES = ("audit.changes.", "audit.change.", "changes.", "change.")


@dataclass(frozen=True, slots=True)
class Paired:
    """Change documents (JSON) by row, and the attributes that they were made of."""

    rows: np.ndarray
    documents: list[str | None]
    attributes: np.ndarray


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two attributes that say what a field was and is, in records without certain others."""

    field: str
    before: str
    after: str
    without: tuple[str, ...] = ()


def paired_changes(known: pl.Series, picker: Picker, secret: changes.Secret) -> Paired | None:
    """The changes of records that have both of a pair and no other document of changes; None where none has.

    Of two pairs of the same field the first counts; a pair that changed nothing stays as it was sent.
    """
    pairs = list(_pairs(picker.attributes.keys))
    if not pairs:
        return None
    free = known.is_null().to_numpy()
    fields: dict[int, dict[str, tuple[str | None, str | None]]] = {}
    used: list[int] = []
    json = picker.attributes.json
    for pair in pairs:
        sides = picker.attribute(pair.before), picker.attribute(pair.after)
        holds = (sides[0] >= 0) & (sides[1] >= 0) & free
        for key in pair.without:
            holds &= picker.attribute(key) < 0
        rows = np.flatnonzero(holds)
        positions = [side[rows].tolist() for side in sides]
        texts = [json.gather(side).to_list() for side in positions]
        for row, old_at, new_at, old, new in zip(rows.tolist(), *positions, *texts, strict=True):
            if old != new and pair.field not in fields.get(row, ()):
                fields.setdefault(row, {})[pair.field] = (old, new)
                used += (old_at, new_at)
    if not fields:
        return None
    read = [changes.from_pairs(row_fields, secret=secret) for row_fields in fields.values()]
    documents = [None if found is None else found.json for found in read]
    return Paired(np.array(list(fields), np.int64), documents, np.array(used, np.int64))


def _pairs(keys: list[str]) -> Iterator[_Pair]:
    known = set(keys)
    for before_suffix, after_suffix in _SUFFIXES:
        for key in keys:
            stem = key.removesuffix(before_suffix)
            if stem and stem != key and stem + after_suffix in known:
                prefix = next((prefix for prefix in _PREFIXES if stem.startswith(prefix)), "")
                yield _Pair(stem.removeprefix(prefix) or stem, key, stem + after_suffix)
    for before_word, after_word in _WORDS:
        for key in keys:
            field = key.removeprefix(before_word)
            if field and field != key and after_word + field in known:
                yield _Pair(field, key, after_word + field)
    yield from _ecs_pairs(keys, known)


def _ecs_pairs(keys: list[str], known: set[str]) -> Iterator[_Pair]:
    """user.changes.x beside user.target.x, or beside user.x where the user changed themselves."""
    for key in keys:
        stem, found, field = key.partition(".changes.")
        if not (found and stem and field):
            continue
        targets = tuple(other for other in keys if other.startswith(f"{stem}.target."))
        if f"{stem}.target.{field}" in known:
            yield _Pair(field, f"{stem}.target.{field}", key)
        if f"{stem}.{field}" in known:
            yield _Pair(field, f"{stem}.{field}", key, targets)
