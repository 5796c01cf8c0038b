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
    data = model.model_dump(mode="json", exclude_none=True, by_alias=True)
    return (_HEADER + yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)).encode()


class _Dumper(yaml.SafeDumper):
    """Queries and templates as people can read them: line by line."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
