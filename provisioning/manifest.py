"""What a render leaves behind for the next one: which files are ours, and what Grafana was told of that has a name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from exporter.errors import ConfigError
from provisioning.alerts.rendering import Written

# Grafana reads the folders it knows and nothing beside them.
NAME = ".auditgraf.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """`alerting`: all that renders ever wrote: what vanishes from a file stays in Grafana until it is deleted."""

    files: tuple[str, ...] = ()
    alerting: Written = field(default_factory=Written)


_FORM = TypeAdapter(Manifest)


def read(out: Path) -> Manifest:
    """That of the last render to `out`; an empty one where there was none. Raises ConfigError where it is damaged."""
    path = out / NAME
    try:
        return _FORM.validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return Manifest()
    except OSError as failure:
        raise ConfigError(f"{path}: can't be read: {failure.strerror}; change its permissions") from failure
    except ValidationError:
        raise ConfigError(f"{path}: not readable any more; remove it and render again") from None


def written(manifest: Manifest) -> bytes:
    """The file."""
    data: dict[str, Any] = _FORM.dump_python(manifest, mode="json")
    return (json.dumps(data, indent=2) + "\n").encode()
