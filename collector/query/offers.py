"""What the shell offers at TAB: columns, classes, and within an expression fields and their values.

Called while somebody waits for a key: what can't be had at once is not offered, and nothing is said of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from collector.config import Config
from collector.invocation import configuration
from collector.query.answer import asking
from collector.query.fields import FIELDS, GROUPS, OPERATORS, SHORT
from collector.query.question import COLUMNS
from collector.severity import SEVERITIES
from exporter.errors import AuditgrafError
from exporter.store.queries import query

_OUTCOMES = ("success", "failure", "unknown")
_LISTS = ("action", "service")
# Anybody may send an action named $(reboot): what the shell would not take as it is, it does not get.
_PLAIN = re.compile(r"[\w.:/@+-]+")
_COMPARED = re.compile(r"(?P<field>[a-z_]+)(?P<sign>!=~|=~|!=|!~|>=|<=|=|~|>|<)(?P<values>(?:[^,]*,)*)")


def column(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Columns of --columns and --sort; those before the last comma stay."""
    before, comma, last = incomplete.rpartition(",")
    sign = "-" if parameter.name == "sort" and last.startswith("-") else ""
    named = (*COLUMNS, *SHORT, *(() if parameter.name == "sort" else GROUPS))
    return _items(f"{before}{comma}{sign}", last.removeprefix(sign), named)


def retention_class(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Classes that the configuration names."""
    return _items("", incomplete, _classes(context))


def listed(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Actions or services of the last week, as the option's name says."""
    return _items("", incomplete, _seen(context, str(parameter.name).removesuffix("s")))


def expression(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """A field, or a value where a field and an operator are there.

    Shells differ: for bash `action=us` is three words, for others and within quotes it is one.
    """
    words: tuple[str, ...] = context.params.get(str(parameter.name)) or ()
    place = max(map(incomplete.rfind, " (")) + 1
    before, last = incomplete[:place], incomplete[place:]
    # Where bash has a = at the end, click has nothing.
    ends_with_sign = not incomplete and os.environ.get("COMP_WORDS", "").endswith("=")
    if words and (last in OPERATORS or ends_with_sign):
        return _values(context, "", words[-1], "")
    if len(words) > 1 and words[-1] in OPERATORS:
        return _values(context, "", words[-2], last)
    compared = _COMPARED.match(last)
    if compared:
        return _values(context, before + compared[0], compared["field"], last[compared.end() :])
    return _items(before, last, FIELDS)


def _values(context: click.Context, before: str, field: str, incomplete: str) -> list[CompletionItem]:
    match field:
        case "outcome":
            known: Iterable[str] = _OUTCOMES
        case "severity":
            known = SEVERITIES
        case "class" | "retention_class":
            known = _classes(context)
        case _:
            known = _seen(context, field) if field in _LISTS else ()
    return _items(before, incomplete, known)


def _classes(context: click.Context) -> Iterable[str]:
    try:
        return tuple(_configuration(context).classes)
    except AuditgrafError:
        return ()


def _configuration(context: click.Context) -> Config:
    root = context.find_root()
    root.obj = root.obj or root.params.get("config_file")  # no command runs at TAB, which would do that
    return configuration(context)


def _seen(context: click.Context, column: str) -> Iterable[str]:
    try:
        with asking(_configuration(context).reader_url(), "completion") as connection:
            connection.execute(query("at_once", __package__))
            seen = connection.execute(query("seen_actions" if column == "action" else "seen_services", __package__))
            return [row[0] for row in seen if _PLAIN.fullmatch(row[0])]
    except AuditgrafError:
        return ()


def _items(before: str, incomplete: str, known: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(before + name) for name in sorted(known) if name.startswith(incomplete)]
