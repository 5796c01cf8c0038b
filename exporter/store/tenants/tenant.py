"""One tenant: what its events are known by, and what its role and schema are called."""

from __future__ import annotations

import re
from dataclasses import dataclass

from exporter.errors import ConfigError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,20}")
# Counts are kept under no more of a label than that: see audit.read_kinds.
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class Tenant:
    """`matches`: values of the events' column tenant, any of which makes an event this tenant's.

    Raises ConfigError for a name that is no lower-case identifier, and for values that no event can be found by.
    """

    name: str
    matches: tuple[str, ...]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"{self.name!r} is no name of a tenant; write a lower-case letter, then up to 20 lower-case letters, "
                "digits or _, and under match what its events say"
            )
        if not self.matches:
            raise ConfigError(f"tenant {self.name}: match is empty; name at least one value, or leave it out")
        for value in self.matches:
            if not value or len(value) > _LONGEST or "\0" in value:
                raise ConfigError(
                    f"tenant {self.name}: match: {value[:40]!r} finds no event; write 1 to {_LONGEST} characters"
                )

    @property
    def role(self) -> str:
        """Who logs in for this tenant's Grafana data source."""
        return f"auditgraf_tenant_{self.name}"

    @property
    def schema(self) -> str:
        """Where the views and functions of that role are."""
        return f"audit_{self.name}"
