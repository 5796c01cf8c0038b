"""The statements of a package's queries.sql by their names."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString, cast


@cache
def _statements(package: str) -> dict[str, LiteralString]:
    text = files(package).joinpath("queries.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    # psycopg takes literals only, to keep user input out of SQL: these come from a file of the package.
    return {name: cast("LiteralString", body.strip()) for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def query(name: str, package: str = "exporter.store") -> LiteralString:
    """The statement of that name in the package's queries.sql; a KeyError is a mistake in the package."""
    return _statements(package)[name]
