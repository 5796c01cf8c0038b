"""Archives read through: whether they are what was written, and whether they name somebody."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import orjson

from exporter.errors import RetentionError
from exporter.store.archive import files
from exporter.store.archive.manifest import Manifest, manifests
from exporter.store.archive.place import Place
from exporter.store.archive.restore import Period
from exporter.store.archive.store import check


@dataclass(frozen=True, slots=True)
class Verified:
    """An archive that was read through; `problem` None: it is what was written."""

    name: str
    manifest: Manifest
    problem: str | None


def verify(place: Place, period: Period | None = None) -> Iterator[Verified]:
    """Reads archives through, one after the other; `period` None: all."""
    since, until = (None, None) if period is None else (period.since, period.until)
    for name, manifest in manifests(place, since, until):
        try:
            check(place, manifest)
        except RetentionError as failure:
            yield Verified(name, manifest, str(failure))
        else:
            yield Verified(name, manifest, None)


def mentions(place: Place, names: Collection[str]) -> Iterator[tuple[str, int]]:
    """The archives in which a text equal to one of these names stands, in any case, and in how many events."""
    # As the lines have it: a JSON string, or a part of one in the text of nested JSON.
    quoted = [re.escape(orjson.dumps(name).decode()) for name in names]
    pattern = f"(?i){'|'.join(quoted)}"
    for name, manifest in manifests(place):
        found = 0
        for file in manifest.files:
            for some in files.read(place, file.name, manifest.event_columns()):
                found += int(some.str.contains(pattern).sum())
        if found:
            yield name, found
