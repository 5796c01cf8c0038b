"""Explanations for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from rich.console import Console
from rich.text import Text

from collector.printable import printable
from collector.terminal import say, write
from exporter.explain import Explanation
from exporter.mapping.trace import Origin

_FIRST = ("action", "outcome", "occurred_at", "actor_id", "actor_name", "client_ip", "target_type", "target_id")
_OUTCOMES = {"success": "green", "failure": "red"}
_LONGEST = 200


def print_explanations(explained: Iterable[Explanation], console: Console, *, as_json: bool) -> int:
    """Prints them, and returns how many there were."""
    count = 0
    for explanation in explained:
        count += 1
        if as_json:
            write(console, orjson.dumps(explanation.as_json(), default=str).decode() + "\n")
        else:
            for line in _lines(explanation):
                say(console, line)
    return count


def _lines(explanation: Explanation) -> Iterator[Text]:
    kept = f"class {explanation.retention_class}"
    if explanation.left_out_by is not None:
        kept = f"left out by {explanation.left_out_by}"
    title = Text(f"record {explanation.record + 1}", style="bold")
    title.append(f"  {printable(explanation.service or 'no service')}  ", style="cyan")
    title.append(kept, style="yellow" if explanation.left_out_by else "")
    yield title
    if explanation.parsed_by:
        yield _labelled("parsed by", explanation.parsed_by)
    yield _labelled("rules", ", ".join(explanation.rules) or "none matched")
    width = max((len(column) for column in explanation.event), default=0)
    for column, value in sorted(explanation.event.items(), key=_place):
        if column not in {"attributes", "changes", "id"}:
            yield _column(column, value, explanation.origins.get(column), width)
    for column in ("changes", "attributes"):
        if explanation.event.get(column):
            yield _column(
                column, orjson.dumps(explanation.event[column]).decode(), explanation.origins.get(column), width
            )
    if explanation.flags:
        yield _labelled("flags", ", ".join(explanation.flags), "yellow")
    for finding in explanation.redacted:
        times = f" ({finding.count} times)" if finding.count > 1 else ""
        yield _labelled("redacted", f"{printable(finding.where)}: {printable(finding.reason)}{times}", "magenta")
    yield Text()


def _place(entry: tuple[str, Any]) -> tuple[int, str]:
    return (_FIRST.index(entry[0]) if entry[0] in _FIRST else len(_FIRST), entry[0])


def _labelled(label: str, text: str, style: str = "") -> Text:
    return Text.assemble(("  " + label + ": ", "dim"), (text, style))


def _column(column: str, value: object, origin: Origin | None, width: int) -> Text:
    text = printable(str(value))
    shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    line = Text.assemble(("  " + column.ljust(width) + "  ", "dim"), (shown, _OUTCOMES.get(shown, "")))
    if origin is not None:
        by = f"{origin.rule}, " if origin.rule else ""
        line.append(f"   ← {by}{printable(origin.source)}", style="dim italic")
    return line
