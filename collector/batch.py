"""Events whose sources have no numbers yet: as far as a group comes without PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.events import Events
from exporter.otlp.decode import Source
from exporter.store.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Origin:
    """A source, redacted, and what columns take from it (as audit.sources has them)."""

    source: Source
    columns: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Batch:
    """Events whose `source_id` is an index into `origins`."""

    events: Events
    origins: tuple[Origin, ...]

    def __len__(self) -> int:
        return len(self.events)

    def placed(self, catalogue: Catalogue) -> Events:
        """The events with the numbers that their sources have in PostgreSQL; raises StoreUnavailableError."""
        sources = [origin.source for origin in self.origins]
        return self.events.with_source_ids(catalogue.source_ids(sources, [origin.columns for origin in self.origins]))
