"""A real Grafana that has nothing but alerting files, and what listens in the place of those whom it notifies."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.collector_process import wait_until
from tests.grafana_server import START_SECONDS, Grafana, answers, launched


@dataclass(frozen=True, slots=True)
class Received:
    """One request: where it went to, its headers by their names in lower case, its body as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class WebhookSink:
    """An HTTP server that keeps what it gets, and says that all is well."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received.append(Received(self.path, headers, body))
                # Teams takes "1" for success, Slack "ok" that is no JSON, others any JSON.
                answer = {"/teams": b"1", "/slack": b"ok"}.get(self.path, b'{"ok": true}')
                self.send_response(200)
                self.send_header("Content-Type", "text/html" if self.path == "/slack" else "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_PUT = do_POST

            def log_message(self, format: str, *args: object) -> None:
                """Requests are no news."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def listening(self) -> Iterator[WebhookSink]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def request(self, path: str) -> Received:
        """The first request to a path; waits for it."""
        wait_until(lambda: any(request.path == path for request in self.received), f"a request to {path}")
        return next(request for request in self.received if request.path == path)


class MailSink:
    """An SMTP server that keeps what it gets."""

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self.port = 0

    @contextmanager
    def listening(self) -> Iterator[MailSink]:
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(asyncio.start_server(self._talk, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            server.close()
            loop.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink\r\n")
        while line := await reader.readline():
            match line[:4].upper().strip():
                case b"DATA":
                    writer.write(b"354 go on\r\n")
                    text = await reader.readuntil(b"\r\n.\r\n")
                    unstuffed = text[:-3].replace(b"\r\n..", b"\r\n.")
                    self.received.append(message_from_bytes(unstuffed, policy=policy.default))
                    writer.write(b"250 kept\r\n")
                case b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                case _:
                    writer.write(b"250 ok\r\n")
            await writer.drain()
        writer.close()


@contextmanager
def alerting_grafana(folder: Path, environ: Mapping[str, str]) -> Iterator[Grafana]:
    """A Grafana of GRAFANA_HOME with the provisioning folder in `folder`, and `environ` beside its own variables."""
    for name in ("alerting", "dashboards", "datasources", "notifiers", "plugins"):
        (folder / "provisioning" / name).mkdir(parents=True, exist_ok=True)
    # Templates are at work with the next look at the configuration.
    poll = {"GF_UNIFIED_ALERTING_ALERTMANAGER_CONFIG_POLL_INTERVAL": "1s"}
    with launched(folder, {**poll, **environ}) as (grafana, process):
        policies = "/api/v1/provisioning/policies"
        wait_until(lambda: bool(answers(grafana, process, policies)), "Grafana answers", START_SECONDS)
        yield grafana
