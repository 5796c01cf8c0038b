"""What a deployment can choose about its dashboards."""

from __future__ import annotations

import re
from dataclasses import dataclass

_UID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_BASEMAP = re.compile(r"offline|default|https?://\S+")
_REFRESH = re.compile(r"|\d+[smhd]")
# A `$` or a brace of its own would be taken for a variable of Grafana's.
_TRACE = re.compile(r"|(https?://|/)[^\s${}]*\{trace_id\}[^\s${}]*")
_SCHEMA = re.compile(r"[a-z][a-z0-9_]*")
_TENANT = re.compile(r"|[a-z][a-z0-9_]{0,20}")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class DashboardOptions:
    """Raises ValueError, naming the option and what it may be, where a value can't be used.

    `basemap`: `offline` draws the countries that Grafana ships, `default` is what the Grafana server is configured
    with, anything else is the URL of an xyz tile server (`https://tiles.example/{z}/{x}/{y}.png`).
    `refresh`: Grafana's interval, empty for none. `time_from`: start of the time range, Grafana's notation.
    `colours`: (action, #rrggbb) pairs that win over the palette.
    `trace_url`: where traces are shown, with `{trace_id}` in it; empty where there is no such place.
    `schema`: where the views are that the data source's role may read. `tenant`: whose dashboards these are; their
    uids, links and tag begin with it, and there is none about the collectors. Empty: the operator's.
    """

    datasource_uid: str = "auditgraf"
    basemap: str = "offline"
    refresh: str = "30s"
    time_from: str = "now-24h"
    colours: tuple[tuple[str, str], ...] = ()
    trace_url: str = ""
    schema: str = "audit"
    tenant: str = ""

    def __post_init__(self) -> None:
        _check("datasource_uid", self.datasource_uid, _UID, "1 to 40 letters, digits, - or _")
        _check("basemap", self.basemap, _BASEMAP, "offline, default or the http(s) URL of xyz tiles")
        _check("refresh", self.refresh, _REFRESH, "an interval such as 30s, or empty for none")
        _check("links.trace", self.trace_url, _TRACE, "the URL of a trace with {trace_id} in it, or leave it empty")
        _check("schema", self.schema, _SCHEMA, "a lower-case identifier")
        _check("tenant", self.tenant, _TENANT, "a lower-case letter, then up to 20 letters, digits or _")
        for action, colour in self.colours:
            _check(f"colours: {action}", colour, _COLOUR, "a colour such as #3c96ff")


def _check(name: str, value: str, pattern: re.Pattern[str], allowed: str) -> None:
    if not pattern.fullmatch(value):
        raise ValueError(f"{name}: {value!r} can't be used; write {allowed}")
