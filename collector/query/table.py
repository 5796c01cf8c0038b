"""Events as a table: as wide as the terminal, or in full where the output is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from collector.printable import printable
from collector.tail.line import ASCII_MARKS, MARKS, OUTCOME_COLOURS, SEVERE, Event, texts_of

# What the table shows where no columns are asked for; these are read for it.
READ = (
    *("id", "occurred_at", "severity", "severity_text", "action", "outcome", "actor_id", "actor_name", "actor_email"),
    *("on_behalf_of", "client_ip", "client_address", "country", "city", "target_type", "target_id", "target_name"),
    *("service", "message"),
)
_GAP = 2
# Characters of an id that as good as always name one event: `auditgraf show` takes them. Fewer name its millisecond.
_ID = 18
_ID_TIME = 13
# In a pipe columns stand below each other, but one long value does not fill every line with spaces.
_PADDED = 60
_FULL_TIME = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class _Column:
    """`cap`: cells that it takes at most where others need room; `least`: with fewer it is left out."""

    title: str
    cap: int
    least: int = 1


_TIME = "Time"
# In the order in which they give way on a narrow terminal: the last one first.
_PRIORITY = {
    "time": _Column(_TIME, 19, 8),
    "mark": _Column("", 1),
    "action": _Column("Action", 22, 10),
    "actor": _Column("Actor", 20, 8),
    "target": _Column("Target", 26, 10),
    "service": _Column("Service", 16, 9),
    "message": _Column("Message", 60, 16),
    "place": _Column("Place", 40, 14),
    "id": _Column("Id", _ID, _ID_TIME),
}
# From this width on an id is worth more than the rest of a message: it is what `auditgraf show` wants.
_WITH_ID = 100
_ORDER = ("time", "mark", "service", "action", "actor", "target", "place", "message", "id")


def events_table(events: Sequence[Event], console: Console, zone: tzinfo | None, now: datetime) -> str:
    """Events in the columns that a reader wants first, a line each."""
    width = console.width if console.is_terminal else None
    rows = _cells(events, width, zone, now, ascii_only=console.options.ascii_only)
    natural = {name: max((cell_len(row[name]) for row in rows), default=0) for name in _ORDER}
    natural = {name: max(cells, cell_len(_PRIORITY[name].title)) for name, cells in natural.items() if cells}
    widths = natural if width is None else _fitted(natural, width)
    shown = [name for name in _ORDER if name in widths]
    titles = [_PRIORITY[name].title for name in shown]
    for row in rows:
        row["id"] = row["id"][: widths.get("id")]
    styled = [[_styled(name, row[name], event) for name in shown] for row, event in zip(rows, events, strict=True)]
    return _rendered(console, titles, styled, [widths[name] for name in shown] if width else None)


def columns_table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], console: Console, zone: tzinfo | None
) -> str:
    """The columns asked for, under their own names."""
    longest = 8 * console.width if console.is_terminal else None
    cells = [[Text(_plain(row[column], zone, full=longest is None)[:longest]) for column in columns] for row in rows]
    if not console.is_terminal:
        return _rendered(console, columns, cells, None)
    natural = [
        max([cell_len(title), *(cell_len(row[place].plain) for row in cells)]) for place, title in enumerate(columns)
    ]
    return _rendered(console, columns, cells, _shared(natural, console.width - _GAP * (len(columns) - 1)))


def _plain(value: Any, zone: tzinfo | None, *, full: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        local = value.astimezone(zone)
        return local.isoformat(" ", "milliseconds") if full else local.strftime(_FULL_TIME)
    if isinstance(value, list):
        return printable(", ".join(value))
    return printable(str(value))


def _cells(
    events: Sequence[Event], width: int | None, zone: tzinfo | None, now: datetime, *, ascii_only: bool
) -> list[dict[str, str]]:
    marks = ASCII_MARKS if ascii_only else MARKS
    today = now.astimezone(zone).date()
    moments = [event["occurred_at"].astimezone(zone) for event in events]
    form = _FULL_TIME
    if width is not None and all(moment.date() == today for moment in moments):
        form = "%H:%M:%S"
    elif width is not None and width < 120 and all(moment.year == today.year for moment in moments):
        form = "%m-%d %H:%M:%S"
    rows = []
    for event, moment in zip(events, moments, strict=True):
        time = moment.isoformat(" ", "milliseconds") if width is None else moment.strftime(form)
        texts = texts_of(event, longest=None if width is None else 8 * width)
        identity = str(event["id"]) if width is None else str(event["id"])[:_ID]
        rows.append({**texts, "time": time, "mark": marks.get(str(event["outcome"]), "?"), "id": identity})
    return rows


def _fitted(natural: Mapping[str, int], width: int) -> dict[str, int]:
    """Columns and their widths on a terminal: those that find room, the room left over given to what was cut."""
    widths: dict[str, int] = {}
    left = width + _GAP
    kept = _ID_TIME + _GAP if width >= _WITH_ID else 0
    left -= kept
    for name, column in _PRIORITY.items():
        if name == "id":
            left += kept
        wanted = min(natural.get(name, 0), column.cap)
        # A cut column gives way to the next ones, but not to the point of saying nothing.
        room = left - _GAP
        if not wanted or room < min(wanted, column.least):
            continue
        widths[name] = wanted if wanted <= room else _ID_TIME if name == "id" else room
        left -= widths[name] + _GAP
    for name in ("message", "target", "action", "actor", "place", "service"):
        if name in widths and left > 0:
            more = min(natural[name] - widths[name], left)
            widths[name] += more
            left -= more
    return widths


def _shared(natural: Sequence[int], width: int) -> list[int]:
    """Widths that add up to the terminal's: the widest columns are cut first."""
    widths = list(natural)
    while sum(widths) > width and max(widths) > 4:
        widths[widths.index(max(widths))] -= 1
    return widths


def _styled(name: str, text: str, event: Event) -> Text:
    outcome = str(event["outcome"])
    colour = OUTCOME_COLOURS.get(outcome, "dim")
    style = {"time": "dim", "place": "dim", "id": "dim", "mark": colour, "action": colour}.get(name, "")
    if name == "message" and outcome == "failure":
        style = colour
    return Text(
        text, f"bold {style}".strip() if event["severity"] >= SEVERE and name in {"action", "message"} else style
    )


def _rendered(
    console: Console, titles: Sequence[str], rows: Sequence[Sequence[Text]], widths: Sequence[int] | None
) -> str:
    if widths is None:
        return _unbounded(titles, [[cell.plain for cell in row] for row in rows])
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold", collapse_padding=True)
    for title, cells in zip(titles, widths, strict=True):
        table.add_column(title, width=cells, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*row)
    with console.capture() as captured:
        console.print(table, highlight=False)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _unbounded(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Nothing cut, at least two spaces between columns; rich would need to know a width."""
    widths = [min(max(map(cell_len, column)), _PADDED) for column in zip(titles, *rows, strict=True)]
    lines = []
    for row in (titles, *rows):
        padded = (cell + " " * (max(cells - cell_len(cell), 0) + _GAP) for cell, cells in zip(row, widths, strict=True))
        lines.append("".join(padded).rstrip())
    return "".join(f"{line}\n" for line in lines)
