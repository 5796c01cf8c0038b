"""`auditgraf alerts test` with a real Grafana: what it sends arrives, with the secrets that only Grafana has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from collector.cli import main
from provisioning.alerts.file import load_alerts
from provisioning.version import ANY
from provisioning.write import ProvisioningOptions, render
from tests.collector_process import wait_until
from tests.grafana_alerting import WebhookSink, alerting_grafana
from tests.grafana_server import Grafana

pytestmark = pytest.mark.grafana

RULES = """
contact_point: team
contact_points:
  team:
    - webhook: {url: $TEAM_URL, username: us, password: $TEAM_PASSWORD}
    - googlechat: {url: $CHAT_URL}
  gone:
    - webhook: {url: $GONE_URL}
rules:
  - {id: viewed, name: Secret viewed, kind: any, about: secret_view, message: "{actor} looked at {target}"}
"""
VARIABLES = ("TEAM_URL", "TEAM_PASSWORD", "CHAT_URL", "GONE_URL")
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def sink() -> Iterator[WebhookSink]:
    with WebhookSink().listening() as sink:
        yield sink


@pytest.fixture(scope="module")
def grafana(sink: WebhookSink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grafana]:
    folder = tmp_path_factory.mktemp("alerts_test")
    (folder / "rules.yaml").write_text(RULES)
    options = ProvisioningOptions(
        database_host="127.0.0.1:1", database_name="none", alerts=load_alerts([folder / "rules.yaml"], ANY)
    )
    render(folder / "provisioning", options)
    values = (f"{sink.url}/team", "hush-password", f"{sink.url}/chat", "http://127.0.0.1:1/hush-path")
    variables = dict(zip(VARIABLES, values, strict=True)) | {
        "AUDITGRAF_READER_PASSWORD": "none",
    }
    with alerting_grafana(folder, variables) as running:
        yield running


@pytest.fixture
def run(grafana: Grafana, tmp_path: Path) -> Run:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "auditgraf.yaml").write_text("alerts: {files: [rules.yaml]}\n")

    def invoke(*arguments: str, **environment: str) -> Result:
        variables = {
            "AUDITGRAF_CONFIG": str(tmp_path / "auditgraf.yaml"),
            "AUDITGRAF_GRAFANA_URL": grafana.url,
            # The login that a fresh Grafana has.
            "AUDITGRAF_GRAFANA_USER": "admin",
            "AUDITGRAF_GRAFANA_PASSWORD": "admin",
            "AUDITGRAF_HOME": "/nonexistent",
            **environment,
        }
        return CliRunner().invoke(main, ["alerts", "test", *arguments], env=variables)

    return invoke


def told(sink: WebhookSink, path: str) -> str:
    """The last message to a path."""
    return [request.body.decode() for request in sink.received if request.path == path][-1]


def test_a_test_arrives_in_every_integration_with_the_stored_secrets(run: Run, sink: WebhookSink) -> None:
    result = run("team")
    assert result.exit_code == 0, result.output
    # Soon after its start Grafana has the templates of texts not yet.
    wait_until(lambda: run("team").exit_code == 0 and "Nothing has happened" in told(sink, "/chat"), "a text")
    assert sorted(result.stdout.splitlines()) == ["team: googlechat: sent", "team: webhook: sent"]
    assert sink.request("/team").headers["authorization"] == "Basic dXM6aHVzaC1wYXNzd29yZA=="
    [alert] = json.loads(told(sink, "/team"))["alerts"]
    assert alert["labels"]["rule_id"] == "viewed"
    assert alert["annotations"]["summary"] == "Test: alice looked at account carol"
    assert "/d/audit-event?var-event_id=" in alert["annotations"]["event_url"]


def test_a_contact_point_that_does_not_work_is_told_with_grafanas_reason_and_no_secret(run: Run) -> None:
    result = run("gone")
    assert result.exit_code == 3
    assert result.stdout.startswith("gone: webhook: failed: ")
    assert "hush" not in result.output


def test_the_one_for_single_events_can_be_tested_too(run: Run) -> None:
    assert run("team (events)", "--rule", "mass-deletion").exit_code == 0


def test_an_unknown_contact_point_is_told_with_the_nearest(run: Run) -> None:
    result = run("teem")
    assert result.exit_code == 2
    assert "did you mean team" in result.stderr


def test_a_service_accounts_token_is_a_login(run: Run, grafana: Grafana) -> None:
    admin = Grafana(grafana.url.replace("http://", "http://admin:admin@"), None)
    account = admin.call("/api/serviceaccounts", {"name": "tester", "role": "Editor"})
    token = admin.call(f"/api/serviceaccounts/{account['id']}/tokens", {"name": "test"})["key"]
    assert run("team", AUDITGRAF_GRAFANA_TOKEN=token).exit_code == 0
