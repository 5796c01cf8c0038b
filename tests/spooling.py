"""What the tests of the spool share: batches as the collector makes them."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from collector.batch import Batch, Origin
from exporter.mapping.compile import Mapper
from exporter.mapping.rules import load_all
from exporter.otlp.decode import decode
from exporter.transform import Transform
from tests.conftest import CLASSES


def batch(*payloads: bytes, arrival_ns: int | None = None) -> Batch:
    """The requests as one group that arrived at `arrival_ns` (now)."""
    transform = Transform(Mapper(load_all((), CLASSES)), CLASSES)
    records = decode(payloads)
    origins = tuple(Origin(source, transform.mapper.source_columns(source)) for source in records.sources)
    places = np.arange(len(origins), dtype=np.int32)
    return Batch(transform(records, places, arrival_ns or time.time_ns()).events, origins)


def files(folder: Path) -> list[str]:
    """The names of the files in a spool, sorted."""
    return sorted(path.name for path in folder.iterdir())
