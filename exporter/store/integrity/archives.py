"""Which archives partitions were dropped for, and whether what was restored came from one of them: as the links say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from exporter.store.integrity.finding import Finding


@dataclass(slots=True)
class _Restored:
    events: int = 0
    origins: set[tuple[str | None, str | None]] = field(default_factory=set)  # location, SHA-256


@dataclass(slots=True)
class Archives:
    """Filled link by link, in their order. An archive is told by its manifest's name, the content by its SHA-256."""

    _sealed: dict[str, set[str]] = field(default_factory=dict)
    _placed: dict[tuple[str, str], str] = field(default_factory=dict)  # of a location and manifest the last SHA-256
    _restored: dict[tuple[int, str], _Restored] = field(default_factory=dict)  # by table of leaves, manifest

    def dropped_for(self, archive: Mapping[str, Any] | None) -> None:
        """A partition was dropped, and this is its archive."""
        if archive is not None:
            self._sealed.setdefault(archive["manifest"], set()).add(archive["sha256"])
            if "location" in archive:  # since 0010
                self._placed[archive["location"], archive["manifest"]] = archive["sha256"]

    def rewritten(self, before: str, archive: Mapping[str, Any]) -> None:
        """An order had an archive written anew: as good as the one before."""
        if before in self._sealed:
            self.dropped_for(archive)

    def restored(self, leaf_table: int, archive: Mapping[str, Any], events: int) -> None:
        """Events came back from an archive."""
        found = self._restored.setdefault((leaf_table, archive["manifest"]), _Restored())
        found.events += events
        found.origins.add((archive.get("location"), archive.get("sha256")))

    def unloaded(self, leaf_table: int, archive: Mapping[str, Any], events: int) -> None:
        """Events that had come back were removed."""
        found = self._restored.get((leaf_table, archive["manifest"]))
        if found is not None:
            found.events -= events

    def all_unloaded(self, leaf_table: int) -> None:
        """None of a class is left."""
        for key in [key for key in self._restored if key[0] == leaf_table]:
            del self._restored[key]

    def forged(self) -> Iterator[Finding]:
        """Archives that stand where another one stood, and from which there are events."""
        for (_, manifest), found in sorted(self._restored.items()):
            for location, sha256 in found.origins:
                sealed = self._placed.get((location or "", manifest))
                if found.events > 0 and sealed is not None and sha256 not in self._sealed[manifest]:
                    text = (
                        f"{found.events} events were restored from {location}: {manifest}, which is not what its "
                        f"partition was dropped for: its SHA-256 is {sha256}, and was {sealed}"
                    )
                    yield Finding("unfounded", text)

    def unproven(self) -> dict[str, int]:
        """Events by the archive that they came from, where no link that is left knows it: from another database, of a
        partition that was dropped too long ago, or restored before restored events had leaves.
        """
        told: dict[str, int] = {}
        for (_, manifest), found in sorted(self._restored.items()):
            known = self._sealed.get(manifest, set())
            unknown = any(
                sha256 not in known and (location or "", manifest) not in self._placed
                for location, sha256 in found.origins
            )
            if found.events > 0 and unknown:
                told[manifest] = told.get(manifest, 0) + found.events
        return told
