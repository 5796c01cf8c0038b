"""Days of events that are summarised, and whether charts read the same from the summaries as from the events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from collector.config import as_role
from tests.sending import Store, fetch, record, request

HOUR = 3600 * 10**9
DAY = 24 * HOUR
# The first day that is not summarised yet: a day is, from a quarter of an hour after its end on.
TODAY = (datetime.now(UTC) - timedelta(minutes=15)).replace(hour=0, minute=0, second=0, microsecond=0)
KIND = "retention_class, service, environment, tenant, action, outcome, severity, country"
ACTOR = f"{KIND}, city, latitude, longitude, client_ip, actor_id, actor_name, actor_email, actor_type, on_behalf_of"
PLACE = "country, city, latitude, longitude"
TARGET = "target_type, target_id, target_name"
HAS_TARGET = "coalesce(target_id, target_name) IS NOT NULL"
# Function, the columns that it counts by, and the events that it counts.
QUESTIONS = {
    "volume_actors": (ACTOR, "true"),
    "volume_targets": (TARGET, "coalesce(target_id, target_name) IS NOT NULL"),
    "actor_totals": (
        "retention_class, actor_id, actor_name, actor_email, actor_type, country, city, latitude, longitude",
        "true",
    ),
    "target_totals": (
        "retention_class, target_type, target_id, target_name",
        "coalesce(target_id, target_name) IS NOT NULL",
    ),
    "actor_names": ("retention_class, actor_id, actor_name, actor_email, on_behalf_of", "true"),
    "address_totals": ("retention_class, client_ip, country", "client_ip IS NOT NULL"),
    "place_totals": ("retention_class, country, city, latitude, longitude, action", "true"),
}
# All that has rows of a summary.
TABLES = (
    "actor_days",
    "target_days",
    "day_actors",
    "day_targets",
    "day_addresses",
    "day_places",
    "day_objects",
    "day_names",
)
RANGES = [
    (TODAY - timedelta(days=30), TODAY + timedelta(days=1)),
    (TODAY - timedelta(days=2), TODAY - timedelta(microseconds=1)),
    (TODAY - timedelta(days=2, hours=7), TODAY - timedelta(hours=5)),
    (TODAY - timedelta(hours=30), TODAY - timedelta(hours=28)),
]


def events(at_ns: int, number: int = 40) -> list[bytes]:
    """Requests of distinct events of two services, within four hours from that moment on."""
    made = [
        record(
            f"{at_ns} {n}",
            at_ns=at_ns + n * HOUR // 10,
            event=f"order.{n % 3}",
            outcome="failure" if n % 7 == 0 else "success",
            user__id=f"u-{n % 5}",
            user__name=f"User {n % 5}",
            client__address=f"81.2.69.{n % 6}",
            audit__target__type="order",
            audit__target__id=f"{n % 4}",
        )
        for n in range(number)
    ]
    return [request(*made[::2]), request(*made[1::2], service="billing")]


def rows(connection: psycopg.Connection[dict[str, Any]], statement: str, range_: Sequence[datetime]) -> list[Any]:
    given = {"since": range_[0], "until": range_[1]}
    return sorted(map(repr, connection.execute(statement.encode(), given).fetchall()))


def assert_exact(database: str, ranges: Sequence[tuple[datetime, datetime]] = RANGES) -> None:
    """That the reader gets the same answers from summaries and from events, over all ranges."""
    with psycopg.connect(as_role(database, "auditgraf_reader"), autocommit=True, row_factory=dict_row) as reader:
        for name, (columns, counted) in QUESTIONS.items():
            summed = f"""
                SELECT {columns}, sum(events) AS events, min(first_at) AS first_at, max(last_at) AS last_at
                FROM audit.{name}(%(since)s, %(until)s) GROUP BY {columns}"""
            plain = f"""
                SELECT {columns}, count(*)::numeric AS events, min(occurred_at) AS first_at, max(occurred_at) AS last_at
                FROM audit.events WHERE occurred_at BETWEEN %(since)s AND %(until)s AND {counted} GROUP BY {columns}"""
            for range_ in ranges:
                assert rows(reader, summed, range_) == rows(reader, plain, range_), (name, range_)


def summarise(store: Store) -> list[str]:
    """Runs all steps that are due; what they did."""
    return list(iter(store.catalogue.summarise_next, None))


def summarised(database: str) -> set[tuple[str, int]]:
    """Class and days ago of every summary that is read."""
    found = fetch(database, "SELECT retention_class, %s::date - day AS ago FROM audit.valid_summaries", TODAY.date())
    return {(row["retention_class"], row["ago"]) for row in found}
