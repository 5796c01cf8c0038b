"""What was found, on the terminal or as JSON Lines; how far it is, on standard error where that is a terminal."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from collector.printable import printable, printable_json
from collector.terminal import say, tell
from exporter.store.integrity import Finding, Outcome, Progress

# Of one day and kind; --json has all of them.
_SHOWN = 20


class Printer:
    """Prints findings as they come, within a `with`; the summary after it."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console()
        self._seen: Counter[tuple[str, str | None, date | None]] = Counter()
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
        )
        errors = Console(stderr=True)
        self._bar = Bar(*columns, console=errors, transient=True, disable=not errors.is_terminal)
        self._task = self._bar.add_task("chains", total=None)

    def __enter__(self) -> None:
        self._bar.start()

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def progress(self, progress: Progress) -> None:
        """Shows how far it is."""
        what = "last links" if progress.total else "chains"
        if progress.retention_class is not None:
            what = f"{progress.retention_class} {progress.day or 'held'}"
        self._bar.update(self._task, description=what, completed=progress.events, total=progress.total or None)

    def sealed(self, name: str, day: date | None, events: int) -> None:
        """Says what was sealed late."""
        if not self._as_json:
            self._say(f"{name} {day}: {events:,} events sealed", "green")

    def found(self, finding: Finding) -> None:
        """Prints a finding; of very many of one day and kind only the first, but for JSON."""
        if self._as_json:
            self._line(finding.document())
            return
        place = (finding.kind, finding.retention_class, finding.day)
        self._seen[place] += 1
        if self._seen[place] <= _SHOWN:
            say(self._console, _text(finding))

    def summary(self, outcome: Outcome, heads: Path | None) -> None:
        """What was compared, and what came of it."""
        if self._as_json:
            self._line(_document(outcome))
            return
        for (kind, name, day), count in self._seen.items():
            if count > _SHOWN:
                where = " ".join(str(part) for part in (name, day) if part)
                self._say(f"{kind:18} {where}: {count - _SHOWN:,} more; --json names all", "bold red")
        for name, day, count in outcome.unsealed:
            self._say(f"not sealed: {count:,} events of {name} {day} are older than the tamper evidence", "yellow")
        for order, count in sorted(outcome.orders.items()):
            self._say(f"pseudonymised under order {order}: {count:,} events", "cyan")
        for archive, count in outcome.unproven.items():
            text = f"restored: {count:,} events of {archive}, of which no link says that it was written here"
            self._say(text, "yellow")
        for name, day, since in outcome.leaving:
            self._say(
                f"{name} {day}: not in audit.events; retention is about to drop it since {since:%Y-%m-%d %H:%M} UTC",
                "yellow",
            )
        if outcome.uncompared:
            self._say(f"{outcome.uncompared} of the links kept elsewhere have expired here; keep newer ones", "yellow")
        if heads is not None:
            self._say(f"the last link of {len(outcome.heads.links)} chains is in {heads}: keep it on another machine")
        compared = f"{outcome.events:,} events of {outcome.partitions:,} partitions, {outcome.links:,} links"
        if outcome.findings:
            self._say(f"{compared}: {outcome.findings:,} findings", "bold red")
        else:
            self._say(f"{compared}: all as it was stored", "green")

    def _say(self, text: str, style: str = "") -> None:
        say(self._console, text, style)

    def _line(self, document: dict[str, Any]) -> None:
        tell(self._console, printable_json(orjson.dumps(document).decode()) + "\n")


def _text(finding: Finding) -> Text:
    text = Text()
    text.append(f"{finding.kind:18} ", "bold red")
    if finding.retention_class:
        text.append(f"{printable(finding.retention_class)} {finding.day or ''}: ")
    text.append(printable(finding.text))
    if finding.occurred_at is not None:
        text.append(f", of {finding.occurred_at:%Y-%m-%d %H:%M:%S} UTC", "dim")
    if finding.id is not None and finding.chain is not None:
        sealed = f", sealed {finding.sealed_at:%Y-%m-%d %H:%M:%S} UTC" if finding.sealed_at else ""
        text.append(f"{sealed} by link {finding.sequence} of chain {finding.chain}", "dim")
    return text


def _document(outcome: Outcome) -> dict[str, Any]:
    return {
        "kind": "summary",
        "started_at": outcome.started_at.isoformat(),
        "events": outcome.events,
        "partitions": outcome.partitions,
        "links": outcome.links,
        "findings": outcome.findings,
        "unsealed": [
            {"retention_class": name, "day": day.isoformat() if day else None, "events": count}
            for name, day, count in outcome.unsealed
        ],
        "pseudonymised": {str(order): count for order, count in sorted(outcome.orders.items())},
        "expired": outcome.uncompared,
        "unproven": outcome.unproven,
        "leaving": [
            {"retention_class": name, "day": day.isoformat() if day else None, "since": since.isoformat()}
            for name, day, since in outcome.leaving
        ],
    }
