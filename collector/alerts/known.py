"""All rules that there are, those that are switched off too, and where each of them stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from exporter.document import Document, Location, load
from exporter.errors import ConfigError
from exporter.mapping.section import explain, nearest
from provisioning.alerts.file import DEFAULTS, RulesFile, default_rules, load_alerts
from provisioning.alerts.message import check_message
from provisioning.alerts.rule import Rule, read_rule
from provisioning.alerts.statements import statement
from provisioning.version import Version

DEFAULT = "default"  # where a rule comes from that is in no file of the administrator's


@dataclass(frozen=True, slots=True)
class Known:
    """A rule as it is in force or would be. `written`: its keys as people wrote them; `at`: its place in `document`."""

    rule: Rule
    written: Mapping[str, Any]
    document: Document
    at: Location
    source: str
    is_on: bool


def known_rules(paths: Sequence[Path], version: Version, *, defaults: bool) -> list[Known]:
    """The rules of these files and Auditgraf's own, in this order.

    `defaults`: Auditgraf's own are on where no file speaks of them. Raises ConfigError as load_alerts does.
    """
    in_force = {rule.id: rule for rule in load_alerts(paths, version, defaults=defaults).rules}
    files = [(document, document.parse(RulesFile)) for document in map(load, paths)]
    own = [each for document, file in files for each in _of_file(document, file, in_force)]
    mentioned = {each.rule.id for each in own}
    return own + [each for each in _own_defaults(files, in_force) if each.rule.id not in mentioned]


def chosen(known: Sequence[Known], name: str) -> Known:
    """The rule of this id. Raises ConfigError with the nearest id."""
    for each in known:
        if each.rule.id == name:
            return each
    ids = [each.rule.id for each in known]
    raise ConfigError(f"no rule has the id {name!r}; {nearest(name, ids)} (or name a rules file)")


def adjusted(known: Known, settings: Sequence[str]) -> Rule:
    """The rule with other values, `KEY=VALUE` each, VALUE in YAML, a dot in KEY for a key within: `first.times=3`.

    Raises ConfigError, for what would be wrong in a file too.
    """
    if not settings:
        return known.rule
    written = dict(known.written)
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key or key in ("id", "kind"):
            raise ConfigError(f"--set {setting}: write KEY=VALUE with a key of the rule, e.g. above=20")
        try:
            _put(written, key.split("."), yaml.safe_load(value))
        except yaml.YAMLError:
            raise ConfigError(f"--set {setting}: the value is no YAML; put it in quotes") from None
    try:
        rule = read_rule(written)
        assert isinstance(rule, Rule)
        statement(rule)
    except ConfigError as failure:
        raise ConfigError(f"--set: {failure}") from None
    except ValueError as failure:
        problems = (f"--set {'.'.join(map(str, at))}: {text}" for at, text in explain(failure))
        raise ConfigError("\n".join(problems)) from None
    try:
        check_message(rule.message or "", rule)
    except ValueError as failure:
        raise ConfigError(f"--set: message: {failure}; set message too") from None
    return rule.model_copy(update={"contact_point": known.rule.contact_point})


def _put(written: dict[str, Any], keys: Sequence[str], value: object) -> None:
    for key in keys[:-1]:
        inner = written.get(key)
        written[key] = dict(inner) if isinstance(inner, dict) else {}
        written = written[key]
    written[keys[-1]] = value


def _of_file(document: Document, file: RulesFile, in_force: Mapping[str, Rule]) -> Iterator[Known]:
    for index, rule in enumerate(file.rules):
        point = rule.contact_point or file.contact_point
        given = in_force.get(rule.id) or rule.model_copy(update={"contact_point": point})
        written = document.data["rules"][index]
        yield Known(given, written, document, ("rules", index), document.name, rule.id in in_force)


def _own_defaults(files: Sequence[tuple[Document, RulesFile]], in_force: Mapping[str, Rule]) -> Iterator[Known]:
    changes = {name: change for _, file in files if file.defaults for name, change in file.defaults.change.items()}
    rules = default_rules()
    for path in sorted(DEFAULTS.glob("*.yaml")):
        document = load(path)
        for index, written in enumerate(document.data["rules"]):
            name = written["id"]
            rule = in_force.get(name) or rules[name].model_copy(update={"enabled": False})
            yield Known(rule, written | changes.get(name, {}), document, ("rules", index), DEFAULT, name in in_force)
