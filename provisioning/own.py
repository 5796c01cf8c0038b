"""Dashboards of an administrator's own: JSON files of a folder, checked and written in our form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dashboards.build import to_json
from exporter.errors import ConfigError


class _Input(BaseModel):
    """What a file exported for sharing wants to be asked for. Nobody is asked when files are provisioned."""

    name: str = Field(min_length=1)
    type: Literal["datasource"]
    pluginId: Literal["postgres", "grafana-postgresql-datasource"]


class _Dashboard(BaseModel):
    """What Grafana must find in a dashboard; all the rest is the administrator's business."""

    model_config = ConfigDict(extra="allow")

    uid: str = Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")
    title: str = Field(min_length=1)
    panels: list[dict[str, Any]]
    inputs: list[_Input] = Field(default_factory=list, alias="__inputs")


def own_dashboards(folder: Path, datasource_uid: str, *, beside: Mapping[str, bytes]) -> dict[str, bytes]:
    """File name to JSON of every `*.json` in `folder`, in order of their names; folders in it are not looked into.

    Where a file wants to be asked for a PostgreSQL data source (`__inputs`), it gets `datasource_uid`.
    Raises ConfigError for a folder or a file that can't be read, and for a uid or a title that another one has,
    those of `beside` included: Grafana stops updating all dashboards of a folder where two clash.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json" and path.is_file())
    except OSError as failure:
        raise ConfigError(
            f"grafana.dashboards: {folder}: can't be read: {failure.strerror}; name a folder with JSON files"
        ) from failure
    taken: dict[tuple[str, str], str] = {}
    for name, content in beside.items():
        ours = json.loads(content)
        taken |= {("uid", ours["uid"]): name, ("title", ours["title"]): name}
    files = {}
    for path in paths:
        data = _read(path)
        dashboard = _checked(path, data)
        for key in (("uid", dashboard.uid), ("title", dashboard.title)):
            if key in taken:
                raise ConfigError(f"{path}: {key[0]}: {key[1]!r} is that of {taken[key]}; give it another {key[0]}")
            taken[key] = path.name
        for asked in dashboard.inputs:
            data = _replaced(data, f"${{{asked.name}}}", datasource_uid)
        # `id` belongs to the Grafana that it was exported from; the others are for the Import page.
        kept = {key: value for key, value in data.items() if key not in {"id", "__inputs", "__requires", "__elements"}}
        files[f"{dashboard.uid}.json"] = to_json(kept)
    return files


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except OSError as failure:
        raise ConfigError(f"{path}: can't be read: {failure.strerror}; change its permissions") from failure
    except (ValueError, RecursionError) as failure:
        raise ConfigError(f"{path}: is no JSON: {failure}; export the dashboard from Grafana again") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: is no dashboard but a {type(data).__name__}; export one from Grafana")
    return data


def _checked(path: Path, data: dict[str, Any]) -> _Dashboard:
    try:
        return _Dashboard.model_validate(data)
    except ValidationError as failure:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"
            for error in failure.errors(include_url=False)
        )
        raise ConfigError(f"{path}: can't be a dashboard of Grafana's: {problems}") from None


def _replaced(part: Any, text: str, by: str) -> Any:
    if isinstance(part, dict):
        return {key: _replaced(value, text, by) for key, value in part.items()}
    if isinstance(part, list):
        return [_replaced(item, text, by) for item in part]
    return part.replace(text, by) if isinstance(part, str) else part
