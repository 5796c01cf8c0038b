"""The folder where `auditgraf up` keeps its files, and how other commands find what runs there."""

from __future__ import annotations

import json
import os
from pathlib import Path


def default_home() -> Path:
    """AUDITGRAF_HOME, else .auditgraf in the current folder."""
    return Path(os.environ.get("AUDITGRAF_HOME") or ".auditgraf")


def running(home: Path | None = None) -> dict[str, str]:
    """The variables that lead to the database of an `up` in this folder; none where none runs."""
    try:
        variables: dict[str, str] = json.loads(note(home or default_home()).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return variables


def note(home: Path) -> Path:
    """The file in which a running `up` leaves those variables; only its owner reads it."""
    return home / "running.json"
