"""What the security dashboard finds among known events, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.dashboard_world import BERLIN, DAY, HOUR, MINUTE, NOON, TOKYO, World, opened_world


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with opened_world(database) as made:
        yield made


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
