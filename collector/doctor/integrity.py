"""Tamper evidence: whether what is stored is sealed, and what `auditgraf verify` found last."""

from __future__ import annotations

from collections.abc import Iterator

from collector.doctor.finding import Finding
from collector.doctor.sessions import Connection
from exporter.store.queries import query

_CHECK = "tamper evidence"
_LOOK = "auditgraf verify names what was changed; docs/integrity.md says what to do then"


def findings(connection: Connection, *, owner: bool) -> Iterator[Finding]:
    """Any role may ask for the triggers, only the owner for past verifications."""
    off = [row[0] for row in connection.execute(query("unsealed_classes", __package__))]
    if off:
        text = f"events of class {', '.join(off)} are stored without digests: nobody can tell whether they are changed"
        yield Finding(
            _CHECK, "problem", text, "run auditgraf migrate; find out who switched the trigger seal_stored off"
        )
    last = connection.execute(query("last_verification", __package__)).fetchone() if owner else None
    if last is not None and last[1]:
        text = f"{last[1]} findings in the verification of {last[0]:%Y-%m-%d %H:%M} UTC"
        yield Finding(_CHECK, "problem", text, _LOOK)
    elif not off:
        when = f", verified {last[0]:%Y-%m-%d %H:%M} UTC" if last is not None else ""
        yield Finding(_CHECK, "ok", f"events are sealed as they are stored{when}")
