"""Security: what should make somebody look: failed sign-ins, odd places, privileges, secrets, deletions."""

from __future__ import annotations

from dashboards import colours, frame
from dashboards.fields import Json, bar_column, fixed_colour, hidden, outcome_text, override, slot_dot
from dashboards.options import DashboardOptions
from dashboards.panels import Head, Place, stacked_bars, stat, table, target
from dashboards.pinpoints import only_this_place, pinpoints

_BAD = colours.OUTCOMES["failure"]
_KNOWN_BY_NAME = "Actions are known by the words in their name."


def security(options: DashboardOptions) -> Json:
    """The dashboard `audit-security`."""
    panels = (
        _alarms,
        _sign_ins,
        _places,
        _by_actor,
        _by_address,
        _then_success,
        _failures,
        _travel,
        _countries,
        _privileges,
        _secrets,
        _deletions,
        _configuration,
    )
    return frame.dashboard(
        frame.SECURITY,
        "Audit security",
        "Failed sign-ins, odd places, and what was done with privileges, secrets and settings.",
        options,
        variables=frame.filters(options),
        panels=[panel(options) for panel in panels],
    )


def _alarms(options: DashboardOptions) -> Json:
    head = Head(
        1,
        "At a glance",
        f"Numbers of the time range, and how they came about. {_KNOWN_BY_NAME}",
        Place(0, 0, 24, 4),
        target("alarms", options, series=True),
    )
    pinned = colours.PINNED
    overrides = [
        fixed_colour("Failed sign-ins", _BAD),
        fixed_colour("Privilege changes", colours.PALETTE[pinned["role.granted"]]),
        fixed_colour("Secrets viewed", colours.PALETTE[pinned["secret.viewed"]]),
        fixed_colour("Deletions", colours.PALETTE[pinned["model.deleted"]]),
        fixed_colour("Configuration changes", colours.PALETTE[pinned["config.changed"]]),
    ]
    return stat(head, sparkline=True, overrides=overrides)


def _sign_ins(options: DashboardOptions) -> Json:
    head = Head(
        2,
        "Sign-ins",
        f"Attempts to sign in over time, failed and succeeded. {_KNOWN_BY_NAME}",
        Place(0, 4, 13, 9),
        target("sign_ins", options, series=True),
        nothing="Nobody signed in, or tried to.",
    )
    overrides = [fixed_colour("Failed", _BAD), fixed_colour("Succeeded", colours.OUTCOMES["success"])]
    return stacked_bars(head, legend="bottom", overrides=overrides)


def _places(options: DashboardOptions) -> Json:
    head = Head(
        3,
        "Failed sign-ins by place",
        "Where signing in failed: size by number. Click a point for its numbers and a link to the events there.",
        Place(13, 4, 11, 9),
        target("failed_sign_ins_by_place", options),
    )
    overrides = [
        *hidden("latitude", "longitude", "size", "slot", "country_code", "city_name"),
        override("Last try", unit="dateTimeFromNow"),
        override("Place", links=only_this_place()),
    ]
    return pinpoints(head, options, zoom=0.6, size_column="size", overrides=overrides)


def _by_actor(options: DashboardOptions) -> Json:
    head = Head(
        4,
        "Failed sign-ins by actor",
        "Whose sign-in failed most often, and from how many addresses. A failed attempt often knows only the name "
        "that was typed.",
        Place(0, 13, 12, 8),
        target("failed_sign_ins_by_actor", options),
        nothing="No sign-in failed in this time range.",
    )
    overrides = [
        *hidden("actor_key"),
        override("Actor", links=frame.open_actor()),
        bar_column("Failed", _BAD),
        override("Addresses", custom__width=92),
        override("Last try", unit="dateTimeFromNow", custom__width=134),
    ]
    return table(head, overrides=overrides)


def _by_address(options: DashboardOptions) -> Json:
    head = Head(
        5,
        "Failed sign-ins by address",
        "From where signing in failed most often, and for how many actors: many actors from one address are "
        "guessed names.",
        Place(12, 13, 12, 8),
        target("failed_sign_ins_by_address", options),
        nothing="No sign-in failed in this time range.",
    )
    overrides = [
        override("Address", links=frame.events_from_address(keep=frame.FILTERS)),
        bar_column("Failed", _BAD),
        override("Actors", custom__width=62),
        override("Last try", unit="dateTimeFromNow", custom__width=134),
    ]
    return table(head, overrides=overrides)


def _then_success(options: DashboardOptions) -> Json:
    head = Head(
        6,
        "Failures, then success",
        "Who signed in right after three or more failures within 30 minutes: a forgotten password, or a guessed one. "
        "Among the newest 100,000 events.",
        Place(0, 21, 14, 8),
        target("failures_then_success", options),
        nothing="Nobody signed in after three failures.",
    )
    overrides = [
        *hidden("event_id", "actor_key"),
        override("Time", links=frame.open_event(), custom__width=170),
        override("Actor", links=frame.open_actor()),
        override("Failures", custom__width=70),
        override("Failed from", links=frame.events_from_address("Failed from"), custom__width=118),
        override("Signed in from", links=frame.events_from_address("Signed in from"), custom__width=118),
        override("Place", custom__width=130),
        override("Minutes", decimals=1, custom__width=70),
    ]
    return table(head, overrides=overrides)


def _failures(options: DashboardOptions) -> Json:
    head = Head(
        7,
        "Most failures",
        "The actors with the most failures of any kind, and the share of all they did.",
        Place(14, 21, 10, 8),
        target("most_failures", options),
        nothing="Nothing failed in this time range.",
    )
    overrides = [
        *hidden("actor_key"),
        override("Actor", links=frame.open_actor()),
        bar_column("Failures", _BAD),
        override("Events", custom__width=65),
        override("Share", unit="percentunit", decimals=0, custom__width=60),
        override("Last seen", unit="dateTimeFromNow", custom__width=134),
    ]
    return table(head, overrides=overrides)


def _travel(options: DashboardOptions) -> Json:
    head = Head(
        8,
        "Impossible travel",
        "Actors who were at two places too far apart for the time between: more than 500 km at more than 1,000 km/h. "
        "Mobile networks and VPNs look the same. Among the newest 100,000 events with a place; failures are left out.",
        Place(0, 29, 13, 8),
        target("impossible_travel", options),
        nothing="Nobody was faster than a plane.",
    )
    overrides = [
        *hidden("event_id", "actor_key"),
        override("Time", links=frame.open_event(), custom__width=170),
        override("Actor", links=frame.open_actor()),
        override("From", custom__width=110),
        override("To", custom__width=110),
        override("Kilometres", decimals=0, custom__width=92),
        override("Minutes", decimals=1, custom__width=70),
        override("km/h", decimals=0, custom__width=75),
    ]
    return table(head, overrides=overrides)


def _countries(options: DashboardOptions) -> Json:
    head = Head(
        9,
        "New countries",
        "Countries where an actor was seen for the first time in 30 days, though seen elsewhere before. Failures are "
        "left out. Of the filters, country and actor count.",
        Place(13, 29, 11, 8),
        target("new_countries", options),
        nothing="Nobody came from a new country.",
    )
    overrides = [
        *hidden("actor_key"),
        override("Time", custom__width=170),
        override("Actor", links=frame.open_actor()),
        override("Country", custom__width=72),
        override("City", custom__width=100),
        override("Events", custom__width=70),
        override("Before in", custom__width=95),
    ]
    return table(head, overrides=overrides)


def _privileges(options: DashboardOptions) -> Json:
    return _newest(
        10,
        "Privilege changes",
        "Roles, groups and permissions given and taken, and who acted as somebody else.",
        Place(0, 37, 12, 9),
        "privilege_changes",
        "No privilege was changed in this time range.",
        options,
    )


def _secrets(options: DashboardOptions) -> Json:
    return _newest(
        11,
        "Secrets viewed",
        "Secrets, credentials and private keys that somebody looked at.",
        Place(12, 37, 12, 9),
        "secrets_viewed",
        "Nobody looked at a secret in this time range.",
        options,
    )


def _deletions(options: DashboardOptions) -> Json:
    head = Head(
        12,
        "Mass deletions",
        f"Actors who deleted ten or more within the same five minutes, in the last seven days of the time range. "
        f"{_KNOWN_BY_NAME}",
        Place(0, 46, 12, 9),
        target("mass_deletions", options),
        nothing="Nobody deleted ten or more at once.",
    )
    overrides = [
        *hidden("actor_key"),
        override("Time", custom__width=170),
        override("Actor", links=frame.open_actor()),
        override("Deleted", custom__width=68),
        override("Objects", custom__width=68),
        override("What", custom__width=80),
        override("Service", custom__width=80),
        override("Address", links=frame.events_from_address(), custom__width=118),
    ]
    return table(head, overrides=overrides)


def _configuration(options: DashboardOptions) -> Json:
    return _newest(
        13,
        "Configuration changes",
        "Changes of settings, policies and parameters.",
        Place(12, 46, 12, 9),
        "config_changes",
        "No setting was changed in this time range.",
        options,
    )


def _newest(
    number: int, title: str, what: str, place: Place, sql: str, nothing: str, options: DashboardOptions
) -> Json:
    """A table of the newest events of one kind."""
    head = Head(number, title, f"{what} The newest 200. {_KNOWN_BY_NAME}", place, target(sql, options), nothing)
    overrides = [
        *hidden("event_id", "actor_key", "target_key"),
        override("Time", links=frame.open_event(), custom__width=170),
        slot_dot(options),
        override("Action", links=frame.open_event(), custom__width=140),
        outcome_text(),
        override("Actor", links=frame.open_actor()),
        override("Target", links=frame.open_object()),
    ]
    return table(head, overrides=overrides)
