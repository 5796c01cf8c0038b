"""One event as a line: for people, or as JSON. Nothing an event says reaches the terminal raw."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from collector.printable import printable, printable_json

Event = Mapping[str, Any]

MARKS = {"success": "✓", "failure": "✗", "unknown": "·"}
ASCII_MARKS = {"success": "+", "failure": "x", "unknown": "-"}
OUTCOME_COLOURS = {"success": "green", "failure": "red"}
JSON_COLUMNS = frozenset({"changes", "attributes", "resource", "scope"})
# OpenTelemetry's ERROR and FATAL.
SEVERE = 17
# Cells that a field takes of a terminal's line at most, and the part of the line, so that a long one leaves room.
_WIDEST = {"service": (20, 9), "action": (28, 5), "actor": (32, 5), "target": (40, 4), "place": (48, 3)}
# These stand below each other, as wide as the widest seen so far, where the terminal has room for it; but no wider
# than this part of the line, or one long name would push all messages to come out of sight.
_ALIGNED = ("service", "action", "actor")
_ROOMY = 120
_ALIGNED_PART = 8


class LineRenderer:
    """Renders events for people. Remembers how wide columns have become, so that they line up."""

    def __init__(self, *, ascii_only: bool = False) -> None:
        self._marks = ASCII_MARKS if ascii_only else MARKS
        self._widths = dict.fromkeys(_ALIGNED, 0)

    def line(self, event: Event, *, width: int | None, today: datetime) -> Text:
        """The event as one line of at most `width` cells, the message last and the first to be shortened.

        With `width` None (no terminal) nothing is shortened and the time is in full; otherwise the date is left out
        on events of `today`. Times are in the time zone of `today`.
        """
        outcome = str(event["outcome"])
        colour = OUTCOME_COLOURS.get(outcome, "dim")
        # No cell is made of more than a few characters: what can't be seen need not be looked at.
        fields = texts_of(event, longest=None if width is None else 8 * width)
        line = Text(style="bold" if event["severity"] >= SEVERE else "", no_wrap=True, end="")
        line.append(_time(event["occurred_at"], today, full=width is None), "dim")
        line.append(f" {self._marks.get(outcome, '?')} ", colour)
        for name, whole in fields.items():
            text, padding = (whole, 0) if width is None else self._fitted(name, whole, width)
            if text:
                line.append(text, _style(name, outcome, colour))
                padding += 2
            line.append(" " * padding)
        line.rstrip()
        if width is not None:
            line.truncate(width, overflow="ellipsis")
        return line

    def _fitted(self, name: str, text: str, width: int) -> tuple[str, int]:
        """The text as long as a line of that width lets it be, and the cells that are missing to its column's end."""
        widest = min(_WIDEST[name][0], width // _WIDEST[name][1]) if name in _WIDEST else width
        if cell_len(text) > widest:
            text = set_cell_size(text, max(widest - 1, 0)).rstrip() + "…"
        if name not in self._widths or width < _ROOMY:
            return text, 0
        self._widths[name] = column = max(self._widths[name], min(cell_len(text), width // _ALIGNED_PART))
        gap = 2 if column and not text else 0
        return text, max(column - cell_len(text), 0) + gap


def json_line(event: Event) -> str:
    """The event as one line of JSON: keys as the columns of audit.events, times in ISO 8601."""
    # jsonb as PostgreSQL renders it: numbers of any length stay what they are.
    values = {
        name: orjson.Fragment(value) if name in JSON_COLUMNS and value is not None else value
        for name, value in event.items()
    }
    return printable_json(orjson.dumps(values).decode())


def _time(moment: datetime, today: datetime, *, full: bool) -> str:
    local = moment.astimezone(today.tzinfo)
    if full:
        return local.isoformat(" ", "milliseconds")
    return local.strftime("%H:%M:%S" if local.date() == today.date() else "%Y-%m-%d %H:%M:%S")


def texts_of(event: Event, *, longest: int | None) -> dict[str, str]:
    """What a line says about the event, safe to print, each text made of at most `longest` characters."""
    actor = event["actor_name"] or event["actor_email"] or event["actor_id"] or ""
    behalf = event["on_behalf_of"]
    target = _joined(event["target_type"], event["target_name"] or event["target_id"])
    town = ", ".join(part for part in (event["city"], event["country"]) if part)
    texts = {
        "service": event["service"],
        "action": event["action"] or event["severity_text"],
        "actor": f"{actor} (for {behalf})".strip() if behalf else actor,
        "target": target,
        "place": _joined(town, event["client_ip"] or event["client_address"]),
        "message": event["message"],
    }
    return {name: printable((text or "")[:longest]) for name, text in texts.items()}


def _joined(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)


def _style(name: str, outcome: str, colour: str) -> str:
    if name == "action" or (name == "message" and outcome == "failure"):
        return colour
    return "dim" if name == "place" else ""
