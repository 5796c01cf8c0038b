"""Every dashboard as the bytes of a JSON file, the same for the same options."""

from __future__ import annotations

import json
from pathlib import Path

from dashboards.event import event
from dashboards.map import world_map
from dashboards.options import DashboardOptions
from dashboards.overview import overview

__all__ = ["JSON_FOLDER", "DashboardOptions", "build", "refresh"]

JSON_FOLDER = Path(__file__).parent / "json"


def build(options: DashboardOptions | None = None) -> dict[str, bytes]:
    """File name to JSON: keys sorted, two spaces, a newline at the end. Grafana saves a file whose bytes changed."""
    chosen = options or DashboardOptions()
    files = {}
    for dashboard in (overview(chosen), world_map(chosen), event(chosen)):
        text = json.dumps(dashboard, indent=2, sort_keys=True, ensure_ascii=False)
        files[f"{dashboard['uid']}.json"] = text.encode() + b"\n"
    return files


def refresh(folder: Path = JSON_FOLDER) -> list[Path]:
    """Brings the committed JSON up to date with the defaults; returns the files that changed."""
    changed = []
    for name, content in build().items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
            changed.append(path)
    return changed


if __name__ == "__main__":
    refresh()
