"""What rules group by, count and tell of: fields of events, by the names that people use for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from exporter.mapping.section import nearest
from provisioning.alerts.literals import literal

_ACTOR_KEY = "coalesce(nullif(actor_id, ''), nullif(actor_name, ''), nullif(actor_email, ''), '')"
_ACTOR = "coalesce(nullif(actor_name, ''), nullif(actor_email, ''), nullif(actor_id, ''), nullif(actor_type, ''), '')"
# Who failed to sign in has told a name, and an id only where the service looked one up.
_ACTOR_NAME = "coalesce(nullif(actor_name, ''), nullif(actor_email, ''), nullif(actor_id, ''), '')"
_TARGET_KEY = "concat_ws(' ', nullif(target_type, ''), coalesce(nullif(target_id, ''), nullif(target_name, '')))"
_TARGET = "concat_ws(' ', nullif(target_type, ''), coalesce(nullif(target_name, ''), nullif(target_id, '')))"
_ADDRESS = "coalesce(host(client_ip), client_address, '')"
_PLACE = "concat_ws(', ', nullif(city, ''), nullif(country, ''))"
# Labels are kept and sent for each alert: no line breaks, nothing endless. In words that Grafana takes for no macro.
_SHORTENED = "left(regexp_replace({}, '[[:cntrl:]]+', ' ', 'g'), 200)"

# Columns of audit.volume: what asks of nothing else is answered from the counts, whatever the number of events.
COUNTED = frozenset({"retention_class", "service", "environment", "tenant", "action", "outcome", "severity", "country"})

# Those of audit.volume_hours, which has far fewer rows.
HOURLY = COUNTED - {"severity", "country"}


@dataclass(frozen=True, slots=True)
class Field:
    """`key`: what tells two of them apart, '' where an event has none; `shown`: how one is called. SQL on events."""

    label: str
    key: str
    shown: str
    columns: frozenset[str]

    @property
    def text(self) -> str:
        """How one is called, as the value of a label."""
        return _SHORTENED.format(self.shown)

    @property
    def key_text(self) -> str:
        """The key, as the value of a label."""
        return _SHORTENED.format(self.key)


def _column(name: str, label: str | None = None) -> Field:
    text = f"coalesce({name}, '')"
    return Field(label or name, text, text, frozenset({name}))


_FIELDS = {
    field.label: field
    for field in (
        Field("actor", _ACTOR_KEY, _ACTOR, frozenset({"actor_id", "actor_name", "actor_email", "actor_type"})),
        Field("actor_name", _ACTOR_NAME, _ACTOR_NAME, frozenset({"actor_id", "actor_name", "actor_email"})),
        Field("target", _TARGET_KEY, _TARGET, frozenset({"target_type", "target_id", "target_name"})),
        Field("address", _ADDRESS, _ADDRESS, frozenset({"client_ip", "client_address"})),
        Field("place", _PLACE, _PLACE, frozenset({"city", "country"})),
        *map(
            _column,
            (
                "action",
                "outcome",
                "service",
                "environment",
                "tenant",
                "country",
                "city",
                "retention_class",
                "on_behalf_of",
                "actor_type",
                "target_type",
                "as_org",
                "user_agent",
            ),
        ),
        _column("session_id", "session"),
    )
}
_ATTRIBUTE = re.compile(r"attributes\.(.+)", re.DOTALL)
# Alertmanager's form of a label's name.
_NO_LABEL = re.compile(r"[^a-z0-9_]+")
ATTRIBUTE_LABEL = "attr_"
# PostgreSQL cuts the names of columns after 63 bytes, and ours begin with shown_ or end with _key.
_LONGEST_LABEL = 57

# What a label can't be called: Grafana's own, and ours.
RESERVED = frozenset(
    {
        "alertname",
        "grafana_folder",
        "source",
        "rule_id",
        "kind",
        "severity",
        "contact_point",
        "event_id",
        "at",
        "what",
        "left_place",
        "more",
        "value",
        *(f"{name}_key" for name in ("actor", "target")),
        *_FIELDS,
    }
)


def names() -> tuple[str, ...]:
    """The fields that every event has."""
    return tuple(_FIELDS)


def field(name: str) -> Field:
    """The field of this name; `attributes.KEY` is an attribute. Raises ValueError with the nearest name."""
    if name in _FIELDS:
        return _FIELDS[name]
    attribute = _ATTRIBUTE.fullmatch(name)
    if attribute is None:
        raise ValueError(f"{name!r} is no field; {nearest(name, _FIELDS)} (or attributes.KEY)")
    text = f"coalesce(attributes ->> {literal(attribute[1])}, '')"
    return Field(attribute_label(attribute[1]), text, text, frozenset({"attributes"}))


def attribute_label(key: str) -> str:
    """The label that has an attribute's value: in lower case, as PostgreSQL gives it to Grafana."""
    return f"{ATTRIBUTE_LABEL}{_NO_LABEL.sub('_', key.lower()).strip('_')}"[:_LONGEST_LABEL]
