"""`auditgraf show`: one event with all that is known of it, its changes first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row
from rich.console import Console, Group
from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

from collector.printable import printable, printable_json
from collector.query.answer import asking
from collector.query.difference import Difference, differences
from collector.query.question import COLUMNS, selected
from collector.tail.line import ASCII_MARKS, MARKS, OUTCOME_COLOURS, json_line, texts_of
from collector.terminal import show as paged
from collector.terminal import write
from exporter.errors import ConfigError
from exporter.store.queries import query

Event = Mapping[str, Any]

# As many as are listed where a prefix is none of one event's alone.
_LISTED = 10
_HEX = re.compile(r"[0-9a-f]{4,32}")
_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "blue"), "secret": ("*", "magenta")}
_MOST_DIFFERENCES = 500
# Cells; nothing is folded where the output is no terminal.
_UNBOUNDED = 1_000_000
_DOCUMENTS = ("Attributes", "Resource", "Scope")


def find(url: str, prefix: str) -> list[Event]:
    """The events whose ids begin like that, at most a few. Raises ConfigError for what no id begins like."""
    digits = prefix.strip().lower().replace("-", "")
    if not _HEX.fullmatch(digits):
        raise ConfigError(f"{prefix!r} is no event's id; write it, or at least its first 4 characters of 0-9 and a-f")
    first, last = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    statement = sql.SQL(query("show", __package__)).format(columns=selected(COLUMNS, "event"))
    with asking(url, "show") as connection, connection.cursor(row_factory=dict_row) as cursor:
        return list(cursor.execute(statement, {"first": first, "last": last, "limit": _LISTED + 1}).fetchall())


def listed(events: Sequence[Event], zone: tzinfo | None) -> str:
    """A line for each of the first few, to choose from."""
    lines = []
    for event in events[:_LISTED]:
        texts = texts_of(event, longest=60)
        said = "  ".join(texts[name] for name in ("action", "actor", "target") if texts[name])
        lines.append(f"  {event['id']}  {event['occurred_at'].astimezone(zone):%Y-%m-%d %H:%M:%S}  {said}")
    return "\n".join([*lines, "  and more"] if len(events) > _LISTED else lines)


def show(event: Event, console: Console, zone: tzinfo | None, *, as_json: bool) -> None:
    """Prints the event. Raises BrokenPipeError where the reader leaves."""
    if as_json:
        shown = {f"{name.lower()}_shown" for name in _DOCUMENTS}
        write(console, json_line({name: value for name, value in event.items() if name not in shown}) + "\n")
        return
    with console.capture() as captured:
        for part in _parts(event, console, zone):
            console.print(part, highlight=False, width=None if console.is_terminal else _UNBOUNDED)
    paged(console, "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _parts(event: Event, console: Console, zone: tzinfo | None) -> Iterator[Text | Table | Group]:
    outcome = event["outcome"]
    colour = OUTCOME_COLOURS.get(outcome, "dim")
    marks = ASCII_MARKS if console.options.ascii_only else MARKS
    title = Text(f"{marks.get(outcome, '?')} ", colour)
    title.append(printable(event["action"] or event["severity_text"] or "(no action)"), f"bold {colour}")
    yield title
    if event["message"]:
        yield Text(printable(event["message"]))
    when, who, *others = (_pairs([(name, value) for name, value in group if value]) for group in _groups(event, zone))
    changes = list(_changes(event, ascii_only=console.options.ascii_only))
    parts: list[Table | Group] = [when, who, *changes, *others]
    for part in parts:
        yield Text("")
        yield part
    for name in _DOCUMENTS:
        document = event[f"{name.lower()}_shown"]
        if document not in {None, "{\n}"}:
            yield Text("")
            yield Text(name, "bold")
            yield JSONHighlighter()(Text(printable_json(document)))


def _changes(event: Event, *, ascii_only: bool) -> Iterator[Group]:
    rows = differences(event["changes"])
    if rows:
        more = len(rows) - _MOST_DIFFERENCES
        hint = [Text(f"and {more} more; --json has them all", "dim")] if more > 0 else []
        yield Group(Text("Changes", "bold"), _differences(rows[:_MOST_DIFFERENCES], ascii_only=ascii_only), *hint)


def _groups(event: Event, zone: tzinfo | None) -> Iterator[list[tuple[str, str]]]:
    """As on the event dashboard, what belongs together in one group."""
    yield [
        ("Time", _time(event["occurred_at"], event["occurred_ns"], zone)),
        ("Outcome", printable(event["outcome"])),
        ("Severity", _severity(event)),
    ]
    yield [
        ("Actor", _named(event["actor_name"], event["actor_email"] and f"<{event['actor_email']}>")),
        ("Actor id", _named(event["actor_id"])),
        ("Actor type", _named(event["actor_type"])),
        ("On behalf of", _named(event["on_behalf_of"])),
        ("Target", _named(event["target_type"], event["target_name"])),
        ("Target id", _named(event["target_id"])),
    ]
    yield [
        ("Address", _named(event["client_ip"] or event["client_address"])),
        ("Place", ", ".join(_named(event[name]) for name in ("city", "country") if event[name])),
        ("Coordinates", "" if event["latitude"] is None else f"{event['latitude']}, {event['longitude']}"),
        ("Network", _named(None if event["asn"] is None else f"AS{event['asn']}", event["as_org"])),
        ("User agent", _named(event["user_agent"])),
        ("Session", _named(event["session_id"])),
    ]
    yield [
        ("Service", _named(event["service"])),
        ("Environment", _named(event["environment"])),
        ("Tenant", _named(event["tenant"])),
        ("Trace", _named(event["trace_id"])),
        ("Span", _named(event["span_id"])),
        ("Received", _time(event["received_at"], None, zone)),
        ("Class", _named(event["retention_class"])),
        ("Flags", printable(", ".join(event["flags"]))),
        ("Id", str(event["id"])),
    ]


def _time(moment: datetime, nanoseconds: int | None, zone: tzinfo | None) -> str:
    local = moment.astimezone(zone)
    fraction = f"{local.microsecond:06d}" if nanoseconds is None else f"{nanoseconds % 1_000_000_000:09d}"
    return f"{local:%Y-%m-%d %H:%M:%S}.{fraction} {local:%Z} ({_ago(datetime.now(UTC) - moment)})"


def _ago(span: timedelta) -> str:
    seconds = round(abs(span.total_seconds()))
    unit, size = next(
        (unit for unit in (("day", 86400), ("hour", 3600), ("minute", 60)) if seconds >= unit[1]), ("second", 1)
    )
    count = seconds // size
    text = f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{text} ago" if span >= timedelta(0) else f"in {text}"


def _severity(event: Event) -> str:
    number = f"({event['severity']})" if event["severity"] else None
    return _named(event["severity_text"], number)


def _named(*parts: str | None) -> str:
    return printable(" ".join(part for part in parts if part))


def _pairs(pairs: Sequence[tuple[str, str]]) -> Table:
    table = _grid()
    table.add_column(width=12, no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, Text(value))
    return table


def _differences(rows: Sequence[Difference], *, ascii_only: bool) -> Table:
    arrow = "->" if ascii_only else "→"
    table = _grid()
    for settings in ({"width": 1}, {"overflow": "fold", "min_width": 12}, {"overflow": "fold"}):
        table.add_column(**settings)
    for row in rows:
        sign, colour = _SIGNS[row.kind]
        if row.kind == "secret":
            value = Text("changed; its values are not kept", colour)
        elif row.kind == "changed":
            value = Text.assemble((_value(row.before), "red"), (f" {arrow} ", "dim"), (_value(row.after), "green"))
        else:
            value = Text(_value(row.after if row.kind == "added" else row.before), colour)
        table.add_row(Text(sign, colour), Text(printable(row.field)), value)
    return table


def _value(text: str | None) -> str:
    return printable(text) if text else '""'


def _grid() -> Table:
    return Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
