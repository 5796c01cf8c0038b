"""The version of the Grafana that files are written for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Version:
    """A Grafana's major and minor number; no major number stands for every Grafana from 9.4 on."""

    major: int | None = None
    minor: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """`any`, or a version such as 9.4, 10.4.2 or 13. Raises ValueError for other text and for what is too old."""
        if text == "any":
            return cls()
        found = re.fullmatch(r"v?(\d{1,3})(?:\.(\d{1,3}))?(?:\..*)?", text)
        if found is None:
            raise ValueError(f'{text!r} is no version of Grafana; write "9.4", "13" or any')
        version = cls(int(found[1]), int(found[2] or 0))
        if not version.has(OLDEST):
            raise ValueError(f"{text}: Grafana {OLDEST} is the oldest that is supported; update Grafana")
        return version

    def has(self, since: Version) -> bool:
        """Whether all that `since` brought is there: never, where any Grafana is meant."""
        if self.major is None:
            return since == OLDEST
        return since.major is None or (self.major, self.minor) >= (since.major, since.minor)

    def __str__(self) -> str:
        return "any" if self.major is None else f"{self.major}.{self.minor}"


OLDEST = Version(9, 4)
ANY = Version()
