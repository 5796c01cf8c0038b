"""A rules file that leaves the organisation's policies alone, in a real Grafana whose rules can name whom they tell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioning.alerts.file import load_alerts
from provisioning.version import ANY, Version
from provisioning.write import ProvisioningOptions, render
from tests.collector_process import wait_until
from tests.grafana_alerting import WebhookSink, alerting_grafana

pytestmark = [
    pytest.mark.grafana,
    pytest.mark.skipif(not os.environ.get("GRAFANA_HOME"), reason="no Grafana: set GRAFANA_HOME to its folder"),
]

# Nothing listens where the database should be: a rule that can't ask is told of, too.
RULES = """
contact_point: hook
contact_points:
  hook:
    - webhook: {url: $ALERT_WEBHOOK_URL}
mute_times:
  never: [{years: [2001]}]
rules:
  - {id: viewed, name: Secret viewed, kind: any, about: secret_view, interval: 10s, late: 10s, mute: [never]}
"""


def test_a_rule_tells_its_contact_point_and_the_policies_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "alerts.yaml").write_text(RULES)
    options = ProvisioningOptions(
        database_host="127.0.0.1:1", database_name="none", alerts=load_alerts([tmp_path / "alerts.yaml"], ANY)
    )
    render(tmp_path / "provisioning", options)
    with WebhookSink().listening() as sink:
        variables = {"ALERT_WEBHOOK_URL": f"{sink.url}/hook", "AUDITGRAF_READER_PASSWORD": "none"}
        with alerting_grafana(tmp_path, variables) as grafana:
            version = Version.parse(grafana.call("/api/health")["version"])
            if not version.has(Version(10, 4)):
                pytest.skip(f"Grafana {version} asks the policies alone")
            wait_until(lambda: sink.received, "the rule tells its contact point", 90)
            [alert] = sink.request("/hook").json["alerts"]
            assert (alert["labels"]["rule_id"], alert["labels"]["alertname"]) == ("viewed", "DatasourceError")
            policies = grafana.call("/api/v1/provisioning/policies")
            assert not policies.get("routes")
            assert policies.get("provenance", "") == ""
