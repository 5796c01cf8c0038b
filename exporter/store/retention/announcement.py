"""What the journal has noted, as records through mapping, transform and writer, like anybody's.

Apart from the journal, because all that takes longer to import than most runs last.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from exporter.errors import RetentionError
from exporter.mapping.compile import Mapper
from exporter.mapping.rules import load_all
from exporter.otlp.decode import decode
from exporter.store.catalogue import Catalogue
from exporter.store.queries import query
from exporter.store.retention.journal import SERVICE
from exporter.store.session import Connection
from exporter.store.writer import Writer
from exporter.transform import Transform

_PACKAGE = __package__
_AT_ONCE = 500


def store_notes(connection: Connection, writer_url: str) -> int:
    """Stores what is noted, a few hundred at a time; as journal.announce describes."""
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
