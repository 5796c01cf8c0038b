"""How far an export is, on standard error where that is a terminal."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from collector.query.question import Question

_LEAST_SECONDS = 0.5


class _Rate(ProgressColumn):
    """Events a second since the start."""

    def render(self, task: Task) -> Text:
        seconds = task.elapsed or 0.0
        written: int = task.fields["events"]
        return Text(f"{written / seconds:,.0f}/s" if written and seconds > _LEAST_SECONDS else "", style="dim")


def _is_apart(output: str) -> bool:
    """Whether what is written to `output` (`-`: standard output) can't end up between the bar's lines.

    At the end of a pipe there may be the same terminal.
    """
    return output != "-" or stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)


@contextmanager
def shown(console: Console, question: Question, output: str) -> Iterator[Callable[[int, datetime], None]]:
    """A bar from the first time asked for (or event) to the last (or now); gives what reports the events written.

    Nothing has to be counted beforehand: how far it is, is how much of the time asked for is done. No bar without a
    terminal, or where `output` may be the same one.
    """
    if not (console.is_terminal and _is_apart(output)):
        yield lambda events, reached: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[events]:,} events"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[reached]}", style="dim"),
        _Rate(),
        TimeRemainingColumn(compact=True),
    )
    start, end = question.since, question.until or datetime.now(UTC)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("export", total=None, events=0, reached="")

        def report(events: int, reached: datetime) -> None:
            nonlocal start
            start = start or reached
            total = max((end - start).total_seconds(), 1.0)
            done = min(max((reached - start).total_seconds(), 0.0), total)
            written = bar.tasks[0].fields["events"] + events
            bar.update(task, total=total, completed=done, events=written, reached=f"{reached:%Y-%m-%d %H:%M}")

        yield report
