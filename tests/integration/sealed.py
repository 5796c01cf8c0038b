"""What the tests of tamper evidence share: verification, and somebody who gets round everything but the digests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg

from exporter.store.integrity import Finding, Heads, Outcome, Scope, verify


@dataclass(frozen=True, slots=True)
class Verified:
    """The outcome of a verification, and its findings."""

    outcome: Outcome
    findings: list[Finding]

    @property
    def kinds(self) -> list[str]:
        return [finding.kind for finding in self.findings]


def verified(url: str, scope: Scope | None = None, *, against: Heads | Sequence[Heads] = ()) -> Verified:
    findings: list[Finding] = []
    kept = [against] if isinstance(against, Heads) else against
    outcome = verify(url, scope or Scope(), against=kept, found=findings.append)
    assert outcome.findings == len(findings)
    return Verified(outcome, findings)


def clean(url: str, events: int | None = None) -> Outcome:
    """Nothing is found; `events`: how many were compared."""
    result = verified(url)
    assert result.findings == []
    if events is not None:
        assert result.outcome.events == events
    return result.outcome


def tamper(url: str, *statements: str, parameters: Iterable[object] | None = None) -> None:
    """A superuser for whom no trigger fires."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        for statement in statements:
            connection.execute(statement.encode(), tuple(parameters) if parameters else None)
