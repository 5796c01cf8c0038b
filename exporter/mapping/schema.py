"""The JSON Schema of rules files, for editors; docs/rules.schema.json is what schema_text() writes."""

from __future__ import annotations

from typing import Any, get_args

import orjson

from exporter import times
from exporter.enrich import changes
from exporter.mapping.columns import CHOICES, COLUMNS
from exporter.mapping.reading import STEPS
from exporter.mapping.rules import RuleFile

_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"]}
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_SOURCE: dict[str, Any] = {
    **_TEXT,
    "description": 'An attribute, or a path into a nested one (user.name, target[0].id, annotations["k8s.io/x"]); '
    "resource:service.name, record:body, record:event_name, scope:name",
}
_STEP_SCHEMAS: dict[str, dict[str, Any]] = {
    "extract": {**_TEXT, "description": "A regular expression: its first group, or all that it matches"},
    "split": {**_TEXT, "description": "Text to split at"},
    "take": {"type": "integer", "description": "Which part: 0 the first, -1 the last"},
    "lower": {"const": True},
    "upper": {"const": True},
    "map": {"type": "object", "minProperties": 1, "additionalProperties": _SCALAR},
    "otherwise": {**_SCALAR, "description": "For texts that map does not have; without it they give nothing"},
}
_CONDITIONS = ("TextCondition", "AttributeCondition", "SeverityCondition")


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a rules file: what the models allow, shorthands included."""
    made = without_nulls(RuleFile.model_json_schema(by_alias=True))
    defs: dict[str, Any] = made["$defs"]
    for name in _CONDITIONS:
        defs[name] = {"anyOf": [_SCALAR, {**defs[name], "minProperties": 1}]}
    defs["MatchOrAll"] = {"anyOf": [{"const": "all"}, {"$ref": "#/$defs/Match"}]}
    defs["Value"] = _value({})
    defs["TimeValue"] = _value({"as": {"enum": list(get_args(times.Form))}, "timezone": _TEXT}, "TimeValue")
    defs["ChangesValue"] = _value({"form": {"enum": list(get_args(changes.Form))}}, "ChangesValue", _states())
    rule, step = defs["Rule"]["properties"], defs["ParseStep"]["properties"]
    for properties, key in ((rule, "match"), (step, "match"), (made["properties"], "when")):
        properties[key] = {"$ref": "#/$defs/MatchOrAll"}
    step["from"] = {**_SOURCE, "default": "record:body"}
    constants = {column: _constant(column) for column in COLUMNS if column not in {"time", "changes"}}
    rule["set"] = {**_object(constants), "patternProperties": {r"^attributes\..": _SCALAR}}
    rule["default"] = _object(constants)
    defs["Values"] = _object({column: _reference(column) for column in COLUMNS})
    rule["copy"] = rule["fill"] = {"$ref": "#/$defs/Values"}
    lists = {kind: _listed(_reference(kind)) for kind in ("action", "time", "changes")}
    defs |= {"List": lists["action"], "TimeList": lists["time"], "ChangesList": lists["changes"]}
    listed = {"time": "TimeList", "changes": "ChangesList"}
    made["properties"]["fields"] = _object(
        {column: {"$ref": f"#/$defs/{listed.get(column, 'List')}"} for column in COLUMNS}
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "Auditgraf mapping rules"}


def schema_text() -> str:
    """The schema as it is committed."""
    return orjson.dumps(schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"


def without_nulls(part: Any) -> Any:
    """Leaves out what pydantic says of absent keys, which nobody writes, and its titles."""
    if isinstance(part, list):
        return [without_nulls(item) for item in part]
    if not isinstance(part, dict):
        return part
    if "anyOf" in part and {"type": "null"} in part["anyOf"]:
        others = [item for item in part["anyOf"] if item != {"type": "null"}]
        rest = {key: value for key, value in part.items() if key not in {"anyOf", "default", "title"}}
        part = {**rest, **(others[0] if len(others) == 1 else {"anyOf": others})}
    unsaid = {"title"} if isinstance(part.get("title"), str) else set()
    unsaid |= {"default"} if "default" in part and part["default"] in (None, [], "") else set()
    return {key: without_nulls(value) for key, value in part.items() if key not in unsaid}


def _value(more: dict[str, Any], name: str = "Value", *others: dict[str, Any]) -> dict[str, Any]:
    own = {"$ref": f"#/$defs/{name}"}
    steps = {key: _STEP_SCHEMAS[key] for key in STEPS} | more
    template = {**_TEXT, "description": "Text with {source} in it; nothing where one of them is missing"}
    concat = {"type": "array", "minItems": 2, "items": own}
    origins = (
        _object({"from": own, **steps}, "from"),
        _object({"template": template, **steps}, "template"),
        _object({"concat": concat, "separator": {"type": "string"}, **steps}, "concat"),
    )
    several = {"type": "array", "minItems": 1, "items": own, "description": "The first that is not empty"}
    return {"anyOf": [_SOURCE, several, *origins, *others]}


def _states() -> dict[str, Any]:
    described = "Two states, whose difference is what changed"
    field = {**_TEXT, "description": "What two plain values are the values of; may have {source} in it"}
    either = [{"required": [side]} for side in ("before", "after")]
    return {**_object({"before": _SOURCE, "after": _SOURCE, "field": field}), "anyOf": either, "description": described}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": list(required)} if required else made


def _constant(column: str) -> dict[str, Any]:
    if column in CHOICES:
        return {"enum": list(CHOICES[column])}
    return {"type": "number"} if COLUMNS[column] in {"float", "int"} else {"type": ["string", "number"]}


def _reference(column: str) -> dict[str, Any]:
    name = {"time": "TimeValue", "json": "ChangesValue"}.get(COLUMNS[column], "Value")
    return {"$ref": f"#/$defs/{name}"}


def _listed(value: dict[str, Any]) -> dict[str, Any]:
    several = {"type": "array", "minItems": 1, "items": value, "description": "Before what earlier files say"}
    only = _object({"only": {**several, "description": "In place of what earlier files say"}}, "only")
    return {"anyOf": [several, only]}
