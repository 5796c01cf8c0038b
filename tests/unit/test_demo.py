"""The demonstration: what its stream consists of, and that every event of it arrives."""

from __future__ import annotations

import gzip
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import Any, Literal

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import (
    LogsServiceServicer,
    add_LogsServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.demo import DemoOptions, run
from collector.demo.events import history, stream
from collector.demo.people import people
from exporter.enrich.geoip import GeoIp
from exporter.errors import AuditgrafError

NAMES = {
    "api_token.created",
    "config.changed",
    "document.exported",
    "document.shared",
    "impersonation.ended",
    "impersonation.started",
    "invoice.paid",
    "model.created",
    "model.deleted",
    "model.updated",
    "order.created",
    "order.refunded",
    "policy.denied",
    "role.granted",
    "role.revoked",
    "secret.viewed",
    "user.login",
    "user.login_failed",
    "user.logout",
    "user.mfa_added",
    "user.password_changed",
    None,
}


def plain(value: AnyValue) -> Any:
    """An OTLP value as Python data."""
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    return None if kind is None else getattr(value, kind)


@dataclass
class Sink:
    """A receiver of its own: what arrived, and whether it takes it."""

    endpoint: str = ""
    requests: list[ExportLogsServiceRequest] = field(default_factory=list)
    failing_from: int | None = None

    def take(self, body: bytes) -> bool:
        if self.failing_from is not None and len(self.requests) >= self.failing_from:
            return False
        self.requests.append(ExportLogsServiceRequest.FromString(body))
        return True

    def records(self) -> list[tuple[str, LogRecord]]:
        """Service name and record, in the order of arrival."""
        found = []
        for request in self.requests:
            for resource in request.resource_logs:
                names = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
                found += [(names["service.name"], r) for scope in resource.scope_logs for r in scope.log_records]
        return found


@contextmanager
def http_sink(failing_from: int | None = None) -> Iterator[Sink]:
    sink = Sink(failing_from=failing_from)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            taken = self.path == "/v1/logs" and sink.take(body)
            self.send_response(200 if taken else 400)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sink.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def grpc_sink() -> Iterator[Sink]:
    sink = Sink()

    class Service(LogsServiceServicer):
        def Export(self, request: ExportLogsServiceRequest, context: Any) -> ExportLogsServiceResponse:
            sink.take(request.SerializeToString())
            return ExportLogsServiceResponse()

    server = grpc.server(ThreadPoolExecutor(4))
    add_LogsServiceServicer_to_server(Service(), server)  # type: ignore[no-untyped-call]
    sink.endpoint = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield sink
    finally:
        server.stop(None).wait()


def send(sink: Sink, **more: Any) -> int:
    protocol: Literal["grpc", "http"] = "http" if sink.endpoint.startswith("http") else "grpc"
    options = DemoOptions(sink.endpoint, protocol, **({"rate": 100_000.0, "seed": 5, "timeout": 5.0} | more))
    return run(options, stop=threading.Event())


@pytest.mark.parametrize("open_sink", [http_sink, grpc_sink])
def test_every_event_arrives_by_either_protocol(open_sink: Callable[[], Any]) -> None:
    with open_sink() as sink:
        assert send(sink, count=700, backfill=timedelta(hours=24), backfill_count=2500) == 3200
    arrived = sink.records()
    assert len(arrived) == 3200
    assert {service for service, _ in arrived} == {"identity", "shop", "billing", "platform-console", "documents"}
    assert {record.event_name or None for _, record in arrived} == NAMES


def test_an_arrived_record_is_the_generated_event_in_every_part() -> None:
    with http_sink() as sink:
        send(sink, count=300)
    sent = {event.span_id: event for event in islice(stream(5), 300)}
    arrived = sink.records()
    assert len(sent) == len(arrived) == 300
    for service, record in arrived:
        event = sent[int.from_bytes(record.span_id)]
        assert (service, record.event_name or None, record.body.string_value) == (event.service, event.name, event.body)
        assert {pair.key: plain(pair.value) for pair in record.attributes} == event.attributes
        assert record.severity_text == (event.severity or "")
        assert bool(record.severity_number) is (event.severity is not None)
        assert int.from_bytes(record.trace_id) == event.trace_id


def test_changes_arrive_as_a_map_of_before_and_after() -> None:
    with http_sink() as sink:
        send(sink, count=1000)
    changes = [
        plain(pair.value)
        for _, record in sink.records()
        for pair in record.attributes
        if pair.key == "audit.changes" and record.event_name == "model.updated"
    ]
    prices = [change["price"] for change in changes if "price" in change]
    assert prices
    assert all(set(price) == {"before", "after"} and price["before"] != price["after"] for price in prices)


def test_the_past_is_told_before_the_present_and_lies_within_the_span() -> None:
    begun = datetime.now(UTC)
    with http_sink() as sink:
        send(sink, count=50, backfill=timedelta(hours=6), backfill_count=400)
    ended = datetime.now(UTC)
    times = sorted(datetime.fromtimestamp(record.time_unix_nano / 1e9, UTC) for _, record in sink.records())
    slack = timedelta(milliseconds=1)
    assert begun - timedelta(hours=6) - slack <= times[0]
    assert times[0] < begun - timedelta(hours=4)
    assert times[-1] <= ended + slack
    assert sum(moment >= begun - slack for moment in times) >= 50
    assert all(record.time_unix_nano == record.observed_time_unix_nano for _, record in sink.records())


def test_the_same_seed_gives_the_same_events_and_another_one_others() -> None:
    assert list(islice(stream(11), 500)) == list(islice(stream(11), 500))
    assert list(islice(stream(11), 500)) != list(islice(stream(12), 500))
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    day = timedelta(days=1)
    assert history(11, 500, noon, day) == history(11, 500, noon, day)
    later = history(11, 500, noon + timedelta(hours=7), day)
    assert Counter(e.span_id for _, e in history(11, 500, noon, day)) == Counter(e.span_id for _, e in later)


def test_people_work_by_day_and_the_batch_by_night() -> None:
    end = datetime(2026, 5, 4, 12, tzinfo=UTC)
    events = history(3, 6000, end, timedelta(days=2))
    berlin = next(person for person in people() if person.home.city == "Berlin")
    logins = [m.hour for m, e in events if e.name == "user.login" and e.attributes["user.id"] == berlin.id]
    assert logins
    assert all(7 <= hour <= 20 for hour in logins)
    batch = [m.hour for m, e in events if e.attributes.get("enduser.id") == "svc-billing-batch"]
    assert batch
    assert all(1 <= hour < 12 for hour in batch)
    assert sum(hour <= 5 for hour in batch) > len(batch) * 0.7


def test_the_parts_of_a_story_happen_in_their_order() -> None:
    events = history(3, 3000, datetime(2026, 5, 4, 12, tzinfo=UTC), timedelta(days=1))
    ended: set[object] = set()
    for _, event in events:
        session = event.attributes.get("session.id")
        assert session is None or session not in ended
        if event.name == "user.logout":
            ended.add(session)
    assert ended


def test_impersonation_names_the_user_acted_for_in_every_service() -> None:
    customers = {person.name for person in people() if person.role == "customer"}
    acts = [e for e in islice(stream(2), 4000) if e.name and e.name.startswith(("impersonation.", "order.refunded"))]
    assert {event.service for event in acts} == {"platform-console", "shop"}
    assert all(event.attributes["audit.on_behalf_of"] in customers for event in acts)


def test_the_platform_speaks_the_audit_draft_and_names_its_actions_by_the_event_name() -> None:
    spoken = [event for event in islice(stream(2), 4000) if event.service == "platform-console"]
    demanded = {"audit.record.id", "audit.actor.id", "audit.actor.type", "audit.outcome"}
    assert all(demanded <= event.attributes.keys() for event in spoken)
    assert len({event.attributes["audit.record.id"] for event in spoken}) == len(spoken) > 100
    assert {event.attributes["audit.outcome"] for event in spoken} == {"success", "failure"}


def test_an_attack_is_many_failures_from_one_far_address() -> None:
    failures = Counter(
        event.attributes["client.address"] for event in islice(stream(1), 6000) if event.name == "user.login_failed"
    )
    address, count = failures.most_common(1)[0]
    assert count >= 12
    assert address not in {person.address for person in people()}


def test_people_are_forty_from_all_over_the_world_with_reserved_mail_domains() -> None:
    everyone = people()
    assert len({person.id for person in everyone}) == len({person.name for person in everyone}) == 40
    assert {person.email.rpartition("@")[2] for person in everyone} <= {"example.com", "example.org", "example.net"}
    assert all(person.email.isascii() for person in everyone)
    places = GeoIp("bundled", "bundled").lookup([person.address for person in everyone])
    assert [place and place.city for place in places] == [person.home.city for person in everyone]
    assert len({person.home.country for person in everyone}) >= 25


def test_progress_counts_up_to_what_is_returned() -> None:
    told: list[int] = []
    with http_sink() as sink:
        options = DemoOptions(sink.endpoint, "http", 100_000.0, 20, 1, timedelta(hours=1), 30)
        assert run(options, stop=threading.Event(), progress=told.append) == 50
    assert told == sorted(told)
    assert told[-1] == 50


def test_a_stop_ends_an_endless_stream_with_everything_delivered() -> None:
    stop = threading.Event()
    with http_sink() as sink:
        options = DemoOptions(sink.endpoint, "http", 100_000.0)
        emitted = run(options, stop=stop, progress=lambda count: stop.set() if count >= 40 else None)
    assert emitted == len(sink.records()) == 40


@pytest.mark.parametrize(("protocol", "named"), [("grpc", "gRPC"), ("http", "HTTP")])
def test_nobody_listening_is_an_error_that_says_what_to_do(protocol: Any, named: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        options = DemoOptions(f"http://127.0.0.1:{unused.getsockname()[1]}", protocol, count=5, timeout=0.5)
        with pytest.raises(AuditgrafError, match=rf"\({named}\).*could not be delivered.*auditgraf up"):
            run(options, stop=threading.Event())


def test_a_request_refused_on_the_way_is_an_error_too() -> None:
    with http_sink(failing_from=2) as sink, pytest.raises(AuditgrafError, match="could not be delivered"):
        send(sink, count=5000)
    assert 0 < len(sink.records()) < 5000


def test_a_disabled_sdk_is_an_error_and_no_silent_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with http_sink() as sink, pytest.raises(AuditgrafError, match="OTEL_SDK_DISABLED"):
        send(sink, count=3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate": 0.0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"count": -1}, "count"),
        ({"backfill_count": 5}, "backfill"),
        ({"backfill": timedelta(hours=-1)}, "backfill"),
        ({"endpoint": "ftp://collector"}, "endpoint"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"endpoint": "127.0.0.1:1", "protocol": "grpc"} | wrong
    with pytest.raises(AuditgrafError, match=f"^{message}: "):
        run(DemoOptions(**given), stop=threading.Event())
