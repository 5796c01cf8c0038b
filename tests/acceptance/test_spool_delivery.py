"""Acknowledged means kept, also while PostgreSQL is away: whatever is killed, and whenever."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from collector.embedded import EmbeddedPostgres
from collector.pipeline.intake import GROUP_BYTES
from collector.spool import spooler
from tests.acceptance.test_delivery import BLOCKED, REQUESTS, numbered, reached, senders
from tests.collector_process import WAIT, CollectorProcess, collector, wait_until
from tests.integration.test_pipeline import Stored, held_writes, outcomes, submit, until
from tests.integration.test_spool import empty, put, spooling
from tests.sending import fetch, messages, record, request
from tests.spooling import files


def spool_in(folder: Path) -> dict[str, str]:
    return {"AUDITGRAF_SPOOL_PATH": str(folder)}


def emptied(folder: Path) -> None:
    wait_until(lambda: files(folder) == [], "the spool is empty", 60)


@contextmanager
def frozen(crashing: EmbeddedPostgres) -> Iterator[None]:
    """Every process of the server is there, and does nothing; connections are taken by the system."""
    [data] = fetch(crashing.url(), "SHOW data_directory")
    postmaster = int(Path(data["data_directory"], "postmaster.pid").read_text(encoding="utf-8").split()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text(encoding="utf-8").split()
    with stopped([postmaster, *map(int, children)]):
        yield


@contextmanager
def stopped(pids: Sequence[int]) -> Iterator[None]:
    """Processes that are there, and do nothing."""
    tell(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        tell(pids, signal.SIGCONT)


def tell(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it was about to end
            os.kill(pid, number)


def test_while_postgresql_is_away_all_is_acknowledged_and_a_killed_collector_loses_nothing(
    crashing: EmbeddedPostgres, tmp_path: Path
) -> None:
    payloads, bodies = numbered(REQUESTS)
    acknowledged: list[bytes] = []
    with collector(crashing.url(), spool_in(tmp_path)) as process, senders(process, payloads, acknowledged):
        reached(acknowledged, REQUESTS // 4)
        crashing.kill()
        reached(acknowledged, REQUESTS // 2)
        process.kill()
        process.launch()
        reached(acknowledged, REQUESTS * 3 // 4)
        assert len(acknowledged) < REQUESTS, "all was sent before the server came back"
        crashing.start()
    with collector(crashing.url(), spool_in(tmp_path)):
        emptied(tmp_path)
    assert messages(crashing.url()) == bodies


def test_a_collector_killed_while_it_empties_its_spool_stores_nothing_twice(
    crashing: EmbeddedPostgres, tmp_path: Path
) -> None:
    payloads, bodies = numbered(REQUESTS, 20)
    crashing.kill()
    with collector_without_postgresql(crashing.url(), tmp_path) as process:
        for payload in payloads:
            assert process.post(payload)[0] == 200
    waiting = len(files(tmp_path))
    crashing.start()
    process = CollectorProcess(crashing.url(), spool_in(tmp_path))
    try:
        process.launch()
        wait_until(lambda: len(files(tmp_path)) < waiting, "the first are stored")
        process.kill()
        assert files(tmp_path), "all was stored before the kill"
        process.launch()
        emptied(tmp_path)
    finally:
        process.close()
    assert messages(crashing.url()) == bodies


@contextmanager
def collector_without_postgresql(url: str, folder: Path) -> Iterator[CollectorProcess]:
    process = CollectorProcess(url, spool_in(folder))
    try:
        process.launch()
        wait_until(lambda: process.get("/readyz")[0] == 200, "it takes requests, all the same")
        yield process
        assert process.terminate() == 0
    finally:
        process.close()


def test_a_frozen_postgresql_keeps_neither_senders_nor_the_end_waiting(
    crashing: EmbeddedPostgres, tmp_path: Path
) -> None:
    payloads, bodies = numbered(3)
    spool = tmp_path / "spool"
    with collector(crashing.url(), spool_in(spool)) as process:
        assert process.post(payloads[0])[0] == 200
        with frozen(crashing):
            for payload in payloads[1:]:
                assert process.post(payload)[0] == 200
            assert len(files(spool)) == 2
            assert process.terminate() == 0
        process.start()
        emptied(spool)
    assert messages(crashing.url()) == bodies


@pytest.mark.parametrize("requests", [1, 5])
def test_without_a_spool_a_frozen_postgresql_does_not_keep_the_end_waiting_either(
    crashing: EmbeddedPostgres, requests: int
) -> None:
    large = "x" * (GROUP_BYTES // 8)  # none has room for another in its group
    payloads = [request(*(record(f"{number}", text=large) for _ in range(8))) for number in range(requests)]
    with collector(crashing.url()) as process, ThreadPoolExecutor(requests) as threads:
        with frozen(crashing):
            answers = [threads.submit(process.post, payload) for payload in payloads]
            wait_until(lambda: waiting_requests(process) == requests, "the requests are under way")
            assert process.terminate() == 0
            assert {answer.result(WAIT)[0] for answer in answers} <= {0, 503}
        process.start()
        assert [process.post(payload)[0] for payload in payloads] == [200] * requests
    assert messages(crashing.url()) == sorted([str(number) for number in range(requests)] * 8)


def waiting_requests(process: CollectorProcess) -> float:
    with urlopen(f"http://127.0.0.1:{process.metrics_port}/metrics", timeout=WAIT) as response:
        lines = response.read().decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("auditgraf_waiting_requests ")))


async def test_a_session_that_never_answers_is_given_up_for_a_new_one(
    crashing: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a proxy leaves it whose server went away: nothing comes, and nothing says that it won't."""
    monkeypatch.setattr(spooler, "_PATIENCE_S", 2.0)
    monkeypatch.setattr(spooler, "_LONGEST_REFUSED_S", 0.2)
    url = crashing.url()
    put(tmp_path, request(record("a")))
    with ExitStack() as held:
        held.enter_context(held_writes(url))
        async with spooling(url, tmp_path) as running:
            await until(lambda: fetch(url, BLOCKED), "the batch is on its way")
            [session] = fetch(url, BLOCKED.replace("SELECT", "SELECT pid"))
            with stopped([session["pid"]]):
                held.close()
                await empty(tmp_path)
                assert await outcomes(await submit(running, request(record("b")))) == [Stored]
    assert messages(url) == ["a", "b"]
