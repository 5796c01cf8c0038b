"""The names that redaction knows without being told any."""

from __future__ import annotations

from pathlib import Path

from exporter.document import load


def _names(group: str) -> tuple[str, ...]:
    return tuple(name for line in _FILE[group] for name in line)


_FILE = load(Path(__file__).with_suffix(".yaml")).data
SECRET = _names("secret")
HARMLESS = _names("harmless")

# Members beside a name, as in {"name": "DB_PASSWORD", "value": ...}, and which of them hold what is named.
NAMING = frozenset(_FILE["naming"])
LONGEST_NAMING = max(map(len, NAMING))
VALUES = frozenset(_FILE["values"])

# Kubernetes: {"kind": "Secret", "data": {...}}; the values are only base64.
SECRETS_OF_KUBERNETES = ("secret", frozenset({"data", "string_data"}))
