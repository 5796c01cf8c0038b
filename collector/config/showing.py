"""The configuration in force, as the text that `auditgraf config` prints."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from collector.config.configuration import Config
from collector.config.variables import SECRETS
from collector.tenants import password_variable
from exporter.durations import format_duration


def shown(config: Config, *, secrets: bool = False) -> str:
    """The configuration in force as YAML that could be the file; connection URLs and passwords only when asked for."""
    values = config.model_dump(mode="python", exclude={"database", "retention"})
    values["retention"] = {name: format_duration(keep) for name, keep in config.classes.items()}
    lines = [yaml.safe_dump(_plain(values), sort_keys=False, allow_unicode=True)]
    held: dict[str, SecretStr | None] = {
        variable: getattr(getattr(config, section), name) for variable, (section, name) in SECRETS.items()
    }
    held |= {password_variable(name): settings.password for name, settings in config.tenants.items()}
    for variable, secret in held.items():
        if secret is not None:
            lines.append(f"# {variable}={secret.get_secret_value() if secrets else '(set, hidden)'}\n")
    return "".join(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, timedelta):
        return format_duration(value)
    return str(value) if isinstance(value, Path) else value
