"""`auditgraf` without a process of its own, for tests of what a command does and not of how it starts and ends."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner

from collector.cli import main


def auditgraf(
    *arguments: str, config: Path | None = None, environ: Mapping[str, str] | None = None, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """The command to its end. `environ`: all AUDITGRAF_* variables that it has; `text`: what it reads from stdin.

    An exception that the command does not turn into a message fails the test.
    """
    variables: dict[str, str | None] = {name: None for name in os.environ if name.startswith("AUDITGRAF_")}
    given = ["--config", str(config)] if config else []
    with _logging_kept():
        done = CliRunner().invoke(
            main,
            [*given, *arguments],
            input=text,
            env=variables | dict(environ or {}),
            catch_exceptions=False,
            prog_name="auditgraf",
        )
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


@contextmanager
def _logging_kept() -> Iterator[None]:
    """A command sets up logging to its own stderr; the tests after it have theirs again."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
