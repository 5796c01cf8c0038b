"""Retries while the window of accepted times moves on: what was outside may be inside by then, and the reverse."""

from __future__ import annotations

import time

import pytest

from tests.sending import Store, count, record, request

SECOND = 10**9
DAY = 86_400 * SECOND


@pytest.mark.parametrize(
    "from_now_ns", [-7 * DAY + SECOND, DAY + SECOND], ids=["leaves the window", "comes into the window"]
)
def test_a_retry_on_the_other_side_of_the_edge_stores_nothing_twice(
    store: Store, database: str, from_now_ns: int
) -> None:
    now = time.time_ns()
    payload = request(record("at the edge", event="", at_ns=now + from_now_ns))
    store.write(payload, arrival_ns=now)
    store.write(payload, arrival_ns=now + 2 * SECOND)
    assert count(database) == 1
