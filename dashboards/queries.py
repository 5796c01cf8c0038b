"""The SQL of the dashboards: `sql/*.sql`, with the parts that queries share put in.

`{{name}}` stands for `sql/parts/name.sql`, `{{name argument}}` for the same with every `@` in it replaced by the
argument, every `@2` by a second one, if there is one. The schema `audit` stands for that of the options. Comment lines
stay in the files; Grafana gets the statement alone.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from dashboards import colours
from dashboards.options import DashboardOptions

SQL_FOLDER = Path(__file__).parent / "sql"
_SCHEMA = re.compile(r"\baudit\.(?=[a-z_]+\b)")
_PART = re.compile(r"\{\{(\w+)(?: ([\w.]+))?(?: ([\w.]+))? ?\}\}")


def query(name: str, options: DashboardOptions) -> str:
    """The statement of `sql/<name>.sql`. Raises FileNotFoundError where it or one of its parts is missing."""
    return _SCHEMA.sub(f"{options.schema}.", _assemble(_statement(name), options))


def _assemble(text: str, options: DashboardOptions) -> str:
    def part(match: re.Match[str]) -> str:
        name, argument, second = match.groups(default="")
        if name == "pinned":
            return colours.pinned(options)
        if name == "slots":
            return str(len(colours.PALETTE))
        text = _statement(f"parts/{name}").replace("@2", second).replace("@", argument)
        return _assemble(text, options)

    return _PART.sub(part, text)


@cache
def _statement(name: str) -> str:
    lines = (SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("--"))
