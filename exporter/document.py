"""YAML files written by people: read with the line of every value, so that an error can point at it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from exporter.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[int | str, ...]

_MOST_VALUES = 200_000
_DEEPEST = 100
_REMEDIES = {
    "extra_forbidden": "unknown key; check its spelling or remove it",
    "missing": "this key is required",
}


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed YAML file: plain data, and where in the file each part of it stands."""

    name: str
    data: Any
    lines: dict[Location, int]

    def line_of(self, location: Location) -> int:
        """The 1-based line of a value, or of the nearest enclosing one that is in the file."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def error(self, location: Location, message: str) -> ConfigError:
        """An error that starts with file, line and key."""
        key = ".".join(str(part) for part in location)
        return ConfigError(f"{self.name}:{self.line_of(location)}: {key + ': ' if key else ''}{message}")

    def parse(self, model: type[Model]) -> Model:
        """The file as a pydantic model; raises ConfigError with one line for each thing that is wrong."""
        try:
            return model.model_validate(self.data if self.data is not None else {})
        except ValidationError as failure:
            raise ConfigError("\n".join(self._explain(failure))) from None

    def _explain(self, failure: ValidationError) -> list[str]:
        messages = []
        for error in failure.errors(include_url=False):
            # pydantic adds the names of union members and validators, which are no keys of the file.
            location = tuple(part for part in error["loc"] if self._in_file(error["loc"], part))
            text = _REMEDIES.get(error["type"]) or error["msg"].removeprefix("Value error, ")
            messages.append(str(self.error(location, text)))
        return list(dict.fromkeys(messages))

    def _in_file(self, location: Location, part: int | str) -> bool:
        return any(part in known for known in self.lines) or part == location[-1]


def load(path: Path) -> Document:
    """Reads a YAML file. Raises ConfigError where it is missing, unreadable or no YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as failure:
        raise ConfigError(f"{path}: can't be read: {failure.strerror}") from None
    except UnicodeDecodeError as failure:
        raise ConfigError(f"{path}: not UTF-8: {failure.reason} at byte {failure.start}") from None
    return loads(text, str(path))


def loads(text: str, name: str) -> Document:
    """Parses YAML text; `name` stands for the file in errors. Duplicate keys are refused."""
    try:
        # libyaml where PyYAML has it: a thousand rules are read ten times faster.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        try:
            node = loader.get_single_node()
            lines: dict[Location, int] = {}
            if node is not None:
                _walk(node, (), lines, name)
            return Document(name, None if node is None else loader.construct_document(node), lines)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as failure:
        mark = failure.problem_mark or failure.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(f"{name}:{line}: not valid YAML: {failure.problem or failure.context}") from None
    except (yaml.YAMLError, ValueError) as failure:  # ValueError: a date that does not exist, !!int of a word
        raise ConfigError(f"{name}:1: not valid YAML: {failure}") from None
    except RecursionError:
        raise ConfigError(f"{name}:1: nested too deeply") from None


def _walk(node: yaml.Node, location: Location, lines: dict[Location, int], name: str) -> None:
    lines.setdefault(location, node.start_mark.line + 1)
    if len(lines) > _MOST_VALUES or len(location) > _DEEPEST:
        # Aliases of aliases grow without end; nobody writes a file like that by accident.
        raise ConfigError(f"{name}:{node.start_mark.line + 1}: too many or too deeply nested values")
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else str(key_node.value)
            if key in seen:
                raise ConfigError(f"{name}:{key_node.start_mark.line + 1}: {key}: given twice; keep one of them")
            seen.add(key)
            child = (*location, key)
            lines[child] = key_node.start_mark.line + 1
            _walk(value_node, child, lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*location, index), lines, name)
