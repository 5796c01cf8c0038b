"""Builds the bundled .mmdb files from demo_geo.csv: `python -m exporter.enrich.build_demo_geo` (extra `geo`).

The same table gives the same bytes: rows are written in order and the build time is fixed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

from exporter.enrich.geoip import DemoNetwork, demo_networks

# 2026-01-01; the current time would change the files with every build.
_BUILD_EPOCH = 1_767_225_600


class _Writer(MMDBWriter):
    """A writer whose files do not depend on the time of their making."""

    def _build_meta(self) -> dict[str, Any]:
        return super()._build_meta() | {"build_epoch": _BUILD_EPOCH}


def build(folder: Path) -> list[Path]:
    """Writes demo_city.mmdb and demo_asn.mmdb into `folder`; returns their paths."""
    return [
        _write(folder / "demo_city.mmdb", "Auditgraf-Demo-City", _city),
        _write(folder / "demo_asn.mmdb", "Auditgraf-Demo-ASN", _asn),
    ]


def _write(path: Path, kind: str, record: Callable[[DemoNetwork], dict[str, Any]]) -> Path:
    writer = _Writer(
        ip_version=6,
        ipv4_compatible=True,
        database_type=kind,
        languages=["en"],
        description="Approximate places of well-known networks, for demonstrations only",
        int_type="u32",
    )
    for row in demo_networks():
        writer.insert_network(IPSet([row.network]), record(row))
    writer.to_db_file(str(path))
    return path


def _city(row: DemoNetwork) -> dict[str, Any]:
    return {
        "city": {"names": {"en": row.city}},
        "country": {"iso_code": row.country},
        "location": {"latitude": row.latitude, "longitude": row.longitude},
    }


def _asn(row: DemoNetwork) -> dict[str, Any]:
    return {"autonomous_system_number": row.asn, "autonomous_system_organization": row.as_org}


if __name__ == "__main__":
    for written in build(Path(__file__).parent):
        sys.stdout.write(f"{written.name}: {written.stat().st_size} bytes\n")
