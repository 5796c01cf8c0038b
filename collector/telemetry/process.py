"""This process: its name among the collectors, and what it takes of the machine."""

from __future__ import annotations

import os
import secrets
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_STATM = Path("/proc/self/statm")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Identity:
    """One start of one collector."""

    instance: str
    version: str
    started_at: datetime


def identify() -> Identity:
    """The host's name with a random part: in containers the process id is always the same."""
    return Identity(f"{socket.gethostname()}-{secrets.token_hex(3)}", version("auditgraf"), datetime.now(UTC))


def cpu_seconds() -> float:
    """Processor time that the process has used since its start, in its own code and the system's."""
    return time.process_time()


def memory_bytes() -> int:
    """What is resident now (proc_pid_statm(5), the second number)."""
    return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
