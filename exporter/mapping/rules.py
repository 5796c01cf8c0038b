"""The rules that administrators write: the YAML's models, and how several files become one Ruleset."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StrictStr,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from exporter.document import Document, load
from exporter.errors import ConfigError
from exporter.mapping.columns import COLUMNS, Source
from exporter.mapping.conditions import MAX_DEPTH, Glob, Match
from exporter.mapping.contradictions import contradictions
from exporter.mapping.effects import ATTRIBUTES, Constants, Copies, Defaults, Fields, Renames
from exporter.mapping.section import Problem, Scalar, Section, refuse

# Later files win: the audit draft's names over the semantic conventions', an administrator's files over both.
DEFAULTS = tuple(Path(__file__).parent / "defaults" / name for name in ("semconv.yaml", "audit.yaml"))
EVERYTHING = Match.model_construct()  # `match: all`
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def _name(value: object) -> str:
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ValueError(f"{value!r} is no rule name; use up to 63 letters, digits, '.', '_' and '-'")


def _version(value: object) -> object:
    if value == 1 and not isinstance(value, bool):
        return 1
    raise ValueError(f"{value!r}: this is version 1 of the rules; write version: 1")


def _match(value: object, handler: ValidatorFunctionWrapHandler) -> Match:
    if value == "all":
        return EVERYTHING
    if _depth(value) > MAX_DEPTH:
        raise ValueError(f"any, all and not are nested more than {MAX_DEPTH} deep; make several rules of it")
    match: Match = handler(value)
    problems = list(contradictions(match))
    if problems:
        refuse(problems)
    return match


def _depth(value: object, limit: int = MAX_DEPTH) -> int:
    if not isinstance(value, dict) or limit < 0:
        return 0
    inner = [part for key in ("any", "all") if isinstance(value.get(key), list) for part in value[key]]
    return 1 + max((_depth(part, limit - 1) for part in (*inner, value.get("not"))), default=0)


class Rule(Section):
    """What happens to the records that `match` holds for. At least one effect is given."""

    name: Annotated[str, BeforeValidator(_name)]
    match: Annotated[Match, WrapValidator(_match)]
    constants: Constants = Field(default_factory=dict, alias="set")
    defaults: Defaults = Field(default_factory=dict, alias="default")
    copies: Copies = Field(default_factory=dict, alias="copy")
    renames: Renames = Field(default_factory=dict, alias="rename")
    drops: tuple[Glob, ...] = Field((), alias="drop")
    retention_class: StrictStr | None = Field(None, alias="class")
    audit: StrictBool | None = None

    @property
    def set_columns(self) -> dict[str, str | int | float]:
        """Constants for event columns, each in its column's type; they replace what the column had."""
        return {key: value for key, value in self.constants.items() if not key.startswith(ATTRIBUTES)}

    @property
    def set_attributes(self) -> dict[str, Scalar]:
        """Constants for attributes by their key (without the `attributes.` in front)."""
        prefixed = {key: value for key, value in self.constants.items() if key.startswith(ATTRIBUTES)}
        return {key.removeprefix(ATTRIBUTES): value for key, value in prefixed.items()}

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        names = [field.alias or name for name, field in cls.model_fields.items()]
        effects = [name for name in names if name not in {"name", "match"}]
        if not any(data.get(effect) not in (None, {}, [], ()) for effect in effects):
            yield (), f"the rule has no effect; give it one of {', '.join(effects)}"
        given = {effect: data[effect] for effect in ("set", "default", "copy", "rename") if effect in data}
        keys = {effect: set(entries) for effect, entries in given.items() if isinstance(entries, dict)}
        for one, other in (("set", "copy"), ("set", "default")):
            for column in sorted(keys.get(one, set()) & keys.get(other, set()) & COLUMNS.keys()):
                yield (other, column), f"{one} of this rule fills {column} already; keep one of them"
        yield from _lost_renames(data)


def _lost_renames(data: Mapping[str, Any]) -> Iterator[Problem]:
    renames, drops = data.get("rename"), data.get("drop")
    if not isinstance(renames, dict):
        return
    seen: dict[object, object] = {}
    for old, new in renames.items():
        if isinstance(new, str) and seen.setdefault(new, old) != old:
            yield ("rename", old), f"{seen[new]} is renamed to {new} too; give one another name"
        for glob in drops if isinstance(drops, list) else ():
            if isinstance(glob, str) and isinstance(old, str) and fnmatchcase(old, glob):
                yield ("rename", old), f"drop has {glob!r}, so there is nothing left to rename"


class RuleFile(Section):
    """One file: which sources fill each column, best first, and the rules in order."""

    version: Annotated[Literal[1], BeforeValidator(_version)]
    fields: Fields = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All files together: each column's sources, best first, and the rules, of which later ones win."""

    fields: Mapping[str, tuple[Source, ...]]
    rules: tuple[Rule, ...]

    def attribute_keys(self) -> frozenset[str]:
        """Log attributes that conditions and copies read: each needs a column `attr:<key>`."""
        return self._read("attr:") | self._copied("attribute")

    def resource_keys(self) -> frozenset[str]:
        """Resource attributes that conditions and copies read: each needs a column `res:<key>`."""
        return self._read("res:") | self._copied("resource")

    def _read(self, prefix: str) -> frozenset[str]:
        columns = (column for rule in self.rules for column in rule.match.columns())
        return frozenset(column.removeprefix(prefix) for column in columns if column.startswith(prefix))

    def _copied(self, source_kind: str) -> frozenset[str]:
        sources = (source for rule in self.rules for source in rule.copies.values())
        return frozenset(source.key for source in sources if source.kind == source_kind)


def load_rules(source: Path | Document, classes: Collection[str]) -> RuleFile:
    """Reads one rules file; `classes` are the configured retention classes.

    Raises ConfigError with one line for each thing that is wrong: file, line, key and remedy.
    """
    document = load(source) if isinstance(source, Path) else source
    problems = [document.error(at, text) for at, text in _file_problems(document, classes)]
    try:
        parsed = document.parse(RuleFile)
    except ConfigError as failure:
        problems.insert(0, failure)
    if problems:
        lines = [line for problem in problems for line in str(problem).splitlines()]
        raise ConfigError("\n".join(sorted(lines, key=lambda line: _line(line, document.name))))
    return parsed


def _line(message: str, name: str) -> int:
    return int(message.removeprefix(f"{name}:").partition(":")[0])


def load_all(paths: Sequence[Path], classes: Collection[str]) -> Ruleset:
    """The defaults, then the files of `paths`; raises ConfigError with all that is wrong in any of them."""
    fields: dict[str, tuple[Source, ...]] = {}
    rules: list[Rule] = []
    names: dict[str, str] = {}
    problems: list[str] = []
    for path in (*DEFAULTS, *paths):
        try:
            document = load(path)
            parsed = load_rules(document, classes)
        except ConfigError as failure:
            problems.append(str(failure))
            continue
        for index, rule in enumerate(parsed.rules):
            at = ("rules", index, "name")
            place = f"{document.name}:{document.line_of(at)}"
            if rule.name in names:
                problems.append(str(document.error(at, _taken(rule.name, names[rule.name]))))
            names.setdefault(rule.name, place)
        for column, sources in parsed.fields.items():
            fields[column] = tuple(dict.fromkeys((*sources, *fields.get(column, ()))))
        rules += parsed.rules
    if problems:
        raise ConfigError("\n".join(problems))
    return Ruleset(MappingProxyType(fields), tuple(rules))


def _taken(name: str, place: str) -> str:
    return f"{name!r} is the name of the rule at {place} already; give one of them another name"


def _file_problems(document: Document, classes: Collection[str]) -> Iterator[Problem]:
    """What needs more than one rule, or the configuration, to be judged."""
    rules = document.data.get("rules") if isinstance(document.data, dict) else None
    names: dict[str, int] = {}
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if not isinstance(rule, dict):
            continue
        name, retention_class = rule.get("name"), rule.get("class")
        if isinstance(name, str) and names.setdefault(name, index) != index:
            first = document.line_of(("rules", names[name], "name"))
            yield ("rules", index, "name"), _taken(name, f"{document.name}:{first}")
        if isinstance(retention_class, str) and retention_class not in classes:
            remedy = f"add it to retention: in the configuration; known are {', '.join(sorted(classes))}"
            yield ("rules", index, "class"), f"no retention class {retention_class!r}; {remedy}"
