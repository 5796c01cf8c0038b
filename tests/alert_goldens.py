"""What the rules of tests/alerts become for two versions of Grafana; `python -m tests.alert_goldens` writes it anew."""

from __future__ import annotations

from pathlib import Path

from provisioning.alerts.file import load_alerts
from provisioning.alerts.rendering import AlertingOptions, Written, alerting_file
from provisioning.version import Version
from provisioning.yaml_file import to_yaml

FOLDER = Path(__file__).parent / "alerts"
VERSIONS = ("9.4", "13")


def rendered(version: str) -> bytes:
    """The alerting file for a version, some things of an earlier render being gone."""
    parsed = Version.parse(version)
    alerts = load_alerts([FOLDER / "rules.yaml"], parsed)
    options = AlertingOptions("https://grafana.example.com/", "auditgraf", "Audit alerts", parsed)
    gone = Written(
        rules=("auditgraf-brute", "auditgraf-was-here"), receivers=("auditgraf-0000",), mute_times=("holidays",)
    )
    file, _ = alerting_file(alerts, options, gone)
    return to_yaml(file)


if __name__ == "__main__":
    for name in VERSIONS:
        (FOLDER / f"{name}.yaml").write_bytes(rendered(name))
