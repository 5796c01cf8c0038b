"""What is asked for: conditions, words, a stretch of time; and the columns that can be answered with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg import sql

from collector.query.fields import GROUPS, SHORT, names_class
from exporter.errors import ConfigError
from exporter.mapping.section import nearest
from exporter.store.conditions import EventMatch, where
from exporter.store.queries import query

# As in exporter/store/schema, what a reader wants first in front.
COLUMNS = (
    *("id", "occurred_at", "received_at", "occurred_ns", "observed_ns", "retention_class", "source_id"),
    *("severity", "severity_text", "action", "outcome"),
    *("actor_id", "actor_name", "actor_email", "actor_type", "on_behalf_of"),
    *("client_ip", "client_address", "country", "city", "latitude", "longitude", "asn", "as_org"),
    *("target_type", "target_id", "target_name", "service", "environment", "tenant"),
    *("session_id", "trace_id", "span_id", "user_agent", "message", "changes", "attributes", "flags"),
)
NEWEST_FIRST = "-occurred_at"
_UNSORTED = frozenset({"changes", "attributes", "flags"})
_ESCAPED = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


@dataclass(frozen=True, slots=True)
class Question:
    """Which events are asked for. `since` is included, `until` is not; None is no bound.

    `text`: message, action, actor or target contain it, upper and lower case alike. Without `logs`, events of class
    `log` are left out unless the expression names a class itself.
    """

    match: EventMatch | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    logs: bool = False

    def __post_init__(self) -> None:
        if self.since and self.until and self.since >= self.until:
            raise ConfigError(
                f"--since {self.since.isoformat()} is not before --until {self.until.isoformat()}; swap or widen them"
            )
        if "\0" in (self.text or ""):
            raise ConfigError("--text: PostgreSQL has no text with a NUL character; leave it out")

    def statement(self, name: str, **parts: sql.Composable) -> sql.Composed:
        """The statement of queries.sql, this question's conditions for its {matching}."""
        return sql.SQL(query(name, __package__)).format(matching=self._conditions()[0], **parts)

    def parameters(self) -> dict[str, object]:
        """What the statement is to be run with."""
        values: dict[str, object] = {
            "since": self.since,
            "until": self.until,
            "logs": self.logs or names_class(self.match),
            "text": f"%{self.text.translate(_ESCAPED)}%" if self.text else None,
        }
        return values | self._conditions()[1]

    def _conditions(self) -> tuple[sql.Composed, dict[str, object]]:
        condition, values = where(self.match) if self.match else (sql.SQL("{}").format(sql.SQL("TRUE")), {})
        return sql.SQL(query("matching", __package__)).format(match=condition), values


def parse_columns(text: str) -> tuple[str, ...]:
    """`time,action,actor` as names of columns; raises ConfigError with the nearest one."""
    given = (name.strip() for name in text.split(","))
    names = tuple(column for name in given if name for column in GROUPS.get(name, (SHORT.get(name, name),)))
    for name in names:
        _check(name, "--columns")
    if not names:
        raise ConfigError("--columns: no column is named; write e.g. time,action,actor_name")
    return tuple(dict.fromkeys(names))


def parse_order(text: str) -> sql.Composed:
    """`actor_name,-occurred_at` as ORDER BY, `-` for descending; raises ConfigError.

    Events that are alike in all that come newest first, so that the same question has the same answer.
    """
    parts: dict[str, LiteralString] = {}
    for name in filter(None, (part.strip() for part in text.split(","))):
        column = SHORT.get(name.removeprefix("-"), name.removeprefix("-"))
        _check(column, "--sort")
        if column in _UNSORTED:
            raise ConfigError(f"--sort: {column} has no order; sort by another column")
        parts.setdefault(column, " DESC NULLS LAST" if name.startswith("-") else " NULLS LAST")
    if set(parts) <= {"occurred_at"}:
        # As the indexes have it: without NULLS LAST, which they could not serve.
        newest = not parts or parts["occurred_at"].startswith(" DESC")
        back: LiteralString = "occurred_at DESC, id DESC" if newest else "occurred_at, id"
        return sql.SQL("{}").format(sql.SQL(back))
    terms = [sql.SQL("{}{}").format(sql.Identifier(name), sql.SQL(how)) for name, how in parts.items()]
    terms += [sql.SQL("{} DESC").format(sql.Identifier(name)) for name in ("occurred_at", "id") if name not in parts]
    return sql.SQL(", ").join(terms)


def selected(columns: tuple[str, ...], table: str | None = None) -> sql.Composed:
    """The columns for a SELECT; addresses without a netmask."""
    named = []
    for column in columns:
        name = sql.Identifier(table, column) if table else sql.Identifier(column)
        form: LiteralString = "host({}) AS client_ip" if column == "client_ip" else "{}"
        named.append(sql.SQL(form).format(name))
    return sql.SQL(", ").join(named)


def _check(name: str, option: str) -> None:
    if name not in COLUMNS:
        raise ConfigError(f"{option}: audit.events has no column {name!r}; {nearest(name, COLUMNS)}")
