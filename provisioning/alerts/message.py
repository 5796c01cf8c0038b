"""What an alert says: texts with fields in braces, as Grafana's templates.

Grafana expands `{{ }}` in annotations and labels of rules, and newer ones `${NAME}` in annotations (grafana#84250):
what people write arrives as they wrote it.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from exporter.durations import format_duration
from exporter.mapping.section import nearest
from provisioning.alerts.fields import field
from provisioning.alerts.rule import (
    Absence,
    CountRule,
    Distinct,
    Ingestion,
    New,
    Rate,
    Rule,
    Sequence,
    Travel,
)

_PART = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<name>\w+)\}|(?P<stray>[{}])")
_SPECIAL = re.compile(r"[{$]")
# Fields of an event by which the list of events can be asked for, and the variable of that dashboard.
_VARIABLES = {
    "service": "var-service",
    "action": "var-action",
    "outcome": "var-outcome",
    "country": "var-country",
    "address": "var-address",
    "actor_key": "var-actor",
    "target_key": "var-object",
}

# The day, in UTC, of what happened once, as Grafana's addresses have it: of use whenever the message is read.
_DAY = (
    "{{ if $labels.at }}from={{ slice $labels.at 0 10 }}%2000:00:00&to={{ slice $labels.at 0 10 }}%2023:59:59{{ else }}"
)

_INGESTION = {
    "lag": "{what} takes in records {value} seconds after their own time",
    "refused": "requests refused: {value} ({what})",
    "rejected": "requests refused for good: {value} ({what})",
    "quarantined": "records set aside: {value} ({what})",
    "unavailable": "{what}: {value} records could not be stored; their senders were asked to try again",
    "spool": "{what}: {value} bytes wait in the spool",
    "silent": "no sign of life from any {what} for {value} seconds",
    "retention": "{what} failed: {value} times",
    "integrity": "{what}: {value} findings of auditgraf verify: events were changed, deleted or inserted",
}


def told(rule: Rule) -> frozenset[str]:
    """What a message of the rule can name in braces."""
    return rule.told() | {"value", "name", "severity"}


def check_message(text: str, rule: Rule) -> None:
    """Raises ValueError for a field in braces that the rule's alerts don't have."""
    for part in _PART.finditer(text):
        if part["stray"]:
            raise ValueError(f"a {part['stray']} stands alone; write {part['stray'] * 2} for the character itself")
        if part["name"] and part["name"] not in told(rule):
            raise ValueError(f"{{{part['name']}}} is nothing that this rule tells; {nearest(part['name'], told(rule))}")


def summary(rule: Rule) -> str:
    """The annotation `summary`: the rule's message, or the one of its kind."""
    text = _template(rule.message or _usual(rule), rule)
    if not rule.per_event:
        return text
    more = f"{_literal(rule.name)}: {value(rule)} more of these events"
    return f"{{{{ if $labels.more }}}}{more}{{{{ else }}}}{text}{{{{ end }}}}"


def plain(text: str) -> str:
    """Text as an annotation or label that Grafana shows as it stands."""
    return _literal(text)


def event_url(base: str) -> str:
    """The annotation `event_url`; empty where there is no single event."""
    page = f"{base.rstrip('/')}/d/audit-event?var-event_id="
    return "{{ if $labels.event_id }}" + _literal(page) + "{{ $labels.event_id | urlquery }}{{ end }}"


def count(rule: Rule) -> str:
    """The annotation `count`, where the number is one of events or values."""
    return value(rule) if isinstance(rule, CountRule | Distinct | Sequence) else ""


def events_url(rule: Rule, base: str) -> str:
    """The annotation `dashboard_url`: the events behind an alert, or how the collectors are."""
    base = base.rstrip("/")
    if isinstance(rule, Ingestion):
        return _literal(f"{base}/d/audit-health")
    # What a single event has of its own would hide what was around it.
    named = {"actor", "action"} if rule.per_event else {field(name).label for name in rule.grouped()}
    labels = named | {f"{name}_key" for name in named}
    # Twice as far back as the rule looks: to be there still when somebody gets round to it.
    minutes = max(60, int(rule.lookback.total_seconds() // 30))
    url = _literal(f"{base}/d/audit-events?") + (_DAY if rule.of_moment else "") + f"from=now-{minutes}m&to=now"
    url += "{{ end }}" if rule.of_moment else ""
    for label, variable in _VARIABLES.items():
        if label in labels:
            url += f"{{{{ with $labels.{label} }}}}&{quote(variable)}={{{{ . | urlquery }}}}{{{{ end }}}}"
    return url


def _usual(rule: Rule) -> str:
    group = ", ".join(f"{{{field(name).label}}}" for name in rule.grouped())
    whose = f"{group}: " if group else ""
    match rule:
        case CountRule():
            text = f"{whose}{{value}} events within {format_duration(rule.window)}"
        case Distinct():
            text = f"{whose}{{value}} different {_several(rule.of)} within {format_duration(rule.window)}"
        case New():
            owner = ", ".join(f"{{{field(name).label}}}" for name in rule.group_by)
            text = f"{owner + ': ' if owner else ''}new {_words(rule.of)} {{{field(rule.of).label}}}"
        case Absence():
            text = f"{whose}no events for {{value}} minutes"
        case Rate():
            text = f"{whose}{{value}} times the events of the week before"
        case Sequence():
            before = " or ".join(map(_words, rule.first.about or ())) or "first step"
            text = f"{whose}{{action}} after {{value}} of: {before}"
        case Travel():
            text = "{actor}: from {left_place} to {place} at {value} km/h"
        case Ingestion():
            text = _INGESTION[rule.check]
        case _:
            text = "{actor}: {action} {target}"
    return text


def _words(name: str) -> str:
    return name.removeprefix("attributes.").replace("_", " ").replace("{", "").replace("}", "")


def _several(name: str) -> str:
    word = _words(name)
    if word.endswith("y"):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith("s") else "s")


def _template(text: str, rule: Rule) -> str:
    parts, end = [], 0
    for part in _PART.finditer(text):
        parts.append(_literal(text[end : part.start()]))
        parts.append(_literal(part["brace"][0]) if part["brace"] else _field(part["name"], rule))
        end = part.end()
    return "".join([*parts, _literal(text[end:])])


def _field(name: str, rule: Rule) -> str:
    match name:
        case "value":
            return value(rule)
        case "name":
            return _literal(rule.name)
        case "severity":
            return rule.severity
    return f"{{{{ $labels.{name} }}}}"


def value(rule: Rule) -> str:
    """The number that an alert is about, as a template."""
    digits = 1 if isinstance(rule, Rate) else 0
    return f'{{{{ printf "%.{digits}f" $values.A.Value }}}}'


def _literal(text: str) -> str:
    # One by one: without a brace and a dollar sign of ours there is neither {{ nor ${.
    return _SPECIAL.sub(lambda match: f'{{{{ "{match[0]}" }}}}', text)
