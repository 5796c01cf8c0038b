"""What changed, where an app sends it as attributes in pairs: `email.before` and `email.after`, or `old_email`."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
import polars as pl

from exporter.enrich import changes
from exporter.mapping.fields import Picker
from exporter.otlp.decode import Attributes

_SUFFIXES = ((".before", ".after"), (".old", ".new"), (".old_value", ".new_value"))
# Keycloak's and others'. Plain x beside new_x is no pair: too many things are called so.
_WORDS = (("previous_", "updated_"), ("previous_", "new_"), ("old_", "new_"))
_PREFIXES = ("audit.changes.", "audit.change.", "changes.", "change.")
_TARGET = ".target."
_LONGEST = 1_000  # characters of a name that are searched for stems


@dataclass(frozen=True, slots=True)
class Paired:
    """Change documents (JSON) by row, and the attributes that they were made of."""

    rows: np.ndarray
    documents: list[str | None]
    attributes: np.ndarray


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two attributes that say what a field was and is, by their codes; in records without `<stem>.target.<any>`."""

    field: str
    before: int
    after: int
    untargeted: str | None = None  # the stem


def paired_changes(known: pl.Series, picker: Picker, secret: changes.Secret) -> Paired | None:
    """The changes of records that have both of a pair and no other document of changes; None where none has.

    Of two pairs of the same field the first counts; a pair that changed nothing stays as it was sent.
    """
    attributes = picker.attributes
    pairs = list(_pairs(attributes.keys))
    if not pairs:
        return None
    by_after: dict[int, list[int]] = {}
    for index, pair in enumerate(pairs):
        by_after.setdefault(pair.after, []).append(index)
    targets = _targets(attributes.keys, {pair.untargeted for pair in pairs if pair.untargeted is not None})
    fields: dict[int, dict[str, tuple[str | None, str | None]]] = {}
    used: list[int] = []
    for row, sent in _records(attributes, {pair.before for pair in pairs} | by_after.keys() | targets.keys(), known):
        targeted = {stem for code in sent if code in targets for stem in targets[code]}
        candidates = sorted(index for code in sent if code in by_after for index in by_after[code])
        found: dict[str, tuple[str | None, str | None]] = {}
        for pair in (pairs[index] for index in candidates):
            if pair.before not in sent or pair.field in found or pair.untargeted in targeted:
                continue
            (old_at, old), (new_at, new) = sent[pair.before], sent[pair.after]
            if old != new:
                found[pair.field] = (old, new)
                used += (old_at, new_at)
        if found:
            fields[row] = found
    if not fields:
        return None
    read = [changes.from_pairs(row_fields, secret=secret) for row_fields in fields.values()]
    documents = [None if found is None else found.json for found in read]
    return Paired(np.array(list(fields), np.int64), documents, np.array(used, np.int64))


def _records(
    attributes: Attributes, codes: Set[int], known: pl.Series
) -> Iterator[tuple[int, dict[int, tuple[int, str | None]]]]:
    """Records with any of the attributes and no changes yet: position and JSON by code, the last of duplicates."""
    wanted = np.zeros(len(attributes.keys), bool)
    wanted[list(codes)] = True
    record = attributes.record
    at = np.flatnonzero(wanted[attributes.key] & known.is_null().to_numpy()[record])
    columns = record[at].tolist(), attributes.key[at].tolist(), at.tolist(), attributes.json.gather(at).to_list()
    for row, group in groupby(zip(*columns, strict=True), key=itemgetter(0)):
        yield row, {code: (position, json) for _, code, position, json in group}


def _pairs(keys: list[str]) -> Iterator[_Pair]:
    known = {key: code for code, key in enumerate(keys)}
    for before_suffix, after_suffix in _SUFFIXES:
        for code, key in enumerate(keys):
            stem = key.removesuffix(before_suffix)
            if stem and stem != key and stem + after_suffix in known:
                prefix = next((prefix for prefix in _PREFIXES if stem.startswith(prefix)), "")
                yield _Pair(stem.removeprefix(prefix) or stem, code, known[stem + after_suffix])
    for before_word, after_word in _WORDS:
        for code, key in enumerate(keys):
            field = key.removeprefix(before_word)
            if field and field != key and after_word + field in known:
                yield _Pair(field, code, known[after_word + field])
    yield from _ecs_pairs(known)


def _ecs_pairs(known: dict[str, int]) -> Iterator[_Pair]:
    """user.changes.x beside user.target.x, or beside user.x where the user changed themselves."""
    for key, code in known.items():
        stem, found, field = key.partition(".changes.")
        if not (found and stem and field):
            continue
        if f"{stem}.target.{field}" in known:
            yield _Pair(field, known[f"{stem}.target.{field}"], code)
        if f"{stem}.{field}" in known:
            yield _Pair(field, known[f"{stem}.{field}"], code, untargeted=stem)


def _targets(keys: list[str], stems: Set[str]) -> dict[int, list[str]]:
    """The stems (of these) that the name of an attribute `<stem>.target.<any>` begins with, by its code."""
    targets: dict[int, list[str]] = {}
    for code, key in enumerate(keys if stems else ()):
        end = key.find(_TARGET, 0, _LONGEST)
        while end >= 0:
            if key[:end] in stems:
                targets.setdefault(code, []).append(key[:end])
            end = key.find(_TARGET, end + 1, _LONGEST)
    return targets
