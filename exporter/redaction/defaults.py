"""The names that redaction knows without being told any."""

from __future__ import annotations

from pathlib import Path

from exporter.document import load


def _names(group: str) -> tuple[str, ...]:
    return tuple(name for line in _FILE[group] for name in line)


_FILE = load(Path(__file__).with_suffix(".yaml")).data
SECRET = _names("secret")
HARMLESS = _names("harmless")

# Members beside a name, as in {"name": "DB_PASSWORD", "value": ...}, and which of them hold what is named; squashed.
NAMING = frozenset(name.replace("_", "") for name in _names("naming"))
VALUES = frozenset(name.replace("_", "") for name in _names("values"))
# With what may join its words.
LONGEST_NAMING = max(map(len, NAMING)) + 4
# Of attributes that are looked at for the likes of these.
LONGEST_KEY = 256
