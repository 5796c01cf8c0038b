"""A real Grafana with the rendered dashboards and the demonstration's events.

GRAFANA_HOME: a Grafana that is started here, with a database of this session. GRAFANA_URL: one that runs already, with
rendered files, events in the last 24 hours, and a login for anybody (or user and password in the URL).
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import psycopg

from collector.demo import DemoOptions, run
from dashboards.build import build
from exporter.store.migrate import migrate
from provisioning.write import ProvisioningOptions, render
from tests.collector_process import collector, free_ports, wait_until
from tests.conftest import CLASSES, new_database
from tests.grafana_sql import Values, interpolate

Json = dict[str, Any]
DASHBOARDS: list[Json] = [json.loads(content) for content in build().values()]
UIDS = frozenset(str(dashboard["uid"]) for dashboard in DASHBOARDS)
READER_PASSWORD = "reader$1pass"
START_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Grafana:
    """A running Grafana: `url` may carry user and password; `log` is None where it is not ours."""

    url: str
    log: Path | None

    @property
    def open_url(self) -> str:
        """The URL without user and password."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"

    @property
    def headers(self) -> dict[str, str]:
        """What tells Grafana who asks."""
        parts = urlsplit(self.url)
        if not parts.username:
            return {}
        login = base64.b64encode(f"{parts.username}:{parts.password or ''}".encode()).decode()
        return {"Authorization": f"Basic {login}"}

    def call(self, path: str, body: Json | None = None) -> Any:
        """The answer's JSON. Raises AssertionError with the answer where it is no success."""
        request = Request(self.open_url + path, headers={"Content-Type": "application/json"} | self.headers)
        try:
            with urlopen(request, None if body is None else json.dumps(body).encode(), timeout=30) as answer:
                return json.load(answer)
        except HTTPError as failure:
            raise AssertionError(f"{path}: {failure.code}: {failure.read().decode()}") from None

    def query(self, dashboard: Json, target: Json, values: Values) -> Json:
        """What a browser sends for a panel, over the last 24 hours; the answer for its one query."""
        sql = interpolate(target["rawSql"], dashboard["templating"]["list"], values)
        asked = target | {"rawSql": sql, "intervalMs": 300000, "maxDataPoints": 300}
        answer = self.call("/api/ds/query", {"queries": [asked], "from": "now-24h", "to": "now"})
        result: Json = answer["results"]["A"]
        return result

    def rows(self, sql: str) -> list[list[Any]]:
        """What the data source answers to a query over the last 24 hours, row by row."""
        target = DASHBOARDS[0]["panels"][0]["targets"][0] | {"format": "table", "rawSql": sql}
        (frame,) = self.query(DASHBOARDS[0], target, {})["frames"]
        return [list(row) for row in zip(*frame["data"]["values"], strict=True)]


@contextmanager
def running_grafana(postgres: Callable[[], str], folder: Path) -> Iterator[Grafana]:
    """The Grafana to test, with all dashboards and events in it; `postgres` is asked only where one is needed."""
    given = os.environ.get("GRAFANA_URL")
    if given:
        yield Grafana(given, None)
        return
    with new_database(postgres()) as owner:
        migrate(owner, CLASSES, passwords={"auditgraf_reader": READER_PASSWORD})
        with collector(owner, {"AUDITGRAF_GEOIP_CITY": "bundled", "AUDITGRAF_GEOIP_ASN": "bundled"}) as receiving:
            _demonstrate(receiving.grpc_target)
            wait_until(lambda: _sampled(owner), "the collector told how it is doing", START_SECONDS)
            parts = urlsplit(owner)
            host = f"{parts.hostname}:{parts.port or 5432}"
            render(folder / "provisioning", ProvisioningOptions(database_host=host, database_name=parts.path[1:]))
            with started(folder) as grafana:
                yield grafana


def _demonstrate(endpoint: str) -> None:
    """A day as `auditgraf up --demo` shows it, a week before it, and a minute that is happening now."""
    past = DemoOptions(endpoint, "grpc", seed=2, count=0, backfill=timedelta(days=9), backfill_count=2500)
    day = DemoOptions(endpoint, "grpc", seed=1, count=120, rate=2000, backfill=timedelta(days=1), backfill_count=3000)
    for options in (past, day):
        run(options, stop=threading.Event())


def _sampled(owner: str) -> bool:
    with psycopg.connect(owner) as connection:
        return connection.execute("SELECT FROM audit.collector_health LIMIT 1").fetchone() is not None


@contextmanager
def started(
    folder: Path, variables: Mapping[str, str] = MappingProxyType({}), dashboards: Iterable[str] = UIDS
) -> Iterator[Grafana]:
    """GRAFANA_HOME's with what is rendered in `folder`/provisioning, once these dashboards are there."""
    with launched(folder, {"AUDITGRAF_READER_PASSWORD": READER_PASSWORD, **variables}) as (grafana, process):
        wait_until(lambda: _complete(grafana, process, set(dashboards)), "all dashboards are there", START_SECONDS)
        yield grafana


@contextmanager
def launched(folder: Path, variables: Mapping[str, str]) -> Iterator[tuple[Grafana, subprocess.Popen[bytes]]]:
    """GRAFANA_HOME's with the provisioning folder in `folder`, from its start on; `variables` go beyond its own."""
    (port,) = free_ports(1)
    home = Path(os.environ["GRAFANA_HOME"])
    (folder / "plugins").mkdir(exist_ok=True)
    environment = os.environ | {
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
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        # Newer versions fetch plugins, and keys to check them with, from the internet.
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED": "true",
        "GF_LOG_MODE": "console",
        **variables,
    }
    # Newer versions have one program with sub-commands, older ones a program of their own for the server.
    whole = home / "bin" / "grafana"
    command = [str(whole), "server"] if whole.exists() else [str(home / "bin" / "grafana-server")]
    log = folder / "grafana.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*command, "--homepath", str(home)], cwd=home, env=environment, stdout=written, stderr=written
        )
        try:
            yield Grafana(f"http://127.0.0.1:{port}", log), process
        finally:
            process.terminate()
            process.wait(30)


def answers(grafana: Grafana, process: subprocess.Popen[bytes], path: str) -> Any:
    """The answer's JSON, None where there is none yet. Raises AssertionError with the log's end where Grafana ended."""
    assert process.poll() is None, f"Grafana ended: {grafana.log and grafana.log.read_text()[-3000:]}"
    try:
        return grafana.call(path)
    except (URLError, AssertionError, ConnectionError, TimeoutError):
        return None


def _complete(grafana: Grafana, process: subprocess.Popen[bytes], dashboards: Set[str]) -> bool:
    """Whether all dashboards are in: they come with the provider's first poll, some time after the server answers."""
    found = answers(grafana, process, "/api/search?type=dash-db")
    return found is not None and dashboards <= {each["uid"] for each in found}
