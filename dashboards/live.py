"""Live: what comes in right now, audit events and plain logs alike."""

from __future__ import annotations

from dashboards import colours, frame
from dashboards.fields import Json, fixed_colour
from dashboards.options import DashboardOptions
from dashboards.panels import Head, Place, logs, stacked_bars, target


def live(options: DashboardOptions) -> Json:
    """The dashboard `audit-live`: the last 15 minutes, asked for again every five seconds."""
    show = frame.one_of("show", "Show", "Audit events, plain logs, or all", ("all", "audit", "logs"))
    made = frame.dashboard(
        frame.LIVE,
        "Audit live",
        "What comes in right now: the newest 500 records, audit events and plain logs alike.",
        options,
        variables=[
            show,
            frame.values("service", "Service", options),
            frame.levels(),
            frame.text("actor", "Actor", "The exact id of an actor, or part of a name or email"),
            frame.text(
                "q", "Search", "Part of any text of a record: message, names, ids, address, attributes, changes"
            ),
        ],
        panels=[_rate(options), _records(options)],
    )
    return made | {"refresh": "5s", "time": {"from": "now-15m", "to": "now"}}


def _rate(options: DashboardOptions) -> Json:
    head = Head(
        1,
        "Records by level",
        "Records over time by severity level, plain logs included: at most the last six hours of the time range.",
        Place(0, 0, 24, 5),
        target("live_rate", options, series=True),
        nothing="No record in this time range",
    )
    overrides = [fixed_colour(level, colour) for level, colour in colours.LEVELS.items()]
    overrides.append(fixed_colour("info", colours.PALETTE[0]))
    return stacked_bars(head, overrides=overrides)


def _records(options: DashboardOptions) -> Json:
    head = Head(
        2,
        "Records",
        "The newest 500 records of the time range, newest first: service, action and message. Click one for its "
        "details.",
        Place(0, 5, 24, 24),
        target("live", options),
    )
    return logs(head, lines=True)
