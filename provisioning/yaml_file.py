"""YAML as Grafana's provisioning reads it."""

from __future__ import annotations

import yaml
from pydantic import BaseModel

_HEADER = "# Written by `auditgraf render`; changes made here are lost with the next one.\n"


def literal(text: str) -> str:
    """Text that Grafana takes as it stands: it expands `$NAME` in these files, and reads `$$` as a dollar sign."""
    return text.replace("$", "$$")


def to_yaml(model: BaseModel) -> bytes:
    """The model's keys in their order, those that are not set left out."""
    data = model.model_dump(exclude_none=True)
    return (_HEADER + yaml.safe_dump(data, sort_keys=False, allow_unicode=True)).encode()
