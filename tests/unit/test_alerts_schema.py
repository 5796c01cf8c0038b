"""docs/alerts.schema.json says what the models of the rules file say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from exporter.document import loads
from exporter.errors import ConfigError
from provisioning.alerts.file import DEFAULTS, RulesFile
from provisioning.alerts.schema import schema, schema_text

ROOT = Path(__file__).parents[2]
VALIDATOR = Draft202012Validator(schema())
GOOD = [
    "defaults: all",
    "defaults: [guessed-password, mass-deletion]",
    "defaults: {change: {mass-deletion: {above: 50, window: 30m}}}",
    "contact_points: {on-call: [{email: {addresses: a@example.com}}]}\ncontact_point: on-call",
    "mute_times: {night: {from: '22:00', until: '06:00', zone: Europe/Vienna}}",
    "policies: {replace: true, default: a, routes: [{object_matchers: [[team, '=', a]], receiver: b}]}",
    "rules: [{id: a, name: A, kind: any, filter: all}]",
    "rules: [{id: a, name: A, kind: any, filter: {any: [{client_ip: 192.0.2.0/24}, {action: {glob: 'x.*'}}]}}]",
    "rules: [{id: a, name: A, kind: any, filter: {attributes: {n: {at_least: 7}}, not: {severity: 17}}}]",
    "rules: [{id: a, name: A, kind: any, about: [sign_in, deletion], labels: {team: a}, repeat: 1d, for: 5m}]",
    "rules: [{id: a, name: A, kind: count, filter: all, group_by: actor, above: 0, window: 1h 30m, late: 0s}]",
    "rules: [{id: a, name: A, kind: distinct, filter: all, of: attributes.x, group_by: [address], above: 2}]",
    "rules: [{id: a, name: A, kind: new, filter: all, of: country, baseline: 1y, interval: 10m}]",
    "rules: [{id: a, name: A, kind: absence, filter: all}]",
    "rules: [{id: a, name: A, kind: rate, filter: all, above: 1.5, below: 0.25, at_least: 7}]",
    "rules: [{id: a, name: A, kind: sequence, group_by: [actor], first: {filter: all, times: 3}, then: {filter: all}}]",
    "rules: [{id: a, name: A, kind: travel, about: sign_in, above_km: 100, above_kmh: 800}]",
    "rules: [{id: a, name: A, kind: outside_hours, filter: all, hours: '07:00-19:00', days: [Monday-friday]}]",
    "rules: [{id: a, name: A, kind: change, filter: all, fields: [role]}]",
    "rules: [{id: a, name: A, kind: ingestion, check: lag, above: 60}]",
]
BAD = [
    "rulez: []",
    "defaults: some",
    "defaults: {chnage: {}}",
    "contact_points: {on-call: {email: {addresses: a@example.com}}}",
    "mute_times: {night: {from: 22}}",
    "policies: {replace: false}",
    "rules: [{id: a, name: A, filter: all}]",
    "rules: [{id: a, name: A, kind: some, filter: all}]",
    "rules: [{name: A, kind: any, filter: all}]",
    "rules: [{id: a, name: A, kind: any, filter: all, window: 5m}]",
    "rules: [{id: a, name: A, kind: any, filter: none}]",
    "rules: [{id: a, name: A, kind: any, filter: {acton: x}}]",
    "rules: [{id: a, name: A, kind: any, about: signin}]",
    "rules: [{id: a, name: A, kind: any, filter: all, severity: severe}]",
    "rules: [{id: a, name: A, kind: any, filter: all, enabled: 'yes'}]",
    "rules: [{id: a, name: A, kind: count, filter: all}]",
    "rules: [{id: a, name: A, kind: count, filter: all, above: -1}]",
    "rules: [{id: a, name: A, kind: count, filter: all, above: 1.5}]",
    "rules: [{id: a, name: A, kind: count, filter: all, above: 1, window: 10}]",
    "rules: [{id: a, name: A, kind: count, filter: all, above: 1, window: soon}]",
    "rules: [{id: a, name: A, kind: count, filter: all, above: 1, group_by: [actr]}]",
    "rules: [{id: a, name: A, kind: distinct, filter: all, of: actr, above: 1}]",
    "rules: [{id: a, name: A, kind: sequence, group_by: [actor], first: {filter: all}}]",
    "rules: [{id: a, name: A, kind: sequence, group_by: [actor], first: {filter: all, times: 0}, then: {filter: all}}]",
    "rules: [{id: a, name: A, kind: outside_hours, filter: all, hours: 7-19}]",
    "rules: [{id: a, name: A, kind: ingestion, check: lagg}]",
    "rules: [{id: a, name: A, kind: change, filter: all, runbook: docs/a.md}]",
]


def problems(document: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(document)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())


def test_the_committed_schema_is_up_to_date() -> None:
    assert (ROOT / "docs" / "alerts.schema.json").read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize(
    "path", [*sorted(DEFAULTS.glob("*.yaml")), ROOT / "examples" / "alerts.yaml"], ids=lambda p: p.stem
)
def test_the_defaults_and_the_example_are_valid_by_it(path: Path) -> None:
    assert not problems(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("text", GOOD)
def test_what_the_models_take_is_valid(text: str) -> None:
    assert not problems(yaml.safe_load(text))
    loads(text, "alerts.yaml").parse(RulesFile)


@pytest.mark.parametrize("text", BAD)
def test_what_the_models_refuse_is_not(text: str) -> None:
    assert problems(yaml.safe_load(text))
    with pytest.raises(ConfigError):
        loads(text, "alerts.yaml").parse(RulesFile)
