"""What retention did, as audit events: noted in the transaction of the change, stored through the writer afterwards.

A process that is killed in between leaves notes behind, which the next run announces. The note's number is the event's
own id, so that none of them is stored twice.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from psycopg.types.json import Jsonb

from exporter.errors import RetentionError
from exporter.mapping.compile import Mapper
from exporter.mapping.rules import load_all
from exporter.otlp.decode import decode
from exporter.store.catalogue import Catalogue
from exporter.store.queries import query
from exporter.store.retention.owner import as_owner
from exporter.store.session import Connection
from exporter.store.writer import Writer
from exporter.transform import Transform

_PACKAGE = __package__
_AT_ONCE = 500
SERVICE = "auditgraf"


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
    classes: dict[str, timedelta | None] = dict(connection.execute(query("classes", _PACKAGE)).fetchall())
    if not {"default", "log"} <= classes.keys():
        raise RetentionError("the retention classes default and log are not in the database: run auditgraf migrate")
    # Without the rules of the configuration: none of them may drop what retention has to say.
    transform = Transform(Mapper(load_all((), classes)), classes)
    catalogue = Catalogue(writer_url)
    writer = Writer(writer_url, catalogue)
    told = 0
    try:
        while notes := connection.execute(query("unannounced", _PACKAGE), (_AT_ONCE,)).fetchall():
            records = decode([_request(notes)])
            origins = [transform.mapper.source_columns(source) for source in records.sources]
            source_ids = catalogue.source_ids(records.sources, origins)
            writer.write(transform(records, source_ids, time.time_ns()).events)
            connection.execute(query("announced", _PACKAGE), ([row[0] for row in notes],))
            told += len(notes)
        connection.execute(query("forget_announced", _PACKAGE))
    finally:
        writer.close()
        catalogue.close()
    return told


def announce_noted(url: str, writer_url: str) -> int:
    """The same for whoever has no session as the owner; `url`: the owner's."""
    with as_owner(url) as connection:
        return announce(connection, writer_url)


def _request(notes: list[tuple[Any, ...]]) -> bytes:
    message = ExportLogsServiceRequest()
    resource_logs = message.resource_logs.add()
    resource_logs.resource.attributes.append(_attribute("service.name", SERVICE))
    scope_logs = resource_logs.scope_logs.add()
    scope_logs.scope.name = "auditgraf.retention"
    scope_logs.log_records.extend(_record(*row) for row in notes)
    return message.SerializeToString()


def _record(
    number: int,
    at: datetime,
    action: str,
    outcome: str,
    actor: str | None,
    target_type: str | None,
    target_id: str | None,
    message: str,
    attributes: Mapping[str, str | int],
) -> LogRecord:
    failed = outcome == "failure"
    record = LogRecord(
        time_unix_nano=round(at.timestamp() * 1_000_000) * 1_000,
        severity_number=17 if failed else 9,  # type: ignore[arg-type]  # ERROR, INFO
        severity_text="ERROR" if failed else "INFO",
        body=AnyValue(string_value=message),
    )
    values = {
        "log.record.uid": f"auditgraf.journal.{number}",
        "audit.action": action,
        "audit.outcome": outcome,
        "audit.actor.id": actor or SERVICE,
        "audit.actor.type": "user" if actor else "system",
        "audit.target.type": target_type,
        "audit.target.id": target_id,
        **attributes,
    }
    record.attributes.extend(_attribute(key, value) for key, value in values.items() if value is not None)
    return record


def _attribute(key: str, value: str | int) -> KeyValue:
    given = AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
    return KeyValue(key=key, value=given)
