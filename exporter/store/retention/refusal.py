"""What PostgreSQL's errors mean to whoever works as the owner, and what can be done about each."""

from __future__ import annotations

import re

import psycopg
from psycopg import errors

from exporter.errors import AuditgrafError, RetentionError, StoreUnavailableError
from exporter.store.session import Connection

# No error of a failed connection has a code.
_NO_CONNECTION_LEFT = re.compile("too many (clients|connections)|connection slots are reserved")


def refusal(failure: psycopg.Error, server: str | None) -> AuditgrafError:
    """The exception to raise for an error; `server`: as named by `described`, None where no connection was made."""
    message = failure.diag.message_primary
    if isinstance(failure, errors.InsufficientPrivilege):
        return RetentionError(
            f"PostgreSQL refused: {message}; everything in the schema audit has to belong to auditgraf_owner: find out "
            "who has changed that, and give it back as a superuser, with ALTER TABLE ... OWNER TO auditgraf_owner"
        )
    if in_the_way(failure):
        return RetentionError(
            f"somebody else's transaction is in the way: {message}; try again, or look for it in pg_stat_activity"
        )
    if isinstance(failure, errors.ReadOnlySqlTransaction):
        return RetentionError(
            f"{server or 'PostgreSQL'} can only be read: {message}; AUDITGRAF_DATABASE_URL has to lead to the primary, "
            "where this is to be run (with all hosts in it, target_session_attrs=read-write finds that one). If it "
            "does, somebody has set default_transaction_read_only there"
        )
    if (reason := exhausted(failure)) is not None:
        return StoreUnavailableError(reason)
    if isinstance(failure, psycopg.OperationalError):
        return StoreUnavailableError(f"PostgreSQL can't be reached, or went away: {failure}")
    return RetentionError(f"PostgreSQL refused: {failure}")


def in_the_way(failure: psycopg.Error) -> bool:
    """Whether it was somebody else's lock."""
    return isinstance(failure, errors.LockNotAvailable | errors.QueryCanceled | errors.DeadlockDetected)


def exhausted(failure: psycopg.Error) -> str | None:
    """What PostgreSQL has no more of (class 53 of its errors), and what helps; None for any other error."""
    message = failure.diag.message_primary or str(failure).strip()
    if hint := failure.diag.message_hint:
        message += f" ({hint.rstrip('.')})"
    code = failure.sqlstate or ("53300" if _NO_CONNECTION_LEFT.search(message) else "")
    if not code.startswith("53"):
        return None
    if code == errors.DiskFull.sqlstate:
        return (
            f"PostgreSQL's disk is full: {message}; make a little room there, and auditgraf retention run gives back "
            "what has expired. More of it expires with shorter durations (retention:) and after auditgraf hold "
            "release; auditgraf archive unload --all gives back what was restored, at once"
        )
    if code == errors.OutOfMemory.sqlstate:
        return (
            f"PostgreSQL is out of memory: {message}; try again when less is going on, or give it more. Shorter "
            "durations (retention:) leave fewer partitions, which need fewer locks"
        )
    if code == errors.TooManyConnections.sqlstate:
        return (
            f"PostgreSQL has no connection left: {message}; a run needs four: end some that nobody uses "
            "(pg_stat_activity shows them), or raise max_connections or the user's own limit"
        )
    return f"PostgreSQL has come to a limit: {message}; raise that limit, or try again when less is going on"


def described(connection: Connection) -> str:
    """A server as an error names it."""
    info = connection.info
    kind = "the standby" if info.parameter_status("in_hot_standby") == "on" else "PostgreSQL"
    return f"{kind} at {info.host}:{info.port}, database {info.dbname},"
