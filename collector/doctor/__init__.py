"""`auditgraf doctor`: what is configured, what is reachable, what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collector.config import Config
from collector.doctor import database, local, network
from collector.doctor.finding import Finding
from collector.doctor.report import report
from exporter.errors import ConfigError

__all__ = ["Finding", "examine", "report", "unusable"]


def examine(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Looks at everything, a finding at a time, the quick ones first. Never shows a secret, and changes
    nothing: a file that tries the archives' place is removed at once.

    `environ`: the variables that `config` was read from.
    """
    yield from local.findings(config, environ)
    yield from database.findings(config)
    yield from network.findings(config)


def unusable(failure: ConfigError) -> Finding:
    """The only finding where there is no configuration to go by."""
    return Finding("configuration", "problem", str(failure), "correct it; nothing else was looked at")
