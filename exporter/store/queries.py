"""The statements of queries.sql by their names."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString, cast


@cache
def _statements() -> dict[str, LiteralString]:
    text = files(__package__).joinpath("queries.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    # psycopg takes literals only, to keep user input out of SQL: these come from a file of this package.
    return {name: cast("LiteralString", body.strip()) for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def query(name: str) -> LiteralString:
    """The statement of that name; a KeyError is a mistake in this package."""
    return _statements()[name]
