"""Retention beside a collector that serves: at the start, then every hour, in a process of its own.

A process, so that an archive takes neither the interpreter from the threads that write nor, when the collector stops,
any time: it is killed, and the next run goes on. Of many collectors one at a time does the work; the others find the
lock taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import time
from multiprocessing.process import BaseProcess
from typing import NoReturn

from collector.config import Config
from exporter.errors import AuditgrafError

log = logging.getLogger(__name__)
# Those who write go first wherever there is not enough processor for all.
_NICER = 10


class Schedule:
    """Runs retention until it is stopped. `start` and `stop` run in the event loop that serves."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._task: asyncio.Task[None] | None = None
        self._process: BaseProcess | None = None

    def start(self) -> None:
        """Begins, unless the configuration leaves it to something else, or there is no owner's URL: that is told."""
        every = self._config.retention_job.every
        if every is None:
            return
        if self._config.database.url is None:
            log.info(
                "retention does not run here: it needs the owner's URL, AUDITGRAF_DATABASE_URL; "
                "let `auditgraf retention run` run hourly where that is known, as the compose file does"
            )
            return
        self._task = asyncio.create_task(self._repeat(every.total_seconds()))

    async def stop(self) -> None:
        """Ends a run that is under way, at whatever step."""
        if self._task is None:
            return
        self._task.cancel()
        if self._process is not None and self._process.is_alive():
            self._process.kill()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _repeat(self, seconds: float) -> None:
        while True:
            self._process = start_child(self._config)
            await asyncio.to_thread(self._process.join)
            await asyncio.to_thread(announce, self._config)
            await asyncio.sleep(seconds)


def start_child(config: Config) -> BaseProcess:
    """One run in a process of its own; what fails is told in the log, and recorded in the database."""
    # Not forked: threads are running here, and gRPC among them.
    process = multiprocessing.get_context("spawn").Process(
        target=_run_in_child, args=(config,), name="retention", daemon=True
    )
    process.start()
    assert process.pid is not None
    # From here, because what it imports before it could do so itself takes longer than many a run.
    with contextlib.suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + _NICER)
    return process


def _run_in_child(config: Config) -> None:
    # Ctrl-C reaches every process of the terminal; the collector says when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(
        level=config.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
    )
    # Its events are the collector's to store, which has all that loaded already.
    run_and_tell(config, announced=False)


def announce(config: Config) -> None:
    """Stores the audit events of what a run did."""
    from exporter.store.retention import announce as store_notes  # noqa: PLC0415

    try:
        store_notes(config.owner_url(), config.writer_url())
    except AuditgrafError as failure:
        log.warning("what retention did becomes an audit event later: %s", failure)


def repeat(config: Config, seconds: float) -> NoReturn:
    """One run after the other, until the process is ended."""
    while True:
        run_and_tell(config)
        time.sleep(seconds)


def run_and_tell(config: Config, *, announced: bool = True) -> None:
    """One run; what it did, what failed, and the chains' heads are told in the log."""
    # The collector itself has no need of all that.
    from collector.retention import run_once  # noqa: PLC0415
    from exporter.store.integrity import log_heads  # noqa: PLC0415

    try:
        report = run_once(config, announced=announced)
        if report.done:
            log_heads(config.owner_url())
    except AuditgrafError as failure:
        log.warning("retention failed, and is tried again later: %s", failure)
        return
    for step in report.steps:
        if step.action != "failed":
            what = " ".join(filter(None, (step.partition or step.retention_class, step.action)))
            log.info("retention: %s%s", what, f" ({step.detail})" if step.detail else "")
