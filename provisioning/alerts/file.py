"""The rules file: contact points, mute times, policies and rules, checked as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from exporter.document import Document, Location, load
from exporter.errors import ConfigError
from exporter.mapping.section import Problem, Section, explain, nearest
from provisioning.alerts.contacts import ContactPoints, version_problems
from provisioning.alerts.message import check_message
from provisioning.alerts.mute_times import MuteTimes
from provisioning.alerts.policies import Policies, policy_problems
from provisioning.alerts.rule import Rule, read_rule
from provisioning.alerts.rule_values import Identifier
from provisioning.alerts.statements import statement
from provisioning.version import Version

# One file each topic, in the form of a rules file.
DEFAULTS = Path(__file__).parent / "defaults"


class Defaults(Section):
    """Which of the rules that come with Auditgraf are switched on, and what is changed in them."""

    rules: Literal["all", "none"] | tuple[Identifier, ...] = "all"
    change: dict[Identifier, dict[str, Any]] = Field(default_factory=dict)

    @classmethod
    def expand(cls, data: object) -> object:
        return {"rules": data} if isinstance(data, str | list) else data


class RulesFile(Section):
    """One file."""

    contact_point: str | None = None
    contact_points: ContactPoints = Field(default_factory=dict)
    mute_times: MuteTimes = Field(default_factory=dict)
    policies: Policies | None = None
    defaults: Defaults | None = None
    rules: tuple[Annotated[Rule, BeforeValidator(read_rule)], ...] = ()


@dataclass(frozen=True, slots=True)
class Alerts:
    """All that is to be provisioned: rules that are switched on, each with the contact point that it tells."""

    rules: tuple[Rule, ...] = ()
    contact_points: ContactPoints = field(default_factory=dict)
    mute_times: MuteTimes = field(default_factory=dict)
    policies: Policies | None = None


@dataclass(frozen=True, slots=True)
class _Placed:
    """A rule and where it stands."""

    rule: Rule
    document: Document
    at: Location

    def error(self, text: str, *keys: str | int) -> str:
        return str(self.document.error((*self.at, *keys), text))


def load_alerts(paths: Sequence[Path], version: Version, *, defaults: bool = False) -> Alerts:
    """The rules of all files together; with `defaults` also Auditgraf's own, where no file speaks of them.

    Raises ConfigError with a line for each thing that is wrong.
    """
    documents = [load(path) for path in paths]
    files, problems = [], []
    for document in documents:
        try:
            files.append((document, document.parse(RulesFile)))
        except ConfigError as failure:
            problems.append(str(failure))
    if problems:
        raise ConfigError("\n".join(problems))
    placed = [each for document, file in files for each in _rules(document, file)]
    if defaults and all(file.defaults is None for _, file in files):
        placed += _defaults()
    points = {name: point for _, file in files for name, point in file.contact_points.items()}
    times = {name: time for _, file in files for name, time in file.mute_times.items()}
    problems = [
        *_given_twice(files),
        *_of_sections(files, points, times, version),
        *_of_rules(placed, points, times),
    ]
    if problems:
        raise ConfigError("\n".join(dict.fromkeys(problems)))
    policies = next((file.policies for _, file in files if file.policies), None)
    return Alerts(tuple(each.rule for each in placed if each.rule.enabled), points, times, policies)


def default_rules() -> dict[str, Rule]:
    """The rules that come with Auditgraf, by id."""
    return {each.rule.id: each.rule for each in _defaults()}


@cache
def _defaults() -> tuple[_Placed, ...]:
    found = []
    for path in sorted(DEFAULTS.glob("*.yaml")):
        document = load(path)
        file = document.parse(RulesFile)
        found += [_Placed(rule, document, ("rules", index)) for index, rule in enumerate(file.rules)]
    return tuple(found)


def _rules(document: Document, file: RulesFile) -> Iterator[_Placed]:
    own = [_Placed(rule, document, ("rules", index)) for index, rule in enumerate(file.rules)]
    for each in [*_switched_on(document, file), *own]:
        given = each.rule.contact_point or file.contact_point
        yield _Placed(each.rule.model_copy(update={"contact_point": given}), each.document, each.at)


def _switched_on(document: Document, file: RulesFile) -> Iterator[_Placed]:
    if file.defaults is None:
        return
    known = {each.rule.id: each for each in _defaults()}
    problems = []
    chosen = known if file.defaults.rules == "all" else () if file.defaults.rules == "none" else file.defaults.rules
    for name in [name for name in (*chosen, *file.defaults.change) if name not in known]:
        problems.append(str(document.error(("defaults",), f"{name!r} is no default rule; {nearest(name, known)}")))
    for name in file.defaults.change:
        if name in known and name not in chosen:
            text = "is changed, but not switched on; add it to rules"
            problems.append(str(document.error(("defaults", "change", name), text)))
    if problems:
        raise ConfigError("\n".join(problems))
    for name in chosen:
        change = file.defaults.change.get(name, {})
        at: Location = ("defaults", "change", name) if change else ("defaults", "rules")
        yield _Placed(_changed(known[name].rule, change, document, at), document, at)


def _changed(rule: Rule, change: Mapping[str, Any], document: Document, at: Location) -> Rule:
    """A default rule with some keys replaced, checked again as a whole."""
    if not change:
        return rule
    for key in ("id", "kind"):
        if key in change:
            raise document.error((*at, key), "can't be changed; write a rule of your own in its place")
    try:
        changed = read_rule(_written(rule.id) | dict(change))
    except ValueError as failure:
        problems = [str(document.error((*at, *place), text)) for place, text in explain(failure)]
        raise ConfigError("\n".join(problems)) from None
    assert isinstance(changed, Rule)
    return changed


def _written(name: str) -> dict[str, Any]:
    """A default rule as its file has it."""
    found = next(each for each in _defaults() if each.rule.id == name)
    rules: list[dict[str, Any]] = found.document.data["rules"]
    index = found.at[1]
    assert isinstance(index, int)
    return rules[index]


def _given_twice(files: Iterable[tuple[Document, RulesFile]]) -> Iterator[str]:
    """Names that two files have; within one, YAML itself refuses them."""
    known: dict[tuple[str, str], str] = {}
    for document, file in files:
        for section in ("contact_points", "mute_times"):
            for name in getattr(file, section):
                first = known.setdefault((section, name), document.name)
                if first != document.name:
                    yield str(document.error((section, name), f"is in {first} already; keep one of them"))
        for section in ("policies", "defaults"):
            if getattr(file, section) is not None:
                first = known.setdefault((section, ""), document.name)
                if first != document.name:
                    yield str(document.error((section,), f"is in {first} already; keep one of them"))


def _of_sections(
    files: Iterable[tuple[Document, RulesFile]], points: ContactPoints, times: MuteTimes, version: Version
) -> Iterator[str]:
    for document, file in files:
        found: list[Problem] = []
        found += [(("contact_points", *at), text) for at, text in version_problems(file.contact_points, version)]
        if file.policies is not None:
            problems = policy_problems(file.policies, receivers=points.keys(), mute_times=times.keys())
            found += [(("policies", *at), text) for at, text in problems]
        if file.contact_point is not None and file.contact_point not in points:
            found.append((("contact_point",), _unknown("contact point", file.contact_point, points)))
        yield from (str(document.error(at, text)) for at, text in found)


def _of_rules(placed: Sequence[_Placed], points: ContactPoints, times: MuteTimes) -> Iterator[str]:
    ids = Counter(each.rule.id for each in placed)
    # Grafana compares titles without regard to upper and lower case where its database does.
    names = Counter(each.rule.name.lower() for each in placed if each.rule.enabled)
    for each in placed:
        rule = each.rule
        if ids[rule.id] > 1:
            yield each.error(f"{rule.id!r} is the id of two rules; give one of them another id", "id")
        if names[rule.name.lower()] > 1:
            yield each.error(f"{rule.name!r} is the name of two rules; give one of them another name", "name")
        if rule.contact_point is not None and rule.contact_point not in points:
            yield each.error(_unknown("contact point", rule.contact_point, points), "contact_point")
        for name in rule.mute:
            if name not in times:
                yield each.error(_unknown("mute time", name, times), "mute")
        if rule.mute and rule.contact_point is None:
            yield each.error("only what goes to a contact_point of the rule can be muted; give it one", "mute")
        if rule.message is not None:
            try:
                check_message(rule.message, rule)
            except ValueError as failure:
                yield each.error(str(failure), "message")
        try:
            statement(rule)
        except ConfigError as failure:
            yield each.error(str(failure))


def _unknown(what: str, name: str, known: Mapping[str, Any]) -> str:
    return f"no {what} is called {name!r}; {nearest(name, known) if known else f'the files have no {what}s'}"
