"""What listens: the collector and Grafana."""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from collector.config import Config
from collector.doctor.finding import TIMEOUT_S, Finding, guarded

_ANSWER_BYTES = 64 << 10
_START = "start it: auditgraf serve, or auditgraf up"
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 compared with, not listened on


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: its status, and its body where that is a JSON object."""

    status: int
    values: dict[str, Any]


def findings(config: Config) -> Iterator[Finding]:
    """The collector's two addresses, then Grafana's."""
    yield from guarded("OTLP over gRPC", lambda: _grpc(config.grpc.listen))
    yield from guarded("OTLP over HTTP", lambda: _http(config.http.listen))
    for check, variable, listen in (
        ("OTLP over gRPC", "AUDITGRAF_GRPC_LISTEN", config.grpc.listen),
        ("OTLP over HTTP", "AUDITGRAF_HTTP_LISTEN", config.http.listen),
    ):
        if not _is_loopback(_split(listen)[0]):
            text = f"{listen} is open to other machines, and senders need no password: anybody can write events"
            yield Finding(check, "warning", text, f"set {variable} to 127.0.0.1, or let a firewall or proxy decide")
    yield from guarded("Grafana", lambda: _grafana(config.grafana.url, config.grafana.datasource_uid))


def _grpc(listen: str) -> Iterator[Finding]:
    host, port = _split(listen)
    try:
        socket.create_connection((_EVERYWHERE.get(host, host), port), TIMEOUT_S).close()
    except OSError as failure:
        yield Finding("OTLP over gRPC", "warning", f"nothing listens on {listen}: {_reason(failure)}", _START)
    else:
        yield Finding("OTLP over gRPC", "ok", f"listens on {listen}")


def _http(listen: str) -> Iterator[Finding]:
    check = "OTLP over HTTP"
    host, port = _split(listen)
    try:
        answer = _get("http", _EVERYWHERE.get(host, host), port, "/readyz")
    except (OSError, http.client.HTTPException) as failure:
        yield Finding(check, "warning", f"no collector answers on {listen}: {_reason(failure)}", _START)
        return
    if answer.status == 200 and answer.values.get("ready") is True:
        yield Finding(check, "ok", f"the collector on {listen} is ready")
    elif answer.status == 503:
        text = f"the collector on {listen} is not ready: {answer.values.get('message', 'it does not say why')}"
        yield Finding(check, "problem", text, "do what it says; it goes on by itself")
    else:
        text = f"what answers on {listen} is no collector (/readyz: {answer.status})"
        yield Finding(check, "problem", text, "stop that program, or set AUDITGRAF_HTTP_LISTEN to another port")


def _grafana(url: str, uid: str) -> Iterator[Finding]:
    parts = urlsplit(url)
    # Without what may stand before an @: a user's name and password.
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
    remedy = "start Grafana, or set AUDITGRAF_GRAFANA_URL to where it is"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        yield Finding("Grafana", "problem", f"{place} is no URL of a web server", "write e.g. http://127.0.0.1:3000")
        return
    target = (parts.scheme, parts.hostname, parts.port)
    base = parts.path.rstrip("/")
    try:
        health = _get(*target, f"{base}/api/health")
        source = _get(*target, f"{base}/api/datasources/uid/{uid}")
    except (OSError, http.client.HTTPException) as failure:
        yield Finding("Grafana", "warning", f"{place} does not answer: {_reason(failure)}", remedy)
        return
    if health.values.get("database") != "ok":
        text = f"{place} answers, but not as a healthy Grafana (/api/health: {health.status})"
        yield Finding("Grafana", "warning", text, remedy)
        return
    yield Finding("Grafana", "ok", f"{health.values.get('version', 'of unknown version')} on {place}")
    yield _data_source(source, uid)


def _data_source(answer: Answer, uid: str) -> Finding:
    check = "Grafana's data source"
    if answer.status == 200:
        return Finding(check, "ok", f"{answer.values.get('name')} ({answer.values.get('type')}), uid {uid}")
    if answer.status == 404:
        remedy = "auditgraf render --out into Grafana's provisioning folder, then restart it"
        return Finding(check, "warning", f"there is none with uid {uid}", remedy)
    remedy = f"look under Connections > Data sources for uid {uid}"
    return Finding(check, "warning", f"Grafana does not tell without a login ({answer.status})", remedy)


def _get(scheme: str, host: str, port: int | None, path: str) -> Answer:
    """One GET, without proxies or redirects. Raises OSError or HTTPException."""
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    connection = kind(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = response.read(_ANSWER_BYTES)
    finally:
        connection.close()
    try:
        values = json.loads(body)
    except ValueError:
        values = {}
    return Answer(response.status, values if isinstance(values, dict) else {})


def _split(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reason(failure: Exception) -> str:
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    return str(failure) or type(failure).__name__
