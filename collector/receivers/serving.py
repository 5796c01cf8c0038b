"""uvicorn in a loop that is not its own: no signal handlers, no log lines, bounded request heads."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import httptools
import uvicorn
from google.rpc import code_pb2
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from collector.receivers.status import refusal, to_json
from exporter.errors import ConfigError

Application = Callable[[Any, Any, Any], Awaitable[None]]

# httptools has no limit of its own. Tokens and baggage fit well; other servers stop at 8 to 64 KiB.
_LONGEST_HEAD = 64 << 10
_LINGER = 5.0  # seconds
_OFFER = {b"upgrade", b"http2-settings"}


class HttpServer:
    """One listening socket. Connections without traffic are closed after `idle_timeout` seconds.

    `listen` is host:port; an error names the `setting` that it comes from, and the `variable` instead of it.
    """

    def __init__(
        self, application: Application, *, listen: str, idle_timeout: int, setting: str, variable: str
    ) -> None:
        self._listen = listen
        self._setting = setting
        self._variable = variable
        self._config = uvicorn.Config(
            application,
            http=_Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=idle_timeout,
        )
        self._server = uvicorn.Server(self._config)
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Serves from now on; returns the port. Raises ConfigError where the address can't be had."""
        listening = self._bind()
        # What Server.serve() does, without its signal handlers.
        self._config.load()
        self._server.lifespan = self._config.lifespan_class(self._config)
        await self._server.startup(sockets=[listening])
        self._ticking = asyncio.create_task(self._server.main_loop())
        port: int = listening.getsockname()[1]
        return port

    async def stop(self, grace: float) -> None:
        """Takes no new requests; those under way have `grace` seconds to finish, then they are cancelled."""
        if self._ticking is None:
            return
        self._server.should_exit = True
        await self._ticking
        self._ticking = None
        self._config.timeout_graceful_shutdown = math.ceil(grace)
        await self._server.shutdown()
        await asyncio.gather(*self._server.server_state.tasks, return_exceptions=True)

    def _bind(self) -> socket.socket:
        host, _, port = self._listen.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return socket.create_server((host, int(port)), family=family, dualstack_ipv6=host == "::")
        except OSError as error:
            reason = str(error.strerror).partition(" (while")[0]
            raise ConfigError(
                f"{self._setting}: {self._listen} can't be had: {reason}; stop the program that listens there or set"
                f" {self._variable} to a free host:port"
            ) from None


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, with a limit on the head, refusals that an OTLP sender can read, and no upgrades.

    Java's HTTP client offers an upgrade to HTTP/2 with its first request. httptools takes the offer as accepted
    and what follows the head as another protocol: the request would be taken, and answered 200, without its body.
    """

    _heads = 0
    _head_bytes = 0
    _in_head = False
    _offered = False
    _refused = False

    def on_message_begin(self) -> None:
        self._heads += 1
        self._head_bytes = 0
        self._in_head = True
        self._offered = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._offered = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if not self._offered:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._offered:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.pipeline:
            # uvicorn reads on after each answer: who sends requests and reads no answers would fill the memory.
            self.flow.pause_reading()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        heads = self._heads
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._offered:
                self._start_again_without_the_offer(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("")
        if self._in_head and self._heads == heads:  # else the data began with something else
            self._head_bytes += len(data)
            if self._head_bytes > _LONGEST_HEAD:
                self._refuse(431, f"the request's head is longer than {_LONGEST_HEAD} bytes")

    def _start_again_without_the_offer(self, rest: bytes) -> None:
        lines = [b"%b %b HTTP/1.1" % (self.parser.get_method(), self.url)]
        for name, value in self.headers:
            if name == b"connection":
                kept = [token for token in value.split(b",") if token.strip().lower() not in _OFFER]
                lines.append(name + b": " + b",".join(kept))
            elif name not in _OFFER:
                lines.append(name + b": " + value)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self.data_received(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for bytes that are no HTTP."""
        self._refuse(400, "these bytes are no HTTP/1.1 request; for OTLP/gRPC, use the gRPC port")

    def _refuse(self, code: int, message: str) -> None:
        self._refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            if self.pipeline or not self.cycle.more_body:
                # The sender would take this for the answer to a request before it, which is under way.
                self.transport.close()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = to_json(refusal(code_pb2.INVALID_ARGUMENT, message).status)
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[code] + lines + b"\r\n" + body)
        # Closed at once, with bytes unread, the sender's system would discard the answer.
        self.transport.write_eof()
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(_LINGER, self.timeout_keep_alive_handler)
