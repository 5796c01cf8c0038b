"""What the doctor says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem"]

# Seconds that any one attempt to reach something may take.
TIMEOUT_S = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check, and what to do where it is not ok."""

    check: str
    state: State
    text: str
    remedy: str | None = None


def guarded(check: str, run: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The check's findings; where it breaks down itself, that is one, so that the others go on."""
    try:
        yield from run()
    except Exception as failure:
        reason = first_line(failure)
        yield Finding(check, "problem", f"could not be checked: {reason}", "see to the problems above, then look again")


def first_line(failure: Exception) -> str:
    """The failure in one line."""
    return (str(failure).strip() or type(failure).__name__).splitlines()[0]
