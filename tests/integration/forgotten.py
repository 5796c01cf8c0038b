"""What the tests of forgetting a person share about archives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from collector.config import as_role
from exporter.store.archive import PersonInArchives, Place, manifests, parse_period, restore
from exporter.store.archive.files import read
from exporter.store.forget import Forgotten, forget
from tests.integration.retained import execute, fill, messages, retain
from tests.sending import Store, fetch, request

EVER = parse_period("2000-01-01..2100-01-01")
ALICE: dict[str, Any] = {"user__id": "alice", "user__name": "Alice Smith", "user__email": "alice@example.org"}


def archived(store: Store, database: str, place: Place, *records: Any) -> None:
    """Events as the collector stores them, of 500 days ago, in an archive and nowhere else."""
    store.write(request(*records))
    name = fill(database, "default", 500, 0)
    columns = [
        row["attname"]
        for row in fetch(
            database,
            "SELECT attname FROM pg_attribute WHERE attrelid = 'audit.event_template'::regclass AND attnum > 0",
        )
    ]
    others = ", ".join(column for column in columns if column != "occurred_at")
    moving = f"INSERT INTO audit.{name} (occurred_at, {others}) SELECT occurred_at - interval '500 days', {others}"
    execute(database, f"{moving} FROM audit.events_default WHERE service = 'shop'")
    execute(
        database, "DELETE FROM audit.events_default WHERE service = 'shop' AND occurred_at > now() - interval '1 day'"
    )
    retain(database, place=place)
    assert messages(database, "default") == []


def order(database: str, place: Place | None, actor: str = "alice", **options: Any) -> Forgotten:
    archives = None if place is None else PersonInArchives(place)
    return forget(database, as_role(database, "auditgraf_writer"), actor, by="officer", archives=archives, **options)


def content(place: Place) -> list[str]:
    """The lines of all archives."""
    return [
        text
        for _, manifest in manifests(place)
        for file in manifest.files
        for some in read(place, file.name, manifest.event_columns())
        for text in some
    ]


def files(place: Place) -> list[str]:
    return sorted(path.name for path in Path(place.location).rglob("*") if path.is_file())


def restored(database: str, place: Place) -> Sequence[dict[str, Any]]:
    list(restore(database, place, EVER, by="me"))
    return fetch(database, "SELECT * FROM audit.events WHERE 'restored' = ANY (flags) ORDER BY message")
