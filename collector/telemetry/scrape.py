"""GET /metrics, on a listener of its own: who may scrape need not be who may send."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from collector.receivers.serving import HttpServer
from collector.telemetry.exposition import CONTENT_TYPE, Exposition

Message = MutableMapping[str, Any]

_TEXT = "text/plain; charset=utf-8"
_IDLE_S = 5  # seconds; there is no second request


class MetricsServer:
    """The HTTP server of the metrics. `listen` is host:port (port 0: any free one)."""

    def __init__(self, exposition: Exposition, *, listen: str) -> None:
        self._exposition = exposition
        self._server = HttpServer(
            self._serve,
            listen=listen,
            idle_timeout=_IDLE_S,
            setting="telemetry.listen",
            variable="AUDITGRAF_METRICS_LISTEN",
        )

    async def start(self) -> int:
        """Serves from now on; returns the port. Raises ConfigError where the address can't be had."""
        return await self._server.start()

    async def stop(self, grace: float) -> None:
        """Ends, after `grace` seconds also for those who have not read their answer."""
        await self._server.stop(grace)

    async def _serve(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["path"] != "/metrics":
            code, content_type, body = 404, _TEXT, b"the metrics are at /metrics\n"
        elif scope["method"] not in {"GET", "HEAD"}:
            code, content_type, body = 405, _TEXT, b"use GET\n"
        else:
            code, content_type, body = 200, CONTENT_TYPE, self._exposition.text()
        headers = [
            (b"content-type", content_type.encode()),
            (b"content-length", b"%d" % len(body)),
            # One answer each: who asks often and does not read gets no further.
            (b"connection", b"close"),
        ]
        if code == 405:
            headers.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": body})
