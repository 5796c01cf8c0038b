"""The exporters of the OpenTelemetry Python SDK, as applications use them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.common.http import Compression
from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter as JsonExporter
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter
from opentelemetry.sdk._logs.export import LogRecordExportResult

from exporter.errors import RejectedRequestError, StoreUnavailableError
from tests.conformance.samples import assert_is_what_the_sdk_sent, sdk_records
from tests.conformance.service import WAIT, Service

GRPC_COMPRESSION = {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}
HTTP_COMPRESSION = {"none": None, "gzip": Compression("gzip"), "deflate": Compression("deflate")}


def exporter_of(kind: str, service: Service, compression: str) -> Any:
    """Retries for as long as a test may take."""
    if kind == "grpc":
        return GrpcExporter(
            endpoint=f"http://127.0.0.1:{service.grpc_port}",
            insecure=True,
            timeout=WAIT,
            compression=GRPC_COMPRESSION[compression],
        )
    endpoint = f"http://127.0.0.1:{service.http_port}/v1/logs"
    if kind == "http":
        return HttpExporter(endpoint=endpoint, timeout=WAIT, compression=HTTP_COMPRESSION[compression])
    return JsonExporter(endpoint=endpoint, timeout=WAIT, compression=HTTP_COMPRESSION[compression])


@pytest.fixture(params=["grpc", "http", "json"])
def sdk_exporter(request: pytest.FixtureRequest, service: Service) -> Iterator[Any]:
    exporter = exporter_of(request.param, service, "none")
    yield exporter
    exporter.shutdown()


@pytest.mark.parametrize(
    ("kind", "compression"),
    [("grpc", "none"), ("grpc", "gzip")]
    + [(kind, compression) for kind in ("http", "json") for compression in HTTP_COMPRESSION],
)
def test_what_the_sdk_exports_arrives(service: Service, kind: str, compression: str) -> None:
    """G1, G2, H1, H7."""
    exporter = exporter_of(kind, service, compression)
    assert exporter.export(sdk_records(20)) is LogRecordExportResult.SUCCESS
    exporter.shutdown()
    [request] = service.sink.requests
    assert_is_what_the_sdk_sent(request, 20)


def test_json_and_protobuf_exporters_send_the_same_bytes(service: Service) -> None:
    """J14 with the real exporters: a record has one identity, whichever way it comes."""
    for kind in ("grpc", "http", "json"):
        exporter = exporter_of(kind, service, "none")
        exporter.export(sdk_records(3))
        exporter.shutdown()
    over_grpc, over_http, as_json = service.sink.payloads
    assert over_grpc == over_http == as_json


def test_the_sdk_retries_until_the_store_is_back(service: Service, sdk_exporter: Any) -> None:
    """G8, H13."""
    service.sink.failures.extend(StoreUnavailableError("away", retry_after=0.05) for _ in range(2))
    assert sdk_exporter.export(sdk_records(1)) is LogRecordExportResult.SUCCESS
    assert service.sink.attempts == 3
    assert len(service.sink.payloads) == 1


def test_the_sdk_retries_after_an_unexpected_exception(service: Service, sdk_exporter: Any) -> None:
    """G9, H14."""
    service.sink.failures.append(RuntimeError("a fault that passes"))
    assert sdk_exporter.export(sdk_records(1)) is LogRecordExportResult.SUCCESS
    assert service.sink.attempts == 2


def test_the_sdk_does_not_repeat_a_refused_request(service: Service, sdk_exporter: Any) -> None:
    """G7, H12."""
    service.sink.failures.append(RejectedRequestError("no rule matches"))
    assert sdk_exporter.export(sdk_records(1)) is LogRecordExportResult.FAILURE
    assert service.sink.attempts == 1
