"""The commands as a user runs them: processes of their own, from nothing to events and back to nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from tests.collector_process import free_ports, wait_until

ROOT = Path(__file__).parents[2]


def environment(**variables: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("AUDITGRAF_", "GRAFANA_"))}
    return plain | variables


def run(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "collector", *arguments],
        cwd=cwd,
        env=environment(PYTHONPATH=str(ROOT), **variables),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def _said(folder: Path) -> str:
    return (folder / "up.log").read_text(encoding="utf-8")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the embedded server's own user can reach too, where the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="auditgraf-up-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_up_brings_up_everything_and_takes_it_down_again(tmp_path: Path, open_folder: Path) -> None:
    home = open_folder / "data"
    grpc, http, metrics = free_ports(3)
    ports = {
        "AUDITGRAF_GRPC_LISTEN": f"127.0.0.1:{grpc}",
        "AUDITGRAF_HTTP_LISTEN": f"127.0.0.1:{http}",
        "AUDITGRAF_METRICS_LISTEN": f"127.0.0.1:{metrics}",
    }
    with (tmp_path / "up.log").open("w+b") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "collector", "up", "--demo", "--no-grafana", "--home", str(home)],
            env=environment(PYTHONPATH=str(ROOT), **ports),
            cwd=tmp_path,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(
                lambda: "\nready" in _said(tmp_path) or process.poll() is not None, "up says that it is ready", 90
            )
            assert process.poll() is None, _said(tmp_path)
            variables = json.loads((home / "running.json").read_text(encoding="utf-8"))
            url = variables["AUDITGRAF_DATABASE_URL"]
            with psycopg.connect(url) as connection:
                found = connection.execute(
                    "SELECT count(*), count(country), count(changes) FROM audit.events WHERE action IS NOT NULL"
                ).fetchone()
            assert found is not None
            assert min(found) > 100, "the demo fills the last day with events, places and changes"
            shown = run(
                "tail", "--last", "3", "--count", "3", "--json", cwd=tmp_path, AUDITGRAF_HOME=str(home), **ports
            )
            assert [json.loads(line)["retention_class"] for line in shown.stdout.splitlines()] == ["default"] * 3
            assert (home / "grafana" / "provisioning" / "json" / "audit-overview.json").exists()
            password = url.split(":")[2].split("@")[0]
            assert password not in _said(tmp_path)
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0, _said(tmp_path)
    assert not (home / "running.json").exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=2)


def test_config_prints_a_file_that_says_the_same_and_hides_secrets(tmp_path: Path) -> None:
    url = "postgresql://owner:very-secret@db.internal/audit"
    variables = {"AUDITGRAF_DATABASE_URL": url, "AUDITGRAF_GRPC_LISTEN": "0.0.0.0:9"}
    printed = run("config", cwd=tmp_path, **variables)
    assert "very-secret" not in printed.stdout
    assert yaml.safe_load(printed.stdout)["grpc"]["listen"] == "0.0.0.0:9"
    (tmp_path / "auditgraf.yaml").write_text(printed.stdout, encoding="utf-8")
    again = run("--config", "auditgraf.yaml", "config", "--secrets", cwd=tmp_path, AUDITGRAF_DATABASE_URL=url)
    assert yaml.safe_load(again.stdout) == yaml.safe_load(printed.stdout)
    assert "very-secret" in again.stdout


def test_render_lays_out_grafanas_provisioning_folder(tmp_path: Path) -> None:
    done = run("render", "--out", "out", cwd=tmp_path, AUDITGRAF_DATABASE_URL="postgresql://owner:pw@db.internal/audit")
    assert done.returncode == 0, done.stderr
    source = yaml.safe_load((tmp_path / "out/datasources/auditgraf.yaml").read_text(encoding="utf-8"))["datasources"][0]
    assert (source["url"], source["user"]) == ("db.internal:5432", "auditgraf_reader")
    assert source["jsonData"]["database"] == "audit"
    provider = yaml.safe_load((tmp_path / "out/dashboards/auditgraf.yaml").read_text(encoding="utf-8"))["providers"][0]
    assert provider["options"]["path"] == str(tmp_path / "out" / "json")
    names = {path.name for path in (tmp_path / "out/json").iterdir()}
    kinds = ("overview", "events", "event", "map", "actor", "object", "live", "security", "health")
    assert names == {f"audit-{kind}.json" for kind in kinds}
    assert (tmp_path / "out/alerting").is_dir()
    assert not any("pw" in path.read_text(encoding="utf-8") for path in (tmp_path / "out").rglob("*.yaml"))


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_without_a_database_the_error_names_the_variable_and_there_is_no_traceback(
    command: str, tmp_path: Path
) -> None:
    done = run(command, cwd=tmp_path)
    assert done.returncode == 1
    assert "AUDITGRAF_DATABASE_URL is not set" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_rule_stops_serve_with_file_line_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        "version: 1\nrules:\n  - name: a\n    match: all\n    clas: x\n", encoding="utf-8"
    )
    (tmp_path / "auditgraf.yaml").write_text("mapping: {rules: [rules.yaml]}\n", encoding="utf-8")
    done = run(
        "--config", "auditgraf.yaml", "serve", cwd=tmp_path, AUDITGRAF_DATABASE_URL="postgresql://nobody@127.0.0.1:1/x"
    )
    assert done.returncode == 1
    assert "rules.yaml:5: rules.0.clas: unknown key" in done.stderr
