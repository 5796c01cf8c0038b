from __future__ import annotations

from typing import Any

import pytest

from exporter.mapping.paths import Paths, parse_path
from tests.records import event, record

KUBERNETES = {
    "user": {"username": "ada", "groups": ["ops", "dev"]},
    "target": [{"type": "Pod", "id": 7}, {"type": "Node", "id": "n-1"}],
    "annotations": {"k8s.io/reason": "because", "a": {"b": True}},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("user.username", "ada"),
        ("user.groups[0]", "ops"),
        ("user.groups[-1]", "dev"),
        ("user.groups[2]", None),
        ("target[0].id", "7"),
        ("target[type=Node].id", "n-1"),
        ("target[type=Disk].id", None),
        ('annotations["k8s.io/reason"]', "because"),
        ("annotations.a.b", "true"),
        ("annotations.a", None),  # a map is no text
        ("user.username.first", None),
        ("nobody.knows", None),
    ],
)
def test_a_path_leads_into_a_nested_attribute(path: str, value: str | None) -> None:
    rules = f"version: 1\nrules: [{{name: r, match: all, copy: {{actor_name: '{path}'}}}}]"
    assert event(record(KUBERNETES), rules=rules)["actor_name"] == value


def test_an_attribute_of_the_very_name_goes_before_a_path() -> None:
    both = {"user.id": "flat", "user": {"id": "nested"}}
    assert event(record(both))["actor_id"] == "flat"
    assert event(record({"user": {"id": "nested"}}))["actor_id"] == "nested"


def test_what_a_path_found_stays_where_it_was() -> None:
    made = event(record({"user": {"id": "nested", "more": 1}}))
    assert made["attributes"] == {"user": {"id": "nested", "more": 1}}


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        ("{attributes: {user.username: ada}}", True),
        ("{attributes: {user.username: {glob: b*}}}", False),
        ("{attributes: {'target[1].type': {exists: true}}}", True),
        ("{attributes: {'target[0].id': {at_least: 7}}}", True),
        ("{attributes: {user.email: {exists: false}}}", True),
        ("{not: {attributes: {user.username: {exists: true}}}}", False),
    ],
)
def test_conditions_look_into_nested_attributes(match: str, holds: bool) -> None:
    rules = f"version: 1\nrules: [{{name: r, match: {match}, set: {{action: found}}}}]"
    assert (event(record(KUBERNETES), rules=rules)["action"] == "found") is holds


@pytest.mark.parametrize("text", ["a..b", "a.", "a[", "a[x]", 'a["x]', "[1", "a[1"])
def test_a_path_that_is_none_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"is missing|after \["):
        parse_path(text)


def test_a_name_that_is_no_path_is_looked_up_as_it_is() -> None:
    assert Paths(["plain", "a..b"]).texts == ()


@pytest.mark.parametrize("value", [[], {}, [[]], {"a": {}}, [None], {"user": None}])
def test_empty_nested_values_are_no_trouble(value: Any) -> None:
    assert event(record({"user": value}))["attributes"] == {"user": value}
