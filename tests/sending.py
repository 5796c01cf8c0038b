"""Requests that tests send, and what a store makes of them without a collector."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from psycopg.rows import dict_row

from collector.config import as_role
from exporter.events import Events
from exporter.mapping.compile import Mapper
from exporter.mapping.rules import load_all
from exporter.otlp.decode import decode
from exporter.store.catalogue import Catalogue
from exporter.store.writer import Writer, Written
from exporter.transform import Transform
from tests.conftest import CLASSES

MALFORMED = b"\x0a\xff no request"


def record(body: str, *, at_ns: int | None = None, event: str = "user.login", **attributes: str) -> LogRecord:
    """A record of now, unless `at_ns` says otherwise (0: it has no time); `user__id` stands for `user.id`."""
    made = LogRecord(time_unix_nano=time.time_ns() if at_ns is None else at_ns, event_name=event)
    made.body.string_value = body
    for key, value in attributes.items():
        made.attributes.add(key=key.replace("__", ".")).value.string_value = value
    return made


def request(*records: LogRecord, service: str = "shop") -> bytes:
    """One ExportLogsServiceRequest."""
    message = ExportLogsServiceRequest()
    resource_logs = message.resource_logs.add()
    resource_logs.resource.attributes.add(key="service.name").value.string_value = service
    resource_logs.scope_logs.add().log_records.extend(records)
    return message.SerializeToString()


def fetch(url: str, statement: str, *parameters: object) -> list[dict[str, Any]]:
    """The rows of one statement, as the owner sees them."""
    with psycopg.connect(url, row_factory=dict_row, autocommit=True) as connection:
        return connection.execute(statement.encode(), parameters or None).fetchall()


def messages(url: str) -> list[str]:
    """The bodies of all events that are stored, sorted."""
    return [row["message"] for row in fetch(url, "SELECT message FROM audit.events ORDER BY message")]


def count(url: str) -> int:
    """How many events are stored."""
    return int(fetch(url, "SELECT count(*) FROM audit.events")[0]["count"])


class Store:
    """What a collector has between decoding and PostgreSQL, acting as the writer."""

    def __init__(self, url: str, classes: Mapping[str, Any] = CLASSES) -> None:
        self.url = as_role(url, "auditgraf_writer")
        self.catalogue = Catalogue(self.url)
        self.transform = Transform(Mapper(load_all((), classes)), classes)
        self.writer = Writer(self.url, self.catalogue)

    def events(self, payloads: Sequence[bytes], *, arrival_ns: int | None = None) -> Events:
        """The requests as one group that arrived at `arrival_ns` (now)."""
        records = decode(payloads)
        sources = [self.transform.source(source) for source in records.sources]
        columns = [self.transform.mapper.source_columns(source) for source in sources]
        source_ids = self.catalogue.source_ids(sources, columns)
        return self.transform(records, source_ids, arrival_ns or time.time_ns()).events

    def write(self, *payloads: bytes, arrival_ns: int | None = None) -> Written:
        """Writes the requests as one group."""
        return self.writer.write(self.events(payloads, arrival_ns=arrival_ns))

    def close(self) -> None:
        self.writer.close()
        self.catalogue.close()


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as whoever queries audit.events sees it, and where it came from."""

    event: dict[str, Any]
    source: dict[str, Any]

    def given(self) -> dict[str, Any]:
        """Every column but those that no sender can know: id, received_at and source_id."""
        unknown = {"id", "received_at", "source_id"}
        return {name: value for name, value in self.event.items() if name not in unknown}

    def assert_filed(self, since: datetime) -> None:
        """That the columns which `given` leaves out are what they must be, for what was sent after `since`."""
        assert since <= self.event["received_at"] <= datetime.now(UTC)
        assert self.event["id"].version == 7
        milliseconds = self.event["id"].int >> 80
        assert milliseconds == self.event["occurred_ns"] // 1_000_000
        assert self.source["source_id"] == self.event["source_id"]
        assert self.source["first_seen"] <= datetime.now(UTC)


def stored(url: str, column: str, value: str) -> Stored:
    """The one event whose column has that value."""
    [event] = fetch(url, f"SELECT * FROM audit.events WHERE {column} = %s", value)
    [source] = fetch(url, "SELECT * FROM audit.event_sources WHERE source_id = %s", event["source_id"])
    return Stored(event, source)
