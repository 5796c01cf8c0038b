"""Which events a rule is about: the mapping's conditions, and what actions mean, as the dashboards tell it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, StrictBool

from dashboards.options import DashboardOptions
from dashboards.queries import query
from exporter.errors import ConfigError
from exporter.mapping.section import Problem, Section, nearest
from exporter.store.conditions import EventMatch, where
from provisioning.alerts.literals import inlined

# Names of conditions on actions, one each under dashboards/sql/parts, and the columns that they read.
ABOUT = {
    "sign_in": {"action"},
    "failed_sign_in": {"action", "outcome"},
    "privilege_change": {"action"},
    "secret_view": {"action"},
    "config_change": {"action"},
    "deletion": {"action"},
}


def _about(value: object) -> object:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names:
        raise ValueError(f"names what the action is about: one or several of {', '.join(ABOUT)}")
    for name in names:
        if name not in ABOUT:
            raise ValueError(f"{name!r} is not known; {nearest(name, ABOUT)}")
    return tuple(names)


def _filter(value: object) -> object:
    if value == "all":
        return None
    if isinstance(value, str):
        raise ValueError("a text; write conditions, e.g. {action: user.deleted, outcome: success}, or all")
    return value


class Selection(Section):
    """Part of a rule: all that is given holds for its events. Plain logs only where `logs` says so."""

    about: Annotated[tuple[str, ...] | None, BeforeValidator(_about)] = None
    filter: Annotated[EventMatch | None, BeforeValidator(_filter)] = None
    logs: StrictBool = False

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        yield from super().conflicts(data)
        if data.get("about") is None and "filter" not in data:
            yield (), "no events are meant; give it a filter, about, or filter: all"

    def sql(self) -> str:
        """The condition on audit.events, or on counts that have its columns. Raises ConfigError with its place."""
        parts = [] if self.logs else ["retention_class <> 'log'"]
        if self.about:
            parts.append("(" + " OR ".join(map(_known, self.about)) + ")")
        if self.filter is not None:
            try:
                condition, parameters = where(self.filter)
            except ConfigError as failure:
                raise ConfigError(f"filter.{failure}") from None
            parts.append(inlined(condition, parameters))
        return " AND ".join(parts) or "true"

    def columns(self) -> set[str]:
        """The columns that it asks of, as audit.events calls them; others under a name with a colon."""
        columns = {"retention_class"}
        for name in self.about or ():
            columns |= ABOUT[name]
        if self.filter is not None:
            columns |= {"action" if column == "event_name" else column for column in self.filter.columns()}
        return columns


@cache
def _known(name: str) -> str:
    return query(f"parts/{name}", DashboardOptions()).strip()
