"""Writing to a terminal, a file, or a pipe whose reader may leave."""

from __future__ import annotations

import io
import os

from rich.console import Console


def write(console: Console, text: str) -> None:
    """Writes the text as it is and at once. Raises BrokenPipeError where nobody reads any more.

    Not by console.print, which ends the process with 1 when the pipe is closed.
    """
    file = console.file
    encoding = getattr(file, "encoding", None) or "utf-8"
    file.write(text.encode(encoding, "backslashreplace").decode(encoding))
    file.flush()


def discard(console: Console) -> None:
    """After a BrokenPipeError: lets the interpreter flush what is left without a word."""
    output = file_of(console)
    if output is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, output)
        os.close(nowhere)


def file_of(console: Console) -> int | None:
    """The number of the open file; None where the console writes to none of the system's."""
    try:
        return console.file.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return None
