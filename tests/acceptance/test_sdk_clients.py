"""What an application's SDK emits, in rows of which every column is checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter as JsonExporter
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from tests.collector_process import ROOT, WAIT, CollectorProcess, collector
from tests.sending import fetch, stored

TRACE_ID = 0x5B8EFFF798038103D269B633813FC60C
SPAN_ID = 0xEEE19B7EC3C1B174
AGENT = "Mozilla/5.0 (X11; Linux x86_64)"
CHANGES = {
    "role": {"before": "user", "after": "admin"},
    "groups": {"added": ["ops"], "removed": []},
    "password": {"changed": True},
}
LEFT_OVER = {
    "http.request.method": "PATCH",
    "details": {"list": [1, "two", {"three": 3.5}], "none": None, "empty": ""},
    "tries": 3,
    "ratio": 0.5,
    "ok": True,
    "nothing": [],
}
ATTRIBUTES: dict[str, Any] = {
    "audit.outcome": "success",
    "user.id": "u-17",
    "user.name": "Änna",
    "user.email": "anna@example.org",
    "audit.actor.type": "user",
    "audit.on_behalf_of": "u-1",
    "client.address": "81.2.69.142",
    "geo.country.iso_code": "GB",
    "geo.locality.name": "London",
    "geo.location.lat": 51.5142,
    "geo.location.lon": -0.0931,
    "audit.target.type": "account",
    "audit.target.id": "a-4711",
    "audit.target.name": "Bob's account",
    "session.id": "s-1",
    "user_agent.original": AGENT,
    "audit.changes": CHANGES,
    "raw": b"\x00\xff",
    **LEFT_OVER,
}
RESOURCE: dict[str, Any] = {
    "service.name": "shop",
    "service.version": "2.1",
    "deployment.environment.name": "production",
    "tenant.id": "acme",
    "replicas": 3,
}
EXPORTERS: dict[str, Callable[[CollectorProcess], Any]] = {
    "grpc": lambda to: GrpcExporter(endpoint=f"http://{to.grpc_target}", insecure=True, timeout=WAIT),
    "http": lambda to: HttpExporter(endpoint=f"{to.http_url}/v1/logs", timeout=WAIT),
    "json": lambda to: JsonExporter(endpoint=f"{to.http_url}/v1/logs", timeout=WAIT),
}


@pytest.fixture(scope="module")
def receiving(shared_database: str) -> Iterator[CollectorProcess]:
    with collector(shared_database) as process:
        yield process


def emit(exporter: Any, body: Any, at_ns: int) -> None:
    """One event through the SDK's own logger and batch processor."""
    provider = LoggerProvider(Resource(RESOURCE), shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = provider.get_logger("shop.audit", "1.2", "https://example.org/schema", {"team": "billing"})
    span = SpanContext(TRACE_ID, SPAN_ID, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    logger.emit(
        timestamp=at_ns,
        observed_timestamp=at_ns + 500,
        context=set_span_in_context(NonRecordingSpan(span), Context()),
        severity_number=SeverityNumber.WARN,
        severity_text="WARN",
        body=body,
        attributes=ATTRIBUTES,
        event_name="account.updated",
    )
    provider.force_flush()
    provider.shutdown()


@pytest.mark.parametrize("protocol", EXPORTERS)
def test_an_event_of_the_python_sdk_is_a_row_with_every_column_as_it_was_sent(
    receiving: CollectorProcess, shared_database: str, protocol: str
) -> None:
    since, at_ns = datetime.now(UTC), time.time_ns() - 3_000_000_123
    emit(EXPORTERS[protocol](receiving), f"changed over {protocol}", at_ns)
    found = stored(shared_database, "message", f"changed over {protocol}")
    found.assert_filed(since)
    assert found.given() == {
        "occurred_at": datetime.fromtimestamp(at_ns // 10**9, UTC) + timedelta(microseconds=at_ns % 10**9 // 1000),
        "occurred_ns": at_ns,
        "observed_ns": at_ns + 500,
        "severity": 13,
        "severity_text": "WARN",
        "action": "account.updated",
        "outcome": "success",
        "actor_id": "u-17",
        "actor_name": "Änna",
        "actor_email": "anna@example.org",
        "actor_type": "user",
        "on_behalf_of": "u-1",
        "client_ip": ip_address("81.2.69.142"),
        "client_address": None,
        "country": "GB",
        "city": "London",
        "latitude": 51.5142,
        "longitude": -0.0931,
        "asn": None,
        "as_org": None,
        "target_type": "account",
        "target_id": "a-4711",
        "target_name": "Bob's account",
        "service": "shop",
        "environment": "production",
        "tenant": "acme",
        "session_id": "s-1",
        "trace_id": f"{TRACE_ID:032x}",
        "span_id": f"{SPAN_ID:016x}",
        "user_agent": AGENT,
        "message": f"changed over {protocol}",
        "changes": CHANGES,
        "attributes": {**LEFT_OVER, "raw": "AP8=", "trace_flags": 1},
        "retention_class": "default",
        "flags": [],
    }
    assert {name: found.source[name] for name in found.source if name not in {"source_id", "first_seen"}} == {
        "service": "shop",
        "environment": "production",
        "tenant": "acme",
        "resource": RESOURCE,
        "resource_schema_url": "",
        "scope": {"name": "shop.audit", "version": "1.2", "attributes": {"team": "billing"}},
        "scope_schema_url": "https://example.org/schema",
    }


def test_the_same_event_by_all_three_ways_is_one_row(receiving: CollectorProcess, shared_database: str) -> None:
    """J14."""
    at_ns = time.time_ns()
    for exporter in EXPORTERS.values():
        emit(exporter(receiving), {"what": ["three ways", 1, None]}, at_ns)
    [row] = fetch(shared_database, "SELECT message FROM audit.events WHERE occurred_ns = %s", at_ns)
    assert row["message"] == '{"what":["three ways",1,null]}'


EXAMPLES = ROOT.parent / "shared" / "data" / "otlp"
BY_ARRIVAL: dict[str, dict[str, Any]] = {
    "events.json": {
        "severity": 9,
        "severity_text": "test severity text",
        "action": "browser.page_view",
        "trace_id": None,
        "span_id": None,
        "message": '{"type":0,"url":"https://www.guidgenerator.com/online-guid-generator.aspx",'
        '"referrer":"https://wwww.google.com","title":"Free Online GUID Generator"}',
        "attributes": {"event.attribute": "some event attribute", "time_unix_nano": 1544712660300000000},
        "retention_class": "default",
    },
    "logs.json": {
        "severity": 10,
        "severity_text": "Information",
        "action": None,
        "trace_id": "5b8efff798038103d269b633813fc60c",
        "span_id": "eee19b7ec3c1b174",
        "message": "Example log record",
        "attributes": {
            "string.attribute": "some string",
            "boolean.attribute": True,
            "int.attribute": 10,
            "double.attribute": 637.704,
            "array.attribute": ["many", "values"],
            "map.attribute": {"some.map.key": "some value"},
            "time_unix_nano": 1544712660300000000,
        },
        "retention_class": "log",
    },
}


def examples() -> list[Path]:
    return sorted(EXAMPLES.glob("*.json"))


@pytest.mark.skipif(not examples(), reason=f"the protocol's example payloads are not beside the repository: {EXAMPLES}")
@pytest.mark.parametrize("path", examples(), ids=lambda path: path.name)
def test_the_protocols_own_examples_are_rows_with_every_column_as_it_was_sent(
    receiving: CollectorProcess, shared_database: str, path: Path
) -> None:
    """J13. They are of 2018, which is beyond what any class keeps: filed under their arrival, and flagged."""
    expected = BY_ARRIVAL[path.name]
    since = datetime.now(UTC)
    for _ in range(2):
        assert receiving.post(path.read_bytes(), "application/json")[0] == 200
    found = stored(shared_database, "message", expected["message"])
    found.assert_filed(since)
    occurred_ns, occurred_at = found.event["occurred_ns"], found.event["occurred_at"]
    assert occurred_at == found.event["received_at"]
    assert occurred_ns // 1000 == round(occurred_at.timestamp() * 1_000_000)
    absent = "actor_id actor_name actor_email actor_type on_behalf_of client_ip client_address country city latitude"
    absent += " longitude asn as_org target_type target_id target_name environment tenant session_id user_agent changes"
    assert found.given() == {
        **dict.fromkeys(absent.split()),
        "occurred_at": occurred_at,
        "occurred_ns": occurred_ns,
        "observed_ns": 1544712660300000000,
        "outcome": "unknown",
        "service": "my.service",
        "flags": ["bad_timestamp"],
        **expected,
    }
    assert {name: found.source[name] for name in found.source if name not in {"source_id", "first_seen"}} == {
        "service": "my.service",
        "environment": None,
        "tenant": None,
        "resource": {"service.name": "my.service"},
        "resource_schema_url": "",
        "scope": {
            "name": "my.library",
            "version": "1.0.0",
            "attributes": {"my.scope.attribute": "some scope attribute"},
        },
        "scope_schema_url": "",
    }
