"""docs/rules.schema.json says what the models say."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from exporter.document import loads
from exporter.errors import ConfigError
from exporter.mapping.rules import load_all, preset, preset_names
from exporter.mapping.schema import schema

VALIDATOR = Draft202012Validator(schema())
GOOD = [
    "version: 1",
    "version: 1\nfields: {actor_id: [a, {template: '{b}'}], time: {only: [t]}}",
    "version: 1\nwhen: {service: x}\nrules: [{name: r, match: all, set: {outcome: failure, 'attributes.a': 1}}]",
    "version: 1\nrules: [{name: r, match: {any: [{severity: {at_least: 17}}, {event: x}]}, class: log}]",
    "version: 1\nrules: [{name: r, match: {attributes: {a: 7}}, copy: {changes: {before: a, after: b}}}]",
    "version: 1\nrules: [{name: r, match: all, copy: {changes: {before: a, after: b, field: '{c}'}}}]",
    "version: 1\nrules: [{name: r, match: all, discard: unmatched, keep_one_in: 10}]",
    "version: 1\nparse: [{name: p, match: all, as: {regex: '(?P<a>x)'}, from: line, prefix: p.}]",
    "version: 1\nparse: [{name: p, match: all, as: {csv: [when, who]}}]",
]
BAD = [
    "rules: []",
    "version: 2",
    "version: 1\nfeilds: {}",
    "version: 1\nfields: {actor_id: user.id}",
    "version: 1\nrules: [{name: r, match: all, set: {outcome: fine}}]",
    "version: 1\nrules: [{name: r, match: {attributes: {a: {globb: x}}}, audit: true}]",
    "version: 1\nrules: [{name: r, match: all, copy: {actor_id: {from: a, lowr: true}}}]",
    "version: 1\nrules: [{match: all, audit: true}]",
    "version: 1\nrules: [{name: r, match: all, copy: {changes: {from: a, field: b}}}]",
    "version: 1\nrules: [{name: r, match: all, copy: {changes: {field: b}}}]",
    "version: 1\nrules: [{name: r, match: all, discard: everything}]",
    "version: 1\nparse: [{name: p, match: all, as: xml}]",
    "version: 1\nparse: [{name: p, match: all, as: {}}]",
    "version: 1\nparse: [{name: p, match: all, as: {csv: []}}]",
    "version: 1\nparse: [{name: p, match: all, as: {csv: [a], regex: '(?P<a>x)'}}]",
]


def problems(document: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(document)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_valid_by_it(name: str) -> None:
    assert not problems(yaml.safe_load(preset(name).read_text()))


@pytest.mark.parametrize("text", GOOD)
def test_what_the_collector_takes_is_valid(text: str) -> None:
    load_all([loads(text, "rules.yaml")], ["default", "log"])
    assert not problems(yaml.safe_load(text))


@pytest.mark.parametrize("text", BAD)
def test_what_the_collector_refuses_is_not(text: str) -> None:
    with pytest.raises(ConfigError):
        load_all([loads(text, "rules.yaml")], ["default", "log"])
    assert problems(yaml.safe_load(text))
