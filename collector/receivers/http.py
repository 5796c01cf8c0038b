"""OTLP/HTTP: POST /v1/logs in protobuf or JSON, and the two addresses that orchestrators ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.rpc import code_pb2

from collector.receivers import Answered, Sink, uncounted
from collector.receivers.body import ENCODINGS, HungUpError, Receive, TooLargeError, inflate, read_body
from collector.receivers.cors import AllowedOrigins, Header
from collector.receivers.serving import HttpServer
from collector.receivers.status import (
    TOO_LARGE,
    UNSUPPORTED,
    Refusal,
    refusal,
    refusal_of,
    rejection_of,
    to_json,
    unavailable,
)
from exporter.errors import RequestTooLargeError
from exporter.otlp.json import to_protobuf

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = dict[str, str]

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

_PROBES = {"/healthz", "/readyz"}
_HUNG_UP = 499  # nobody is told; as other servers' logs have it

# Below these sizes the work takes less than a few milliseconds, and a thread would cost more than it saves.
_JSON_INLINE = 64 << 10
_INFLATE_INLINE = 4 << 10  # deflate shrinks a thousandfold at most


@dataclass(frozen=True, slots=True)
class _Answer:
    code: int
    body: bytes = b""
    content_type: str | None = None
    headers: tuple[Header, ...] = ()


class _RefusedError(Exception):
    """Carries what the sender is told, and the HTTP code, to where the answer is written."""

    def __init__(self, code: int, refused: Refusal, *headers: Header, rejected: str | None = None) -> None:
        super().__init__(refused.status.message)
        self.code = code
        self.refused = refused
        self.headers = headers
        self.rejected = rejected  # as rejection_of


class HttpReceiver:
    """The HTTP server. One per process and address.

    `listen` is host:port (port 0: any free one); a body over `max_request_bytes`, as sent or inflated, is
    refused. `ready` returns None, or what is missing. `cors_allowed_origins` may have `*` in them.
    A connection on which nothing comes for `idle_timeout` seconds is given up; the default is longer than
    the interval at which senders export. `answered` is told about every answer but those to probes and preflights.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        listen: str,
        max_request_bytes: int,
        ready: Callable[[], Awaitable[str | None]],
        cors_allowed_origins: Sequence[str] = (),
        idle_timeout: int = 75,
        answered: Answered = uncounted,
    ) -> None:
        self._sink = sink
        self._answered = answered
        self._max_request_bytes = max_request_bytes
        self._ready = ready
        self._origins = AllowedOrigins(cors_allowed_origins)
        self._idle_timeout = idle_timeout
        self._server = HttpServer(
            self._serve,
            listen=listen,
            idle_timeout=idle_timeout,
            setting="http.listen",
            variable="AUDITGRAF_HTTP_LISTEN",
        )
        # Parsed JSON takes many times its text: one large body at a time bounds that, and the interpreter
        # would not parse two at once anyway.
        self._json_turn = asyncio.Semaphore(1)

    async def start(self) -> int:
        """Serves from now on; returns the port. Raises ConfigError where the address can't be had."""
        return await self._server.start()

    async def stop(self, grace: float) -> None:
        """Takes no new requests; those under way have `grace` seconds, then they are told to retry."""
        await self._server.stop(grace)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        encoding = PROTOBUF if _media_type(headers) == PROTOBUF else JSON
        rejected = None
        try:
            answer = await self._route(scope, headers, receive)
        except HungUpError:
            self._count(scope, _HUNG_UP)
            return
        except _RefusedError as error:
            rejected = error.rejected
            answer = _refuse(error.code, error.refused, encoding, error.headers)
        except asyncio.CancelledError:
            # Not raised again: uvicorn would answer 500, and the sender would drop its records.
            answer = _refuse(503, unavailable("the collector is stopping; send the request again"), encoding)
        except RequestTooLargeError as error:
            rejected = rejection_of(error)
            answer = _refuse(413, refusal_of(error), encoding)
        except Exception as error:
            rejected = rejection_of(error)
            refused = refusal_of(error)
            answer = _refuse(400 if refused.retry is None else 503, refused, encoding)
        self._count(scope, answer.code, rejected)
        await _send(send, answer, self._cors_headers(scope, headers))

    def _count(self, scope: Scope, code: int, rejected: str | None = None) -> None:
        if scope["path"] not in _PROBES and scope["method"] != "OPTIONS":
            self._answered("http", str(code), rejected)

    async def _route(self, scope: Scope, headers: Headers, receive: Receive) -> _Answer:
        path, method = scope["path"], scope["method"]
        if path == "/v1/logs":
            if method == "POST":
                return await self._export(headers, receive)
            if method == "OPTIONS" and self._origins:
                return self._preflight(headers)
            raise _not_allowed(method, "POST, OPTIONS" if self._origins else "POST")
        if path in _PROBES:
            if method not in {"GET", "HEAD"}:
                raise _not_allowed(method, "GET, HEAD")
            if path == "/healthz":
                return _Answer(200, b"ok\n", "text/plain; charset=utf-8")
            missing = await self._ready()
            if missing is None:
                return _Answer(200, b'{"ready":true}', JSON)
            return _refuse(503, unavailable(missing), JSON)
        raise _RefusedError(404, refusal(code_pb2.NOT_FOUND, f"{path}: only logs are taken, at POST /v1/logs"))

    async def _export(self, headers: Headers, receive: Receive) -> _Answer:
        media_type = _media_type(headers)
        if media_type not in {PROTOBUF, JSON}:
            raise _unsupported("Content-Type", media_type, (PROTOBUF, JSON), b"accept-post")
        content_encoding = headers.get("content-encoding", "identity").strip().lower()
        if content_encoding not in {"identity", *ENCODINGS}:
            raise _unsupported("Content-Encoding", content_encoding, tuple(ENCODINGS), b"accept-encoding")
        try:
            payload = await self._payload(headers, receive, media_type, content_encoding)
        except TooLargeError:
            raise self._too_large() from None
        except TimeoutError:
            refused = unavailable(f"the rest of the body did not come within {self._idle_timeout} s")
            raise _RefusedError(503, refused, (b"connection", b"close")) from None
        if payload:
            await self._sink.submit(payload)
        return _Answer(200, b"{}" if media_type == JSON else b"", media_type)

    async def _payload(self, headers: Headers, receive: Receive, media_type: str, encoding: str) -> bytes:
        limit = self._max_request_bytes
        if int(headers.get("content-length", 0)) > limit:
            raise TooLargeError
        body = await read_body(receive, limit=limit, idle_timeout=self._idle_timeout)
        if encoding != "identity":
            if len(body) > _INFLATE_INLINE:
                body = await asyncio.to_thread(inflate, body, encoding, limit=limit)
            else:
                body = inflate(body, encoding, limit=limit)
        if media_type == PROTOBUF:
            return body
        if len(body) <= _JSON_INLINE:
            return to_protobuf(body)
        async with self._json_turn:
            return await asyncio.to_thread(to_protobuf, body)

    def _too_large(self) -> _RefusedError:
        message = (
            f"the body is larger than {self._max_request_bytes} bytes, as sent or inflated; send smaller"
            " batches or raise limits.max_request_bytes"
        )
        return _RefusedError(413, refusal(code_pb2.RESOURCE_EXHAUSTED, message), rejected=TOO_LARGE)

    def _preflight(self, headers: Headers) -> _Answer:
        origin = headers.get("origin", "")
        if not self._origins.allows(origin):
            message = f"origin {origin!r} may not send; http.cors_allowed_origins says which may"
            raise _RefusedError(403, refusal(code_pb2.PERMISSION_DENIED, message))
        requested = headers.get("access-control-request-headers", "")
        return _Answer(204, headers=self._origins.preflight_headers(requested))

    def _cors_headers(self, scope: Scope, headers: Headers) -> tuple[Header, ...]:
        return self._origins.headers(headers.get("origin")) if scope["path"] == "/v1/logs" else ()


def _headers(scope: Scope) -> Headers:
    """Names in lower case; a header that came several times as one list, as HTTP has it."""
    headers: Headers = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _not_allowed(method: str, allowed: str) -> _RefusedError:
    refused = refusal(code_pb2.UNIMPLEMENTED, f"{method} is not possible here; use {allowed}")
    return _RefusedError(405, refused, (b"allow", allowed.encode()))


def _unsupported(header: str, value: str, supported: Sequence[str], hint: bytes) -> _RefusedError:
    names = ", ".join(supported)
    refused = refusal(code_pb2.INVALID_ARGUMENT, f"{header}: {value!r} is not supported; use one of {names}")
    return _RefusedError(415, refused, (hint, names.encode()), rejected=UNSUPPORTED)


def _refuse(code: int, refused: Refusal, encoding: str, headers: tuple[Header, ...] = ()) -> _Answer:
    body = to_json(refused.status) if encoding == JSON else refused.status.SerializeToString()
    if refused.retry is not None:
        delay = refused.retry.retry_delay
        seconds = max(1, delay.seconds + (delay.nanos > 0))
        headers = (*headers, (b"retry-after", b"%d" % seconds))
    return _Answer(code, body, encoding, headers)


async def _send(send: Send, answer: _Answer, cors: tuple[Header, ...]) -> None:
    headers: list[Header] = [*answer.headers, *cors]
    if answer.content_type is not None:
        headers.append((b"content-type", answer.content_type.encode()))
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.code, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
