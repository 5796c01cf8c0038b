"""A tenant's dashboards: the operator's, under names of their own."""

from __future__ import annotations

from typing import Any

from dashboards.fields import Json
from dashboards.frame import TAG

_LINK = "/d/audit-"


def of_tenant(dashboard: Json, tenant: str) -> Json:
    """The dashboard with the tenant's name before its uid and tag, and before those that its links lead to."""
    named: Json = _renamed(dashboard, tenant)
    return named | {"uid": f"{tenant}-{dashboard['uid']}"}


def _renamed(part: Any, tenant: str) -> Any:
    if isinstance(part, list):
        return [_renamed(item, tenant) for item in part]
    if not isinstance(part, dict):
        return part
    renamed = {key: _renamed(value, tenant) for key, value in part.items()}
    if isinstance(tags := part.get("tags"), list):
        renamed["tags"] = [f"{tenant}-{tag}" if tag == TAG else tag for tag in tags]
    if isinstance(url := part.get("url"), str) and url.startswith(_LINK):
        renamed["url"] = url.replace(_LINK, f"/d/{tenant}-audit-", 1)
    return renamed
