"""Writing to a terminal, a file, or a pipe whose reader may leave."""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess

from rich.console import Console
from rich.text import Text

from collector.printable import printable
from exporter.errors import AuditgrafError

# As git has them for `less`: end at once where all fits, colours as they are, leave the screen as it was.
_LESS = "FRX"
# What rich writes to where the process has no standard output says that it is this file.
_CLOSED = -1


def write(console: Console, text: str) -> None:
    """Writes the text as it is and at once.

    Raises BrokenPipeError where nobody reads any more, AuditgrafError where it can't be written. Not by console.print,
    which ends the process with 1 when the pipe is closed.
    """
    file = console.file
    if file_of(console) == _CLOSED:
        raise AuditgrafError("standard output is closed; leave it open, or send it to a file")
    encoding = getattr(file, "encoding", None) or "utf-8"
    try:
        file.write(text.encode(encoding, "backslashreplace").decode(encoding))
        file.flush()
    except BrokenPipeError:
        raise
    except OSError as failure:
        discard(console)
        raise AuditgrafError(
            f"standard output can't be written: {failure.strerror}; make room, or write it elsewhere"
        ) from failure


def tell(console: Console, text: str) -> None:
    """Writes what a job has done, which goes on where nobody reads it, or it can't be written."""
    try:
        write(console, text)
    except (BrokenPipeError, AuditgrafError):
        discard(console)


def say(console: Console, text: str | Text, style: str = "") -> None:
    """As `tell`, a line in colours where there are any; control characters in it are harmless."""
    line = text if isinstance(text, Text) else Text(printable(text), style)
    with console.capture() as captured:
        console.print(line, soft_wrap=True, highlight=False)
    tell(console, captured.get())


def show(console: Console, text: str) -> None:
    """As `write`; on a terminal, what is longer than the screen goes through $PAGER, or `less`."""
    command = _pager()
    if not console.is_terminal or not command or text.count("\n") < console.height:
        write(console, text)
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pager's
    try:
        environment = {"LESS": _LESS, "LESSCHARSET": "utf-8", **os.environ}
        # The command is the user's own.
        subprocess.run(command, input=text.encode("utf-8", "backslashreplace"), env=environment, check=False)  # noqa: S603
    except OSError:
        write(console, text)
    finally:
        signal.signal(signal.SIGINT, before)


def _pager() -> list[str]:
    """The words of the command; none for `cat`, and where there is nothing to page with."""
    if os.environ.get("TERM", "dumb") == "dumb":
        return []
    try:
        words = shlex.split(os.environ.get("PAGER", "less"))
    except ValueError:
        words = []
    return [] if words == ["cat"] else words


def discard(console: Console) -> None:
    """After a BrokenPipeError: lets the interpreter flush what is left without a word."""
    output = file_of(console)
    if output is not None and output != _CLOSED:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, output)
        os.close(nowhere)


def file_of(console: Console) -> int | None:
    """The number of the open file; None where the console writes to none of the system's."""
    try:
        return console.file.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return None
