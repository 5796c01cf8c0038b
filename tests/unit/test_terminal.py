"""Writing to a terminal, to files that are full or closed, and through a pager."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from collector.terminal import show, tell, write
from exporter.errors import AuditgrafError

LONG = "".join(f"line {number}\n" for number in range(30))


class _Broken(io.StringIO):
    def write(self, text: str, /) -> int:
        raise BrokenPipeError


def test_a_full_disk_is_told_in_one_sentence() -> None:
    told = pytest.raises(AuditgrafError, match="standard output can't be written: No space left on device")
    with Path("/dev/full").open("w", encoding="utf-8") as full, told:
        write(Console(file=full), "text")


def test_a_closed_standard_output_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(AuditgrafError, match="standard output is closed"):
        write(Console(), "text")


def test_what_a_job_tells_does_not_stop_it_where_nobody_reads() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        tell(Console(file=full), "text")
    tell(Console(file=_Broken()), "text")
    with pytest.raises(BrokenPipeError):
        write(Console(file=_Broken()), "text")


@pytest.fixture
def paged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pager that writes what it gets to this file."""
    shown = tmp_path / "shown"
    monkeypatch.setenv("PAGER", f"tee '{shown}'")
    monkeypatch.setenv("TERM", "xterm")
    return shown


def test_what_is_longer_than_the_screen_goes_through_the_pager(paged: Path) -> None:
    show(Console(file=io.StringIO(), force_terminal=True, height=20, width=80), LONG)
    assert paged.read_text(encoding="utf-8") == LONG


@pytest.mark.parametrize(("terminal", "height"), [(True, 40), (False, 20)])
def test_what_fits_or_goes_into_a_pipe_has_no_pager(paged: Path, terminal: bool, height: int) -> None:
    output = io.StringIO()
    show(Console(file=output, force_terminal=terminal, height=height, width=80), LONG)
    assert output.getvalue() == LONG
    assert not paged.exists()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PAGER", "cat"), ("PAGER", ""), ("PAGER", "/nonexistent"), ("PAGER", "'"), ("TERM", "dumb")],
)
def test_without_a_pager_that_works_it_is_written_as_it_is(
    paged: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    output = io.StringIO()
    show(Console(file=output, force_terminal=True, height=20, width=80), LONG)
    assert output.getvalue() == LONG
