"""A lock for as long as something lasts, held by a session that does nothing else.

Between its statements such a session has neither a snapshot nor a transaction's number, so VACUUM removes what it may,
however long that takes; and the lock ends with the session, whatever ends the process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
from psycopg import IsolationLevel, errors

from exporter.store.queries import query
from exporter.store.session import NOTICE_SILENCE

log = logging.getLogger(__name__)


@contextmanager
def guarding(url: str, name: str, lock: LiteralString) -> Iterator[bool]:
    """Runs `lock`, a LOCK TABLE, as auditgraf_owner, and keeps the lock; False where it is NOWAIT and somebody has it.

    `name`: what pg_stat_activity shows. Raises psycopg.Error.
    """
    with psycopg.connect(url, application_name=name, **NOTICE_SILENCE) as guard:
        # Under any other, the transaction would keep its first snapshot.
        guard.isolation_level = IsolationLevel.READ_COMMITTED
        guard.execute(query("guard_settings"))
        yield _take(guard, lock)
        try:
            guard.rollback()
        except psycopg.OperationalError:
            log.warning("the session that kept others from beginning (%s) was lost: another may have begun since", name)


def _take(guard: psycopg.Connection[tuple[object, ...]], lock: LiteralString) -> bool:
    try:
        guard.execute(lock)
    except errors.LockNotAvailable:
        return False
    return True
