"""What tests of `auditgraf doctor` share."""

from __future__ import annotations

import io
import socket
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from collector.config import load_config
from collector.doctor import Finding, examine, report

RETENTION = "retention: {default: 365d, log: 7d, security: 730d}\n"


def sound_environ(database: str, tmp_path: Path) -> dict[str, str]:
    """Variables of a sound configuration for a migrated database; nothing listens on its addresses."""
    file = tmp_path / "auditgraf.yaml"
    file.write_text(RETENTION, encoding="utf-8")
    return {
        "AUDITGRAF_CONFIG": str(file),
        "AUDITGRAF_DATABASE_URL": database,
        "AUDITGRAF_GRPC_LISTEN": f"127.0.0.1:{free_port()}",
        "AUDITGRAF_HTTP_LISTEN": f"127.0.0.1:{free_port()}",
        "AUDITGRAF_METRICS_LISTEN": "off",
        "AUDITGRAF_GRAFANA_URL": f"http://127.0.0.1:{free_port()}",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def look(environ: Mapping[str, str], **more: str) -> list[Finding]:
    variables = {**environ, **more}
    return list(examine(load_config(variables), variables))


def one(findings: list[Finding], check: str) -> Finding:
    (found,) = [finding for finding in findings if finding.check == check]
    return found


def printed(findings: list[Finding], *, as_json: bool = False) -> str:
    console = Console(file=io.StringIO(), force_terminal=False, width=40)
    report(findings, as_json=as_json, console=console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
