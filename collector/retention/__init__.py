"""Retention as the collector and the command line run it: policy and archive from the configuration, the schedule.

Each function imports what it needs when it runs: every start of `auditgraf`, and every run of the job, imports this.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collector.config import Config
    from exporter.store.archive import Place
    from exporter.store.retention import Policy, Report, Step


def policy(config: Config) -> Policy:
    """What the configuration wants. Without a file that names durations, those in the database stay in force."""
    from exporter.store.migrate import DAYS_AHEAD
    from exporter.store.retention import Policy

    # A partition more than the furthest time that is accepted, which may be of the day after.
    ahead = max(DAYS_AHEAD, config.accept.future.days + 2)
    return Policy(config.classes if config.retention else None, ahead, config.rollups)


def place(config: Config, *, patience_s: int | None = None) -> Place | None:
    """Where archives go; None where none are made. `patience_s` as for Place. Raises RetentionError."""
    archive = config.archive
    if archive.to is None:
        return None
    from exporter.store.archive import ArchiveOptions, Place

    options = ArchiveOptions(archive.to, archive.format, archive.endpoint, archive.region)
    return Place(options, patience_s=patience_s)


def run_once(
    config: Config,
    *,
    clock_is_right: bool = False,
    announced: bool = True,
    report: Callable[[Step], None] = lambda step: None,
) -> Report:
    """One run, as exporter.store.retention.run describes. Raises ConfigError where the owner's URL is not set."""
    from exporter.store.retention import run

    where, archiver = place(config), None
    if where is not None:
        from exporter.store.archive import PartitionArchiver

        archiver = PartitionArchiver(where)
    return run(
        config.owner_url(),
        config.writer_url(),
        policy(config),
        archiver=archiver,
        clock_is_right=clock_is_right,
        announced=announced,
        report=report,
    )
