"""HTTP below the request: limits, connections that misbehave, start and stop."""

from __future__ import annotations

import gzip
import re
import socket
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from collector.receivers.http import HttpReceiver
from exporter.errors import ConfigError
from tests.conformance.client import JSON, PROTOBUF, Reply, call, connect, read_reply
from tests.conformance.samples import of_size, one_record
from tests.conformance.serve import serving_process
from tests.conformance.service import LIMIT, WAIT, Service, serving

RECORD = one_record().SerializeToString()
HEAD = b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
SMALL = 1 << 20


def bomb(size: int, encoding: str) -> bytes:
    """`size` zero bytes, deflated without ever being in memory at once."""
    packer = zlib.compressobj(1, wbits=31 if encoding == "gzip" else 15)
    pieces = [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join([*pieces, packer.flush()])


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}


def post(body: bytes) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate"])
def test_a_body_over_the_limit_is_413(encoding: str, content_type: str) -> None:
    """H10."""
    with serving(limit=SMALL) as service:
        body = COMPRESS[encoding](of_size(SMALL + 1))
        reply = call(service.http_port, body, content_type, headers={"Content-Encoding": encoding})
        assert reply.code == 413
        assert "max_request_bytes" in reply.status.message
        assert service.sink.attempts == 0
        body = COMPRESS[encoding](of_size(SMALL))
        assert call(service.http_port, body, PROTOBUF, headers={"Content-Encoding": encoding}).code == 200


def test_chunks_without_a_length_are_limited_too() -> None:
    """H10: the answer comes while the sender still sends."""
    chunk = b"%x\r\n%b\r\n" % (1 << 16, bytes(1 << 16))
    with serving(limit=SMALL) as service, connect(service.http_port) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range((SMALL >> 16) + 1):
            connection.sendall(chunk)
        assert read_reply(connection).code == 413


def test_chunks_within_the_limit_are_joined(service: Service) -> None:
    """H10."""
    payload = of_size(300_000)
    with connect(service.http_port) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(payload), 7001):
            piece = payload[start : start + 7001]
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
        assert read_reply(connection).code == 200
    assert service.sink.payloads == [payload]


@pytest.mark.parametrize(("encoding", "content_type"), [("gzip", PROTOBUF), ("deflate", JSON)])
def test_a_bomb_takes_no_memory(encoding: str, content_type: str) -> None:
    """H10."""
    limit, allowed = 4 << 20, 32 << 20
    body = bomb(256 << 20, encoding)
    assert len(body) < limit
    with serving_process(limit) as process:
        headers = {"Content-Encoding": encoding}
        assert call(process.http_port, gzip.compress(of_size(limit)), headers={"Content-Encoding": "gzip"}).code == 200
        before = process.peak_bytes()
        assert call(process.http_port, body, content_type, headers=headers).code == 413
        assert process.peak_bytes() - before < allowed


def test_many_tiny_gzip_members_take_no_time(service: Service) -> None:
    """H10: zlib copies the rest of its input for each member."""
    body = gzip.compress(RECORD) + gzip.compress(b"") * 9_000 + gzip.compress(bytes(LIMIT), 1)
    reply = call(service.http_port, body, headers={"Content-Encoding": "gzip"})
    assert reply.code == 413


def test_a_sender_that_asks_first_is_refused_before_it_sends() -> None:
    """H10: Expect: 100-continue."""
    with serving(limit=SMALL) as service, connect(service.http_port) as connection:
        connection.sendall(HEAD + b"Content-Length: 999999999\r\nExpect: 100-continue\r\n\r\n")
        assert read_reply(connection).code == 413


def test_a_sender_that_asks_first_is_told_to_go_on(service: Service) -> None:
    with connect(service.http_port) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(RECORD))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(RECORD)
        assert read_reply(connection).code == 200


def test_requests_sent_at_once_are_answered_in_turn(service: Service) -> None:
    """H18: pipelining."""
    with connect(service.http_port) as connection:
        connection.sendall(post(RECORD) + post(b"\xff") + post(RECORD))
        received = b""
        while received.count(b"HTTP/1.1 ") < 3:
            received += connection.recv(1 << 16)
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200", b"400", b"200"]


def test_a_body_before_a_head_does_not_count_as_head(service: Service) -> None:
    """H18."""
    large = of_size(200_000)
    with connect(service.http_port) as connection:
        connection.sendall(post(large) + HEAD[:20])
        service.sink.wait_for_payloads(1)
        connection.sendall(post(RECORD)[20:])
        service.sink.wait_for_payloads(2)
    assert service.sink.payloads == [large, RECORD]


OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: %d\r\n\r\n" % len(RECORD) + RECORD,
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(RECORD), RECORD),
    ],
)
@pytest.mark.parametrize("cut", [1, len(HEAD), len(HEAD + OFFER) + 30, len(HEAD + OFFER) + 60])
def test_an_offer_to_upgrade_to_http_2_is_ignored(service: Service, rest: bytes, cut: int) -> None:
    """H18: Java's HTTP client makes this offer with its first request; nothing of it may be lost."""
    request = HEAD + OFFER + rest
    with connect(service.http_port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(request[:cut])
        connection.sendall(request[cut:])
        assert read_reply(connection).code == 200
        connection.sendall(post(RECORD))
        assert read_reply(connection).code == 200
    assert service.sink.payloads == [RECORD, RECORD]


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"hello\r\n\r\n"]
)
def test_what_is_no_http_1_is_answered_with_a_status(service: Service, sent: bytes) -> None:
    """H11: TLS and gRPC clients end up here when a port is mistaken."""
    with connect(service.http_port) as connection:
        connection.sendall(sent)
        reply = read_reply(connection)
    assert (reply.code, reply.headers["connection"]) == (400, "close")
    assert "no HTTP/1.1" in reply.status.message


def test_chunks_that_are_none_are_400(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """H11, H12."""
    with connect(service.http_port) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nno length\r\n")
        reply = read_reply(connection)
    assert (reply.code, reply.headers["connection"]) == (400, "close")
    assert reply.status.message
    assert service.sink.attempts == 0
    assert not caplog.records


def test_rubbish_after_a_request_is_not_taken_for_its_answer(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """G12, H18: a sender must not take a 400 for the answer to what is being committed."""
    with service.sink.holding(), connect(service.http_port) as connection:
        connection.sendall(post(RECORD))
        service.sink.wait_for_attempts(1)
        connection.sendall(b"rubbish\r\n\r\n")
        assert connection.recv(100) == b""
    service.sink.wait_for_payloads(1)
    assert call(service.http_port, RECORD).code == 200
    assert not caplog.records


@pytest.mark.parametrize("line", [b"X-Long: " + b"a" * 400_000, b"X-Many: a\r\n" * 40_000])
def test_a_head_without_end_is_refused(service: Service, line: bytes) -> None:
    """H11: the head is not within max_request_bytes."""
    with connect(service.http_port) as connection:
        connection.sendall(HEAD + line)
        reply = read_reply(connection)
    assert reply.code == 431
    assert "head" in reply.status.message


def test_a_sender_that_hangs_up_within_its_body_harms_nobody(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """H18."""
    with connect(service.http_port) as connection:
        connection.sendall(post(of_size(200_000))[:100_000])
    assert call(service.http_port, RECORD).code == 200
    assert service.sink.payloads == [RECORD]
    assert not caplog.records


def test_a_sender_that_hangs_up_does_not_stop_its_commit(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """G12 over HTTP."""
    with service.sink.holding(), connect(service.http_port) as connection:
        connection.sendall(post(RECORD))
        service.sink.wait_for_attempts(1)
        connection.close()
    service.sink.wait_for_payloads(1)
    assert call(service.http_port, RECORD).code == 200
    assert service.sink.payloads == [RECORD, RECORD]
    assert not caplog.records


def test_a_body_that_stops_arriving_is_given_up_but_may_come_again() -> None:
    with serving(idle_timeout=1) as service, connect(service.http_port) as connection:
        connection.sendall(post(RECORD)[:-1])
        reply = read_reply(connection)
        assert (reply.code, reply.headers["retry-after"], reply.headers["connection"]) == (503, "1", "close")
        assert service.sink.attempts == 0


def test_requests_are_taken_while_others_wait(service: Service) -> None:
    """G11 over HTTP; large JSON, which is parsed in turn, does not hold up protobuf."""
    large = b'{"resourceLogs":[%b{}]}' % (b"{}," * 50_000)

    def send(number: int) -> Reply:
        return call(service.http_port, large, JSON) if number % 3 else call(service.http_port, RECORD)

    with ThreadPoolExecutor(12) as senders:
        with service.sink.holding():
            replies = [senders.submit(send, number) for number in range(12)]
            service.sink.wait_for_attempts(12)
            assert not any(reply.done() for reply in replies)
        assert [reply.result(WAIT).code for reply in replies] == [200] * 12


def test_a_graceful_stop_answers_what_is_under_way() -> None:
    """G13 over HTTP."""
    with serving() as service, connect(service.http_port) as idle, connect(service.http_port) as connection:
        with service.sink.holding():
            connection.sendall(post(RECORD))
            service.sink.wait_for_attempts(1)
            stopping = service.submit(service.http.stop(WAIT))
            assert idle.recv(1) == b""
            with pytest.raises(ConnectionRefusedError):
                connect(service.http_port)
        assert read_reply(connection).code == 200
        stopping.result(WAIT)


def test_what_outlasts_the_grace_is_told_to_retry() -> None:
    """G13 over HTTP."""
    with serving() as service, connect(service.http_port) as connection:
        with service.sink.holding():
            connection.sendall(post(RECORD))
            service.sink.wait_for_attempts(1)
            service.run(service.http.stop(0.1))
            reply = read_reply(connection)
            assert (reply.code, reply.headers["retry-after"]) == (503, "1")
        service.sink.wait_for_payloads(1)


@pytest.mark.parametrize("listen", ["[::1]:0", "[::]:0", "localhost:0", "0.0.0.0:0"])
def test_listens_on_names_and_ipv6(listen: str) -> None:
    with serving(listen=listen) as service:
        assert service.http_port > 0
        assert service.grpc_port > 0


@pytest.mark.parametrize("listen", ["127.0.0.1:{port}", "203.0.113.7:4318", "no-such-host.invalid:4318"])
def test_an_address_that_cannot_be_had_is_named_with_the_remedy(service: Service, listen: str) -> None:
    async def ready() -> None:
        return None

    address = listen.format(port=service.http_port)
    second = HttpReceiver(service.sink, listen=address, max_request_bytes=LIMIT, ready=ready)
    with pytest.raises(ConfigError) as caught:
        service.run(second.start())
    assert f"http.listen: {address} can't be had" in str(caught.value)
    assert "AUDITGRAF_HTTP_LISTEN" in str(caught.value)
