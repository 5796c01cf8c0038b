"""Health: whether everything that was sent is stored, how fast, and what it takes."""

from __future__ import annotations

from dashboards import colours, frame
from dashboards.fields import Json, bar_column, fixed_colour, hidden, override
from dashboards.options import DashboardOptions
from dashboards.panels import Head, Place, lines, stacked_bars, stat, table, target

_BLUE, _ORANGE = colours.PALETTE[0], colours.PALETTE[1]


def health(options: DashboardOptions) -> Json:
    """The dashboard `audit-health`."""
    panels = (
        _now,
        _records,
        _not_stored,
        _times,
        _waiting,
        _reasons,
        _collectors,
        _cpu,
        _memory,
        _classes,
        _retention_runs,
        _partitions,
        _holds,
        _quarantined,
    )
    made = frame.dashboard(
        frame.HEALTH,
        "Audit health",
        "Whether everything that was sent is stored, how fast, what became of the rest, and what it takes.",
        options,
        variables=[frame.values("instance", "Collector", options)],
        panels=[panel(options) for panel in panels],
    )
    return made | {"time": {"from": "now-3h", "to": "now"}}


def _now(options: DashboardOptions) -> Json:
    head = Head(
        1,
        "Now",
        "Collectors that reported in the last minute; greatest lag in the last five (from a record's own time to its "
        "arrival); what waits in memory and in the spool; records in quarantine; size and number of all partitions; "
        "holds in force.",
        Place(0, 0, 24, 4),
        target("health_now", options),
    )
    overrides = [
        override("Lag", unit="s", decimals=1),
        override("Waiting", unit="bytes", decimals=1),
        override("Spool", unit="bytes", decimals=1),
        override("On disk", unit="bytes", decimals=1),
    ]
    return stat(head, calculation="lastNotNull", overrides=overrides)


def _records(options: DashboardOptions) -> Json:
    head = Head(
        2,
        "Records per second",
        "Records that arrived, and those of them that were stored as new.",
        Place(0, 4, 12, 8),
        target("health_records", options, series=True),
        nothing="No collector reported in this time range.",
    )
    overrides = [fixed_colour("Received", _ORANGE), fixed_colour("Stored", _BLUE)]
    return lines(head, "short", decimals=1, overrides=overrides)


def _not_stored(options: DashboardOptions) -> Json:
    head = Head(
        3,
        "Not stored, by reason",
        "Records that were not stored as they came: duplicates (a retry of what is stored), dropped by rule, "
        "quarantined because PostgreSQL refused them, unavailable where the sender was asked to try again. And "
        "rejected requests.",
        Place(12, 4, 12, 8),
        target("health_not_stored", options, series=True),
        nothing="No collector reported in this time range.",
    )
    drawn = stacked_bars(head, legend="bottom", overrides=[fixed_colour("duplicate: stored before", colours.NEUTRAL)])
    drawn["fieldConfig"]["defaults"]["color"] = {"mode": "palette-classic"}
    return drawn


def _times(options: DashboardOptions) -> Json:
    head = Head(
        4,
        "Lag and commit time",
        "The greatest lag (a record's arrival minus its own time) and the longest commit of a group. A lag that grows "
        "while commits stay short comes from the senders.",
        Place(0, 12, 12, 8),
        target("health_times", options, series=True),
        nothing="No collector reported in this time range.",
    )
    overrides = [fixed_colour("Lag", _ORANGE), fixed_colour("Longest commit", _BLUE)]
    return lines(head, "s", overrides=overrides)


def _waiting(options: DashboardOptions) -> Json:
    head = Head(
        5,
        "Waiting to be stored",
        "The most that one collector held in memory, and in its spool on disk while PostgreSQL was away.",
        Place(12, 12, 12, 8),
        target("health_waiting", options, series=True),
        nothing="No collector reported in this time range.",
    )
    overrides = [fixed_colour("In memory", _BLUE), fixed_colour("In the spool", _ORANGE)]
    return lines(head, "bytes", overrides=overrides)


def _reasons(options: DashboardOptions) -> Json:
    head = Head(
        6,
        "What became of the rest",
        "What was not stored as it came in the time range, by reason or rule: records, and rejected requests.",
        Place(0, 20, 12, 7),
        target("health_reasons", options),
        nothing="Every record of the time range was stored.",
    )
    overrides = [
        override("What", custom__width=130),
        bar_column("Number", colours.PALETTE[1]),
        override("Last", unit="dateTimeFromNow", custom__width=134),
    ]
    return table(head, overrides=overrides)


def _collectors(options: DashboardOptions) -> Json:
    head = Head(
        7,
        "Collectors",
        "Every collector of the time range, what it took, and when it was heard of last.",
        Place(12, 20, 12, 7),
        target("health_collectors", options),
        nothing="No collector reported in this time range.",
    )
    overrides = [
        *hidden("Requests"),
        override("Version", custom__width=72),
        override("Started", unit="dateTimeFromNow", custom__width=120),
        override("Last report", unit="dateTimeFromNow", custom__width=135),
        override("Records", custom__width=74),
        override("Stored", custom__width=74),
        override("Not stored", custom__width=92),
    ]
    return table(head, overrides=overrides)


def _cpu(options: DashboardOptions) -> Json:
    head = Head(
        8,
        "Processor time",
        "Processors that each collector kept busy: 100 % is one of them.",
        Place(0, 27, 12, 8),
        target("health_cpu", options, series=True),
        nothing="No collector reported in this time range.",
    )
    return lines(head, "percentunit")


def _memory(options: DashboardOptions) -> Json:
    head = Head(
        9,
        "Memory",
        "Resident memory of each collector.",
        Place(12, 27, 12, 8),
        target("health_memory", options, series=True),
        nothing="No collector reported in this time range.",
    )
    return lines(head, "bytes")


def _classes(options: DashboardOptions) -> Json:
    head = Head(
        10,
        "Retention classes",
        "How long each class is kept, what it takes now, and when its oldest partition may go. Numbers of events are "
        "PostgreSQL's estimates.",
        Place(0, 35, 12, 7),
        target("health_classes", options),
    )
    overrides = [
        override("Kept", custom__width=85),
        override("Partitions", custom__width=88),
        override("Events", custom__width=80),
        override("Size", unit="bytes", decimals=1, custom__width=82),
        override("From", unit="dateTimeAsIso", custom__width=170),
        override("Next expiry", unit="dateTimeFromNow", custom__width=95),
    ]
    return table(head, overrides=overrides)


def _retention_runs(options: DashboardOptions) -> Json:
    head = Head(
        11,
        "What retention did",
        "Partitions created, dropped, archived or kept because of a hold, newest first, whatever the time range.",
        Place(12, 35, 12, 7),
        target("health_retention_runs", options),
        nothing="Retention had nothing to do yet.",
    )
    overrides = [
        override("Time", custom__width=170),
        *hidden("Class"),  # the name of the partition says it
        override("Partition", custom__width=170),
        override("Done", custom__width=72),
        override("Events", custom__width=62),
        override("Size", unit="bytes", decimals=1, custom__width=72),
    ]
    return table(head, overrides=overrides)


def _partitions(options: DashboardOptions) -> Json:
    head = Head(
        12,
        "Partitions",
        "The tables that hold the events, a day each, with indexes, newest first. Numbers of events are PostgreSQL's "
        "estimates. Events of one that somebody half detached are out of sight: auditgraf doctor says what brings them "
        "back.",
        Place(0, 42, 12, 9),
        target("health_partitions", options),
    )
    overrides = [
        override("Class", custom__width=72),
        override("From", unit="dateTimeAsIso", custom__width=170),
        override("Events", custom__width=75),
        bar_column("Size", _BLUE, unit="bytes", custom__width=130),
    ]
    return table(head, overrides=overrides)


def _holds(options: DashboardOptions) -> Json:
    head = Head(
        13,
        "Holds",
        "What retention must not remove, why, and since when.",
        Place(12, 42, 12, 4),
        target("health_holds", options),
        nothing="No hold is in force.",
    )
    overrides = [
        override("Hold", custom__width=60),
        override("Since", unit="dateTimeFromNow", custom__width=134),
        override("By", custom__width=140),
        override("Events", custom__width=75),
    ]
    return table(head, overrides=overrides)


def _quarantined(options: DashboardOptions) -> Json:
    head = Head(
        14,
        "Quarantine",
        "Records that PostgreSQL refused, with its reason, newest first, whatever the time range.",
        Place(12, 46, 12, 5),
        target("health_quarantined", options),
        nothing="Nothing is in quarantine.",
    )
    overrides = [
        override("Time", custom__width=170),
        override("Service", custom__width=120),
        override("Number", custom__width=80),
    ]
    return table(head, overrides=overrides)
