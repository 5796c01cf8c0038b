from __future__ import annotations

import gzip
import json
import zlib
from contextlib import closing
from http.client import HTTPConnection

import pytest

from exporter.errors import RejectedRequestError, StoreUnavailableError
from tests.conformance.client import JSON, PROTOBUF, Reply, call
from tests.conformance.samples import of_size, one_record
from tests.conformance.service import LIMIT, WAIT, Service

RECORD = one_record().SerializeToString()
RECORD_JSON = json.dumps(
    {
        "resourceLogs": [
            {
                "scopeLogs": [
                    {"logRecords": [{"timeUnixNano": "1700000000000000001", "body": {"stringValue": "signed in"}}]}
                ]
            }
        ]
    }
).encode()
BODIES = [(PROTOBUF, RECORD), (JSON, RECORD_JSON)]
SUCCESS = {PROTOBUF: b"", JSON: b"{}"}


@pytest.mark.parametrize(("content_type", "body"), BODIES)
def test_a_request_is_answered_in_its_own_encoding(service: Service, content_type: str, body: bytes) -> None:
    """H1, H2; partial_success stays unset."""
    reply = call(service.http_port, body, content_type)
    assert (reply.code, reply.headers["content-type"]) == (200, content_type)
    assert reply.body == SUCCESS[content_type]
    assert service.sink.payloads == [RECORD]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("APPLICATION/JSON", RECORD_JSON),
        ("application/json; charset=utf-8", RECORD_JSON),
        ("Application/Json;charset=UTF-8", RECORD_JSON),
        ("application/X-Protobuf", RECORD),
        ("application/x-protobuf;proto=x", RECORD),
    ],
)
def test_content_types_have_parameters_and_any_case(service: Service, content_type: str, body: bytes) -> None:
    """H3."""
    assert call(service.http_port, body, content_type).code == 200
    assert service.sink.payloads == [RECORD]


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "json"])
def test_other_content_types_are_415(service: Service, content_type: str | None) -> None:
    """H4."""
    reply = call(service.http_port, RECORD_JSON, content_type)
    assert reply.code == 415
    assert reply.headers["accept-post"] == "application/x-protobuf, application/json"
    assert "Content-Type" in reply.status.message
    assert service.sink.attempts == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_405(service: Service, method: str) -> None:
    """H5."""
    reply = call(service.http_port, method=method)
    assert (reply.code, reply.headers["allow"]) == (405, "POST")
    assert method in reply.status.message


@pytest.mark.parametrize("path", ["/", "/v1/traces", "/v1/metrics", "/v1/logs/", "/v1/log%73/x", "//v1/logs"])
def test_other_paths_are_404(service: Service, path: str) -> None:
    """H6."""
    reply = call(service.http_port, RECORD, path=path)
    assert reply.code == 404
    assert "/v1/logs" in reply.status.message
    assert service.sink.attempts == 0


@pytest.mark.parametrize(("content_type", "body"), BODIES)
@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("identity", bytes),
    ],
)
def test_bodies_are_inflated(
    service: Service, content_type: str, body: bytes, encoding: str, compress: type[bytes]
) -> None:
    """H7."""
    reply = call(service.http_port, compress(body), content_type, headers={"Content-Encoding": encoding})
    assert reply.code == 200
    assert service.sink.payloads == [RECORD]


def test_gzip_members_are_joined(service: Service) -> None:
    """H7: shippers that append to a compressed file send several members."""
    body = gzip.compress(RECORD[:7]) + gzip.compress(b"") + gzip.compress(RECORD[7:])
    assert call(service.http_port, body, headers={"Content-Encoding": "gzip"}).code == 200
    assert service.sink.payloads == [RECORD]


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        # Without mtime=0 the time of day is in the names of these tests, and processes side by side disagree.
        ("gzip", RECORD),
        ("gzip", b""),
        ("gzip", gzip.compress(RECORD, mtime=0)[:-5]),
        ("gzip", gzip.compress(of_size(200_000), mtime=0)[:-9]),
        ("gzip", gzip.compress(RECORD, mtime=0) + b"rubbish"),
        ("gzip", gzip.compress(RECORD, mtime=0)[:-8] + bytes(8)),
        ("deflate", gzip.compress(RECORD, mtime=0)),
        ("gzip", gzip.compress(b"", mtime=0) * 10_001),
    ],
)
def test_a_body_that_is_not_what_its_encoding_says_is_400(service: Service, encoding: str, body: bytes) -> None:
    """H8."""
    reply = call(service.http_port, body, headers={"Content-Encoding": encoding})
    assert reply.code == 400
    assert encoding in reply.bad_request().field_violations[0].description
    assert service.sink.attempts == 0


@pytest.mark.parametrize("encoding", ["zstd", "br", "gzip, gzip", "nonsense"])
def test_an_unknown_content_encoding_is_415(service: Service, encoding: str) -> None:
    """H9."""
    reply = call(service.http_port, RECORD, headers={"Content-Encoding": encoding})
    assert reply.code == 415
    assert "gzip" in reply.headers["accept-encoding"]
    assert encoding in reply.status.message


@pytest.mark.parametrize("size", [5 << 20, LIMIT])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_bodies_up_to_the_limit_are_taken(service: Service, size: int, encoding: str) -> None:
    """H10: the limit is inclusive."""
    body = of_size(size)
    sent = gzip.compress(body, 1) if encoding == "gzip" else body
    assert call(service.http_port, sent, headers={"Content-Encoding": encoding}).code == 200
    assert service.sink.payloads == [body]


def refusals(service: Service, encoding: str) -> list[Reply]:
    """One answer of every code between 400 and 599 that a sender can get."""
    port, sink = service.http_port, service.sink
    body = RECORD if encoding == PROTOBUF else RECORD_JSON
    sink.failures.extend([RejectedRequestError("no"), StoreUnavailableError("away"), RuntimeError("oh")])
    return [
        *(call(port, body, encoding) for _ in range(3)),
        call(port, b"[", encoding),
        call(port, body, encoding, path="/v1/traces"),
        call(port, body, encoding, method="PUT"),
        call(port, body, encoding, headers={"Content-Encoding": "gzip"}),
        call(port, body, encoding, headers={"Content-Encoding": "br"}),
        call(port, bytes(LIMIT + 1), encoding),
    ]


@pytest.mark.parametrize("encoding", [PROTOBUF, JSON])
def test_every_refusal_is_a_status_in_the_encoding_of_its_request(service: Service, encoding: str) -> None:
    """H11."""
    replies = refusals(service, encoding)
    assert [reply.code for reply in replies] == [400, 503, 503, 400, 404, 405, 400, 415, 413]
    for reply in replies:
        assert reply.headers["content-type"] == encoding
        assert reply.status.code != 0
        assert reply.status.message


@pytest.mark.parametrize("body", [b"\xff" * 10, b"\n\x80", RECORD_JSON])
def test_malformed_protobuf_is_400_with_bad_request(service: Service, body: bytes) -> None:
    """H12."""
    reply = call(service.http_port, body, PROTOBUF)
    assert reply.code == 400
    assert "no ExportLogsServiceRequest" in reply.bad_request().field_violations[0].description


def test_malformed_json_is_400_naming_the_field(service: Service) -> None:
    """H12."""
    body = RECORD_JSON.replace(b'"1700000000000000001"', b'"yesterday"')
    reply = call(service.http_port, body, JSON)
    assert reply.code == 400
    [violation] = reply.bad_request().field_violations
    assert violation.field == "resourceLogs[0].scopeLogs[0].logRecords[0].timeUnixNano"
    assert "a text of 9 characters is no 64-bit unsigned integer" in violation.description


def test_a_status_in_json_has_the_types_of_its_details(service: Service) -> None:
    """H11: as protobuf's JSON mapping writes google.protobuf.Any."""
    [detail] = json.loads(call(service.http_port, b"[", JSON).body)["details"]
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert detail["fieldViolations"][0]["description"].startswith("the body is no JSON")


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (0.3, "1"), (1.0, "1"), (1.2, "2"), (90.0, "90")])
@pytest.mark.parametrize(("content_type", "body"), BODIES)
def test_an_unavailable_store_is_503_with_retry_after(
    service: Service, content_type: str, body: bytes, seconds: float, header: str
) -> None:
    """H13: whole seconds in the header, all of it in RetryInfo."""
    service.sink.failures.append(StoreUnavailableError("PostgreSQL is away", retry_after=seconds))
    reply = call(service.http_port, body, content_type)
    assert (reply.code, reply.headers["retry-after"]) == (503, header)
    assert reply.retry_info().retry_delay.ToNanoseconds() == round(seconds * 1e9)


@pytest.mark.parametrize("fault", [RuntimeError("secret detail"), KeyError("x"), MemoryError(), TimeoutError()])
def test_an_unexpected_exception_is_logged_and_503(
    service: Service, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    """H14: a sender drops what is answered with 500."""
    service.sink.failures.append(fault)
    reply = call(service.http_port, RECORD)
    assert (reply.code, reply.headers["retry-after"]) == (503, "1")
    assert "secret detail" not in reply.status.message
    [logged] = [entry for entry in caplog.records if entry.name == "collector.receivers.status"]
    assert logged.exc_info is not None
    assert logged.exc_info[1] is fault


@pytest.mark.parametrize(("content_type", "body"), [(PROTOBUF, b""), (JSON, b"{}"), (JSON, b" {} \n")])
def test_an_empty_request_succeeds(service: Service, content_type: str, body: bytes) -> None:
    """H15."""
    reply = call(service.http_port, body, content_type)
    assert (reply.code, reply.body) == (200, SUCCESS[content_type])


def test_a_connection_serves_many_requests(service: Service) -> None:
    """H18: also after refusals whose bodies were not read."""
    with closing(HTTPConnection("127.0.0.1", service.http_port, timeout=WAIT)) as connection:
        connection.connect()
        socket_used = connection.sock
        for code, path, body in [(200, "/v1/logs", RECORD), (404, "/x", bytes(1 << 20)), (200, "/v1/logs", RECORD)]:
            connection.request("POST", path, body, {"Content-Type": PROTOBUF})
            response = connection.getresponse()
            assert (response.version, response.status) == (11, code)
            response.read()
            assert connection.sock is socket_used


def test_answers_do_not_name_the_software(service: Service) -> None:
    headers = call(service.http_port, RECORD).headers
    assert "server" not in headers
    assert "date" in headers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_healthz_is_200_while_the_process_lives(service: Service, method: str) -> None:
    service.missing = "PostgreSQL is away"
    reply = call(service.http_port, method=method, path="/healthz", content_type=None)
    assert (reply.code, reply.body) == (200, b"ok\n" if method == "GET" else b"")


def test_readyz_says_what_is_missing(service: Service) -> None:
    ready = call(service.http_port, method="GET", path="/readyz", content_type=None)
    assert (ready.code, json.loads(ready.body)) == (200, {"ready": True})
    service.missing = "migration 0002 is not in"
    reply = call(service.http_port, method="GET", path="/readyz", content_type=None)
    assert (reply.code, reply.status.message) == (503, "migration 0002 is not in")
    service.missing = RuntimeError("unforeseen")
    assert call(service.http_port, method="GET", path="/readyz", content_type=None).code == 503


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_can_only_be_read(service: Service, path: str) -> None:
    reply = call(service.http_port, path=path)
    assert (reply.code, reply.headers["allow"]) == (405, "GET, HEAD")
