"""What retention did, as audit events: noted in the transaction of the change, stored through the writer afterwards.

A process that is killed in between leaves notes behind, which the next run announces. The note's number is the event's
own id, so that none of them is stored twice.
"""

from __future__ import annotations

from collections.abc import Mapping

from psycopg.types.json import Jsonb

from exporter.store.queries import query
from exporter.store.retention.owner import as_owner
from exporter.store.session import Connection

_PACKAGE = __package__
SERVICE = "auditgraf"  # service.name of these events, and who acts where nobody else does


def note(
    connection: Connection,
    action: str,
    message: str,
    *,
    outcome: str = "success",
    actor: str | None = None,
    target: tuple[str, str] | None = None,
    attributes: Mapping[str, str | int] | None = None,
) -> None:
    """Notes what is to be told as an audit event. `target`: its type and id."""
    kind, identity = target or (None, None)
    values = {"action": action, "outcome": outcome, "actor": actor, "target_type": kind, "target_id": identity}
    connection.execute(
        query("note", _PACKAGE), {**values, "message": message, "attributes": Jsonb(dict(attributes or {}))}
    )


def announce(connection: Connection, writer_url: str) -> int:
    """Stores what is noted as audit events, as the writer; returns how many.

    Raises StoreUnavailableError; what was not stored stays noted.
    """
    # Late: a run that finds another one under way has nothing to tell.
    from exporter.store.retention.announcement import store_notes  # noqa: PLC0415

    return store_notes(connection, writer_url)


def announce_noted(url: str, writer_url: str) -> int:
    """The same for whoever has no session as the owner; `url`: the owner's."""
    with as_owner(url) as connection:
        return announce(connection, writer_url)
