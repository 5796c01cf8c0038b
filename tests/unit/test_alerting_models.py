"""What Grafana's alerting files may have in them, and which Grafana they are for."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from provisioning.alerts.models import AlertingFile
from provisioning.alerts.templates import FORMS, templates
from provisioning.version import ANY, Version
from provisioning.yaml_file import to_yaml

RULE: dict[str, Any] = {
    "uid": "failed-logins",
    "title": "Failed logins",
    "condition": "C",
    "for": "0s",
    "noDataState": "OK",
    "execErrState": "Error",
    "annotations": {"__dashboardUid__": "audit-overview", "__panelId__": "1", "summary": "{{ $labels.actor }}"},
    "labels": {"source": "auditgraf"},
    "data": [
        {
            "refId": "A",
            "datasourceUid": "auditgraf",
            "relativeTimeRange": {"from": 600, "to": 0},
            "model": {"refId": "A", "rawSql": "SELECT 1"},
        },
        {
            "refId": "C",
            "datasourceUid": "__expr__",
            "relativeTimeRange": {"from": 0, "to": 0},
            "model": {"refId": "C", "type": "threshold", "expression": "A"},
        },
    ],
}
GROUP: dict[str, Any] = {"name": "audit-1m", "folder": "Audit alerts", "interval": "1m", "rules": [RULE]}


def test_a_file_is_written_in_grafanas_words() -> None:
    file = AlertingFile.model_validate({"groups": [GROUP], "deleteRules": [{"uid": "gone"}], "resetPolicies": [1]})
    written = yaml.safe_load(to_yaml(file))
    assert written == {
        "apiVersion": 1,
        "groups": [{"orgId": 1} | GROUP],
        "deleteRules": [{"orgId": 1, "uid": "gone"}],
        "resetPolicies": [1],
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"uid": "x" * 41}, "uid"),
        ({"uid": "a b"}, "uid"),
        ({"title": "x" * 191}, "title"),
        ({"condition": "B"}, "no query is called 'B'; there are A, C"),
        ({"for": ""}, "is no duration"),
        ({"noDataState": "Ok"}, "noDataState"),
        ({"execErrState": "NoData"}, "execErrState"),
        ({"executionErrorState": "OK"}, "executionErrorState"),
        ({"annotations": {"summary": "${x}"}}, "a newer Grafana expands ${...} in annotations"),
        ({"annotations": {"__panelId__": "1"}}, "__dashboardUid__ and __panelId__ go together"),
        ({"labels": {"a-b": "c"}}, "labels"),
        ({"labels": {"count": 3}}, "labels.count"),
        ({"data": [RULE["data"][0], RULE["data"][0]], "condition": "A"}, "two queries have the same refId"),
        ({"data": [RULE["data"][0] | {"relativeTimeRange": {"from": 0, "to": 0}}], "condition": "A"}, "longer ago"),
        ({"data": [RULE["data"][0] | {"relativeTimeRange": {"from": 1.5}}], "condition": "A"}, "relativeTimeRange"),
        ({"data": [RULE["data"][0] | {"datasourceUID": "x"}], "condition": "A"}, "datasourceUID"),
        ({"data": []}, "data"),
    ],
)
def test_a_rule_that_stops_grafana_or_loses_something_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as failure:
        AlertingFile.model_validate({"groups": [GROUP | {"rules": [RULE | change]}]})
    assert says in str(failure.value)


@pytest.mark.parametrize("interval", ["15s", "0s", "1", "90", "1m30", ""])
def test_an_interval_that_grafana_can_not_keep_is_refused(interval: str) -> None:
    with pytest.raises(ValidationError, match="interval"):
        AlertingFile.model_validate({"groups": [GROUP | {"interval": interval}]})


@pytest.mark.parametrize(
    "given",
    [
        {"groups": [GROUP, GROUP | {"name": "other"}]},
        {"groups": [GROUP, GROUP | {"rules": [RULE | {"uid": "other", "title": "other"}]}]},
        {"groups": [GROUP | {"rules": [RULE, RULE | {"uid": "other"}]}]},
        {"policies": [{"receiver": "a"}, {"receiver": "b"}]},
        {"templates": [{"name": "a", "template": '{{ define "a" }}{{ end }}'}] * 2},
        {"muteTimes": [{"name": "a", "time_intervals": [{}]}] * 2},
        {"contactPoints": [{"name": "a", "receivers": [{"uid": "a", "type": "email", "settings": {"a": "b"}}] * 2}]},
    ],
    ids=["rule", "group", "title", "policy", "template", "mute-time", "receiver"],
)
def test_what_is_there_twice_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="is there twice"):
        AlertingFile.model_validate(given)


@pytest.mark.parametrize("key", ["deleteRules", "deleteContactPoints", "deleteMuteTimes", "deleteTemplates"])
def test_nothing_is_deleted_without_being_named(key: str) -> None:
    with pytest.raises(ValidationError, match="required"):
        AlertingFile.model_validate({key: [{"orgId": 1}]})


def test_a_message_is_defined_for_each_form() -> None:
    (template,) = templates()
    for name in ("title", "severity", *FORMS):
        assert template.template.count(f'{{{{ define "auditgraf.{name}" }}}}') == 1
    assert "FORM" not in template.template


@pytest.mark.parametrize(
    ("text", "version"),
    [("any", ANY), ("9.4", Version(9, 4)), ("9.4.7", Version(9, 4)), ("10", Version(10)), ("v13.2", Version(13, 2))],
)
def test_a_version_is_read_as_it_is_called(text: str, version: Version) -> None:
    assert Version.parse(text) == version


@pytest.mark.parametrize("text", ["", "new", "9", "9.3", "8.5.1", "9.x", "-1"])
def test_a_version_that_is_none_or_too_old_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no version of Grafana|is the oldest that is supported"):
        Version.parse(text)


def test_a_version_has_what_came_before_it() -> None:
    assert Version(10, 4).has(Version(10, 4))
    assert Version(11).has(Version(10, 4))
    assert not Version(10, 3).has(Version(10, 4))
    assert ANY.has(Version(9, 4))
    assert not ANY.has(Version(9, 5))
    assert [str(ANY), str(Version(10, 4))] == ["any", "10.4"]
