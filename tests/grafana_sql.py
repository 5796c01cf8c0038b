"""What Grafana does to a panel's SQL before PostgreSQL sees it: variables first (in the browser), then macros.

Written from Grafana 9.4: SqlDatasource.ts and template_srv.ts for variables, pkg/tsdb/postgres/macros.go for macros.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

ALL = "$__all"
Values = Mapping[str, str | Sequence[str]]

_VARIABLE = re.compile(r"\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:^}]+))?(?::([^}]+))?\}")
_MACRO = re.compile(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)")


class MacroError(Exception):
    """Grafana answers with an error instead of sending the query on."""


def interpolate(sql: str, declared: Sequence[Mapping[str, Any]], values: Values) -> str:
    """The variables of `declared` (a dashboard's templating.list) put in; without a value, with their default."""
    variables = {variable["name"]: variable for variable in declared}

    def put_in(match: re.Match[str]) -> str:
        name = match[1] or match[2] or match[4]
        if name not in variables:
            return match[0]
        return _format(variables[name], values.get(name), match[3] or match[6])

    return _VARIABLE.sub(put_in, sql)


def _format(variable: Mapping[str, Any], value: str | Sequence[str] | None, form: str | None) -> str:
    multi = variable.get("multi", False) or variable.get("includeAll", False)
    if value is None:
        value = ALL if multi else ""
    if multi and value in (ALL, [ALL]):
        return str(variable["allValue"])
    if form == "percentencode":
        text = value if isinstance(value, str) else "{" + ",".join(value) + "}"
        return quote(text, safe="-_.~")
    if form is not None:
        raise AssertionError(f"a format that the dashboards do not use: {form}")
    if not multi and isinstance(value, str):
        return value.replace("'", "''")
    several = [value] if isinstance(value, str) else value
    return ",".join("'" + one.replace("'", "''") + "'" for one in several)


def expand(sql: str, start: datetime, end: datetime, interval: str = "5m") -> str:
    """The macros put in for a time range. Raises MacroError for one that Grafana does not know."""
    sql = sql.replace("$__interval_ms", "300000").replace("$__interval", interval)
    for name, moment in (("From", start), ("To", end)):
        sql = sql.replace(f"$__unixEpoch{name}()", str(int(moment.timestamp())))

    def put_in(match: re.Match[str]) -> str:
        name, arguments = match[1], [argument.strip(" ") for argument in match[2].split(",")]
        if name == "__timeGroup" and sql[sql.index(match[0]) + len(match[0]) :].startswith(","):
            name = "__timeGroupAlias"
        return _macro(name, arguments, start, end)

    return _MACRO.sub(put_in, sql)


def _macro(name: str, arguments: list[str], start: datetime, end: datetime) -> str:
    first, last = (moment.isoformat().replace("+00:00", "Z") for moment in (start, end))
    if name == "__timeFilter":
        return f"{arguments[0]} BETWEEN '{first}' AND '{last}'"
    if name == "__timeFrom":
        return f"'{first}'"
    if name == "__timeTo":
        return f"'{last}'"
    if name in {"__timeGroup", "__timeGroupAlias"} and len(arguments) > 1:
        seconds = _seconds(arguments[1].strip("'"))
        alias = ' AS "time"' if name.endswith("Alias") else ""
        return f"floor(extract(epoch from {arguments[0]})/{seconds})*{seconds}{alias}"
    raise MacroError(f"unknown macro {name!r} or too few arguments")


def _seconds(interval: str) -> int:
    match = re.fullmatch(r"(\d+)([smhd])", interval)
    if match is None:
        raise MacroError(f"error parsing interval {interval}")
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]
