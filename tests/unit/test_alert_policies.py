"""The notification policies of the rules file, and the tree that Grafana gets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from exporter.document import loads
from exporter.errors import ConfigError
from provisioning.alerts.policies import Policies, Route, policies, policy_problems

RECEIVERS, MUTE_TIMES = ("on-call", "mail $ team"), ("nights",)
OWN = {"receiver": "on-call", "object_matchers": [["team", "=~", "^(a|b)$"]]}


class RulesFile(BaseModel):
    """A file that has nothing but policies."""

    policies: Policies


def tree(settings: dict[str, Any], *routes: Route) -> dict[str, Any]:
    parsed = Policies.model_validate({"replace": True, "default": "on-call"} | settings)
    made = policies(routes, parsed, receivers=RECEIVERS, mute_times=MUTE_TIMES)
    found: dict[str, Any] = json.loads(made.model_dump_json(exclude_none=True))
    return found


def problems(settings: Any) -> str:
    with pytest.raises(ConfigError) as failure:
        loads(json.dumps({"policies": settings}), "rules.yaml").parse(RulesFile)
    return str(failure.value)


def test_the_root_tells_whom_the_section_names() -> None:
    assert tree({}) == {
        "orgId": 1,
        "receiver": "on-call",
        "group_by": ["grafana_folder", "alertname"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "4h",
    }


def test_each_route_is_a_branch_behind_the_administrators_own() -> None:
    routes = [
        Route("brute-force", "on-call", ("alertname", "actor"), ("nights",), "0s", "1m", "12h"),
        Route("silent", "mail $ team"),
    ]
    found = tree({"default": "on-call", "routes": [OWN | {"continue": True, "routes": [OWN]}]}, *routes)
    own = {"receiver": "on-call", "object_matchers": [["team", "=~", "^(a|b)$$"]]}
    assert found["receiver"] == "on-call"
    assert found["routes"] == [
        own | {"continue": True, "routes": [own]},
        {
            "receiver": "on-call",
            "object_matchers": [["source", "=", "auditgraf"], ["rule_id", "=", "brute-force"]],
            "group_by": ["alertname", "actor"],
            "mute_time_intervals": ["nights"],
            "group_wait": "0s",
            "group_interval": "1m",
            "repeat_interval": "12h",
        },
        {
            "receiver": "mail $$ team",
            "object_matchers": [["source", "=", "auditgraf"], ["rule_id", "=", "silent"]],
        },
    ]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "policies.replace: this key is required"),
        ({"replace": False}, "policies.replace: must be true, not false: this replaces all"),
        ({"replace": "yes"}, "policies.replace: must be true, not text"),
        ({"group_wait": "soon"}, "policies.group_wait: 'soon' is no duration"),
        ({"group_interval": "0s"}, "policies.group_interval: 0s: must be longer than that"),
        ({"repeat_interval": 4}, "policies.repeat_interval: must be a time with its unit"),
        ({"group_by": ["...", "actor"]}, "policies.group_by: ... stands for all labels"),
        ({"group_by": ["actor", "actor"]}, "policies.group_by: a label is named twice"),
        ({"routes": [{"receiver": "on-call"}]}, "routes.0.object_matchers: is needed"),
        ({"routes": [OWN | {"object_matchers": [["a", "is", "b"]]}]}, "'is' is none of = != =~ !~"),
        ({"routes": [OWN | {"object_matchers": [["a", "=~", "("]]}]}, "'(' is no regular expression"),
        ({"routes": [OWN | {"object_matchers": ["a = b"]}]}, "must be a list of three texts"),
        ({"routes": [OWN | {"matchers": ["a = b"]}]}, "routes.0.matchers: unknown key; did you mean object_matchers?"),
    ],
)
def test_settings_that_grafana_can_not_use_are_refused_at_their_place(settings: dict[str, Any], says: str) -> None:
    given = {"replace": True, "default": "on-call"} | settings if settings else settings
    found = problems(given)
    assert "rules.yaml:1: policies" in found
    assert says in found


def unknown(settings: dict[str, Any]) -> list[tuple[Any, str]]:
    parsed = Policies.model_validate({"replace": True, "default": "on-call"} | settings)
    return list(policy_problems(parsed, receivers=RECEIVERS, mute_times=MUTE_TIMES))


def test_names_that_nothing_has_are_told_at_their_places() -> None:
    nested = OWN | {"receiver": "on-call", "routes": [OWN | {"mute_time_intervals": ["nigths"]}]}
    found = unknown({"default": "oncall", "routes": [nested]})
    assert found == [
        (("default",), "no contact point is called 'oncall'; did you mean on-call?"),
        (
            ("routes", 0, "routes", 0, "mute_time_intervals", 0),
            "no mute time is called 'nigths'; did you mean nights?",
        ),
    ]
    with pytest.raises(ConfigError, match=r"policies\.default: no contact point is called 'oncall'"):
        tree({"default": "oncall"})


def test_names_that_exist_in_grafana_can_be_declared() -> None:
    settings = {"existing": ["by hand"], "default": "by hand", "routes": [OWN | {"mute_time_intervals": ["by hand"]}]}
    assert not unknown(settings)
    assert tree(settings)["receiver"] == "by hand"


@pytest.mark.parametrize(
    ("route", "says"),
    [
        (Route("r", "oncall"), "rule r: no contact point is called 'oncall'; did you mean on-call?"),
        (Route("r", "on-call", mute_times=("days",)), "rule r: no mute time is called 'days'"),
    ],
    ids=["receiver", "mute-time"],
)
def test_a_rules_route_to_nobody_is_refused(route: Route, says: str) -> None:
    with pytest.raises(ConfigError) as failure:
        tree({}, route)
    assert says in str(failure.value)
