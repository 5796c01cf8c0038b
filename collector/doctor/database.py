"""The database: who may log in, what they may do, and whether all is there that events need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial

from psycopg import errors

from collector.config import Config
from collector.doctor import integrity, retention
from collector.doctor.finding import Finding, guarded
from collector.doctor.sessions import Connection, Role, logins, session
from exporter.durations import format_duration
from exporter.store.migrate import DAYS_AHEAD, latest_version
from exporter.store.queries import query

_OLDEST_SERVER = 15
# Times outside the accepted window are replaced, and Grafana's ranges end now: small differences do no harm.
_CLOCKS_DIFFER_S = 2.0
_NAMED = 4
_MIGRATE = "run auditgraf migrate"


def findings(config: Config) -> Iterator[Finding]:
    """Each role's way in first; then whatever the sessions that there are can tell."""
    with ExitStack() as stack:
        sessions: dict[Role, Connection] = {}
        for login in logins(config):
            finding, connection = stack.enter_context(session(login))
            yield finding
            if connection is not None:
                sessions[login.role] = connection
        if not sessions:
            return
        someone = next(iter(sessions.values()))
        yield from guarded("PostgreSQL's version", lambda: _server_version(someone))
        yield from guarded("clock", lambda: _clock(someone))
        version = _schema_version(someone)
        yield from guarded("schema", lambda: _schema(version))
        if version:
            yield from _contents(config, sessions)


def _contents(config: Config, sessions: dict[Role, Connection]) -> Iterator[Finding]:
    owner = sessions.get("owner")
    if owner is not None:
        yield from guarded("owner's rights", lambda: _owner_rights(owner))
    for role in ("writer", "reader"):
        if role in sessions:
            yield from guarded(f"{role}'s rights", partial(_rights, sessions[role], role))
    keeper = owner or sessions.get("writer")
    if keeper is not None:
        yield from guarded("retention", lambda: _retention(keeper, config))
        yield from guarded("tamper evidence", lambda: integrity.findings(keeper, owner=owner is not None))
    someone = next(iter(sessions.values()))
    yield from guarded("partitions", lambda: _partitions(someone, config))
    watcher = owner or sessions.get("reader")
    if watcher is not None:
        yield from guarded("retention job", lambda: retention.findings(watcher, config))
    if owner is not None:
        yield from guarded("quarantine", lambda: _quarantine(owner))


def _server_version(connection: Connection) -> Iterator[Finding]:
    major, minor = divmod(connection.info.server_version, 10_000)
    if major < _OLDEST_SERVER:
        text = f"PostgreSQL {major}.{minor} is too old"
        yield Finding("PostgreSQL's version", "problem", text, f"upgrade it to {_OLDEST_SERVER} or newer")
    else:
        yield Finding("PostgreSQL's version", "ok", f"{major}.{minor}")


def _clock(connection: Connection) -> Iterator[Finding]:
    before = datetime.now(UTC)
    row = connection.execute(query("clock", __package__)).fetchone()
    after = datetime.now(UTC)
    assert row is not None
    # What lies between the two readings here can't be told from a difference.
    ahead = max((row[0] - after).total_seconds(), (before - row[0]).total_seconds(), 0.0)
    if ahead > _CLOCKS_DIFFER_S:
        text = f"this machine and PostgreSQL's differ by {ahead:.1f} s"
        yield Finding("clock", "warning", text, "let NTP (chrony, systemd-timesyncd) set both")
    else:
        yield Finding("clock", "ok", f"as PostgreSQL's, within {_CLOCKS_DIFFER_S:g} s")


def _schema_version(connection: Connection) -> int | None:
    """The version, 0 where nothing was migrated, None where it can't be told."""
    try:
        row = connection.execute(query("schema_version", __package__)).fetchone()
    except (errors.UndefinedFunction, errors.InvalidSchemaName):
        return 0
    except errors.Error:
        return None
    return int(row[0]) if row else 0


def _schema(version: int | None) -> Iterator[Finding]:
    latest = latest_version()
    if version is None:
        text = "the role may not ask for the schema's version"
        yield Finding("schema", "problem", text, f"{_MIGRATE}; if it stays so, correct the role")
    elif version == 0:
        yield Finding("schema", "problem", "nothing was migrated into this database yet", _MIGRATE)
    elif version < latest:
        yield Finding("schema", "problem", f"version {version}, and this auditgraf needs {latest}", _MIGRATE)
    elif version > latest:
        text = f"version {version}, and this auditgraf knows {latest}"
        yield Finding("schema", "problem", text, "use the newer auditgraf that migrated the database")
    else:
        yield Finding("schema", "ok", f"version {version}")


def _owner_rights(connection: Connection) -> Iterator[Finding]:
    try:
        connection.execute(query("act_as_owner", __package__))
    except errors.Error as failure:
        text = f"the user of AUDITGRAF_DATABASE_URL can't act as auditgraf_owner: {failure}"
        yield Finding("owner's rights", "problem", text, "GRANT auditgraf_owner to it, or migrate as another user")
    else:
        yield Finding("owner's rights", "ok", "may migrate and retire")


def _rights(connection: Connection, role: Role) -> Iterator[Finding]:
    check = f"{role}'s rights"
    row = connection.execute(query(f"{role}_rights", __package__)).fetchone()
    assert row is not None
    lacking, beyond = row
    own = f"auditgraf_{role}"
    if lacking:
        yield Finding(check, "problem", f"it lacks {_some(lacking)}", f"log in as {own}, or {_MIGRATE}")
    if beyond:
        text = f"it may do more than it should: {_some(beyond)}"
        yield Finding(check, "problem", text, f"log in as {own}, and REVOKE what that role itself was granted")
    if not lacking and not beyond:
        may = "insert events, and not read or change them" if role == "writer" else "read views, and nothing else"
        yield Finding(check, "ok", f"may {may}")


def _retention(connection: Connection, config: Config) -> Iterator[Finding]:
    known: dict[str, timedelta | None] = dict(connection.execute(query("classes", __package__)).fetchall())
    for name, keep in config.classes.items():
        if name not in known:
            text = f"class {name} is configured and not in the database: nothing is stored"
            yield Finding("retention", "problem", text, _MIGRATE)
        elif known[name] != keep:
            text = f"class {name}: {format_duration(keep)} is configured, {format_duration(known[name])} is in force"
            yield Finding("retention", "warning", text, _MIGRATE)
    if all(name in known and known[name] == keep for name, keep in config.classes.items()):
        kept = ", ".join(f"{name} {format_duration(keep)}" for name, keep in config.classes.items())
        yield Finding("retention", "ok", kept)


def _partitions(connection: Connection, config: Config) -> Iterator[Finding]:
    parameters = {"classes": list(config.classes), "days_ahead": DAYS_AHEAD}
    missing = [row[0] for row in connection.execute(query("missing_partitions", __package__), parameters)]
    if missing:
        text = f"not made yet: {_some(missing)}"
        yield Finding("partitions", "warning", text, f"the collector makes them while it runs; or {_MIGRATE}")
    else:
        yield Finding("partitions", "ok", f"there for today and the next {DAYS_AHEAD} days")


def _quarantine(connection: Connection) -> Iterator[Finding]:
    row = connection.execute(query("quarantine", __package__)).fetchone()
    if row is None:
        yield Finding("quarantine", "ok", "empty")
        return
    count, received_at, reason = row
    text = f"{count} records that PostgreSQL refused; the newest of {received_at:%Y-%m-%d %H:%M} UTC: {reason}"
    yield Finding("quarantine", "warning", text, "look at audit.quarantine; correct the sender")


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
