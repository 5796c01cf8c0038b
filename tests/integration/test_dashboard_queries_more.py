"""What overview, map, security, health and live show of known events, asked by Grafana's role on a real PostgreSQL."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from collector.config import as_role
from dashboards.build import build
from tests.grafana_sql import Values, expand, interpolate

Json = dict[str, Any]
Rows = list[dict[str, Any]]
DASHBOARDS: dict[str, Json] = {name.removesuffix(".json"): json.loads(content) for name, content in build().items()}
OURS = ("audit-overview", "audit-map", "audit-security", "audit-health", "audit-live")
# Noon of yesterday: far enough from now for every test, and the same day for all that happens in one.
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
BERLIN: Json = {"country": "DE", "city": "Berlin", "latitude": 52.52, "longitude": 13.40}
TOKYO: Json = {"country": "JP", "city": "Tokyo", "latitude": 35.68, "longitude": 139.65}


class World:
    """A database to put events into, and what the panels show of a time range."""

    def __init__(self, owner: psycopg.Connection[Any], reader: psycopg.Connection[dict[str, Any]]) -> None:
        self._owner = owner
        self._reader = reader
        self._stored = 0

    def event(
        self, moment: datetime, action: str | None = "user.login", class_: str = "default", **columns: Any
    ) -> None:
        """Stores one event, without counting it."""
        self._stored += 1
        day = moment.astimezone(UTC).date()
        self._owner.execute("SELECT audit.ensure_partitions(%s, ARRAY[%s::date])", (class_, day))
        given = {
            "id": f"{int(moment.timestamp() * 1000):012x}7000a{self._stored:015x}",
            "occurred_at": moment,
            "received_at": moment,
            "occurred_ns": 0,
            "source_id": 1,
            "severity": 9,
            "outcome": "success",
            "attributes": Jsonb({}),
            "flags": [],
            "action": action,
        } | columns
        names, marks = ", ".join(given), ", ".join(f"%({name})s" for name in given)
        self._owner.execute(f"INSERT INTO audit.events_{class_} ({names}) VALUES ({marks})".encode(), given)

    def count(self) -> None:
        """Counts what was stored, as the writer does with what it stores, and summarises its days."""
        days = self._owner.execute(
            "SELECT DISTINCT retention_class, (occurred_at AT TIME ZONE 'UTC')::date FROM audit.events"
        ).fetchall()
        for class_, day in days:
            self._owner.execute("SELECT audit.recount(%s, %s, %s)", (class_, day, day))
        for class_, day in days:
            self._owner.execute("SELECT audit.summarise(%s, %s)", (class_, day))

    def sample(self, moment: datetime, **columns: Any) -> None:
        """Stores one report of a collector."""
        requests = ("requests", "refused", "rejected")
        records = ("records", "stored", "duplicates", "dropped", "quarantined", "unavailable")
        given: dict[str, Any] = dict.fromkeys((*requests, *records), 0)
        given |= {name: Jsonb({}) for name in ("refused_by", "rejected_by", "dropped_by", "quarantined_by")}
        given |= {
            "sampled_at": moment,
            "instance": "one",
            "started_at": moment - HOUR,
            "version": "1.2.3",
            "seconds": 10.0,
            "waiting_requests": 0,
            "waiting_bytes": 0,
            "cpu_seconds": 1.0,
            "memory_bytes": 1 << 20,
        }
        given |= {name: Jsonb(value) if isinstance(value, dict) else value for name, value in columns.items()}
        names, marks = ", ".join(given), ", ".join(f"%({name})s" for name in given)
        self._owner.execute(f"INSERT INTO audit.collector_samples ({names}) VALUES ({marks})".encode(), given)

    def rows(self, uid: str, title: str, start: datetime, end: datetime, values: Values | None = None) -> Rows:
        """What the panel with this title gets."""
        return list(self._reader.execute(_panel_sql(uid, title, start, end, values).encode()))

    def plan(self, uid: str, title: str, start: datetime, end: datetime) -> str:
        """How PostgreSQL goes about the panel's query."""
        return "\n".join(
            str(row["QUERY PLAN"])
            for row in self._reader.execute(f"EXPLAIN {_panel_sql(uid, title, start, end, None)}".encode())
        )

    def run(self, sql: str) -> Rows:
        return list(self._reader.execute(sql.encode()))


def _panel_sql(uid: str, title: str, start: datetime, end: datetime, values: Values | None) -> str:
    (panel,) = [panel for panel in DASHBOARDS[uid]["panels"] if panel["title"] == title]
    text = interpolate(panel["targets"][0]["rawSql"], DASHBOARDS[uid]["templating"]["list"], values or {})
    return expand(text, start, end)


@pytest.fixture
def world(database: str) -> Iterator[World]:
    reader = as_role(database, "auditgraf_reader")
    with (
        psycopg.connect(database, autocommit=True) as owner,
        psycopg.connect(reader, autocommit=True, row_factory=dict_row) as grafana,
    ):
        yield World(owner, grafana)


@pytest.mark.parametrize("uid", OURS)
@pytest.mark.parametrize("length", [HOUR, 12 * HOUR, 90 * DAY], ids=["hour", "half day", "90 days"])
def test_every_query_runs_where_there_is_nothing_yet(world: World, uid: str, length: timedelta) -> None:
    for panel in DASHBOARDS[uid]["panels"]:
        world.rows(uid, panel["title"], NOON - length, NOON)
    for variable in DASHBOARDS[uid]["templating"]["list"]:
        if variable["type"] == "query":
            world.run(expand(interpolate(variable["query"], [], {}), NOON - length, NOON))


@pytest.mark.parametrize(
    "length", [5 * HOUR, 7 * HOUR, 3 * DAY, 6 * DAY], ids=["5 hours", "7 hours", "3 days", "6 days"]
)
@pytest.mark.parametrize("cut", [timedelta(0), 2 * MINUTE, timedelta(minutes=4, seconds=59, milliseconds=999)])
def test_short_and_long_ranges_count_exactly_the_events_within(world: World, length: timedelta, cut: timedelta) -> None:
    start, end = NOON - length + cut, NOON + cut
    for moment in (start, end, start - MINUTE, end + MINUTE, start + MINUTE, end - MINUTE, start + length / 2):
        world.event(moment, actor_id="a", target_type="t", target_id="1", client_ip="203.0.113.1", **BERLIN)
    world.count()
    volume = world.rows("audit-overview", "Volume", start, end)
    assert sum(row["Events"] for row in volume) == 5
    for title in ("Types", "Top actors", "Top objects", "Services", "Top addresses", "Places"):
        assert [row["Events"] for row in world.rows("audit-overview", title, start, end)] == [5], title


def test_plain_logs_are_counted_nowhere_but_live(world: World) -> None:
    world.event(NOON, None, "log", message="a log", severity=5, actor_id="a", client_ip="203.0.113.1", **BERLIN)
    world.count()
    for length in (HOUR, 2 * DAY):
        for uid in ("audit-overview", "audit-map"):
            for panel in DASHBOARDS[uid]["panels"]:
                rows = world.rows(uid, panel["title"], NOON - length, NOON + HOUR)
                assert not any(row.get("Events") for row in rows), panel["title"]
    (row,) = world.rows("audit-live", "Records", NOON - HOUR, NOON + HOUR)
    assert (row["line"], row["level"], row["class"]) == ("a log", "debug", "log")


def test_live_shows_audit_events_logs_or_both(world: World) -> None:
    world.event(NOON, "user.login", service="shop", message="hello", severity=9)
    world.event(NOON, None, "log", service="shop", message="slow", severity=13)
    shown = {
        show: {row["line"] for row in world.rows("audit-live", "Records", NOON - HOUR, NOON + HOUR, {"show": show})}
        for show in ("all", "audit", "logs")
    }
    assert shown["audit"] == {"shop  user.login  hello"}
    assert shown["logs"] == {"shop  slow"}
    assert shown["all"] == shown["audit"] | shown["logs"]
    warnings = world.rows("audit-live", "Records by level", NOON - HOUR, NOON + HOUR, {"severity": "warn"})
    assert [(row["metric"], row["value"]) for row in warnings] == [("warn", 1.0)]


def test_long_ranges_read_no_event_but_at_their_ends(world: World) -> None:
    for hours in range(0, 72, 6):
        world.event(NOON - hours * HOUR)
    world.count()
    days = set(re.findall(r"events_default_p(\d{8})", world.plan("audit-overview", "Outcomes", NOON - 3 * DAY, NOON)))
    assert days <= {f"{NOON - 3 * DAY:%Y%m%d}", f"{NOON:%Y%m%d}"}
    assert "rollups" in world.plan("audit-overview", "Outcomes", NOON - 3 * DAY, NOON)
    assert "rollups" not in world.plan("audit-overview", "Outcomes", NOON - HOUR, NOON)


def test_a_week_before_is_drawn_at_the_same_time(world: World) -> None:
    world.event(NOON)
    world.event(NOON - 7 * DAY)
    world.event(NOON - 7 * DAY)
    rows = world.rows("audit-overview", "Compared with a week before", NOON - HOUR, NOON + HOUR)
    assert [(int(row["time"]), row["This time"], row["A week before"]) for row in rows] == [
        (int(NOON.timestamp()), 1.0, 2.0)
    ]


def test_the_heat_map_counts_weekdays_and_hours_in_utc(world: World) -> None:
    world.event(NOON)
    world.event(NOON + 13 * MINUTE)
    world.event(NOON - DAY - 5 * HOUR)
    world.count()
    rows = {
        row.pop("Day"): row
        for row in world.rows("audit-overview", "Weekdays and hours (UTC)", NOON - 2 * DAY, NOON + HOUR)
    }
    assert list(rows) == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert rows[f"{NOON:%a}"]["12"] == 2
    assert rows[f"{NOON - DAY:%a}"]["07"] == 1
    assert sum(sum(row.values()) for row in rows.values()) == 3


def test_places_are_coloured_by_type_or_by_the_share_of_failures(world: World) -> None:
    for action, outcome in (("user.login", "success"), ("user.login", "success"), ("order.created", "failure")):
        world.event(NOON, action, outcome=outcome, **BERLIN)
    world.event(NOON, "order.created", outcome="failure", **TOKYO)
    by_type = {row["Place"]: row["slot"] for row in world.rows("audit-map", "Places", NOON - HOUR, NOON + HOUR)}
    values = {"colour": "outcome"}
    by_outcome = {
        row["Place"]: row["slot"] for row in world.rows("audit-map", "Places", NOON - HOUR, NOON + HOUR, values)
    }
    assert by_type == {"Berlin, DE": 0, "Tokyo, JP": 2}
    assert by_outcome == {"Berlin, DE": -3, "Tokyo, JP": -4}


SIGNING_IN = ["user.login_failed", "LOGIN_ERROR", "session.sign_in.failed", "authentication.failure"]
KINDS = [
    (
        "Privilege changes",
        ["role.granted", "AttachRolePolicy", "group_member.added", "clusterroles.patch", "impersonation.started"],
        ["role.viewed", "ListRoles", "impersonation.ended", "order.created", "policy.denied"],
    ),
    (
        "Secrets viewed",
        ["secret.viewed", "secret_view", "GetSecretValue", "secrets.get", "credential.exported"],
        ["secret.created", "document.viewed", "access_token.created", "user.password_changed"],
    ),
    (
        "Configuration changes",
        ["config.changed", "PutBucketPolicy", "configmaps.update", "feature_flag.enabled"],
        ["config.viewed", "settings.viewed", "configuration_error", "user.updated"],
    ),
]


@pytest.mark.parametrize(("title", "meant", "not_meant"), KINDS, ids=[title for title, _, _ in KINDS])
def test_actions_are_known_by_their_words(world: World, title: str, meant: list[str], not_meant: list[str]) -> None:
    for action in [*meant, *not_meant]:
        world.event(NOON, action)
    world.count()
    for length in (HOUR, 12 * HOUR):
        rows = world.rows("audit-security", title, NOON - length, NOON + HOUR)
        assert {row["Action"] for row in rows} == set(meant)


def test_failed_sign_ins_are_counted_by_time_actor_address_and_place(world: World) -> None:
    for action in SIGNING_IN:
        world.event(NOON, action, actor_name="ada", client_ip="203.0.113.7", **TOKYO)
    world.event(NOON, "user.login", outcome="failure", actor_name="ada", client_ip="203.0.113.7", **TOKYO)
    world.event(NOON, "user.login", actor_name="ada", client_ip="203.0.113.7", **TOKYO)
    for other in ("user.logout", "key.signing", "mfa.authenticator_added", "order.created"):
        world.event(NOON, other, outcome="failure", actor_name="ada", client_ip="203.0.113.7", **TOKYO)
    world.count()
    for length in (HOUR, 2 * DAY):
        start, end = NOON - length, NOON + HOUR
        (over_time,) = world.rows("audit-security", "Sign-ins", start, end)
        assert (over_time["Failed"], over_time["Succeeded"]) == (5, 1)
        for by in ("actor", "address", "place"):
            (row,) = world.rows("audit-security", f"Failed sign-ins by {by}", start, end)
            assert row["Failed"] == 5
        (worst,) = world.rows("audit-security", "Most failures", start, end)
        assert worst["Failures"] == 5


def test_a_success_after_three_failures_is_told_whatever_the_id(world: World) -> None:
    for name, failures, minutes in (("ada", 3, 5), ("ben", 2, 5), ("chiara", 4, 45)):
        for number in range(failures):
            moment = NOON + number * timedelta(seconds=20)
            world.event(
                moment, "user.login_failed", outcome="failure", actor_id=name, actor_name=name, client_ip="203.0.113.9"
            )
        world.event(NOON + minutes * MINUTE, actor_id=f"id-of-{name}", actor_name=name.upper(), client_ip="192.0.2.1")
    (row,) = world.rows("audit-security", "Failures, then success", NOON - HOUR, NOON + HOUR)
    assert row["actor_key"] == "id-of-ada"
    assert row["Failures"] == 3
    assert (row["Failed from"], row["Signed in from"]) == ("203.0.113.9", "192.0.2.1")
    assert row["Minutes"] == pytest.approx(5)


def test_impossible_travel_is_too_far_for_the_time_between(world: World) -> None:
    world.event(NOON - 5 * HOUR, actor_id="quick", **BERLIN)
    world.event(NOON - 4 * HOUR, actor_id="quick", **TOKYO)
    world.event(NOON - 20 * HOUR, actor_id="slow", **BERLIN)
    world.event(NOON - 1 * HOUR, actor_id="slow", **TOKYO)
    world.event(NOON - 5 * HOUR, actor_id="attacked", **BERLIN)
    world.event(NOON - 4 * HOUR, actor_id="attacked", outcome="failure", **TOKYO)
    world.event(NOON - 5 * HOUR, actor_id="commuter", **BERLIN)
    world.event(NOON - 5 * HOUR + MINUTE, actor_id="commuter", **(BERLIN | {"city": "Potsdam", "longitude": 13.06}))
    (row,) = world.rows("audit-security", "Impossible travel", NOON - DAY, NOON + HOUR)
    assert (row["actor_key"], row["From"], row["To"]) == ("quick", "Berlin, DE", "Tokyo, JP")
    assert row["Kilometres"] == pytest.approx(8917, rel=0.01)
    assert row["km/h"] == pytest.approx(row["Kilometres"])
    assert row["Minutes"] == pytest.approx(60)


@pytest.mark.parametrize("counted", [False, True], ids=["from the events", "from the summaries"])
def test_a_new_country_is_one_where_a_known_actor_was_not_in_thirty_days(world: World, counted: bool) -> None:
    world.event(NOON - 10 * DAY, actor_id="moved", **BERLIN)
    world.event(NOON, actor_id="moved", **TOKYO)
    world.event(NOON, actor_id="unknown before", **TOKYO)
    world.event(NOON - 20 * DAY, actor_id="back again", **TOKYO)
    world.event(NOON - 10 * DAY, actor_id="back again", **BERLIN)
    world.event(NOON, actor_id="back again", **TOKYO)
    world.event(NOON - 10 * DAY, actor_id="attacked", **BERLIN)
    world.event(NOON, "user.login_failed", actor_id="attacked", outcome="failure", **TOKYO)
    if counted:
        world.count()
    for values in ({}, {"country": "JP"}):
        (row,) = world.rows("audit-security", "New countries", NOON - HOUR, NOON + HOUR, values)
        assert (row["actor_key"], row["Country"], row["City"], row["Before in"]) == ("moved", "JP", "Tokyo", "DE")
    assert world.rows("audit-security", "New countries", NOON - HOUR, NOON + HOUR, {"country": "DE"}) == []


def test_ten_deletions_in_five_minutes_are_many(world: World) -> None:
    for number in range(10):
        world.event(
            NOON + number * timedelta(seconds=20),
            "model.deleted",
            actor_id="many",
            target_type="doc",
            target_id=str(number),
        )
    for number in range(9):
        world.event(NOON + number * timedelta(seconds=20), "model.deleted", actor_id="few", target_id=str(number))
    world.event(NOON, "model.undeleted", actor_id="few")
    world.count()
    for length in (HOUR, 12 * HOUR):
        (row,) = world.rows("audit-security", "Mass deletions", NOON - length, NOON + HOUR)
        assert (row["actor_key"], row["Deleted"], row["Objects"], row["What"]) == ("many", 10, 10, "doc")


def test_health_tells_what_was_not_stored_and_why(world: World) -> None:
    world.sample(NOON, records=10, stored=4, duplicates=2, dropped=3, dropped_by={"noise": 3}, quarantined=1)
    world.sample(NOON + MINUTE, quarantined=1, quarantined_by={"bad text": 1}, rejected=1, rejected_by={"too_large": 1})
    world.sample(NOON + 2 * MINUTE, instance="two", unavailable=7, dropped=1, dropped_by={"noise": 1})
    rows = world.rows("audit-health", "What became of the rest", NOON - HOUR, NOON + HOUR)
    assert {(row["What"], row["Why"], row["Number"]) for row in rows} == {
        ("unavailable", "the sender tries again", 7),
        ("dropped", "noise", 4),
        ("duplicate", "stored before", 2),
        ("quarantined", "bad text", 1),
        ("rejected request", "too_large", 1),
    }
    drawn = world.rows("audit-health", "Not stored, by reason", NOON - HOUR, NOON + HOUR)
    assert sum(row["value"] for row in drawn) == sum(row["Number"] for row in rows)
    one = world.rows("audit-health", "What became of the rest", NOON - HOUR, NOON + HOUR, {"instance": "two"})
    assert {row["What"] for row in one} == {"unavailable", "dropped"}


def test_health_says_so_where_there_is_nothing_to_tell(world: World) -> None:
    world.sample(NOON, records=5, stored=5)
    start, end = NOON - HOUR, NOON + HOUR
    (rest,) = world.rows("audit-health", "What became of the rest", start, end)
    assert (rest["What"], rest["Number"]) == ("nothing", 0)
    (held,) = world.rows("audit-health", "Holds", start, end)
    assert held["Reason"] == "No hold is in force."
    (quarantined,) = world.rows("audit-health", "Quarantine", start, end)
    assert quarantined["Reason"] == "Nothing is in quarantine."
    (run,) = world.rows("audit-health", "What retention did", start, end)
    assert run["Detail"] == "no run yet"


def test_health_measures_each_collector(world: World) -> None:
    world.sample(NOON, seconds=10.0, cpu_seconds=5.0, memory_bytes=100, records=20, stored=20, lag_seconds=3.0)
    world.sample(NOON, instance="two", seconds=10.0, cpu_seconds=1.0, memory_bytes=300, waiting_bytes=7, spool_bytes=0)
    start, end = NOON - HOUR, NOON + timedelta(seconds=30)
    cpu = {row["metric"]: row["value"] for row in world.rows("audit-health", "Processor time", start, end)}
    memory = {row["metric"]: row["value"] for row in world.rows("audit-health", "Memory", start, end)}
    assert cpu == {"one": pytest.approx(0.5), "two": pytest.approx(0.1)}
    assert memory == {"one": 100, "two": 300}
    (now,) = world.rows("audit-health", "Now", start, end)
    assert (now["Collectors"], now["Lag"], now["Waiting"]) == (2, 3.0, 7.0)
    (rate,) = world.rows("audit-health", "Records per second", start, end)
    assert rate["Received"] == pytest.approx(20 / 300)


def test_health_knows_partitions_and_their_next_expiry(world: World) -> None:
    world.event(NOON)
    classes = {row["Class"]: row for row in world.rows("audit-health", "Retention classes", NOON - HOUR, NOON + HOUR)}
    midnight = NOON.replace(hour=0) + DAY
    assert classes["default"]["Kept"] == "365 days"
    assert classes["default"]["Next expiry"] == midnight + 365 * DAY
    assert classes["default"]["Size"] > 0
    assert classes["log"]["Kept"] == "7 days"
    partitions = world.rows("audit-health", "Partitions", NOON - HOUR, NOON + HOUR)
    assert f"events_default_p{NOON:%Y%m%d}" in {row["Partition"] for row in partitions}
