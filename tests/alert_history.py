"""A database with known events, and the alerts that a rule would raise of them: a row each, as Grafana reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.rows import dict_row

from collector.config import as_role
from exporter.document import loads
from provisioning.alerts.rule import MOST_GROUPS, Rule, read_rule
from provisioning.alerts.statements import statement
from tests.dashboard_world import NOON, Rows, World
from tests.grafana_sql import expand

__all__ = ["NOON", "AlertHistory", "at", "labels", "opened_history", "rule"]

SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)
# What Grafana's alerting takes from a table: one number, and texts, which become labels. OIDs of float8 and text.
_NUMBER, _TEXT = 701, 25
_EARLIER_RECEIVED = "received_at - number * %(gap)s::interval"
_COPIES = """
    INSERT INTO audit.events_{class_}
    SELECT (jsonb_populate_record(event, jsonb_build_object(
        'id', gen_random_uuid(), 'occurred_at', occurred_at - number * %(gap)s::interval, 'received_at', {received}))).*
    FROM audit.events_{class_} AS event, generate_series(1, %(more)s) AS number
    WHERE id = %(first)s AND occurred_at = %(end)s
"""
# Where what a rule asks of is stored.
_ASKED = (
    *("events_default", "events_log", "events_security", "rollups", "hour_rollups", "day_counts"),
    *("collector_samples", "retention_steps", "verification_runs"),
)


def rule(text: str) -> Rule:
    """A rule as a file has it, without its id and name."""
    made = read_rule({"id": "tested", "name": "Tested"} | loads(text, "rule.yaml").data)
    assert isinstance(made, Rule)
    return made


def at(**span: float) -> datetime:
    """A moment so long before noon of yesterday, when rules are evaluated unless a test says otherwise."""
    return NOON - timedelta(**span)


def labels(rows: Rows, *names: str) -> list[tuple[Any, ...]]:
    """These labels of each row, in the rows' order."""
    return [tuple(row[name] for name in names) for row in rows]


class AlertHistory(World):
    """Events by the owner, alerts by Grafana's role."""

    def event(
        self, moment: datetime, action: str | None = "user.login", class_: str = "default", **columns: Any
    ) -> None:
        """As World.event; `actor` is the actor's id and name, where they are the same."""
        if "actor" in columns:
            columns = {"actor_id": columns["actor"], "actor_name": columns.pop("actor")} | columns
        super().event(moment, action, class_, **columns)

    def events(
        self,
        count: int,
        end: datetime,
        gap: timedelta = SECOND,
        action: str | None = "user.login",
        class_: str = "default",
        **of: Any,
    ) -> None:
        """So many alike, the last one at `end`; stored by two statements, however many they are."""
        if not count:
            return
        first = uuid4()
        self.event(end, action, class_, id=first, **of)
        if count > 1:
            days = sorted({(end - number * gap).date() for number in range(1, count)})
            self._owner.execute("SELECT audit.ensure_partitions(%s, %s::date[])", (class_, days))
            copies = _COPIES.format(class_=class_, received="received_at" if "received_at" in of else _EARLIER_RECEIVED)
            self._owner.execute(copies.encode(), {"first": first, "end": end, "gap": gap, "more": count - 1})

    def count(self) -> None:
        """Counts what was stored, without the summaries of days: no rule asks for them."""
        days = self._owner.execute(
            "SELECT DISTINCT retention_class, (occurred_at AT TIME ZONE 'UTC')::date FROM audit.events"
        ).fetchall()
        for class_, day in days:
            self._owner.execute("SELECT audit.recount(%s, %s, %s)", (class_, day, day))

    def verified(self, moment: datetime, findings: int) -> None:
        """Stores one run of `auditgraf verify`."""
        insert = (
            "INSERT INTO audit.verification_runs (started_at, finished_at, events, links, findings, detail)"
            " VALUES (%s, %s, 1, 1, %s, '[]')"
        )
        self._owner.execute(insert.encode(), (moment, moment, findings))

    def retained(self, moment: datetime, **columns: str) -> None:
        """Stores one step of a run of retention."""
        self._owner.execute(b"INSERT INTO audit.retention_runs (instance, clock_believed) VALUES ('one', true)")
        given = {"started_at": moment, "finished_at": moment} | columns
        names, marks = ", ".join(given), ", ".join(f"%({name})s" for name in given)
        insert = (
            f"INSERT INTO audit.retention_steps (run_id, {names}) SELECT max(id), {marks} FROM audit.retention_runs"
        )
        self._owner.execute(insert.encode(), given)

    def alerts(self, tested: Rule, moment: datetime = NOON) -> Rows:
        """What the rule's query gives at this moment, checked to be what Grafana can make alerts of."""
        query = expand(statement(tested), moment - tested.lookback, moment)
        cursor = self._reader.execute(query.encode())
        kinds = {column.name: column.type_code for column in cursor.description or ()}
        assert kinds.pop("value") == _NUMBER
        assert set(kinds.values()) <= {_TEXT}
        rows = list(cursor)
        identities = [identity(row) for row in rows]
        assert len(set(identities)) == len(rows), "two alerts have the same labels"
        assert len([row for row in rows if not row.get("more")]) <= MOST_GROUPS
        for row in rows:
            assert all(isinstance(text, str) and len(text) <= 400 for name, text in row.items() if name != "value")
        return rows

    def clear(self) -> None:
        """Forgets all events, their counts, and what the collectors and the jobs reported."""
        for table in _ASKED:
            self._owner.execute(f"DELETE FROM audit.{table}".encode())


def identity(row: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """What Grafana tells alerts apart by: labels without a text are none."""
    return frozenset((name, text) for name, text in row.items() if name != "value" and text)


@contextmanager
def opened_history(database: str) -> Iterator[AlertHistory]:
    """The history in a migrated database; `database`: the owner's URL."""
    with (
        psycopg.connect(database, autocommit=True) as owner,
        psycopg.connect(as_role(database, "auditgraf_reader"), autocommit=True, row_factory=dict_row) as grafana,
    ):
        yield AlertHistory(owner, grafana)
