"""Every dashboard as the bytes of a JSON file, the same for the same options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dashboards.actor import actor
from dashboards.event import event
from dashboards.events import events
from dashboards.fields import Json
from dashboards.health import health
from dashboards.live import live
from dashboards.map import world_map
from dashboards.object import object_history
from dashboards.options import DashboardOptions
from dashboards.overview import overview
from dashboards.security import security
from dashboards.tenant import of_tenant

__all__ = ["JSON_FOLDER", "DashboardOptions", "build", "importable", "refresh", "to_json"]

JSON_FOLDER = Path(__file__).parent / "json"
# In the order in which they are shown to whoever reads the code; Grafana's menu has its own.
_SET = (overview, events, event, actor, object_history, world_map, live, security, health)
# What Grafana asks for when somebody imports a file by hand. Files that are provisioned can't have it: nobody is asked.
_INPUT = {
    "description": "PostgreSQL as auditgraf_reader",
    "label": "Audit events",
    "name": "DS_AUDIT",
    "pluginId": "postgres",
    "pluginName": "PostgreSQL",
    "type": "datasource",
}


def build(options: DashboardOptions | None = None) -> dict[str, bytes]:
    """File name to JSON: keys sorted, two spaces, a newline at the end. Grafana saves a file whose bytes changed."""
    chosen = options or DashboardOptions()
    made = (make(chosen) for make in _SET)
    if chosen.tenant:
        made = (of_tenant(make(chosen), chosen.tenant) for make in _SET if make is not health)
    return {f"{dashboard['uid']}.json": to_json(dashboard) for dashboard in made}


def importable() -> dict[str, bytes]:
    """As `build`, for Grafana's *Import* page: it asks for the data source."""
    options = DashboardOptions()
    asked = {"type": "postgres", "uid": f"${{{_INPUT['name']}}}"}
    made = (_with_datasource(make(options), asked) | {"__inputs": [_INPUT]} for make in _SET)
    return {f"{dashboard['uid']}.json": to_json(dashboard) for dashboard in made}


def _with_datasource(part: Any, datasource: Json) -> Any:
    if isinstance(part, list):
        return [_with_datasource(item, datasource) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        key: datasource if key == "datasource" else _with_datasource(value, datasource) for key, value in part.items()
    }


def to_json(dashboard: Json) -> bytes:
    """The one form in which dashboards are written."""
    return json.dumps(dashboard, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def refresh(folder: Path = JSON_FOLDER) -> list[Path]:
    """Brings the committed JSON up to date with the defaults; returns the files that changed."""
    changed = []
    for name, content in importable().items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
            changed.append(path)
    return changed


if __name__ == "__main__":
    refresh()
