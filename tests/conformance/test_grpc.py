from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from collector.receivers.grpc import METHOD, GrpcReceiver
from exporter.errors import ConfigError, RejectedRequestError, StoreUnavailableError
from tests.conformance.samples import of_size, one_record
from tests.conformance.serve import serving_process
from tests.conformance.service import LIMIT, WAIT, Service, serving

COMPRESSIONS = [grpc.Compression.NoCompression, grpc.Compression.Gzip]


@pytest.fixture
def channel(service: Service) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as opened:
        yield opened


def raw_export(channel: grpc.Channel) -> grpc.UnaryUnaryMultiCallable[bytes, bytes]:
    """Export that sends and returns bytes as they are."""
    return channel.unary_unary(METHOD, request_serializer=None, response_deserializer=None)


@dataclass(frozen=True, slots=True)
class Failure:
    code: grpc.StatusCode
    message: str
    trailers: dict[str, bytes]

    @classmethod
    def of(cls, call: Any) -> Failure:
        """What a finished call, or the RpcError that it raised, says."""
        trailers = {key: value for key, value in call.trailing_metadata() or () if isinstance(value, bytes)}
        return cls(call.code(), call.details(), trailers)

    @property
    def status(self) -> Any:
        return Status.FromString(self.trailers["grpc-status-details-bin"])


def failure_of(channel: grpc.Channel, payload: bytes, **options: Any) -> Failure:
    with pytest.raises(grpc.RpcError) as caught:
        raw_export(channel)(payload, timeout=WAIT, **options)
    return Failure.of(caught.value)


def assert_asks_for_a_retry_after(failure: Failure, seconds: float) -> None:
    assert failure.code is grpc.StatusCode.UNAVAILABLE
    assert failure.status.code == grpc.StatusCode.UNAVAILABLE.value[0]
    in_details = RetryInfo()
    assert failure.status.details[0].Unpack(in_details)
    in_trailer = RetryInfo.FromString(failure.trailers["google.rpc.retryinfo-bin"])
    assert in_details == in_trailer
    assert in_trailer.retry_delay.ToNanoseconds() == round(seconds * 1e9)


def test_the_generated_stub_finds_the_service(service: Service, channel: grpc.Channel) -> None:
    """G1, G4."""
    stub: Any = LogsServiceStub(channel)  # type: ignore[no-untyped-call]
    response = stub.Export(one_record(), timeout=WAIT)
    assert isinstance(response, ExportLogsServiceResponse)
    assert not response.HasField("partial_success")
    assert service.sink.requests == [one_record()]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_the_bytes_arrive_as_they_were_sent(
    service: Service, channel: grpc.Channel, compression: grpc.Compression
) -> None:
    """G2."""
    payload = of_size(100_000)
    assert raw_export(channel)(payload, compression=compression, timeout=WAIT) == b""
    assert service.sink.payloads == [payload]


def test_unknown_fields_reach_the_sink(service: Service, channel: grpc.Channel) -> None:
    """G1: nothing is parsed, so nothing that a newer sender adds is lost."""
    payload = one_record().SerializeToString() + b"\xfa\x3e\x03new"
    raw_export(channel)(payload, timeout=WAIT)
    assert service.sink.payloads == [payload]


def test_an_empty_request_succeeds(channel: grpc.Channel) -> None:
    """G3."""
    assert raw_export(channel)(b"", timeout=WAIT) == b""


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("size", [5 << 20, LIMIT])
def test_requests_up_to_the_limit_are_taken(
    service: Service, channel: grpc.Channel, size: int, compression: grpc.Compression
) -> None:
    """G6: the library's own limit of 4 MiB doesn't apply, and the configured one is inclusive."""
    raw_export(channel)(of_size(size), compression=compression, timeout=WAIT)
    assert [len(payload) for payload in service.sink.payloads] == [size]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_request_over_the_limit_is_refused_for_good(compression: grpc.Compression) -> None:
    """G5."""
    with serving(limit=1 << 20) as small, grpc.insecure_channel(f"127.0.0.1:{small.grpc_port}") as channel:
        failure = failure_of(channel, of_size((1 << 20) + 1), compression=compression)
        assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "google.rpc.retryinfo-bin" not in failure.trailers
        assert "grpc-status-details-bin" not in failure.trailers
        assert small.sink.attempts == 0
        raw_export(channel)(of_size(1 << 20), compression=compression, timeout=WAIT)
        assert small.sink.attempts == 1


def test_a_gzip_bomb_takes_no_memory() -> None:
    """G5."""
    limit, inflated, allowed = 4 << 20, 256 << 20, 48 << 20
    with (
        serving_process(limit) as process,
        grpc.insecure_channel(f"127.0.0.1:{process.grpc_port}") as channel,
    ):
        raw_export(channel)(of_size(limit), compression=grpc.Compression.Gzip, timeout=WAIT)
        before = process.peak_bytes()
        failure = failure_of(channel, bytes(inflated), compression=grpc.Compression.Gzip)
        assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert process.peak_bytes() - before < allowed


@pytest.mark.parametrize("payload", [b"\xff" * 10, b"\n\x80", b'{"resourceLogs":[]}'])
def test_a_malformed_request_is_refused_for_good(channel: grpc.Channel, payload: bytes) -> None:
    """G7."""
    failure = failure_of(channel, payload)
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "google.rpc.retryinfo-bin" not in failure.trailers
    assert failure.status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert failure.status.message == failure.message
    detail = BadRequest()
    assert failure.status.details[0].Unpack(detail)
    assert "no ExportLogsServiceRequest" in detail.field_violations[0].description


def test_a_refused_request_says_which_field(service: Service, channel: grpc.Channel) -> None:
    """G7."""
    service.sink.failures.append(
        RejectedRequestError("resourceLogs[0].scopeLogs[2]: no rule matches; unmatched: reject")
    )
    failure = failure_of(channel, one_record().SerializeToString())
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    detail = BadRequest()
    assert failure.status.details[0].Unpack(detail)
    assert detail.field_violations[0].field == "resourceLogs[0].scopeLogs[2]"


@pytest.mark.parametrize("message", ["äöü 漢字 \x00 \n \r\n % €", "漢" * 100_000, "lone \ud800 surrogate"])
def test_no_message_of_the_sink_breaks_the_answer(service: Service, channel: grpc.Channel, message: str) -> None:
    """G7: clients refuse trailers over 8 KiB, and text that is no UTF-8."""
    service.sink.failures.append(RejectedRequestError(message))
    failure = failure_of(channel, one_record().SerializeToString())
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("seconds", [0.0, 0.3, 1.0, 90.25])
def test_an_unavailable_store_asks_for_a_retry_in_both_trailers(
    service: Service, channel: grpc.Channel, seconds: float
) -> None:
    """G8."""
    service.sink.failures.append(StoreUnavailableError("PostgreSQL is away", retry_after=seconds))
    failure = failure_of(channel, one_record().SerializeToString())
    assert_asks_for_a_retry_after(failure, seconds)


@pytest.mark.parametrize("fault", [RuntimeError("secret detail"), KeyError("x"), MemoryError(), TimeoutError()])
def test_an_unexpected_exception_is_logged_and_asks_for_a_retry(
    service: Service, channel: grpc.Channel, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    """G9: UNKNOWN or INTERNAL would make the sender drop its records."""
    service.sink.failures.append(fault)
    failure = failure_of(channel, one_record().SerializeToString())
    assert_asks_for_a_retry_after(failure, 1.0)
    assert "secret detail" not in failure.message
    [logged] = [entry for entry in caplog.records if entry.name == "collector.receivers.status"]
    assert logged.exc_info is not None
    assert logged.exc_info[1] is fault


def test_a_sink_that_gives_up_asks_for_a_retry(service: Service, channel: grpc.Channel) -> None:
    """G9: a sink cancelled at shutdown must not leave its sender without an answer."""
    service.sink.failures.append(asyncio.CancelledError())
    assert_asks_for_a_retry_after(failure_of(channel, one_record().SerializeToString()), 1.0)


def test_requests_are_taken_while_others_wait(service: Service, channel: grpc.Channel) -> None:
    """G11."""
    payloads = [one_record(f"number {number}").SerializeToString() for number in range(50)]
    with service.sink.holding():
        waiting = [raw_export(channel).future(payload, timeout=WAIT) for payload in payloads]
        service.sink.wait_for_attempts(len(payloads))
        assert not any(call.done() for call in waiting)
    assert [call.result() for call in waiting] == [b""] * len(payloads)
    assert sorted(service.sink.payloads) == sorted(payloads)


def test_senders_on_many_connections_are_served(service: Service) -> None:
    """G11."""

    def send(number: int) -> bytes:
        with grpc.insecure_channel(
            f"127.0.0.1:{service.grpc_port}", options=[("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            return raw_export(channel)(one_record(f"{number}").SerializeToString(), timeout=WAIT)

    with ThreadPoolExecutor(8) as senders:
        assert list(senders.map(send, range(40))) == [b""] * 40
    assert len(set(service.sink.payloads)) == 40


def test_a_sender_that_hangs_up_does_not_stop_its_commit(
    service: Service, channel: grpc.Channel, caplog: pytest.LogCaptureFixture
) -> None:
    """G12: what happens in PostgreSQL is tested with the pipeline."""
    payload = one_record().SerializeToString()
    with service.sink.holding(), caplog.at_level(logging.WARNING):
        call = raw_export(channel).future(payload, timeout=WAIT)
        service.sink.wait_for_attempts(1)
        call.cancel()
        assert call.code() is grpc.StatusCode.CANCELLED
    service.sink.wait_for_payloads(1)
    raw_export(channel)(payload, timeout=WAIT)
    assert service.sink.payloads == [payload, payload]
    assert not caplog.records


def test_a_deadline_in_the_middle_of_a_commit_leaves_the_server_well(service: Service, channel: grpc.Channel) -> None:
    """G12."""
    with service.sink.holding():
        with pytest.raises(grpc.RpcError) as caught:
            raw_export(channel)(one_record().SerializeToString(), timeout=0.2)
        assert Failure.of(caught.value).code is grpc.StatusCode.DEADLINE_EXCEEDED
    service.sink.wait_for_payloads(1)
    assert raw_export(channel)(one_record("again").SerializeToString(), timeout=WAIT) == b""


def test_a_graceful_stop_answers_what_is_under_way() -> None:
    """G13."""
    with serving() as service, grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        with service.sink.holding():
            call = raw_export(channel).future(one_record().SerializeToString(), timeout=WAIT)
            service.sink.wait_for_attempts(1)
            stopping = service.submit(service.grpc.stop(WAIT))
        assert call.result() == b""
        stopping.result(WAIT)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", service.grpc_port))


def test_what_outlasts_the_grace_gets_a_retryable_answer() -> None:
    """G13."""
    with serving() as service, grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        with service.sink.holding():
            call = raw_export(channel).future(one_record().SerializeToString(), timeout=WAIT)
            service.sink.wait_for_attempts(1)
            service.run(service.grpc.stop(0.1))
            assert call.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        service.sink.wait_for_payloads(1)


def test_other_services_are_unimplemented(service: Service, channel: grpc.Channel) -> None:
    """G14."""
    traces: Any = TraceServiceStub(channel)  # type: ignore[no-untyped-call]
    with pytest.raises(grpc.RpcError) as caught:
        traces.Export(ExportTraceServiceRequest(), timeout=WAIT)
    assert Failure.of(caught.value).code is grpc.StatusCode.UNIMPLEMENTED
    other: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD.replace("Export", "Import"))
    with pytest.raises(grpc.RpcError) as caught:
        other(b"", timeout=WAIT)
    assert Failure.of(caught.value).code is grpc.StatusCode.UNIMPLEMENTED
    assert service.sink.attempts == 0


def test_a_taken_port_is_named_with_the_remedy(service: Service) -> None:
    second = GrpcReceiver(service.sink, listen=f"127.0.0.1:{service.grpc_port}", max_request_bytes=LIMIT)
    with pytest.raises(ConfigError, match=rf"grpc\.listen: 127\.0\.0\.1:{service.grpc_port} .*AUDITGRAF_GRPC_LISTEN"):
        service.run(second.start())
