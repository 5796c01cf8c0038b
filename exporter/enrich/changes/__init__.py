"""What changed, in the one form that audit.events has, from any of the forms that senders have.

{"field": {"before": x, "after": y}}; for sets {"added": [...], "removed": [...]}; for secrets, and where the sender
names a field without its values, {"changed": true}. A field inside another is named by its path, "spec.replicas".
docs/changes.md says what each form looks like. Nothing in here does I/O, and no JSON makes it raise.
"""

from __future__ import annotations

from exporter.enrich.changes.document import between
from exporter.enrich.changes.reading import Form, Read, from_pairs, only_what_is_shown, parse, read
from exporter.enrich.changes.values import Secret, never

__all__ = ["Form", "Read", "Secret", "between", "from_pairs", "never", "only_what_is_shown", "parse", "read"]
