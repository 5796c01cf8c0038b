"""Retention: partitions that come and go, holds, the journal of what was done. Runs as the owner.

The collector and the command line import from here; within the store, only archive/ and forget/ do.
"""

from exporter.store.retention.holds import Hold, create_hold, holds, parse_filter, release_hold
from exporter.store.retention.journal import announce_noted as announce
from exporter.store.retention.plan import ClassPlan, Leaving, Plan, plan
from exporter.store.retention.policy import Policy
from exporter.store.retention.run import Report, Step, run

__all__ = [
    "ClassPlan",
    "Hold",
    "Leaving",
    "Plan",
    "Policy",
    "Report",
    "Step",
    "announce",
    "create_hold",
    "holds",
    "parse_filter",
    "plan",
    "release_hold",
    "run",
]
