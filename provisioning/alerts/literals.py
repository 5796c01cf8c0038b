"""Values as SQL text that Grafana hands to PostgreSQL unchanged.

Grafana replaces `$name(...)` and `$__interval` wherever they stand in a query, within quotes too: no literal of ours
has a `$` in it. Source: pkg/tsdb/postgres/macros.go and pkg/tsdb/sqleng of Grafana 9.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg import sql


def literal(value: object) -> str:
    """A value as an SQL literal. Raises TypeError for what has none here, ValueError for a NUL character."""
    match value:
        case str():
            return _text(value)
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return f"'{value}'" if isinstance(value, Decimal) else str(value)
        case UUID():
            return f"'{value}'"
        case datetime():
            return f"'{value.isoformat()}'"
        case list() | tuple():
            return f"ARRAY[{', '.join(map(literal, value))}]"
    raise TypeError(f"a {type(value).__name__} has no literal")


def inlined(statement: sql.Composable, parameters: Mapping[str, object]) -> str:
    """A statement with its placeholders' values in it."""
    return "".join(_parts(statement, parameters))


def _parts(part: sql.Composable, parameters: Mapping[str, object]) -> Iterator[str]:
    match part:
        case sql.Composed():
            for each in part:
                yield from _parts(each, parameters)
        case sql.Placeholder():
            yield literal(parameters[part._obj])
        case sql.Literal():
            yield literal(part._obj)
        case _:
            yield part.as_string(None)


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("has a NUL character, which PostgreSQL can't store; leave it out")
    if "$" not in value and "\\" not in value:
        return "'" + value.replace("'", "''") + "'"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("$", "\\x24")
    # A digit that follows would be read as part of the code.
    return f"E'{escaped}'"
