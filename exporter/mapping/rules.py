"""The rules that administrators write: the YAML's models, and how several files become one Ruleset."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, StrictStr, WrapValidator

from exporter.document import Document, Location, load
from exporter.errors import ConfigError
from exporter.mapping.columns import COLUMNS
from exporter.mapping.conditions import Glob, Match
from exporter.mapping.effects import ATTRIBUTES, Constants, Copies, Defaults, Fields, Renames
from exporter.mapping.expressions import Value, sources
from exporter.mapping.matching import attribute_keys
from exporter.mapping.naming import Name, read_match
from exporter.mapping.parsing import ParseStep
from exporter.mapping.section import Problem, Scalar, Section, nearest

# Always there, an administrator's files over both: the audit draft's names win over the semantic conventions'.
DEFAULTS = ("semconv", "audit")
_FOLDER = Path(__file__).parent / "presets"


def preset_names() -> list[str]:
    """The presets there are, in alphabetical order."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def preset(name: str) -> Path:
    """The file of a preset; raises ConfigError with the nearest name where there is none."""
    if name not in preset_names():
        raise ConfigError(f"mapping.presets: no preset {name!r}; {nearest(name, preset_names())}")
    return _FOLDER / f"{name}.yaml"


def _version(value: object) -> object:
    if value == 1 and not isinstance(value, bool):
        return 1
    raise ValueError(f"{value!r}: this is version 1 of the rules; write version: 1")


def _discard(value: object) -> object:
    if value == "unmatched" or value == "even_audit_events":  # noqa: PLR1714 (of any type, hashable or not)
        return value
    raise ValueError(f"{value!r}: write unmatched, or even_audit_events to lose audit events as well")


class Rule(Section):
    """What happens to the records that `match` holds for. At least one effect is given."""

    name: Name
    match: Annotated[Match, WrapValidator(read_match)]
    constants: Constants = Field(default_factory=dict, alias="set")
    defaults: Defaults = Field(default_factory=dict, alias="default")
    copies: Copies = Field(default_factory=dict, alias="copy")
    fills: Copies = Field(default_factory=dict, alias="fill")
    renames: Renames = Field(default_factory=dict, alias="rename")
    drops: tuple[Glob, ...] = Field((), alias="drop")
    retention_class: StrictStr | None = Field(None, alias="class")
    audit: StrictBool | None = None
    discard: Annotated[Literal["unmatched", "even_audit_events"] | None, BeforeValidator(_discard)] = None
    keep_one_in: Annotated[StrictInt, Field(ge=2)] | None = None

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
        effects = [name for name in names if name not in {"name", "match", "keep_one_in"}]
        if "keep_one_in" in data and data.get("discard") is None:
            yield ("keep_one_in",), "needs discard: what the others of them are"
        if not any(data.get(effect) not in (None, {}, [], ()) for effect in effects):
            yield (), f"the rule has no effect; give it one of {', '.join(effects)}"
        given = {effect: data[effect] for effect in ("set", "default", "copy", "fill", "rename") if effect in data}
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
    """One file: which texts are parsed, which sources fill each column, best first, and the rules in order."""

    version: Annotated[Literal[1], BeforeValidator(_version)]
    builds_on: tuple[StrictStr, ...] = ()  # presets that come before this one
    without: tuple[StrictStr, ...] = ()  # rules and parse steps of earlier files that are left out
    parse: tuple[ParseStep, ...] = ()
    when: Annotated[Match, WrapValidator(read_match)] | None = None  # what holds for every rule of this file
    fields: Fields = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """The rules of one file, and the condition that they share."""

    when: Match | None
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All files together: what is parsed, each column's values, best first, and the rules, of which later ones win."""

    fields: Mapping[str, tuple[Value, ...]]
    groups: tuple[RuleGroup, ...]
    steps: tuple[ParseStep, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, in order."""
        return tuple(rule for group in self.groups for rule in group.rules)

    def attribute_keys(self) -> frozenset[str]:
        """Log attributes that fields, conditions and copies read."""
        matches = [group.when for group in self.groups if group.when] + [rule.match for rule in self.rules]
        values = [value for rule in self.rules for value in (*rule.copies.values(), *rule.fills.values())]
        values += [value for options in self.fields.values() for value in options]
        read = {source.key for value in values for source in sources(value) if source.kind == "attribute"}
        return attribute_keys(matches) | read


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


def load_all(files: Sequence[Path | Document], classes: Collection[str], presets: Sequence[str] = ()) -> Ruleset:
    """The presets (what they build on, the defaults, the given ones), then an administrator's files.

    Raises ConfigError with all that is wrong in any of them.
    """
    loading = _Loading(classes)
    for name in presets:
        loading.basis(name)
    for name in DEFAULTS:
        loading.preset(name)
    for name in presets:
        loading.preset(name)
    for file in files:
        loading.file(file)
    return loading.ruleset()


class _Loading:
    """Files, one after the other, as they become one Ruleset."""

    def __init__(self, classes: Collection[str]) -> None:
        self._classes = classes
        self._fields: dict[str, tuple[Value, ...]] = {}
        self._groups: list[RuleGroup] = []
        self._steps: list[ParseStep] = []
        self._names: dict[str, str] = {}  # name of a rule or step -> its place
        self._loaded: dict[str, RuleFile] = {}
        self._based: set[str] = set()
        self._read: dict[Path, tuple[Document, RuleFile]] = {}
        self._problems: list[str] = []

    def basis(self, name: str) -> None:
        """The presets that one builds on: before the defaults, whose names say more."""
        if name in self._based:
            return
        self._based.add(name)
        try:
            _, parsed = self._parsed(preset(name))
        except ConfigError as failure:
            self._problems.append(str(failure))
            return
        for other in parsed.builds_on:
            self.basis(other)
            self.preset(other)

    def preset(self, name: str) -> None:
        """Adds a preset, once."""
        if name not in self._loaded and name in preset_names():
            self._loaded[name] = self.file(preset(name))

    def file(self, file: Path | Document) -> RuleFile:
        """Adds a file; what is wrong with it is told by ruleset()."""
        try:
            document, parsed = self._parsed(file)
        except ConfigError as failure:
            self._problems.append(str(failure))
            return RuleFile(version=1)
        self._check_names(parsed, document)
        self._leave_out(parsed, document)
        for name in parsed.builds_on:
            self.basis(name)
            self.preset(name)
        for column, given in parsed.fields.items():
            before = () if given.only else self._fields.get(column, ())
            self._fields[column] = tuple(dict.fromkeys((*given.options, *before)))
        self._steps += parsed.parse
        if parsed.rules:
            self._groups.append(RuleGroup(parsed.when, parsed.rules))
        return parsed

    def _parsed(self, file: Path | Document) -> tuple[Document, RuleFile]:
        """A file, read once however often it is asked for."""
        if isinstance(file, Document):
            return file, load_rules(file, self._classes)
        if file not in self._read:
            document = load(file)
            self._read[file] = document, load_rules(document, self._classes)
        return self._read[file]

    def ruleset(self) -> Ruleset:
        if self._problems:
            raise ConfigError("\n".join(dict.fromkeys(self._problems)))
        return Ruleset(MappingProxyType(self._fields), tuple(self._groups), tuple(self._steps))

    def _check_names(self, parsed: RuleFile, document: Document) -> None:
        for at, name in _named(parsed):
            if name in self._names:
                self._problems.append(str(document.error(at, _taken(name, self._names[name]))))
            self._names.setdefault(name, f"{document.name}:{document.line_of(at)}")

    def _leave_out(self, parsed: RuleFile, document: Document) -> None:
        for index, name in enumerate(parsed.without):
            here = {own for _, own in _named(parsed)}
            if name not in self._names or name in here:
                remedy = nearest(name, self._names.keys() - here)
                problem = f"no earlier file has a rule or step {name!r}; {remedy}"
                self._problems.append(str(document.error(("without", index), problem)))
        self._groups = [
            RuleGroup(group.when, tuple(rule for rule in group.rules if rule.name not in parsed.without))
            for group in self._groups
        ]
        self._steps = [step for step in self._steps if step.name not in parsed.without]


def _named(parsed: RuleFile) -> list[tuple[Location, str]]:
    """The names in a file, and their places."""
    names: list[tuple[Location, str]] = [
        (("rules", index, "name"), rule.name) for index, rule in enumerate(parsed.rules)
    ]
    return names + [(("parse", index, "name"), step.name) for index, step in enumerate(parsed.parse)]


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
