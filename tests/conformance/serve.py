"""Both receivers as a process of their own, so that a test can measure their memory and nothing else's.

`python -m tests.conformance.serve LIMIT` prints the two ports and serves until its standard input is closed.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from collector.receivers.grpc import GrpcReceiver
from collector.receivers.http import HttpReceiver

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class ServingProcess:
    pid: int
    grpc_port: int
    http_port: int

    def peak_bytes(self) -> int:
        """The most memory the process ever had, resident."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) << 10


class _Discard:
    async def submit(self, payload: bytes) -> None:
        return None


async def _ready() -> None:
    return None


async def _serve(limit: int) -> None:
    grpc = GrpcReceiver(_Discard(), listen="127.0.0.1:0", max_request_bytes=limit)
    http = HttpReceiver(_Discard(), listen="127.0.0.1:0", max_request_bytes=limit, ready=_ready)
    sys.stdout.write(json.dumps([await grpc.start(), await http.start()]) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await grpc.stop(1)
    await http.stop(1)


@contextmanager
def serving_process(limit: int) -> Iterator[ServingProcess]:
    command = [sys.executable, "-m", "tests.conformance.serve", str(limit)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        grpc_port, http_port = json.loads(process.stdout.readline())
        yield ServingProcess(process.pid, grpc_port, http_port)
        assert process.poll() is None, "the receivers died"


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
