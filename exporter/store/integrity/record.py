"""What a verification leaves behind: a row in audit.verifications, and a note that becomes an audit event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg.types.json import Jsonb

from exporter.store.integrity.finding import Finding
from exporter.store.integrity.outcome import Outcome, Scope
from exporter.store.queries import query
from exporter.store.retention import journal
from exporter.store.session import Connection

_PACKAGE = __package__
KEPT_FINDINGS = 20


def record(
    connection: Connection, scope: Scope, outcome: Outcome, kinds: Mapping[str, int], first: Sequence[Finding]
) -> None:
    """Records a verification. `kinds`: how many findings of each; `first`: no more than KEPT_FINDINGS of them."""
    detail = {
        "kinds": dict(kinds),
        "first": [finding.document() for finding in first],
        "partitions": outcome.partitions,
        "unsealed": sum(count for *_, count in outcome.unsealed),
    }
    values = {name: getattr(outcome, name) for name in ("started_at", "events", "links", "findings")}
    with connection.transaction():
        connection.execute(query("record", _PACKAGE), {**values, "detail": Jsonb(detail)})
        told = f"{outcome.findings} findings" if outcome.findings else "all as it was stored"
        journal.note(
            connection,
            "integrity.verified",
            f"verification: {outcome.events} events, {outcome.links} links: {told}",
            outcome="failure" if outcome.findings else "success",
            target=("audit_log", "audit.events"),
            attributes=_attributes(scope, outcome, kinds),
        )


def _attributes(scope: Scope, outcome: Outcome, kinds: Mapping[str, int]) -> dict[str, str | int]:
    counts: dict[str, str | int] = {
        f"integrity.{name}": getattr(outcome, name) for name in ("events", "links", "partitions", "findings")
    }
    found = {f"integrity.found.{kind}": count for kind, count in kinds.items()}
    limits = {"class": scope.retention_class, "since": scope.since, "until": scope.until}
    return counts | found | {f"integrity.{name}": str(limit) for name, limit in limits.items() if limit is not None}
