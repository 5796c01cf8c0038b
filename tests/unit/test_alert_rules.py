"""The rules file: what it means, what is refused and where, and what Grafana's files say of it."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
import yaml

from exporter.errors import ConfigError
from provisioning.alerts.file import Alerts, default_rules, load_alerts
from provisioning.alerts.literals import literal
from provisioning.alerts.rendering import AlertingOptions, Written, alerting_file
from provisioning.version import ANY, Version
from provisioning.write import ProvisioningOptions, render
from tests.alert_goldens import FOLDER, VERSIONS, rendered

RULE = "- {id: one, name: One, kind: any, filter: all}"


def read(folder: Path, text: str, version: str = "any", name: str = "alerts.yaml") -> Alerts:
    (folder / name).write_text(text)
    return load_alerts([folder / name], Version.parse(version))


def refusal(folder: Path, text: str, version: str = "any") -> str:
    with pytest.raises(ConfigError) as failure:
        read(folder, text, version)
    return str(failure.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_files_of_grafana_are_as_they_were_looked_at(version: str) -> None:
    assert rendered(version) == (FOLDER / f"{version}.yaml").read_bytes(), "python -m tests.alert_goldens, and look"


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("{id: one, name: One, kind: any}", "rules.0: no events are meant; give it a filter, about, or filter: all"),
        ("{id: one, name: One, filter: all}", "rules.0.kind: None is no kind; known are absence, any,"),
        ("{id: one, name: One, kind: count, filter: all, abov: 3}", "rules.0.abov: unknown key; did you mean above?"),
        ("{id: one, name: One, kind: coutn, filter: all}", "rules.0.kind: 'coutn' is no kind; did you mean count?"),
        ("{id: One!, name: One, kind: any, filter: all}", "rules.0.id: 'One!' is no id; write lower-case letters"),
        ("{id: one, name: '', kind: any, filter: all}", "rules.0.name: must be one line of text"),
        ("{id: one, name: One, kind: any, filter: {actoin: x}}", "filter.actoin: unknown key; did you mean action?"),
        ("{id: one, name: One, kind: any, filter: {action: {regex: '('}}}", "rules.0.filter.action.regex:"),
        ("{id: one, name: One, kind: any, filter: {action: {regex: '\\p{L}'}}}", "rules.0: filter.action"),
        ("{id: one, name: One, kind: any, about: sign_on}", "'sign_on' is not known; did you mean sign_in?"),
        ("{id: one, name: One, kind: count, filter: all, above: -1}", "rules.0.above: -1: must be a whole number"),
        ("{id: one, name: One, kind: count, filter: all, above: 1, window: 0m}", "window: write a time from 1m to 7d"),
        ("{id: one, name: One, kind: count, filter: all, above: 1, window: 10}", "10: give it a unit, e.g. 10m"),
        ("{id: one, name: One, kind: count, filter: all, above: 1, interval: 15s}", "Grafana counts in steps of 10 s"),
        ("{id: one, name: One, kind: count, filter: all, above: 1, window: 30d}", "write a time from 1m to 7d"),
        ("{id: one, name: One, kind: count, filter: all, above: 1, group_by: [who]}", "group_by: 'who' is no field"),
        ("{id: one, name: One, kind: count, filter: all, above: 1, group_by: [actor, actor]}", "names a field twice"),
        ("{id: one, name: One, kind: distinct, filter: all, above: 1, of: actor, group_by: [actor]}", "of: is what"),
        ("{id: one, name: One, kind: absence, filter: all, window: 2h, baseline: 1h}", "baseline: must be longer than"),
        ("{id: one, name: One, kind: rate, filter: all}", "rules.0: no limit; give it above"),
        ("{id: one, name: One, kind: any, filter: all, message: '{actr}'}", "{actr} is nothing that this rule"),
        ("{id: one, name: One, kind: any, filter: all, message: '{actor'}", "message: a { stands alone; write {{"),
        ("{id: one, name: One, kind: any, filter: all, labels: {severity: x}}", "'severity' is set by the rule"),
        ("{id: one, name: One, kind: any, filter: all, labels: {a b: x}}", "labels: 'a b' is no label"),
        ('{id: one, name: One, kind: any, filter: all, labels: {a: "x\\ny"}}', "labels: a: must be one line of text"),
        ("{id: one, name: One, kind: any, filter: all, contact_point: nobody}", "no contact point is called 'nobody'"),
        ("{id: one, name: One, kind: any, filter: all, mute: [never]}", "mute: no mute time is called 'never'"),
        ("{id: one, name: One, kind: any, filter: all, runbook: 'https://x/${HOME}'}", "runbook: 'https:"),
        ("{id: one, name: One, kind: outside_hours, filter: all, zone: Mars/North}", "zone: 'Mars/North' is no time"),
        ("{id: one, name: One, kind: outside_hours, filter: all, hours: 22:00-06:00}", "ends before it"),
        ("{id: one, name: One, kind: outside_hours, filter: all, days: [someday]}", "days: 'someday' is no day"),
        ("{id: one, name: One, kind: ingestion, check: lags}", "check: 'lags' is no check; did you mean lag?"),
        ("{id: one, name: One, kind: sequence, group_by: [], first: {filter: all}, then: {filter: all}}", "nothing"),
        ("{id: one, name: One, kind: sequence, group_by: [actor], first: {filter: all}}", "rules.0.then: this key is"),
    ],
)
def test_what_is_wrong_in_a_rule_is_told_with_its_place(tmp_path: Path, rule: str, problem: str) -> None:
    text = f"rules:\n- {rule}\n"
    told = refusal(tmp_path, text)
    assert told.startswith("alerts.yaml:2: rules.0"), told
    assert problem in told


def test_all_that_is_wrong_in_a_file_is_told_at_once(tmp_path: Path) -> None:
    text = f"contact_point: nobody\nrules:\n{RULE}\n- {{id: one, name: ONE, kind: any, filter: all, mute: [x]}}\n"
    told = refusal(tmp_path, text).splitlines()
    assert [line.split(":")[1] for line in told] == ["1", "3", "3", "3", "4", "4", "4", "4"]
    assert "'one' is the id of two rules" in told[1]
    assert "'One' is the name of two rules" in told[2]


def test_two_files_are_one_set_of_rules(tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text("contact_points:\n  hook:\n  - webhook: {url: $URL}\n")
    (tmp_path / "rules.yaml").write_text(f"contact_point: hook\nrules:\n{RULE}\n")
    alerts = load_alerts([tmp_path / "people.yaml", tmp_path / "rules.yaml"], ANY)
    assert [(rule.id, rule.contact_point) for rule in alerts.rules] == [("one", "hook")]
    (tmp_path / "again.yaml").write_text("contact_points:\n  hook:\n  - webhook: {url: $URL}\n")
    with pytest.raises(ConfigError, match=r"again.yaml:2: contact_points.hook: is in .*people.yaml already"):
        load_alerts([tmp_path / "people.yaml", tmp_path / "again.yaml"], ANY)


def test_default_rules_are_switched_on_and_changed_by_name(tmp_path: Path) -> None:
    name, rule = next((name, rule) for name, rule in default_rules().items() if rule.kind == "count")
    assert {each.id for each in read(tmp_path, "defaults: all").rules} == {
        each.id for each in default_rules().values() if each.enabled
    }
    changed = read(tmp_path, f"defaults:\n  rules: [{name}]\n  change:\n    {name}: {{above: 77, severity: info}}\n")
    [only] = changed.rules
    assert (only.severity, only.name) == ("info", rule.name)
    assert only.model_dump()["above"] == 77
    told = refusal(tmp_path, f"defaults:\n  rules: [{name}]\n  change:\n    {name}: {{abve: 77}}\n")
    assert told == f"alerts.yaml:4: defaults.change.{name}.abve: unknown key; did you mean above?"
    assert "did you mean" in refusal(tmp_path, f"defaults: [{name}x]")


def test_a_rule_that_is_switched_off_is_in_no_file(tmp_path: Path) -> None:
    assert read(tmp_path, "rules:\n- {id: one, name: One, kind: any, filter: all, enabled: false}\n").rules == ()


@pytest.mark.parametrize(
    "text", ["it's", "a\\b", "$__timeFrom()", "$1 ${x}", "\\x24", "é\u202e\n\t", "';--", "\\'", "$a$"]
)
def test_a_literal_is_read_as_it_was_meant_and_has_no_dollar_sign(shared_database: str, text: str) -> None:
    written = literal(text)
    assert "$" not in written
    with psycopg.connect(shared_database) as connection:
        assert connection.execute(f"SELECT {written}".encode()).fetchone() == (text,)


def test_what_vanishes_from_the_rules_is_deleted_in_every_later_render(tmp_path: Path) -> None:
    def written(text: str) -> dict[str, object]:
        options = ProvisioningOptions("127.0.0.1:5432", "audit", alerts=read(tmp_path, text))
        render(tmp_path / "out", options)
        path = tmp_path / "out" / "alerting" / "auditgraf-gone.yaml"
        return dict(yaml.safe_load(path.read_text())) if path.exists() else {}

    assert "deleteRules" not in written(f"rules:\n{RULE}\n")
    gone = [{"orgId": 1, "uid": "auditgraf-one"}]
    assert written("rules: []")["deleteRules"] == gone
    assert written("rules: []")["deleteRules"] == gone  # a Grafana may not have been started in between
    assert "deleteRules" not in written(f"rules:\n{RULE}\n")


def test_contact_points_are_deleted_only_where_no_policy_of_others_can_name_them() -> None:
    gone = Written(receivers=("auditgraf-0123",), mute_times=("nights",))
    options = AlertingOptions("http://grafana", "auditgraf")
    left, _ = alerting_file(Alerts(), options, gone)
    assert left.deleteContactPoints is None
    assert left.deleteMuteTimes is None
    ours, _ = alerting_file(Alerts(), options, Written(receivers=gone.receivers, policies=True))
    assert ours.resetPolicies == [1]
    assert [each.uid for each in ours.deleteContactPoints or ()] == ["auditgraf-0123"]


def test_rules_that_are_gone_stand_in_the_file_that_grafana_reads_first(tmp_path: Path) -> None:
    # Else a new rule with the title of one that goes keeps Grafana from starting.
    for text in (RULE, RULE.replace("id: one", "id: two")):
        options = ProvisioningOptions("127.0.0.1:5432", "audit", alerts=read(tmp_path, f"rules:\n{text}\n"))
        render(tmp_path / "out", options)
    first, second = [yaml.safe_load(path.read_text()) for path in sorted((tmp_path / "out" / "alerting").iterdir())]
    assert first == {"apiVersion": 1, "deleteRules": [{"orgId": 1, "uid": "auditgraf-one"}]}
    assert [rule["uid"] for group in second["groups"] for rule in group["rules"]] == ["auditgraf-two"]


def test_a_name_that_another_rule_still_had_in_the_last_render_is_refused(tmp_path: Path) -> None:
    def written(first: str, second: str) -> None:
        rules = f"[{{id: a, name: {first}, kind: any, filter: all}}, {{id: b, name: {second}, kind: any, filter: all}}]"
        alerts = read(tmp_path, f"rules: {rules}")
        render(tmp_path / "out", ProvisioningOptions("127.0.0.1:5432", "audit", alerts=alerts))

    written("One", "Two")
    with pytest.raises(ConfigError, match="rule a: 'two' was the name of b in the last render"):
        written("two", "One")
    written("Three", "One 2")
    written("Two", "One")


def test_an_integration_that_is_taken_out_of_a_contact_point_is_told_nothing_any_more(tmp_path: Path) -> None:
    mail, hook = "{email: {addresses: [a@example.com]}}", "{webhook: {url: $HOOK}}"
    options = AlertingOptions("http://grafana", "auditgraf")
    both = read(tmp_path, f"contact_points: {{desk: [{mail}, {hook}], other: [{mail}]}}\nrules: []")
    _, before = alerting_file(both, options, Written())
    one = read(tmp_path, f"contact_points: {{desk: [{hook}]}}\nrules: []")
    file, _ = alerting_file(one, options, before)
    # Its first integration; `other` may be named by somebody's policy.
    assert [each.uid for each in file.deleteContactPoints or ()] == [before.receivers[0]]


@pytest.mark.parametrize(
    ("keys", "refused"),
    [
        ("kind: count, above: 1, group_by: [attributes.a-b, attributes.A_B]", "both called attr_a_b"),
        ("kind: new, of: attributes.a-b, group_by: [attributes.a_b]", "both called attr_a_b"),
        (f"kind: new, of: attributes.{'x' * 70}1, group_by: [attributes.{'x' * 70}2]", "both called attr_xxx"),
        ("kind: any, labels: {attr_x: y}", "set by the rule itself"),
        ("kind: ingestion, check: lag, above: true", "must be a whole number"),
    ],
)
def test_what_would_be_one_label_for_two_things_is_refused(tmp_path: Path, keys: str, refused: str) -> None:
    selection = "" if "ingestion" in keys else "filter: all, "
    assert refused in refusal(tmp_path, f"rules: [{{id: one, name: One, {selection}{keys}}}]")


def test_a_mistake_in_the_rules_leaves_the_files_as_they_were(tmp_path: Path) -> None:
    options = ProvisioningOptions("127.0.0.1:5432", "audit", alerts=read(tmp_path, f"rules:\n{RULE}\n"))
    render(tmp_path / "out", options)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    with pytest.raises(ConfigError):
        render(
            tmp_path / "out",
            ProvisioningOptions("127.0.0.1:5432", "audit", alert_folder="", alerts=options.alerts),
        )
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_the_pages_of_default_rules_are_linked_where_the_deployment_has_them(tmp_path: Path) -> None:
    alerts = read(tmp_path, f"defaults: [mass-deletion]\nrules:\n{RULE}\n")
    options = AlertingOptions("http://grafana", "auditgraf", runbooks="https://wiki.example.com/audit/")
    file, _ = alerting_file(alerts, options, Written())
    pages = {rule.uid: rule.annotations.get("runbook_url") for group in file.groups or () for rule in group.rules}
    assert pages == {
        "auditgraf-mass-deletion": "https://wiki.example.com/audit/mass-deletion.md",
        "auditgraf-one": None,
    }
