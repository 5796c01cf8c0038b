"""What becomes of records, and why: the mapping run for a person to look at, with nothing stored."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from exporter.mapping.fields import Picker
from exporter.mapping.trace import Origin, Trace
from exporter.otlp.decode import Records, open_requests
from exporter.redaction.redactor import Finding
from exporter.transform import Transform

# Not for rules to fill, and not worth a line each.
_OWN = {"received_at", "source_id", "occurred_ns", "observed_ns", "attributes", "flags", "changes"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """One record: the event it becomes, and where all of it came from."""

    record: int  # from 0, in the order sent
    service: str | None
    retention_class: str | None  # None: it is not kept
    left_out_by: str | None  # a rule that discards it, `unmatched`, or `rejected`
    parsed_by: str | None
    rules: tuple[str, ...]
    event: dict[str, Any]  # by column, empty ones left out; what it would be, where it is not kept
    occurred_ns: int | None
    origins: dict[str, Origin]  # by column
    flags: tuple[str, ...]
    redacted: tuple[Finding, ...]

    def as_json(self) -> dict[str, Any]:
        """As `explain --json` prints it."""
        return {
            "record": self.record,
            "service": self.service,
            "retention_class": self.retention_class,
            "left_out_by": self.left_out_by,
            "parsed_by": self.parsed_by,
            "rules": list(self.rules),
            "event": self.event,
            "origins": {
                column: {"rule": origin.rule, "source": origin.source} for column, origin in self.origins.items()
            },
            "flags": list(self.flags),
            "redacted": [
                {"where": found.where, "reason": found.reason, "count": found.count} for found in self.redacted
            ],
        }


def explain(transform: Transform, payloads: Sequence[bytes], arrival_ns: int | None = None) -> list[Explanation]:
    """Every record of the requests, in the order sent. `transform` is not changed by it.

    Raises MalformedRequestError where a payload is none.
    """
    arrival = time.time_ns() if arrival_ns is None else arrival_ns
    envelope = open_requests(payloads)
    found: list[Explanation] = []
    for part in envelope.parts():
        found += _explained(transform, envelope.records(part), arrival, len(found))
    return found


def _explained(transform: Transform, records: Records, arrival_ns: int, first: int) -> Iterator[Explanation]:
    trace = Trace()
    transform(records, np.zeros(len(records.sources), np.int64), arrival_ns, trace=trace)
    return explanations(trace, range(len(records)), first)


def explanations(trace: Trace, wanted: Iterable[int], first: int = 0) -> Iterator[Explanation]:
    """Explains some of the records that a Transform was told to trace; `first` is the number of the first one."""
    assert trace.picker is not None
    assert trace.events is not None
    records = trace.picker.records  # as redaction left them
    parsed = records.parsed
    redacted = defaultdict(list)
    for finding in trace.findings:
        redacted[finding.record].append(finding)
    for index in wanted:
        row = trace.events.frame.row(index, named=True)
        left_out_by = trace.left_out_by(index)
        yield Explanation(
            record=first + index,
            service=records.sources[int(records.source[index])].resource_text("service.name"),
            retention_class=None if left_out_by else trace.events.class_of(index),
            left_out_by=left_out_by,
            parsed_by=None if parsed is None else parsed[index],
            rules=tuple(trace.rules_of(index)),
            event=_event(row),
            occurred_ns=row.get("occurred_ns"),
            origins=_origins(trace, index, trace.picker, row),
            flags=tuple(filter(None, row.get("flags", "").strip("{}").split(","))),
            redacted=tuple(redacted.get(index, ())),
        )


def _event(row: dict[str, Any]) -> dict[str, Any]:
    event = {name: value for name, value in row.items() if value is not None and name not in _OWN}
    for name in ("changes", "attributes"):
        if row.get(name) is not None:
            event[name] = orjson.loads(row[name])
    return event


def _origins(trace: Trace, index: int, picker: Picker, row: dict[str, Any]) -> dict[str, Origin]:
    origins = trace.origins(index, picker)
    for column in ("country", "city", "latitude", "longitude", "asn", "as_org"):
        if row.get(column) is not None and column not in origins:
            origins[column] = Origin(None, "looked up from client_ip")
    if "client_address" in origins and row.get("client_ip") is not None:
        origins["client_ip"] = origins.pop("client_address")
    return origins
