"""What all kinds of integrations have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from exporter.mapping.section import Problem, Section
from provisioning.version import OLDEST, Version

TITLE = '{{ template "auditgraf.title" . }}'
TEXT = '{{ template "auditgraf.text" . }}'
SLACK = '{{ template "auditgraf.slack" . }}'
MARKDOWN = '{{ template "auditgraf.markdown" . }}'
HTML = '{{ template "auditgraf.html" . }}'
SEVERITY = '{{ template "auditgraf.severity" . }}'


class Settings(Section):
    """The settings of one kind, by Grafana's names; those that make up a message are ours where none are given.

    Source: available_channels.go and alerting/notifier/channels of Grafana 9.4, receivers/*/v1/config.go of newer ones.
    """

    since: ClassVar[Version] = OLDEST
    # Secrets that an older Grafana would keep and show in clear, and what it would leave undone without a word.
    newer: ClassVar[Mapping[str, Version]] = {}

    def written(self) -> dict[str, Any]:
        """As Grafana's file has them."""
        return self.model_dump(by_alias=True, exclude_none=True)


def together(data: Mapping[str, Any], first: str, second: str) -> Iterator[Problem]:
    """One of the two is given, but not the other."""
    for here, missing in ((first, second), (second, first)):
        if here in data and missing not in data:
            yield (missing,), f"is needed with {here}"


def apart(data: Mapping[str, Any], first: str, second: str) -> Iterator[Problem]:
    """Both of the two are given."""
    if first in data and second in data:
        yield (second,), f"either this or {first}; remove one of them"
