"""The alert rules that come with Auditgraf: whole, readable, explained, and easy to change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.document import loads
from exporter.errors import ConfigError
from provisioning.alerts.contacts import needed_variables
from provisioning.alerts.file import DEFAULTS, default_rules, load_alerts
from provisioning.alerts.message import check_message
from provisioning.alerts.rule import KINDS, Rule
from provisioning.version import Version

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
RULES = default_rules()
# The last version of Grafana that has no notification settings in rules, and one that has.
VERSIONS = [Version(9, 4), Version(13, 0)]


def alerts_of(folder: Path, text: str, version: Version = VERSIONS[0]) -> dict[str, Rule]:
    path = folder / "alerts.yaml"
    path.write_text(text, encoding="utf-8")
    return {rule.id: rule for rule in load_alerts([path], version).rules}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_says_what_happened_and_why_it_matters(rule: Rule) -> None:
    assert re.fullmatch(r"[A-Z].{8,60}[^.]", rule.name)
    assert rule.description.endswith(".")
    assert 1 <= len(re.findall(r"[.?!](?= |$)", rule.description)) <= 4
    assert rule.runbook is None, "the configuration says where the runbooks are"
    assert rule.contact_point is None


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_message_names_only_what_the_rule_tells(rule: Rule) -> None:
    if rule.kind != "ingestion":
        assert rule.message
        check_message(rule.message, rule)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_has_a_runbook_whose_change_can_be_made(rule: Rule, tmp_path: Path) -> None:
    page = (RUNBOOKS / f"{rule.id}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {rule.name}\n\nRule `{rule.id}`, severity *{rule.severity}*")
    for heading in ("What it means", "Look at first", "Likely harmless", "What to do", "Tune it"):
        assert f"\n## {heading}\n" in page
    [snippet] = re.findall(r"```yaml\n(.+?)```", page, re.DOTALL)
    assert list(yaml.safe_load(snippet)["defaults"]["change"]) == [rule.id]
    changed = alerts_of(tmp_path, snippet)[rule.id]
    assert changed != rule


def test_runbooks_link_to_pages_that_exist() -> None:
    pages = sorted(RUNBOOKS.glob("*.md"))
    assert {page.stem for page in pages} == {"README", *RULES}
    for page in pages:
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert (RUNBOOKS / link).resolve().is_file(), f"{page.name}: {link}"


def test_the_index_of_runbooks_has_every_rule_with_its_severity() -> None:
    listed = re.findall(
        r"^\| \[([a-z-]+)\]\(\1\.md\) \| (.+?)( \(off by default\))? \| (\w+) \|$",
        (RUNBOOKS / "README.md").read_text(),
        re.M,
    )
    assert {(name, title, not off, severity) for name, title, off, severity in listed} == {
        (rule.id, rule.name, rule.enabled, rule.severity) for rule in RULES.values()
    }


def test_every_threshold_has_its_reason_beside_it() -> None:
    for path in DEFAULTS.glob("*.yaml"):
        for block in path.read_text(encoding="utf-8").split("  - id: ")[1:]:
            if re.search(r"^    (above|times|window: 3d)\b", block, re.MULTILINE):
                assert re.search(r"^    # ", block, re.MULTILINE), block.splitlines()[0]


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_all_that_are_not_off_are_switched_on(tmp_path: Path, version: Version) -> None:
    switched_on = {name for name, rule in RULES.items() if rule.enabled}
    assert alerts_of(tmp_path, "defaults: all", version).keys() == switched_on
    assert RULES.keys() - switched_on == {"privilege-change-off-hours", "unseen-action", "verification-overdue"}


def test_one_can_be_changed_and_the_others_stay(tmp_path: Path) -> None:
    changed = alerts_of(tmp_path, "defaults: {change: {mass-deletion: {above: 99, enabled: true}}}")
    assert changed.pop("mass-deletion").above == 99  # type: ignore[attr-defined]
    assert changed == {name: rule for name, rule in RULES.items() if rule.enabled and name != "mass-deletion"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("defaults: [mas-deletion]", ":1: defaults.+did you mean mass-deletion"),
        ("defaults:\n  change:\n    mass-deletion: {abov: 3}", ":3: .+abov.+did you mean above"),
        ("defaults:\n  change:\n    mass-deletion: {kind: any}", ":3: .+can't be changed"),
        ("defaults: {rules: none, change: {mass-deletion: {above: 1}}}", "is changed, but not switched on"),
        ("defaults: all\nrules: [{id: mass-deletion, name: X, kind: any, filter: all}]", "the id of two rules"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        alerts_of(tmp_path, text)


def test_the_example_is_one(tmp_path: Path) -> None:
    text = (ROOT / "examples" / "alerts.yaml").read_text(encoding="utf-8")
    alerts = load_alerts([ROOT / "examples" / "alerts.yaml"], VERSIONS[0])
    assert needed_variables(alerts.contact_points) == {"ONCALL_URL", "ONCALL_TOKEN"}
    told = {rule.id: rule.contact_point for rule in alerts.rules}
    assert told["guessed-password"] == told["payout-account-changed"] == "on-call"
    assert told["many-exports"] == told["new-country"] == "security"
    assert alerts_of(tmp_path, text, VERSIONS[1]).keys() == told.keys()


# What the examples take for granted.
NAMED: dict[str, dict[str, Any]] = {
    "contact_points": {"on-call": [{"webhook": {"url": "$URL"}}], "security": [{"webhook": {"url": "$URL"}}]},
    "mute_times": {"nights": [{"from": "22:00", "until": "06:00"}]},
}


def examples() -> Iterator[dict[str, Any]]:
    """The examples of docs/alerts.md as files of their own, with what they name."""
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    for block in re.findall(r"```yaml\n(.+?)```", page, re.DOTALL):
        given = loads(block, "alerts.md").data
        file: dict[str, Any] = {"rules": given} if isinstance(given, list) else dict(given)
        yield file | {section: values | file.get(section, {}) for section, values in NAMED.items()}


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_every_example_in_the_documentation_can_be_used(tmp_path: Path, version: Version) -> None:
    kinds = set()
    for file in examples():
        # The one that is about the configuration.
        if "grafana" not in file:
            rules = alerts_of(tmp_path, yaml.safe_dump(file), version)
            assert rules
            kinds |= {rule.kind for rule in rules.values() if rule.id not in RULES}
    assert kinds == KINDS.keys()
