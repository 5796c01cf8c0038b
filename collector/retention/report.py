"""Plans, runs, holds and archives on the terminal, as tables or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from collector.printable import printable, printable_json
from collector.terminal import tell, write
from exporter.durations import format_duration

if TYPE_CHECKING:
    from exporter.store.archive import Manifest, Verified
    from exporter.store.forget import Forgotten, Preview
    from exporter.store.retention import ClassPlan, Hold, Leaving, Plan, Report, Step

_STYLES = {"dropped": "yellow", "archived": "green", "created": "green", "kept": "cyan", "failed": "bold red"}


def print_plan(plan: Plan, *, past: timedelta | None, archive: str | None, as_json: bool) -> None:
    """What a run would do. `past`: accept.past; `archive`: where expired partitions go first."""
    if as_json:
        _print_json(asdict(plan) | {"holds": [_hold_values(hold) for hold in plan.holds], "archive": archive})
        return
    console = Console()
    _table(
        console,
        ("class", "kept", "partitions", "events", "disk", ""),
        [_class_row(each, past) for each in plan.classes],
    )
    if plan.leaving:
        _say(console, "")
        _table(
            console,
            ("goes (UTC)", "partition", "events", "disk", ""),
            [_leaving_row(each) for each in plan.leaving],
        )
    due = [each for each in plan.leaving if each.due]
    _say(console, _sum(due) if due else "nothing is due now")
    if archive and due:
        _say(console, f"each is archived first: {archive}")
    if any(hold.match is None for hold in plan.holds):
        _say(console, "but a hold keeps every event: nothing is dropped", "cyan")
    if plan.doubt:
        _say(console, plan.doubt, "bold red")
    for name, (events, size) in (("held beyond their time", plan.held), ("restored from archives", plan.restored)):
        if events:
            _say(console, f"{name}: {events:,} events, {decimal(size)}; retention leaves them alone")


def _sum(due: Sequence[Leaving]) -> str:
    events = f"{'' if all(each.exact for each in due) else 'about '}{sum(each.events for each in due):,} events"
    partitions = f"{len(due)} partition{'s' if len(due) > 1 else ''}"
    return f"the next run drops {partitions}: {events}, {decimal(sum(each.bytes for each in due))}"


def _class_row(each: ClassPlan, past: timedelta | None) -> tuple[str, ...]:
    remarks = []
    if not each.configured:
        remarks.append("no longer configured: what is stored keeps this duration")
    if each.was != each.keep:
        remarks.append(f"{format_duration(each.was)} until the next run")
    if past is not None and each.keep is not None and past > each.keep:
        remarks.append(f"accept.past ({format_duration(past)}) takes events that the next run drops")
    kept = format_duration(each.keep)
    return each.name, kept, f"{each.partitions:,}", f"~{each.events:,}", decimal(each.bytes), "; ".join(remarks)


def _leaving_row(each: Leaving) -> tuple[str, ...]:
    when = "with the next run" if each.due else f"{each.goes_at:%Y-%m-%d %H:%M}"
    remark = f"{each.held:,} of them are held" if each.held else ""
    return when, each.partition, f"{'' if each.exact else '~'}{each.events:,}", decimal(each.bytes), remark


def print_step(step: Step) -> None:
    """A step of a run, as it is done."""
    text = Text(f"{step.action:9}", _STYLES[step.action])
    text.append(f" {step.partition or step.retention_class or ('the run' if step.action == 'failed' else 'counts')}")
    if step.events is not None:
        text.append(f"  {step.events:,} events")
    if step.bytes:
        text.append(f"  {decimal(step.bytes)}")
    if step.detail:
        text.append(f"  {printable(step.detail)}")
    _tell(text)


def print_report(report: Report, *, as_json: bool) -> None:
    """How a run ended."""
    if as_json:
        _print_json(asdict(report))
    elif not report.done:
        _say(Console(), "another run is under way; this one did nothing")
    elif not report.steps:
        _say(Console(), "nothing was due")


def print_holds(holds: Sequence[Hold], *, as_json: bool) -> None:
    """Holds, in force or not."""
    if as_json:
        _print_json([_hold_values(hold) for hold in holds])
        return
    rows = [
        (
            str(hold.id),
            f"{hold.created_at:%Y-%m-%d %H:%M}",
            hold.created_by,
            hold.reason,
            hold.filter or "(every event)",
            "" if hold.events is None else f"{hold.events:,}",
            "" if hold.released_at is None else f"released {hold.released_at:%Y-%m-%d %H:%M} by {hold.released_by}",
        )
        for hold in holds
    ]
    if rows:
        _table(Console(), ("hold", "since (UTC)", "by", "reason", "filter", "events then", ""), rows)
    else:
        _say(Console(), "no hold is in force")


def print_archives(archives: Sequence[tuple[str, Manifest]], *, as_json: bool) -> None:
    """Archives of a place."""
    if as_json:
        _print_json([{"manifest": name, **manifest.model_dump(mode="json")} for name, manifest in archives])
        return
    rows = [
        (each.retention_class, _range(each.range_start, each.range_end), f"{each.events:,}", decimal(each.bytes), name)
        for name, each in archives
    ]
    if rows:
        _table(Console(), ("class", "time (UTC)", "events", "size", "manifest"), rows)
    else:
        _say(Console(), "no archive is there yet")


def print_verified(found: Iterable[Verified]) -> bool:
    """Archives as they are read through; True where all are what was written."""
    sound, count = True, 0
    for each in found:
        count += 1
        sound = sound and each.problem is None
        text = Text("ok      " if each.problem is None else "damaged ", "green" if each.problem is None else "bold red")
        text.append(printable(each.problem or f"{each.name}: {each.manifest.events:,} events"))
        _tell(text)
    if not count:
        say_done("no archive is there")
    return sound


def print_preview(preview: Preview) -> None:
    """What an order to forget would change."""
    say_done(f"looking for: {', '.join(preview.names)}")
    for earlier in preview.earlier:
        state = "done" if earlier.finished else "interrupted; it will go on"
        say_done(f"order {earlier.id} of {earlier.at:%Y-%m-%d}: {earlier.events:,} events, {state}")
    for table, events in preview.events.items():
        say_done(f"  {table}: {events:,} events")
    say_done(f"{sum(preview.events.values()):,} events name the person")
    for archive in preview.archives:
        say_done(f"  archive {archive.manifest}: {archive.events:,} events, which only --archives changes")
    if preview.also_seen:
        say_done(f"this actor was also called {', '.join(preview.also_seen)}: --also NAME looks for that, too")


def print_forgotten(done: Forgotten) -> None:
    """What an order changed, and what is left to a person."""
    console = Console()
    _say(console, f"order {done.order}: {done.events:,} events pseudonymised as {done.pseudonym}", "green")
    if done.quarantined:
        _say(console, f"{done.quarantined} records in audit.quarantine name the person: look at them, and delete them")
    for number in done.holds:
        _say(console, f"hold {number} names the person in its own words: release it, or write it anew")
    for archive in done.archives:
        if archive.rewritten is None:
            text = f"archive {archive.manifest} still has {archive.events:,} events of the person"
        else:
            text = f"archive {archive.manifest} is {archive.rewritten} now: {archive.events:,} events pseudonymised"
        _say(console, text)
    if any(archive.rewritten is None for archive in done.archives):
        _say(console, "--archives rewrites archives; what is restored from those that stay has the pseudonym")


def _hold_values(hold: Hold) -> dict[str, Any]:
    names = (
        "id",
        "created_at",
        "created_by",
        "reason",
        "filter",
        "events",
        "released_at",
        "released_by",
        "release_reason",
    )
    return {name: getattr(hold, name) for name in names}


def _range(start: datetime, end: datetime) -> str:
    if end - start == timedelta(days=1):
        return f"{start:%Y-%m-%d}"
    return f"{start:%Y-%m-%d %H:%M}..{end:%Y-%m-%d %H:%M}"


def _table(console: Console, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not console.is_terminal:
        lines = ["\t".join(titles), *("\t".join(map(printable, row)) for row in rows)]
        write(console, "\n".join(lines) + "\n")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in titles:
        numbers = title in {"events", "events then", "partitions", "disk", "size", "hold"}
        table.add_column(title, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    write(console, _rendered(console, table))


def say_done(text: str) -> None:
    """A line about something that was done. A reader who has left does not stop what is still to be done."""
    _tell(Text(printable(text)))


def _tell(text: Text) -> None:
    console = Console()
    tell(console, _rendered(console, text))


def _say(console: Console, text: str, style: str = "") -> None:
    write(console, _rendered(console, Text(printable(text), style)))


def _rendered(console: Console, part: Text | Table) -> str:
    with console.capture() as captured:
        console.print(part, soft_wrap=isinstance(part, Text), highlight=False)
    return captured.get()


def _print_json(value: Any) -> None:
    document = orjson.dumps(value, default=_encoded, option=orjson.OPT_INDENT_2).decode()
    write(Console(), printable_json(document) + "\n")


def _encoded(value: Any) -> Any:
    if isinstance(value, timedelta):
        return format_duration(value)
    raise TypeError(f"no JSON for a {type(value).__name__}")
