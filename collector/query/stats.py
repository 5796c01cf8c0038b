"""`auditgraf stats`: how many events there are, of what, by whom, when, and what room they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import orjson
from psycopg import sql
from psycopg.rows import dict_row
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from collector.printable import printable, printable_json
from collector.query.answer import asking
from collector.query.question import Question
from collector.query.slots import Slots, bars, cut
from collector.reading import Connection
from collector.tail.line import OUTCOME_COLOURS
from collector.terminal import show, write
from exporter.store.queries import query

# Rollups count by parts of this length.
_BUCKET_S = 300
# The bits of grouping() that are set where a sum is not by that column: queries.sql, totals.
_BY = {"classes": 0b01111, "actions": 0b10111, "outcomes": 0b11011, "services": 0b11101}
_BY_SLOT, _TOTAL = 0b11110, 0b11111
_TITLES = {"classes": "Class", "actions": "Action", "outcomes": "Outcome", "services": "Service", "actors": "Actor"}
_UNBOUNDED = 1_000_000

Count = tuple[str | None, int]


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts by name, greatest first; `series` has one for each of the slots. `storage` is None where unknown."""

    since: datetime | None
    until: datetime | None
    events: int
    counts: Mapping[str, Sequence[Count]]
    slots: Slots
    series: Sequence[int]
    storage: Sequence[Mapping[str, Any]] | None


def collect(url: str, question: Question, zone: tzinfo | None, top: int) -> Stats:
    """Counts the events asked for, by whole parts of five minutes. Raises as `asking`.

    Without conditions rollups are read, which also count events that retention has dropped since.
    """
    question = replace(question, since=_down(question.since), until=_up(question.until))
    with asking(url, "stats") as connection:
        row = connection.execute(query("has_volume", __package__)).fetchone()
        assert row is not None
        whole = row[0] and question.match is None and question.text is None
        first = sql.SQL(query("first_volume", __package__)) if whole else question.statement("first_event")
        found = connection.execute(first, question.parameters()).fetchone()
        now = datetime.now(UTC)
        begin = question.since or (found and found[0]) or now
        slots = cut(begin, max(question.until or now, begin), zone)
        counted = sql.SQL(query("counted_volume", __package__)) if whole else question.statement("counted_events")
        rows = _rows(
            connection,
            sql.SQL(query("totals", __package__)).format(counted=counted),
            question.parameters() | {"starts": list(slots.starts)},
        )
        actors = _rows(connection, question.statement("actors"), question.parameters() | {"top": top})
        storage = _rows(connection, sql.SQL(query("storage", __package__)).format(), {}) if row[1] else None
    by_slot = {each["slot"]: each["events"] for each in rows if each["what"] == _BY_SLOT}
    # What is older than the first slot is counted in it.
    series = [
        by_slot.get(place, 0) + (by_slot.get(0, 0) if place == 1 else 0) for place in range(1, len(slots.starts) + 1)
    ]
    counts = {name: [(each["name"], each["events"]) for each in rows if each["what"] == by] for name, by in _BY.items()}
    counts["actors"] = [(each["name"], each["events"]) for each in actors]
    total = next((each["events"] or 0 for each in rows if each["what"] == _TOTAL), 0)
    return Stats(question.since, question.until, total, counts, slots, series, storage)


def print_stats(stats: Stats, console: Console, zone: tzinfo | None, *, top: int, as_json: bool) -> None:
    """Prints them. Raises BrokenPipeError where the reader leaves."""
    if as_json:
        write(console, printable_json(orjson.dumps(_document(stats)).decode()) + "\n")
        return
    with console.capture() as captured:
        for part in _parts(stats, console, zone, top):
            console.print(part, highlight=False, width=None if console.is_terminal else _UNBOUNDED)
    show(console, "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _document(stats: Stats) -> dict[str, Any]:
    counts = {name: [{"name": key, "events": events} for key, events in rows] for name, rows in stats.counts.items()}
    series = [
        {"start": start.astimezone(UTC), "events": events}
        for start, events in zip(stats.slots.starts, stats.series, strict=True)
    ]
    return {
        "since": stats.since,
        "until": stats.until,
        "events": stats.events,
        **counts,
        "unit": stats.slots.unit,
        "series": series,
        "storage": stats.storage,
    }


def _parts(stats: Stats, console: Console, zone: tzinfo | None, top: int) -> list[RenderableType]:
    first = stats.since or stats.slots.starts[0]
    span = f" since {first.astimezone(zone):%Y-%m-%d %H:%M}"
    if stats.until:
        span += f", until {stats.until.astimezone(zone):%Y-%m-%d %H:%M}"
    title = Text.assemble((f"{stats.events:,}", "bold"), f" event{'' if stats.events == 1 else 's'}", (span, "dim"))
    if not stats.events:
        return [title]
    peak = max(range(len(stats.series)), key=stats.series.__getitem__)
    form = "%Y-%m-%d %H:%M" if stats.slots.unit == "hour" else "%Y-%m-%d"
    line = Text(bars(stats.series, ascii_only=console.options.ascii_only), "cyan", no_wrap=True)
    line.append(f"  by {stats.slots.unit}, most {stats.series[peak]:,}", "dim")
    line.append(f" ({stats.slots.starts[peak].astimezone(zone).strftime(form)})", "dim")
    tables: list[RenderableType] = [
        _table(_TITLES[name], rows, stats.events, top) for name, rows in stats.counts.items() if rows
    ]
    if stats.storage:
        tables.append(_storage(stats.storage))
    together = Columns(tables, padding=(1, 4)) if console.is_terminal else Group(*_apart(tables))
    return [title, line, together]


def _apart(tables: Sequence[RenderableType]) -> list[RenderableType]:
    return [part for table in tables for part in (Text(""), table)]


def _table(title: str, rows: Sequence[Count], total: int, top: int) -> Table:
    table = _plain_table()
    table.add_column(title, max_width=36, no_wrap=True, overflow="ellipsis")
    # On a narrow terminal names give way to numbers, of which half says something else.
    table.add_column("Events", justify="right", no_wrap=True, min_width=max(len(f"{total:,}"), len("Events")))
    table.add_column("", justify="right", no_wrap=True, min_width=len("< 0.1 %"), style="dim")
    for name, events in rows[:top]:
        style = OUTCOME_COLOURS.get(name or "", "") if title == "Outcome" else ""
        table.add_row(Text(printable(name or "(none)"), style), f"{events:,}", _percent(events, total))
    rest = sum(events for _, events in rows[top:])
    if rest:
        table.add_row(Text(f"{len(rows) - top} more", "dim"), f"{rest:,}", _percent(rest, total))
    return table


def _storage(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = _plain_table()
    table.add_column("On disk", no_wrap=True)
    table.add_column("Size", justify="right")
    table.add_column("Oldest", style="dim", no_wrap=True)
    for row in rows:
        oldest = f"{row['oldest']:%Y-%m-%d}" if row["oldest"] else ""
        table.add_row(Text(printable(row["retention_class"])), _size(row["bytes"]), oldest)
    return table


def _plain_table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def _percent(part: int, whole: int) -> str:
    share = 100 * part / whole
    if share < 0.1:
        return "< 0.1 %"
    return f"{share:.0f} %" if share >= 10 else f"{share:.1f} %"


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit in {"B", "kB"} else f"{size:.1f} {unit}"


def _rows(connection: Connection, statement: sql.Composed, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, parameters).fetchall()


def _down(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment.timestamp() // _BUCKET_S * _BUCKET_S, UTC)


def _up(moment: datetime | None) -> datetime | None:
    down = _down(moment)
    return down if down == moment or down is None else down + timedelta(seconds=_BUCKET_S)
