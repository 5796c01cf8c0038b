"""The rendered folder in a real Grafana: it starts without a complaint, and every panel gets its data.

GRAFANA_HOME: a Grafana that is started here, with a database of this session. GRAFANA_URL: one that runs already,
with rendered files, events in the last 24 hours, and a login for anybody (or user and password in the URL).
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import psycopg
import pytest

from dashboards.build import build
from exporter.store.migrate import migrate
from provisioning.write import ProvisioningOptions, render
from tests.conftest import CLASSES
from tests.grafana_sql import interpolate

pytestmark = [
    pytest.mark.grafana,
    pytest.mark.skipif(
        not (os.environ.get("GRAFANA_HOME") or os.environ.get("GRAFANA_URL")),
        reason="no Grafana: set GRAFANA_HOME to its folder or GRAFANA_URL to a running one",
    ),
]

Json = dict[str, Any]
EVENTS = (Path(__file__).parents[1] / "dashboard_events.sql").read_text(encoding="utf-8")
DASHBOARDS: list[Json] = [json.loads(content) for content in build().values()]
READER_PASSWORD = "reader$1pass"
START_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Grafana:
    """A running Grafana: `url` may carry user and password; `log` is empty where it is not ours."""

    url: str
    log: Path | None

    def call(self, path: str, body: Json | None = None) -> Any:
        parts = urlsplit(self.url)
        request = Request(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}{path}")
        request.add_header("Content-Type", "application/json")
        if parts.username:
            login = base64.b64encode(f"{parts.username}:{parts.password or ''}".encode()).decode()
            request.add_header("Authorization", f"Basic {login}")
        try:
            with urlopen(request, None if body is None else json.dumps(body).encode(), timeout=30) as answer:
                return json.load(answer)
        except HTTPError as failure:
            raise AssertionError(f"{path}: {failure.code}: {failure.read().decode()}") from None

    def query(self, dashboard: Json, target: Json, values: dict[str, str]) -> Json:
        """What a browser sends for a panel, over the last 24 hours; the answer for its one query."""
        sql = interpolate(target["rawSql"], dashboard["templating"]["list"], values)
        asked = target | {"rawSql": sql, "intervalMs": 300000, "maxDataPoints": 300}
        answer = self.call("/api/ds/query", {"queries": [asked], "from": "now-24h", "to": "now"})
        result: Json = answer["results"]["A"]
        return result


@pytest.fixture(scope="module")
def grafana(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grafana]:
    """The Grafana to test, with all dashboards in it."""
    given = os.environ.get("GRAFANA_URL")
    if given:
        yield Grafana(given, None)
        return
    folder = tmp_path_factory.mktemp("grafana")
    name = f"audit_grafana_{os.getpid()}"
    server = urlsplit(postgres)
    owner = server._replace(path=f"/{name}").geturl()
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    migrate(owner, CLASSES, passwords={"auditgraf_reader": READER_PASSWORD})
    with psycopg.connect(owner) as connection:
        connection.execute(EVENTS.encode())
        host = f"{connection.info.host}:{connection.info.port}"
    render(folder / "provisioning", ProvisioningOptions(database_host=host, database_name=name))
    with (folder / "grafana.log").open("wb") as log:
        process, url = _start(folder, log.fileno())
        try:
            started = Grafana(url, folder / "grafana.log")
            _wait_for_dashboards(started, process)
            yield started
        finally:
            process.terminate()
            process.wait(30)
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _start(folder: Path, log: int) -> tuple[subprocess.Popen[bytes], str]:
    home = Path(os.environ["GRAFANA_HOME"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "AUDITGRAF_READER_PASSWORD": READER_PASSWORD,
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_PATHS_DATA": str(folder / "data"),
        "GF_PATHS_LOGS": str(folder / "logs"),
        "GF_PATHS_PLUGINS": str(folder / "plugins"),
        "GF_PATHS_PROVISIONING": str(folder / "provisioning"),
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Admin",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_LOG_MODE": "console",
    }
    # Newer versions have one program with sub-commands, older ones a program of their own for the server.
    whole = home / "bin" / "grafana"
    command = [str(whole), "server"] if whole.exists() else [str(home / "bin" / "grafana-server")]
    process = subprocess.Popen([*command, "--homepath", str(home)], cwd=home, env=environment, stdout=log, stderr=log)
    return process, f"http://127.0.0.1:{port}"


def _wait_for_dashboards(grafana: Grafana, process: subprocess.Popen[bytes]) -> None:
    """Dashboards come in with the provider's first poll, some time after the server answers."""
    expected = {dashboard["uid"] for dashboard in DASHBOARDS}
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, f"Grafana ended: {grafana.log and grafana.log.read_text()[-3000:]}"
        try:
            if expected <= {found["uid"] for found in grafana.call("/api/search?tag=audit")}:
                return
        except (URLError, AssertionError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.2)
    raise AssertionError(f"no dashboards after {START_SECONDS} s: {grafana.log and grafana.log.read_text()[-3000:]}")


def test_provisioning_logs_no_error_and_no_warning(grafana: Grafana) -> None:
    if grafana.log is None:
        pytest.skip("the log of a Grafana at GRAFANA_URL is not at hand")
    lines = grafana.log.read_text(encoding="utf-8").splitlines()
    concerned = [line for line in lines if re.search(r"logger=(provisioning|dashboard|tsdb)", line)]
    assert concerned
    assert [line for line in concerned if re.search(r"level=(warn|error|crit)|lvl=(warn|eror|crit)", line)] == []


def test_the_data_source_works_and_cannot_be_edited(grafana: Grafana) -> None:
    found = grafana.call("/api/datasources/uid/auditgraf")
    assert found["readOnly"]
    assert found["user"] == "auditgraf_reader"
    assert not found["isDefault"]


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: str(dashboard["uid"]))
def test_a_dashboard_is_there_as_it_was_rendered(grafana: Grafana, dashboard: Json) -> None:
    found = grafana.call(f"/api/dashboards/uid/{dashboard['uid']}")
    assert found["meta"]["provisioned"]
    assert found["meta"]["folderUid"] == "auditgraf"
    assert found["dashboard"]["title"] == dashboard["title"]
    assert [panel["id"] for panel in found["dashboard"]["panels"]] == [panel["id"] for panel in dashboard["panels"]]


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: str(dashboard["uid"]))
def test_every_panel_gets_frames_without_an_error(grafana: Grafana, dashboard: Json) -> None:
    values = {"event_id": _an_event(grafana)}
    for panel in dashboard["panels"]:
        result = grafana.query(dashboard, panel["targets"][0], values)
        assert "error" not in result, panel["title"]
        assert result["frames"], panel["title"]
        assert all(frame["data"]["values"][0] for frame in result["frames"]), panel["title"]


def test_series_carry_action_and_slot_as_labels(grafana: Grafana) -> None:
    """Colours depend on it: the panel's overrides look for the label."""
    overview = next(dashboard for dashboard in DASHBOARDS if dashboard["uid"] == "audit-overview")
    (panel,) = [panel for panel in overview["panels"] if panel["title"] == "Events by type"]
    (frame,) = grafana.query(overview, panel["targets"][0], {})["frames"]
    labels = [field["labels"] for field in frame["schema"]["fields"] if field["type"] == "number"]
    assert {"action": "user.login", "slot": "0"} in labels
    assert all(set(label) == {"action", "slot"} for label in labels)


@pytest.mark.parametrize("value", ["$__timeFilter(x)", "$__unknown(1)", "'; DROP TABLE x; --", '" \\" ${x} [[x]]'])
def test_hostile_text_is_no_error_in_grafana_either(grafana: Grafana, value: str) -> None:
    for dashboard in DASHBOARDS:
        for panel in dashboard["panels"]:
            result = grafana.query(dashboard, panel["targets"][0], {"q": value, "actor": value, "event_id": value})
            assert "error" not in result, panel["title"]


def _an_event(grafana: Grafana) -> str:
    target = DASHBOARDS[0]["panels"][0]["targets"][0] | {
        "format": "table",
        "rawSql": "SELECT id::text AS id FROM audit.events WHERE changes IS NOT NULL AND latitude IS NOT NULL"
        " AND $__timeFilter(occurred_at) LIMIT 1",
    }
    (frame,) = grafana.query(DASHBOARDS[0], target, {})["frames"]
    return str(frame["data"]["values"][0][0])
