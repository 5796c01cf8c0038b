"""What an archive says about itself: one small JSON file beside its data, written last. Without it, it is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exporter.errors import RetentionError
from exporter.store.archive.content import Column
from exporter.store.archive.place import Place, Stored

SUFFIX = ".manifest.json"
# A manifest comes from outside: what it names is a file beside it, and nothing else.
FileName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*/\d{4}/[a-z0-9_-]+\.(parquet|jsonl\.zst)$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ManifestFile(_Strict):
    """One file of the archive; `events` is a number of lines."""

    name: FileName
    events: int = Field(ge=0)
    bytes: int = Field(ge=0)
    sha256: Digest

    @property
    def stored(self) -> Stored:
        return Stored(self.name, self.bytes, self.sha256)


class ManifestColumn(_Strict):
    name: str
    type: str


class Manifest(_Strict):
    """An archive: events of one class and one range of time (half-open, UTC).

    `sha256` is over the canonical lines (content.py), those of all files in order. `created_at`: when the events were
    archived; `forget_orders`: under which persons were forgotten in it since, the last time at `rewritten_at`.
    """

    auditgraf_archive: Literal[1] = 1
    retention_class: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    partition: str
    range_start: datetime
    range_end: datetime
    created_at: datetime
    schema_version: int
    format: Literal["parquet", "jsonl.zst"]
    events: int = Field(ge=0)
    sha256: Digest
    columns: tuple[ManifestColumn, ...]
    files: tuple[ManifestFile, ...]
    sources: ManifestFile
    forget_orders: tuple[int, ...] = ()
    rewritten_at: datetime | None = None

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files) + self.sources.bytes

    def event_columns(self) -> list[Column]:
        return [Column(column.name, column.type) for column in self.columns]

    def text(self) -> str:
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"


def parse(place: Place, name: str) -> Manifest:
    """The manifest of that name; raises RetentionError where it can't be read."""
    try:
        return Manifest.model_validate_json(place.text(name))
    except ValidationError as failure:
        detail = failure.errors(include_url=False)[0]
        key = ".".join(map(str, detail["loc"]))
        raise RetentionError(
            f"archive {place.location}: {name}: {key}: {detail['msg']}; it is damaged or of a newer auditgraf: "
            "restore it from a backup, or move it away"
        ) from None


def manifests(
    place: Place, since: datetime | None = None, until: datetime | None = None
) -> Iterator[tuple[str, Manifest]]:
    """The names and manifests of a place that have events of a range of time (None: all), by class and time.

    Raises RetentionError for one that can't be read.
    """
    for name in place.names(SUFFIX):
        manifest = parse(place, name)
        if (since is None or manifest.range_end > since) and (until is None or manifest.range_start < until):
            yield name, manifest
