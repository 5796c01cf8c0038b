"""What dashboards have around their panels: variables, links to each other, time range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dashboards.fields import Json, link
from dashboards.options import DashboardOptions
from dashboards.panels import datasource
from dashboards.queries import query

OVERVIEW = "audit-overview"
MAP = "audit-map"
EVENTS = "audit-events"
EVENT = "audit-event"
ACTOR = "audit-actor"
OBJECT = "audit-object"
LIVE = "audit-live"
SECURITY = "audit-security"
HEALTH = "audit-health"
TAG = "audit"

# Stands for "no restriction" in the SQL, so that All needs no list of every value.
_ALL = "'__all__'"

# Every filter but those that a link sets itself; `queryparam` gives `var-name=value`, once for each value.
FILTERS = ("service", "action", "outcome", "country", "actor", "q")

# What only the events dashboard has beside them.
MORE_FILTERS = ("severity", "class", "object", "address")

# As `sql/parts/level.sql` names the ranges of severity numbers.
LEVELS = ("trace", "debug", "info", "warn", "error", "fatal", "unspecified")

EVENT_URL = f"/d/{EVENT}?${{__url_time_range}}&var-event_id=${{__data.fields.event_id:percentencode}}"


def events_url(*, keep: Sequence[str] = (), **fields: str) -> str:
    """A link to the events dashboard with the time, filters taken from columns of the row, and the present values of
    `keep` (variables that the dashboard with the link has too)."""
    return _url(EVENTS, keep, fields)


def _url(uid: str, keep: Sequence[str], fields: Mapping[str, str]) -> str:
    kept = [f"${{{name}:queryparam}}" for name in keep if name not in fields]
    given = [f"var-{name}=${{__data.fields.{column}:percentencode}}" for name, column in fields.items()]
    return f"/d/{uid}?" + "&".join(["${__url_time_range}", *kept, *given])


def open_event() -> list[Json]:
    """To everything about one event; needs a column event_id."""
    return link("Everything about this event", EVENT_URL)


def open_actor(column: str = "actor_key") -> list[Json]:
    """To everything that one actor did; needs a column with what `sql/parts/actor_key.sql` gives."""
    return link("Everything this actor did", _url(ACTOR, (), {"actor": column}))


def open_object() -> list[Json]:
    """To the history of one object; needs a column target_key."""
    return link("The history of this object", _url(OBJECT, (), {"object": "target_key"}))


def events_from_address(column: str = "Address", *, keep: Sequence[str] = ()) -> list[Json]:
    """To the events from one address; needs a column with it. `keep`: see events_url."""
    return link("Events from this address", events_url(keep=keep, address=column))


def dashboard(
    uid: str,
    title: str,
    description: str,
    options: DashboardOptions,
    *,
    variables: Sequence[Json],
    panels: Sequence[Json],
) -> Json:
    """One dashboard; links to all others of the tag carry time and variables along."""
    return {
        "annotations": {"list": []},
        "description": description,
        "editable": False,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "links": [
            {
                "asDropdown": True,
                "icon": "external link",
                "includeVars": True,
                "keepTime": True,
                "tags": [TAG],
                "targetBlank": False,
                "title": "Audit",
                "tooltip": "The other audit dashboards, with the same time and filters",
                "type": "dashboards",
                "url": "",
            }
        ],
        "liveNow": False,
        "panels": list(panels),
        "refresh": options.refresh,
        "schemaVersion": 37,
        "tags": [TAG, "generated"],
        "templating": {"list": list(variables)},
        "time": {"from": options.time_from, "to": "now"},
        "timepicker": {},
        "timezone": "",
        "title": title,
        "uid": uid,
        "weekStart": "",
    }


def filters(options: DashboardOptions) -> list[Json]:
    """The variables that `sql/parts/filters.sql` reads."""
    return [
        values("service", "Service", options),
        values("action", "Action", options),
        _fixed("outcome", "Outcome", ("success", "failure", "unknown")),
        values("country", "Country", options),
        text("actor", "Actor", "The exact id of an actor, or part of a name or email"),
        text(
            "q",
            "Search",
            "Part of any text of an event: message, names, ids, address, attributes, changes. "
            "Looked for in the newest 200,000 events of the time range",
        ),
    ]


def more_filters(options: DashboardOptions) -> list[Json]:
    """The variables that `sql/parts/more_filters.sql` reads: those of `filters`, and what few ask for."""
    chosen = {variable["name"]: variable for variable in filters(options)}
    typed = [
        chosen.pop("actor"),
        text("object", "Object", "An object's id, its type and id, or part of its name"),
        text("address", "Address", "An address, a network such as 10.0.0.0/8, or part of what was sent as one"),
        chosen.pop("q"),
    ]
    return [*chosen.values(), levels(), values("class", "Class", options), *typed]


def text(name: str, label: str, description: str) -> Json:
    """A variable to type into."""
    return {
        "current": {"selected": False, "text": "", "value": ""},
        "description": description,
        "hide": 0,
        "label": label,
        "name": name,
        "options": [{"selected": True, "text": "", "value": ""}],
        "query": "",
        "skipUrlSync": False,
        "type": "textbox",
    }


def values(name: str, label: str, options: DashboardOptions) -> Json:
    """A choice of several among what the query `sql/variable_<name>.sql` gives."""
    sql = query(f"variable_{name}", options)
    return _choice(name, label, "query") | _asked(sql, options)


def found(name: str, label: str, description: str, options: DashboardOptions) -> Json:
    """The one that the query `sql/variable_<name>.sql` puts first, and the others that it found to choose from."""
    sql = query(f"variable_{name}", options)
    return _choice(name, label, "query", several=False) | _asked(sql, options) | {"description": description}


def _asked(sql: str, options: DashboardOptions) -> Json:
    return {
        "datasource": datasource(options),
        "definition": sql,
        "options": [],
        "query": sql,
        "refresh": 2,
        "regex": "",
        "sort": 0,
    }


def levels() -> Json:
    """A choice of several severity levels, as `sql/parts/level.sql` names them."""
    return _fixed("severity", "Severity", LEVELS)


def one_of(name: str, label: str, description: str, known: Sequence[str]) -> Json:
    """A choice of exactly one among known values; the first is the default."""
    options = [{"selected": value == known[0], "text": value, "value": value} for value in known]
    return _choice(name, label, "custom", several=False) | {
        "current": options[0],
        "description": description,
        "options": options,
        "query": ",".join(known),
    }


def _fixed(name: str, label: str, known: Sequence[str]) -> Json:
    every = {"selected": True, "text": "All", "value": "$__all"}
    return _choice(name, label, "custom") | {
        "options": [every, *({"selected": False, "text": value, "value": value} for value in known)],
        "query": ",".join(known),
    }


def _choice(name: str, label: str, kind: str, *, several: bool = True) -> Json:
    everything: Json = {
        "allValue": _ALL,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }
    return (everything if several else {"current": {}}) | {
        "hide": 0,
        "includeAll": several,
        "label": label,
        "multi": several,
        "name": name,
        "skipUrlSync": False,
        "type": kind,
    }
