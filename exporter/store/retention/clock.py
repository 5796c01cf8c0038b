"""Whether PostgreSQL's clock may be believed: what is dropped for a clock that jumped is gone for good.

Time that really passed leaves marks: runs of the job, and events that arrived. A step of more than two days without
either is no proof of a wrong clock (all may have been switched off), so nothing is dropped until somebody says so.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from exporter.store.queries import query
from exporter.store.retention.partitions import statement, table
from exporter.store.session import Connection

_PACKAGE = __package__
LONGEST_STEP = timedelta(days=2)


def now(connection: Connection) -> datetime:
    """PostgreSQL's time."""
    row = connection.execute(query("now", _PACKAGE)).fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def doubt(connection: Connection, moment: datetime) -> str | None:
    """Why `moment`, PostgreSQL's time, is not believed, and what to do; None where it is."""
    row = connection.execute(query("clock_anchor", _PACKAGE), {"now": moment}).fetchone()
    last: datetime | None = row[0] if row else None
    if last is None or moment - last <= LONGEST_STEP:
        return None
    for name, end in connection.execute(query("partitions_between", _PACKAGE), {"from": last, "to": moment}).fetchall():
        if end - last > LONGEST_STEP + timedelta(days=1):
            break
        row = connection.execute(statement("arrived_in_time", table=table(name)), (end,)).fetchone()
        if row is not None and row[0]:
            last = max(last, end)
    if moment - last <= LONGEST_STEP:
        return None
    return (
        f"PostgreSQL's clock says {moment:%Y-%m-%d %H:%M} UTC, and nothing has happened here since "
        f"{last:%Y-%m-%d %H:%M} UTC: nothing is dropped, in case the clock is wrong. If it is right, run "
        "auditgraf retention run --clock-is-right once"
    )
