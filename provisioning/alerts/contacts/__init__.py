"""Contact points: what people write in the rules file, checked as each kind of Grafana's integrations wants it.

`points` has the section and what becomes of it, `chat`, `paging`, `services` and `sending` the kinds, `values` their
values. Names of kinds and settings are Grafana's own.
"""

from provisioning.alerts.contacts.points import (
    OF_EVENTS,
    ContactPoints,
    Integration,
    contact_points,
    needed_variables,
    uids,
    version_problems,
)

__all__ = [
    "OF_EVENTS",
    "ContactPoints",
    "Integration",
    "contact_points",
    "needed_variables",
    "uids",
    "version_problems",
]
