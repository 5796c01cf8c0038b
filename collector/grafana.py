"""The Grafana that `auditgraf up` starts where one is installed: bound to loopback, its data beside ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from exporter.errors import AuditgrafError

_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Installed:
    """A Grafana server that can be started."""

    command: tuple[str, ...]
    home: Path


def find(environ: Mapping[str, str]) -> Installed | None:
    """GRAFANA_HOME's server, else the one on PATH with its home where packages put it; None where there is none."""
    given = environ.get("GRAFANA_HOME")
    if given:
        home = Path(given)
        for name, arguments in (("grafana", ("server",)), ("grafana-server", ())):
            if (program := home / "bin" / name).exists():
                return Installed((str(program), *arguments), home)
        raise AuditgrafError(f"GRAFANA_HOME={given}: there is no bin/grafana in it; unset it or point it at Grafana")
    for name, arguments in (("grafana", ("server",)), ("grafana-server", ())):
        found = shutil.which(name)
        if found:
            home = Path("/usr/share/grafana")
            return Installed((found, *arguments), home if home.exists() else Path(found).resolve().parents[1])
    return None


class Grafana:
    """One server process, started with our provisioning. `passwords`: variable to password, as the data sources ask."""

    def __init__(
        self, installed: Installed, *, url: str, provisioning: Path, data: Path, passwords: Mapping[str, str]
    ) -> None:
        self._installed = installed
        self._url = url.rstrip("/")
        self._provisioning = provisioning
        self._data = data
        self._passwords = passwords
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once Grafana answers. Raises AuditgrafError with where its log is."""
        address = urlsplit(self._url)
        self._data.mkdir(parents=True, exist_ok=True)
        log = self._data / "grafana.log"
        others = {name: value for name, value in os.environ.items() if not name.startswith("AUDITGRAF_")}
        environment = others | {
            "GF_PATHS_PROVISIONING": str(self._provisioning),
            "GF_PATHS_DATA": str(self._data),
            "GF_PATHS_LOGS": str(self._data / "log"),
            "GF_PATHS_PLUGINS": str(self._data / "plugins"),
            # For whoever sits at this machine: loopback only, looking without a login.
            "GF_SERVER_HTTP_ADDR": address.hostname or "127.0.0.1",
            "GF_SERVER_HTTP_PORT": str(address.port or 3000),
            "GF_AUTH_ANONYMOUS_ENABLED": "true",
            "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
            "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(self._provisioning / "json" / "audit-overview.json"),
            **self._passwords,
        }
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603
                [*self._installed.command, "--homepath", str(self._installed.home)],
                cwd=self._installed.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us; we tell it to stop after the collector
            )
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AuditgrafError(f"Grafana did not start; {log} says why")
            time.sleep(0.2)

    def stop(self) -> None:
        """Ends it."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/api/health", timeout=2):  # noqa: S310 http, from the configuration
                return True
        except (urllib.error.URLError, OSError):
            return False
