"""`auditgraf doctor` beside a real collector, and what it makes of others; its report."""

from __future__ import annotations

import asyncio
import http.server
import io
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from collector.config import load_config
from collector.doctor import Finding, report, unusable
from collector.server import Collector
from exporter.errors import ConfigError
from tests.integration.examined import look, one, printed, sound_environ


@pytest.fixture
def environ(database: str, tmp_path: Path) -> dict[str, str]:
    return sound_environ(database, tmp_path)


@contextmanager
def running_collector(environ: Mapping[str, str]) -> Iterator[None]:
    """A real one, in a thread with a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        collector = Collector(load_config(environ))
        asyncio.run_coroutine_threadsafe(collector.start(), loop).result(30)
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(collector.stop(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def test_a_running_collector_is_ready(environ: dict[str, str]) -> None:
    with running_collector(environ):
        findings = look(environ)
    assert one(findings, "OTLP over gRPC").state == "ok"
    assert one(findings, "OTLP over HTTP").text.endswith("is ready")


def test_a_collector_that_is_not_ready_says_why(environ: dict[str, str]) -> None:
    nowhere = "postgresql://me@127.0.0.1:1/audit"
    with running_collector({**environ, "AUDITGRAF_DATABASE_URL": nowhere}):
        found = one(look(environ), "OTLP over HTTP")
    assert found.state == "problem"
    assert "can't be reached" in found.text


def test_addresses_open_to_others_are_warned_of(environ: dict[str, str]) -> None:
    findings = look(environ, AUDITGRAF_GRPC_LISTEN="0.0.0.0:14317", AUDITGRAF_HTTP_LISTEN="[::]:14318")
    open_ones = [finding for finding in findings if "anybody can write" in finding.text]
    assert [finding.text.split()[0] for finding in open_ones] == ["0.0.0.0:14317", "[::]:14318"]
    assert "anybody" not in str(look(environ, AUDITGRAF_GRPC_LISTEN="[::1]:14317"))


class Answers(http.server.BaseHTTPRequestHandler):
    """What Grafana answers, by path; everything else is 404."""

    by_path: Mapping[str, tuple[int, object]] = {}

    def do_GET(self) -> None:
        status, value = self.by_path.get(self.path, (404, {"message": "Not found"}))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def web_server(by_path: Mapping[str, tuple[int, object]]) -> Iterator[str]:
    """Stands in for another product's program."""
    handler = type("Handler", (Answers,), {"by_path": by_path})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


HEALTHY = {"/grafana/api/health": (200, {"database": "ok", "version": "12.1.0"})}
SOURCE = "/grafana/api/datasources/uid/auditgraf"


@pytest.mark.parametrize(
    ("answer", "state", "text"),
    [
        ((200, {"name": "Audit", "type": "grafana-postgresql-datasource"}), "ok", "Audit"),
        ((404, {}), "warning", "there is none"),
        ((401, {}), "warning", "without a login"),
    ],
)
def test_grafana_and_its_data_source(
    environ: dict[str, str], answer: tuple[int, object], state: str, text: str
) -> None:
    with web_server({**HEALTHY, SOURCE: answer}) as address:
        findings = look(environ, AUDITGRAF_GRAFANA_URL=f"http://{address}/grafana/")
    assert one(findings, "Grafana").text == f"12.1.0 on http://{address}/grafana"
    assert one(findings, "Grafana's data source").state == state
    assert text in one(findings, "Grafana's data source").text


def test_a_stranger_on_the_ports_is_not_taken_for_what_should_be_there(environ: dict[str, str]) -> None:
    with web_server({"/readyz": (200, ["hello"])}) as address:
        findings = look(environ, AUDITGRAF_HTTP_LISTEN=address, AUDITGRAF_GRAFANA_URL=f"http://{address}")
    assert one(findings, "OTLP over HTTP").state == "problem"
    assert "no collector" in one(findings, "OTLP over HTTP").text
    assert one(findings, "Grafana").state == "warning"


def test_grafana_home_without_grafana_is_a_warning(environ: dict[str, str], tmp_path: Path) -> None:
    found = one(look(environ, GRAFANA_HOME=str(tmp_path)), "Grafana's program")
    assert found.state == "warning"
    assert str(tmp_path) in found.text


FINDINGS = [
    Finding("schema", "ok", "version 1"),
    Finding("quarantine", "warning", "[red]2 records[/] \x1b[31m\u202e", "look at it"),
]


def test_the_report_is_plain_text_that_can_not_steer_the_terminal() -> None:
    assert printed(FINDINGS) == (
        "ok       schema: version 1\nwarning  quarantine: [red]2 records[/] \\x1b[31m\\u202e\n         → look at it\n"
    )


def test_the_report_as_json_is_one_array() -> None:
    document = printed(FINDINGS, as_json=True)
    assert json.loads(document)[1] == {
        "check": "quarantine",
        "state": "warning",
        "text": FINDINGS[1].text,
        "remedy": "look at it",
    }
    assert document.replace("\n", "").isprintable()


def test_only_a_problem_makes_the_report_fail() -> None:
    console = Console(file=io.StringIO())
    assert report(FINDINGS, as_json=False, console=console)
    broken = unusable(ConfigError("auditgraf.yaml:3: retention: no"))
    assert not report([*FINDINGS, broken], as_json=False, console=console)
