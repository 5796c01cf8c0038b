"""The file and the variables, read and checked together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from collector.config.configuration import Config
from collector.config.variables import SECRETS, VARIABLES
from collector.tenants import refuse_passwords, with_passwords
from exporter.document import Document, load


def load_config(environ: Mapping[str, str] | None = None, path: Path | None = None) -> Config:
    """Reads the file (`path`, else AUDITGRAF_CONFIG, else none) and the variables.

    Raises ConfigError that names the file and line, or the variable, and the remedy.
    """
    variables = os.environ if environ is None else environ
    given = path or (Path(variables["AUDITGRAF_CONFIG"]) if variables.get("AUDITGRAF_CONFIG") else None)
    document = load(given) if given else Document("(no file)", {}, {})
    if document.data is None:
        document = Document(document.name, {}, document.lines)
    if not isinstance(document.data, dict):
        raise document.error((), "the file must be a mapping of settings")
    _refuse_secrets(document)
    file_only = document.parse(Config)
    values = with_passwords(dict(document.data), variables)
    for variable, place in {**VARIABLES, **SECRETS}.items():
        if variables.get(variable):
            _put(values, place, variables[variable])
            # Each variable on its own, so that an error names it.
            single: dict[str, Any] = {}
            _put(single, place, variables[variable])
            Document(variable, single, {}).parse(Config)
    if values == document.data:
        return _anchored(file_only, given)
    return _anchored(Document(document.name, values, document.lines).parse(Config), given)


def _refuse_secrets(document: Document) -> None:
    """Raises ConfigError for what comes from the environment only, and is in the file."""
    if "database" in document.data:
        raise document.error(("database",), "connection URLs and passwords come from AUDITGRAF_* variables only")
    if isinstance(document.data.get("redaction"), dict) and "key" in document.data["redaction"]:
        raise document.error(("redaction", "key"), "the key comes from AUDITGRAF_REDACTION_KEY only; remove it here")
    if isinstance(grafana := document.data.get("grafana"), dict):
        for key in ("token", "user", "password"):
            if key in grafana:
                variable = f"AUDITGRAF_GRAFANA_{key.upper()}"
                raise document.error(("grafana", key), f"the login comes from {variable} only; remove it here")
    refuse_passwords(document)


def _anchored(config: Config, file: Path | None) -> Config:
    """Paths in the file are relative to the file."""
    if file is None:
        return config
    rules = tuple(file.parent / rule for rule in config.mapping.rules)
    alerts = tuple(file.parent / rules for rules in config.alerts.files)
    own = config.grafana.dashboards and file.parent / config.grafana.dashboards
    return config.model_copy(
        update={
            "mapping": config.mapping.model_copy(update={"rules": rules}),
            "grafana": config.grafana.model_copy(update={"dashboards": own}),
            "alerts": config.alerts.model_copy(update={"files": alerts}),
        }
    )


def _put(values: dict[str, Any], place: tuple[str, ...], value: str) -> None:
    for key in place[:-1]:
        child = values.get(key)
        values[key] = dict(child) if isinstance(child, dict) else {}
        values = values[key]
    values[place[-1]] = value
