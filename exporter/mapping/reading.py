"""Values as rules write them, to expressions: every mistake is found, each in its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args
from zoneinfo import ZoneInfo

from exporter import times
from exporter.enrich import changes
from exporter.mapping.columns import RESOURCE_COLUMNS, Source, check_source, parse_source
from exporter.mapping.conditions import texts
from exporter.mapping.expressions import Changes, Concat, First, Steps, Template, Time, Value
from exporter.mapping.patterns import check_regex
from exporter.mapping.section import Problem, Scalar, explain, kind, nearest, place, refuse, scalar

_ORIGINS = ("from", "template", "concat")
STEPS = ("extract", "split", "take", "lower", "upper", "map", "otherwise")
_TIME = ("as", "timezone")
_CHANGES = ("form", "before", "after", "field")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}|(\{\{)|(\}\})|([{}])")


def read_value(column: str, entry: object) -> Value:
    """The expression of one entry: a source, a list of values (first wins), or a mapping of one value and its steps.

    Raises ValueError, with a location for each thing that is wrong.
    """
    value = _read(column, entry)
    if column == "time" and not isinstance(value, Time):
        return First(tuple(_timed(option) for option in value.options)) if isinstance(value, First) else Time(value)
    if column == "changes" and isinstance(value, Source):
        return Changes(value)
    return value


def _timed(option: Value) -> Value:
    return option if isinstance(option, Time) else Time(option)


def _read(column: str, entry: object) -> Value:
    match entry:
        case str():
            source = parse_source(entry)
            check_source(column, source)
            return source
        case list():
            return _options(column, entry)
        case dict():
            return _mapping(column, entry)
    raise ValueError(f"must be the name of an attribute, a list or a mapping, not {kind(entry)}; put text in quotes")


def _options(column: str, entry: list[object]) -> Value:
    if not entry:
        raise ValueError("an empty list; name the sources, best first")
    options = _all(enumerate(entry), lambda part: _read_plain(column, part))
    return First(tuple(dict.fromkeys(options)))


def _read_plain(column: str, entry: object) -> Value:
    value = _read(column, entry)
    return Changes(value) if column == "changes" and isinstance(value, Source) else value


def _all(entries: Any, read: Callable[[Any], Any]) -> list[Any]:
    found: list[Any] = []
    problems: list[Problem] = []
    for key, entry in entries:
        try:
            found.append(read(entry))
        except ValueError as failure:
            problems += [((place(key), *at), text) for at, text in explain(failure)]
    if problems:
        refuse(problems)
    return found


def _mapping(column: str, entry: dict[object, object]) -> Value:
    allowed = (*_ORIGINS, *STEPS, "separator", *(_TIME if column == "time" else ()))
    allowed += _CHANGES if column == "changes" else ()
    unknown = [((place(key),), f"unknown key; {nearest(key, allowed)}") for key in entry if key not in allowed]
    if unknown:
        refuse(unknown)
    if column == "changes" and {"before", "after"} & entry.keys():
        return _states(entry)
    if column == "changes" and "field" in entry:
        refuse([(("field",), "is for before and after only")])
    origins = [key for key in _ORIGINS if key in entry]
    if len(origins) != 1:
        raise ValueError(
            f"give it one of {', '.join(_ORIGINS)}" + (f", not {' and '.join(origins)}" if origins else "")
        )
    if column in RESOURCE_COLUMNS:
        raise ValueError(f"{column} belongs to the resource; write its attribute, e.g. resource:service.name")
    return _with_steps(column, _origin(column, origins[0], entry), entry)


def _origin(column: str, origin: str, entry: Mapping[Any, object]) -> Value:
    if origin != "concat" and "separator" in entry:
        refuse([(("separator",), "is for concat only")])
    given = entry[origin]
    value: list[Value]
    match origin:
        case "from":
            value = _all([("from", given)], lambda part: _read_plain(column, part))
        case "template":
            value = _all([("template", given)], lambda text: read_template(column, text))
        case _:
            if not isinstance(given, list) or len(given) < 2:
                refuse([(("concat",), "must be a list of two values or more")])
            separator = entry.get("separator", "")
            if not isinstance(separator, str):
                refuse([(("separator",), f"must be text, not {kind(separator)}")])
            parts = _all([("concat", given)], lambda list_: _all(enumerate(list_), lambda part: _read(column, part)))
            value = [Concat(tuple(parts[0]), separator)]
    return value[0]


def read_template(column: str, text: object) -> Template:
    """A template's text: `{source}` stands for a source, `{{` and `}}` for braces."""
    if not isinstance(text, str) or not text:
        raise ValueError(f"must be text such as '{{user.name}} logged in', not {kind(text) if text != '' else 'empty'}")
    parts: list[str | Source] = []
    end = 0
    for found in _PLACEHOLDER.finditer(text):
        name, opened, closed, stray = found.groups()
        parts.append(text[end : found.start()])
        if stray:
            raise ValueError(
                f"{text!r}: a single {stray} at {found.start() + 1}; write {stray}{stray} for the character itself"
            )
        if opened or closed:
            parts.append("{" if opened else "}")
        else:
            source = parse_source(name)
            check_source(column, source)
            parts.append(source)
        end = found.end()
    parts.append(text[end:])
    if not any(isinstance(part, Source) for part in parts):
        raise ValueError(f"{text!r} names no source; write {{user.name}}, or set: for a constant")
    return Template(tuple(part for part in parts if part != ""))


def _with_steps(column: str, value: Value, entry: Mapping[Any, object]) -> Value:
    problems: list[Problem] = []
    steps: dict[str, Any] = {}
    for key in entry:
        if key in STEPS and key in _READERS:
            try:
                steps |= _READERS[str(key)](entry[key])
            except ValueError as failure:
                problems += [((place(key), *at), text) for at, text in explain(failure)]
    if "take" in entry and "split" not in entry:
        problems.append((("take",), "needs split: what the text is split at"))
    if "otherwise" in entry and "map" not in entry:
        problems.append((("otherwise",), "is for map only"))
    if entry.get("lower") and entry.get("upper"):
        problems.append((("upper",), "lower and upper; keep one of them"))
    if problems:
        refuse(problems)
    if steps:
        value = Steps(value, **steps)
    if column == "time":
        return _time(value, entry)
    form = entry.get("form")
    if form is None:
        return value
    if not isinstance(form, str) or form not in get_args(changes.Form):
        refuse([(("form",), f"no form of changes; {nearest(form, get_args(changes.Form))}")])
    if not (isinstance(value, Changes) and value.of is not None):
        refuse([(("form",), "needs from: one attribute that holds the document")])
    return Changes(value.of, form)  # type: ignore[arg-type]


def _time(value: Value, entry: Mapping[Any, object]) -> Value:
    form, timezone = entry.get("as", "auto"), entry.get("timezone", "UTC")
    if not isinstance(form, str) or form not in get_args(times.Form):
        refuse([(("as",), f"no form of a time; {nearest(form, get_args(times.Form))}")])
    try:
        ZoneInfo(str(timezone))
    except (ValueError, OSError, KeyError):
        refuse([(("timezone",), f"{timezone!r} is no time zone; write e.g. Europe/Berlin or UTC")])
    if isinstance(value, First):
        return First(tuple(Time(option, form, str(timezone)) for option in value.options))  # type: ignore[arg-type]
    return Time(value, form, str(timezone))  # type: ignore[arg-type]


def _states(entry: Mapping[Any, object]) -> Changes:
    others = [key for key in entry if key not in {"before", "after", "field"}]
    if others:
        refuse([((place(key),), "can't stand beside before and after") for key in others])
    sides: dict[str, Source] = {}
    for key in ("before", "after"):
        if key in entry:
            sides[key] = _all([(key, entry[key])], parse_source)[0]
    field = _all([("field", entry["field"])], _field)[0] if "field" in entry else None
    return Changes(None, before=sides.get("before"), after=sides.get("after"), field=field)


def _field(given: object) -> str | Template:
    if isinstance(given, str) and given and not set("{}") & set(given):
        return given
    return read_template("changes", given)


def _regex(given: object) -> dict[str, Any]:
    return {"extract": check_regex(given)}


def _split(given: object) -> dict[str, Any]:
    if not isinstance(given, str) or not given:
        raise ValueError("must be the text to split at, e.g. '/'")
    return {"split": given}


def _take(given: object) -> dict[str, Any]:
    if not isinstance(given, int) or isinstance(given, bool):
        raise ValueError("must be a whole number: 0 is the first part, -1 the last")
    return {"take": given}


def _case(name: str) -> Callable[[object], dict[str, Any]]:
    def read(given: object) -> dict[str, Any]:
        if given is not True:
            raise ValueError(f"write {name}: true, or remove this line")
        return {"case": name}

    return read


def _map(given: object) -> dict[str, Any]:
    if not isinstance(given, dict) or not given:
        raise ValueError(f"must be a mapping of texts to texts, not {kind(given)}")

    def read(pair: tuple[object, object]) -> list[tuple[str, str]]:
        known: Scalar = scalar(pair[0])
        return [(text, texts(scalar(pair[1]))[0]) for text in texts(known)]

    pairs = _all([(key, (key, value)) for key, value in given.items()], read)
    return {"mapped": tuple(pair for several in pairs for pair in several)}


def _otherwise(given: object) -> dict[str, Any]:
    return {"otherwise": texts(scalar(given))[0]}


_READERS: dict[str, Callable[[object], dict[str, Any]]] = {
    "extract": _regex,
    "split": _split,
    "take": _take,
    "lower": _case("lower"),
    "upper": _case("upper"),
    "map": _map,
    "otherwise": _otherwise,
}
