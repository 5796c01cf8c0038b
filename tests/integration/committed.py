"""Events committed as the collector does it, without its receivers."""

from __future__ import annotations

import time
from collections.abc import Sequence

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from collector.config import as_role
from exporter.events import Events
from exporter.mapping.compile import Mapper
from exporter.mapping.rules import load_all
from exporter.otlp.decode import decode
from exporter.store.catalogue import Catalogue
from exporter.store.writer import Writer
from exporter.transform import Transform
from tests.conftest import CLASSES

Record = dict[str, str]


class Store:
    """The collector's way from records to committed events, without its receivers."""

    def __init__(self, owner_url: str) -> None:
        url = as_role(owner_url, "auditgraf_writer")
        self._catalogue = Catalogue(url)
        self._writer = Writer(url, self._catalogue)
        self._transform = Transform(Mapper(load_all((), tuple(CLASSES))), CLASSES)
        self._next_ns = time.time_ns() - 60_000_000_000

    def prepare(self, records: Sequence[Record], *, at_ns: int | None = None) -> Events:
        """A group of records: their attributes, and `service`, `severity` and `body`, which are none."""
        message = ExportLogsServiceRequest()
        for values in records:
            attributes = dict(values)
            resource_logs = message.resource_logs.add()
            resource_logs.resource.attributes.add(key="service.name").value.string_value = attributes.pop(
                "service", "shop"
            )
            self._next_ns += 1_000_000
            record = resource_logs.scope_logs.add().log_records.add(time_unix_nano=at_ns or self._next_ns)
            record.severity_number = int(attributes.pop("severity", "9"))  # type: ignore[assignment]
            record.body.string_value = attributes.pop("body", "")
            for key, value in attributes.items():
                record.attributes.add(key=key).value.string_value = value
        decoded = decode([message.SerializeToString()])
        columns = [self._transform.mapper.source_columns(source) for source in decoded.sources]
        return self._transform(decoded, self._catalogue.source_ids(decoded.sources, columns), time.time_ns()).events

    def commit(self, events: Events) -> None:
        self._catalogue.ensure_partitions(events.days())
        assert self._writer.write(events).stored == len(events)

    def add(self, *records: Record) -> None:
        self.commit(self.prepare(records))

    def close(self) -> None:
        self._writer.close()
        self._catalogue.close()


def event(name: str, **more: str) -> Record:
    """An audit event of that action; underscores in the other names stand for dots, `audit` goes in front."""
    known = {"service", "severity", "body"}
    return {"audit.action": name} | {
        key if key in known else f"audit.{key.replace('_', '.')}": value for key, value in more.items()
    }
