"""A collector in a process of its own, which tests may kill."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[1]
WAIT = 30.0  # seconds until a condition that never comes fails its test


def wait_until(condition: Callable[[], object], what: str, timeout: float = WAIT) -> float:
    """Asks until the condition holds; the seconds that it took. Fails the test with `what` after `timeout`."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < timeout, f"not within {timeout:g} s: {what}"
        time.sleep(0.005)
    return time.monotonic() - started


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address on which nothing listens."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


class CollectorProcess:
    """`auditgraf serve` against a database; started again after its end, it listens where it did before."""

    def __init__(
        self,
        url: str,
        environ: Mapping[str, str] | None = None,
        *,
        log: Path | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        """`url`: the owner's. `environ`: further AUDITGRAF_* variables. `log`: where it logs to, else nowhere."""
        self._log, self._arguments = log, arguments
        self.grpc_port, self.http_port, self.metrics_port = free_ports(3)
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("AUDITGRAF_")}
        self._environ |= {
            "AUDITGRAF_DATABASE_URL": url,
            "AUDITGRAF_GRPC_LISTEN": self.grpc_target,
            "AUDITGRAF_HTTP_LISTEN": f"127.0.0.1:{self.http_port}",
            # Each run leaves an audit event, and tests count events.
            "AUDITGRAF_RETENTION_EVERY": "never",
            "AUDITGRAF_METRICS_LISTEN": f"127.0.0.1:{self.metrics_port}",
            **(environ or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def grpc_target(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def launch(self) -> None:
        """Starts the process and waits for nothing."""
        command = [sys.executable, "-m", "collector", "serve", *self._arguments]
        with (self._log or Path(os.devnull)).open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=self._environ, stderr=log)

    def start(self) -> float:
        """Starts the process; the seconds until it was ready."""
        self.launch()
        return wait_until(lambda: self.missing() == "", "the collector is ready")

    def kill(self) -> None:
        """kill -9: no chance to finish anything."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(WAIT)

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self.ask_to_stop()
        return self.wait()

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting for what comes of it."""
        assert self._process is not None
        self._process.terminate()

    def wait(self) -> int:
        """Waits for the end; the exit code."""
        assert self._process is not None
        return self._process.wait(WAIT)

    def close(self) -> None:
        """Ends the process if it still runs, however."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Code, headers (names in lower case) and body; code 0 where nobody listens."""
        return self._send(Request(self.http_url + path))

    def post(self, body: bytes, content_type: str = "application/x-protobuf") -> tuple[int, dict[str, str], bytes]:
        """One request to /v1/logs, as `get` answers."""
        headers = {"Content-Type": content_type}
        return self._send(Request(f"{self.http_url}/v1/logs", data=body, headers=headers, method="POST"))

    def missing(self) -> str:
        """What /readyz says is missing; empty where nothing is. Fails the test where the process ended by itself."""
        assert self._process is not None
        assert self._process.poll() is None, f"the collector ended with {self._process.returncode}"
        code, _, body = self.get("/readyz")
        return "" if code == 200 else str(json.loads(body)["message"]) if code else "nobody listens"

    def _send(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        try:
            with urlopen(request, timeout=WAIT) as response:
                return response.status, _lower(response.headers), response.read()
        except HTTPError as refused:
            with refused:
                return refused.code, _lower(refused.headers), refused.read()
        except OSError:
            return 0, {}, b""


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@contextmanager
def collector(url: str, environ: Mapping[str, str] | None = None, **options: Any) -> Iterator[CollectorProcess]:
    """A collector that is ready; killed at the end if it was not stopped."""
    process = CollectorProcess(url, environ, **options)
    try:
        process.start()
        yield process
    finally:
        process.close()
