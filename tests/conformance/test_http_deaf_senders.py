"""Senders that ask and never read an answer."""

from __future__ import annotations

import socket

from tests.conformance.serve import serving_process
from tests.conformance.service import WAIT

PROBES = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
# What the buffers of both systems hold is less.
MOST_SENT = 16 << 20
STANDSTILL = 2.0  # seconds
MOST_MEMORY = 64 << 20


def test_a_sender_that_reads_no_answers_cant_fill_the_memory_with_requests() -> None:
    with serving_process(1 << 20) as process:
        before = process.peak_bytes()
        with socket.create_connection(("127.0.0.1", process.http_port), WAIT) as deaf:
            deaf.settimeout(STANDSTILL)
            try:
                for _ in range(0, MOST_SENT, len(PROBES)):
                    deaf.sendall(PROBES)
            except TimeoutError:
                pass  # as it should be
            assert process.peak_bytes() - before < MOST_MEMORY
