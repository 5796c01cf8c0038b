"""The findings on the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import orjson
from rich.console import Console
from rich.text import Text

from collector.doctor.finding import Finding
from collector.printable import printable, printable_json
from collector.terminal import say, tell

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def report(findings: Iterable[Finding], *, as_json: bool, console: Console) -> bool:
    """Prints the findings as they come (as JSON: an array, at the end); True where none of them is a problem."""
    seen = []
    for finding in findings:
        seen.append(finding)
        if not as_json:
            say(console, _lines(finding))
    if as_json:
        document = orjson.dumps([asdict(finding) for finding in seen], option=orjson.OPT_INDENT_2).decode()
        tell(console, printable_json(document) + "\n")
    return all(finding.state != "problem" for finding in seen)


def _lines(finding: Finding) -> Text:
    text = Text()
    text.append(f"{finding.state:8}", _STYLES[finding.state])
    text.append(f" {finding.check}: ")
    # A message may have a line for each thing that is wrong in a file.
    text.append("\n           ".join(printable(line) for line in finding.text.splitlines()))
    if finding.remedy is not None and finding.state != "ok":
        text.append(f"\n         → {printable(finding.remedy)}", "dim")
    return text
