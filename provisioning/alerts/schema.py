"""The JSON Schema of the file of alert rules, for editors; docs/alerts.schema.json is what schema_text() writes."""

from __future__ import annotations

from typing import Any

import orjson

from exporter.mapping.schema import without_nulls
from exporter.mapping.section import Section
from provisioning.alerts.fields import names
from provisioning.alerts.file import RulesFile
from provisioning.alerts.rule import CHECKS, KINDS, FirstStep, Step
from provisioning.alerts.selection import ABOUT

_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"]}
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_DURATION: dict[str, Any] = {"type": "string", "pattern": r"^\s*(\d+(\.\d+)?\s*[smhdwySMHDWY]\s*)+$"}
_FIELD: dict[str, Any] = {"anyOf": [{"enum": list(names())}, {"type": "string", "pattern": r"^attributes\.."}]}
_HOURS: dict[str, Any] = {"type": "string", "pattern": r"^\d\d:\d\d-\d\d:\d\d$"}
_CONDITIONS = (
    "TextCondition",
    "AttributeCondition",
    "SeverityCondition",
    "NumberCondition",
    "MomentCondition",
    "AddressCondition",
    "IdCondition",
)
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a rules file: what the models allow, shorthands included."""
    made = without_nulls(RulesFile.model_json_schema(by_alias=True))
    defs: dict[str, Any] = made["$defs"]
    models: tuple[type[Section], ...] = (*KINDS.values(), FirstStep, Step)
    for model in models:
        described = without_nulls(model.model_json_schema(by_alias=True))
        defs |= described.pop("$defs", {})
        defs[model.__name__] = _written(described)
    for name in set(_CONDITIONS) & defs.keys():
        defs[name] = {"anyOf": [_SCALAR, {**defs[name], "minProperties": 1}]}
    defs["Rule"] = {"oneOf": [{"$ref": f"#/$defs/{model.__name__}"} for model in KINDS.values()]}
    chosen = {"anyOf": [{"enum": ["all", "none"]}, {"type": "array", "items": _TEXT}]}
    defs["Defaults"]["properties"]["rules"] = {**chosen, "default": "all"}
    made["properties"]["defaults"] = {"anyOf": [{"$ref": "#/$defs/Defaults"}, chosen]}
    made["properties"]["mute_times"]["additionalProperties"] = _some({"$ref": "#/$defs/Quiet"})
    made["properties"]["rules"] = {"type": "array", "items": {"$ref": "#/$defs/Rule"}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "Auditgraf alert rules"}


def schema_text() -> str:
    """The schema as it is committed."""
    return orjson.dumps(schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"


def _written(model: dict[str, Any]) -> dict[str, Any]:
    """A rule, or a step, as people write it: with texts for durations and one name in place of a list."""
    properties: dict[str, Any] = model["properties"]
    given = _FORMS.keys() & properties.keys()
    properties |= {key: {**_kept(properties[key]), **_FORMS[key]} for key in given}
    # A count: the others' `above` is a number of times, which the models describe well enough.
    if "above" in properties and "below" not in properties:
        properties["above"] = {**_kept(properties["above"]), **_COUNT}
    return model


def _kept(described: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in described.items() if key == "description"}


def _some(one: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


_FORMS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("window", "baseline", "late", "interval", "for", "repeat"), _DURATION),
    "about": _some({"enum": list(ABOUT)}),
    "filter": {"anyOf": [{"const": "all"}, {"$ref": "#/$defs/EventMatch"}]},
    "group_by": {"anyOf": [_FIELD, {"type": "array", "items": _FIELD}]},
    "of": _FIELD,
    "check": {"enum": list(CHECKS)},
    "hours": _HOURS,
    "days": _some({"type": "string", "pattern": r"^[A-Za-z]+(-[A-Za-z]+)?$"}),
    "above_km": {"type": "integer", "minimum": 1},
    "above_kmh": {"type": "integer", "minimum": 1},
    "first": {"$ref": "#/$defs/FirstStep"},
    "then": {"$ref": "#/$defs/Step"},
    "times": {"type": "integer", "minimum": 1},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "runbook": {"type": "string", "pattern": "^https?://"},
}
