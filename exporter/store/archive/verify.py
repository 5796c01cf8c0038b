"""Archives read through: whether they are what was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.errors import RetentionError
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
