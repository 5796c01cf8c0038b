"""`auditgraf alerts test` and what a server may answer: the API of Grafana 13, refusals, and no Grafana at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from click.testing import CliRunner, Result

from collector.cli import main

TOKEN = "hush-hush-token"
RECEIVERS = "/apis/notifications.alerting.grafana.app/v1beta1/namespaces/org-3/receivers"
CONFIGURATION = "/api/alertmanager/grafana/config/api/v1/alerts"
STORED = {
    "items": [
        {
            "metadata": {"name": "dGVhbQ"},
            "spec": {
                "title": "team",
                "integrations": [
                    {"uid": "u1", "type": "webhook", "settings": {}, "secureFields": {"url": True}},
                    {"uid": "u2", "type": "email", "settings": {"addresses": "a@example.org"}},
                ],
            },
        }
    ]
}


class Answering:
    """A server with an answer for each path: status, and text or JSON. Others are 404."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append((self.path, dict(self.headers), json.loads(body) if body else None))
                status, document = outer.answers.get(self.path, (404, {"message": "Not found"}))
                text = document if isinstance(document, str) else json.dumps(document)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "http://127.0.0.1:1/login")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Requests are no news."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def grafana() -> Iterator[Answering]:
    answering = Answering()
    thread = threading.Thread(target=answering.server.serve_forever, daemon=True)
    thread.start()
    yield answering
    answering.server.shutdown()
    answering.server.server_close()
    thread.join()


@pytest.fixture
def run(grafana: Answering) -> Callable[..., Result]:
    def invoke(*arguments: str, **environment: str) -> Result:
        variables = {
            "AUDITGRAF_GRAFANA_URL": grafana.url,
            "AUDITGRAF_GRAFANA_TOKEN": TOKEN,
            "AUDITGRAF_HOME": "/nonexistent",
            **environment,
        }
        return CliRunner().invoke(main, ["alerts", "test", *arguments], env=variables)

    return invoke


def test_grafana_13_is_asked_once_for_each_integration(run: Callable[..., Result], grafana: Answering) -> None:
    secret = 'Post "https://hooks.example.org/hush": refused'
    grafana.answers = {
        "/api/org": (200, {"id": 3}),
        RECEIVERS: (200, STORED),
        f"{RECEIVERS}/dGVhbQ/test": (200, {"status": "failure", "error": secret}),
    }
    result = run("team", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout) == [
        {"kind": kind, "uid": uid, "is_sent": False, "reason": 'Post "https://hooks.example.org/...": refused'}
        for kind, uid in (("webhook", "u1"), ("email", "u2"))
    ]
    tests = [(headers, body) for path, headers, body in grafana.asked if path.endswith("/test")]
    assert [body["integration"]["uid"] for _, body in tests] == ["u1", "u2"]
    assert tests[0][0]["Authorization"] == f"Bearer {TOKEN}"
    assert tests[0][1]["alert"]["labels"]["source"] == "auditgraf"
    grafana.answers[f"{RECEIVERS}/dGVhbQ/test"] = (200, {"status": "success"})
    result = run("team")
    assert (result.exit_code, result.stdout) == (0, "team: webhook: sent\nteam: email: sent\n")


@pytest.mark.parametrize(
    ("status", "document", "told"),
    [
        (401, {"message": "Unauthorized"}, "AUDITGRAF_GRAFANA_TOKEN"),
        (403, {"message": "Forbidden"}, "role Editor"),
        (404, {"message": "Not found"}, "no API to test contact points"),
        (500, {"message": "at https://x.example/hush"}, "status 500: at https://x.example/..."),
        (500, "<html>", "no JSON"),
        (200, "<html>welcome</html>", "no Grafana answers there"),
        (302, "", "no Grafana answers there"),
    ],
)
def test_an_answer_that_is_no_success_is_told_in_a_sentence(
    run: Callable[..., Result], grafana: Answering, status: int, document: object, told: str
) -> None:
    grafana.answers = {"/api/org": (status, document), CONFIGURATION: (status, document)}
    result = run("team")
    assert (result.exit_code, result.stdout) == (3, "")
    assert told in result.stderr
    assert TOKEN not in result.output


def test_a_login_is_not_carried_to_where_a_server_sends_one(run: Callable[..., Result], grafana: Answering) -> None:
    grafana.answers = {"/api/org": (302, "")}
    run("team")
    assert [path for path, *_ in grafana.asked] == ["/api/org"]


@pytest.mark.parametrize(
    ("variables", "code", "told"),
    [
        ({"AUDITGRAF_GRAFANA_URL": "http://127.0.0.1:1"}, 3, "can't be reached"),
        ({"AUDITGRAF_GRAFANA_URL": "http://a:hush@g.example"}, 2, "without user and password"),
        ({"AUDITGRAF_GRAFANA_URL": "g.example"}, 2, "write e.g. https://"),
        ({"AUDITGRAF_GRAFANA_TOKEN": "hush\nhush"}, 2, "copy it again"),
        ({"AUDITGRAF_GRAFANA_TOKEN": "", "AUDITGRAF_GRAFANA_USER": "hush"}, 2, "half of a login"),
    ],
)
def test_what_cannot_be_called_is_told_without_a_secret(
    run: Callable[..., Result], variables: dict[str, str], code: int, told: str
) -> None:
    result = run("team", **variables)
    assert result.exit_code == code
    assert told in result.stderr
    assert "hush" not in result.output


def test_an_unknown_contact_point_or_rule_is_exit_code_2(run: Callable[..., Result], grafana: Answering) -> None:
    grafana.answers = {"/api/org": (200, {"id": 3}), RECEIVERS: (200, STORED)}
    assert "did you mean team?" in run("teem").stderr
    result = run("team", "--rule", "mass-deletio")
    assert result.exit_code == 2
    assert "did you mean mass-deletion?" in result.stderr
