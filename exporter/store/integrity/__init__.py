"""Tamper evidence read back: chains of links walked, leaves compared with events. Runs as the owner.

The schema (0006, 0010) seals what is stored; nothing here trusts its functions, only its tables and PostgreSQL itself.
"""

from exporter.store.integrity.finding import Finding
from exporter.store.integrity.heads import Heads, log_heads, parse_heads
from exporter.store.integrity.outcome import Outcome, Progress, Scope
from exporter.store.integrity.verify import seal_late, verify

__all__ = ["Finding", "Heads", "Outcome", "Progress", "Scope", "log_heads", "parse_heads", "seal_late", "verify"]
