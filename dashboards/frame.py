"""What dashboards have around their panels: variables, links to each other, time range."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.fields import Json, link
from dashboards.options import DashboardOptions
from dashboards.panels import datasource
from dashboards.queries import query

OVERVIEW = "audit-overview"
MAP = "audit-map"
EVENT = "audit-event"
TAG = "audit"

# Stands for "no restriction" in the SQL, so that All needs no list of every value.
_ALL = "'__all__'"

# Every filter but those that a link sets itself; `queryparam` gives `var-name=value`, once for each value.
FILTERS = ("service", "action", "outcome", "country", "actor", "q")

EVENT_URL = f"/d/{EVENT}?${{__url_time_range}}&var-event_id=${{__data.fields.event_id:percentencode}}"


def overview_url(**fields: str) -> str:
    """A link to the overview that keeps time and filters, but for the given ones, taken from columns of the row."""
    kept = [f"${{{name}:queryparam}}" for name in FILTERS if name not in fields]
    given = [f"var-{name}=${{__data.fields.{column}:percentencode}}" for name, column in fields.items()]
    return f"/d/{OVERVIEW}?" + "&".join(["${__url_time_range}", *kept, *given])


def only_this_actor() -> list[Json]:
    """To the overview of one actor; needs a column actor_key."""
    return link("Only this actor", overview_url(actor="actor_key"))


def only_this_object() -> list[Json]:
    """To the overview of one target; needs a column target_key."""
    return link("Only this object", overview_url(q="target_key"))


def only_this_place() -> list[Json]:
    """To the overview of one place; needs columns country_code and city_name."""
    return link("Events from here", overview_url(country="country_code", q="city_name"))


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
        _values("service", "Service", options),
        _values("action", "Action", options),
        _outcomes(),
        _values("country", "Country", options),
        text("actor", "Actor", "The exact id of an actor, or part of a name or email"),
        text("q", "Search", "Part of any text of an event: message, names, ids, address, attributes, changes"),
    ]


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


def _values(name: str, label: str, options: DashboardOptions) -> Json:
    sql = query(f"variable_{name}", options)
    return _choice(name, label, "query") | {
        "datasource": datasource(options),
        "definition": sql,
        "options": [],
        "query": sql,
        "refresh": 2,
        "regex": "",
        "sort": 0,
    }


def _outcomes() -> Json:
    known = ("success", "failure", "unknown")
    every = {"selected": True, "text": "All", "value": "$__all"}
    return _choice("outcome", "Outcome", "custom") | {
        "options": [every, *({"selected": False, "text": value, "value": value} for value in known)],
        "query": ",".join(known),
        "queryValue": "",
    }


def _choice(name: str, label: str, kind: str) -> Json:
    return {
        "allValue": _ALL,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "hide": 0,
        "includeAll": True,
        "label": label,
        "multi": True,
        "name": name,
        "skipUrlSync": False,
        "type": kind,
    }
