"""`auditgraf tail` on a real database: events go in through the writer, which announces them."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import numpy as np
import psycopg
import pytest
from psycopg import sql
from rich.console import Console

from collector.config import as_role
from collector.tail import TailFilter, follow, parse_severity
from exporter.errors import AuditgrafError, ConfigError, StoreUnavailableError
from tests.integration.committed import Store, event
from tests.integration.tailing import EVERYTHING, Tail, tailing, wait_until


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    made = Store(database)
    yield made
    made.close()


def test_an_event_is_shown_once_it_is_committed(database: str, store: Store) -> None:
    with tailing(database) as tail:
        store.add(event("user.login"))
        assert tail.actions(1) == ["user.login"]
        store.add(event("user.logout"), event("model.updated"))
        assert tail.actions(2) == ["user.logout", "model.updated"]


def test_json_has_the_columns_of_the_view_as_keys(database: str, store: Store) -> None:
    with tailing(database, last=1) as tail, psycopg.connect(database) as connection:
        store.add(
            event(
                "user.login",
                actor_id="7",
                source_id="81.2.69.142",
                target_type="realm",
                changes='{"a": {"before": 1}}',
            )
        )
        shown = json.loads(tail.line())
        described = connection.execute("SELECT * FROM audit.events").description
        assert described is not None
        assert set(shown) == {column.name for column in described}
    assert shown["client_ip"] == "81.2.69.142"
    assert shown["occurred_at"].endswith("+00:00")
    assert shown["retention_class"] == "default"
    assert isinstance(shown["attributes"], dict)
    assert isinstance(shown["flags"], list)


def test_the_newest_events_come_first_and_in_order_of_time(database: str, store: Store) -> None:
    store.add(*(event(f"number.{number}") for number in range(30)))
    with tailing(database, last=3) as tail:
        assert tail.actions(3) == ["number.27", "number.28", "number.29"]
        store.add(event("number.30"))
        assert tail.actions(1) == ["number.30"]


def test_the_newest_events_are_found_however_old_they_are(database: str, store: Store) -> None:
    for days in (90, 5, 0):
        store.commit(store.prepare([event(f"days.{days}")], at_ns=time.time_ns() - days * 86_400_000_000_000))
    with tailing(database, last=10) as tail:
        assert tail.actions(3) == ["days.90", "days.5", "days.0"]


def test_count_ends_the_tail(database: str, store: Store) -> None:
    store.add(*(event(f"number.{number}") for number in range(5)))
    with tailing(database, last=2, count=3) as tail:
        store.add(event("late.1"), event("late.2"))
        assert [json.loads(line)["action"] for line in tail.rest().splitlines()] == [
            "number.3",
            "number.4",
            "late.1",
        ]


def test_fewer_events_than_last_are_asked_for_when_count_is_lower(database: str, store: Store) -> None:
    store.add(*(event(f"number.{number}") for number in range(5)))
    tail = Tail(as_role(database, "auditgraf_reader"), EVERYTHING, {"last": 10, "count": 2})
    assert [json.loads(line)["action"] for line in tail.rest().splitlines()] == ["number.3", "number.4"]
    tail.stop()


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (TailFilter(), ["user.login", "user.login_failed", "model.updated"]),
        (TailFilter(services=("billing*",)), ["model.updated"]),
        (TailFilter(services=("SHOP", "none")), ["user.login", "user.login_failed"]),
        (TailFilter(actions=("user.*",)), ["user.login", "user.login_failed"]),
        (TailFilter(actions=("user.login",)), ["user.login"]),
        (TailFilter(actions=("[!u]*",)), ["model.updated"]),
        (TailFilter(actors=("ali[a-d]e",)), ["user.login"]),
        (TailFilter(actors=("BOB@*",)), ["user.login_failed"]),
        (TailFilter(actors=("carol",)), ["model.updated"]),
        (TailFilter(outcomes=("failure",)), ["user.login_failed"]),
        (TailFilter(outcomes=("failure", "success")), ["user.login", "user.login_failed"]),
        (TailFilter(min_severity=13), ["user.login_failed"]),
        (TailFilter(grep="100% of"), ["model.updated"]),
        (TailFilter(grep="'; DROP"), ["model.updated"]),
        (TailFilter(grep="WRONG password"), ["user.login_failed"]),
        (TailFilter(logs=True), ["user.login", "user.login_failed", "model.updated", None]),
        (TailFilter(classes=("log",)), [None]),
        (TailFilter(classes=("default", "log"), grep="started"), [None]),
    ],
    ids=str,
)
def test_a_filter_shows_what_it_names(
    database: str, store: Store, chosen: TailFilter, expected: list[str | None]
) -> None:
    records = (
        event("user.login", outcome="success", actor_id="alice"),
        event(
            "user.login_failed",
            outcome="failure",
            severity="13",
            actor_email="bob@example.org",
            body="wrong password",
        ),
        event("model.updated", service="billing-api", target_name="'; DROP TABLE 100% of it")
        | {"audit.on_behalf_of": "Carol"},
        {"body": "started"},
    )
    store.add(*records)
    with tailing(database, chosen, last=10) as tail:
        store.add(*records)
        # One too many of the first four would stand where the second ones are expected.
        assert tail.actions(2 * len(expected)) == 2 * expected


def test_a_filter_holds_for_new_events_too(database: str, store: Store) -> None:
    with tailing(database, TailFilter(actions=("user.*",), outcomes=("failure",))) as tail:
        store.add(event("user.login", outcome="success"), event("model.updated", outcome="failure"))
        store.add(event("user.deleted", outcome="failure"))
        assert tail.actions(1) == ["user.deleted"]


def test_a_group_of_ten_thousand_is_shown_whole_and_in_order(database: str, store: Store) -> None:
    with tailing(database) as tail:
        store.add(*(event(f"number.{number}") for number in range(10_000)))
        assert tail.actions(10_000) == [f"number.{number}" for number in range(10_000)]


def test_events_of_one_moment_are_each_shown_once(database: str, store: Store) -> None:
    now = time.time_ns()
    with tailing(database) as tail:
        store.commit(store.prepare([event(f"number.{number}") for number in range(1_500)], at_ns=now))
        store.add(event("last"))
        assert sorted(tail.actions(1_501)) == sorted([*(f"number.{number}" for number in range(1_500)), "last"])


def test_a_group_committed_in_interleaved_parts_is_shown_once(database: str, store: Store) -> None:
    group = store.prepare([event(f"number.{number}") for number in range(10)])
    with tailing(database) as tail:
        store.commit(group.take(np.arange(0, 10, 2)))
        store.commit(group.take(np.arange(1, 10, 2)))
        store.add(event("last"))
        assert sorted(tail.actions(11)) == sorted([*(f"number.{number}" for number in range(10)), "last"])


def test_what_happened_during_a_lost_connection_is_shown_once(
    postgres: str, database: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # capfd empties its file when it is read: what the tail's thread writes at that moment would be lost.
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    name = urlsplit(database).path[1:]
    allowing = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    store.add(event("before.start"))
    with tailing(database, last=1) as tail, psycopg.connect(postgres, autocommit=True) as server:
        store.add(event("before.loss"))
        assert tail.actions(2) == ["before.start", "before.loss"]
        server.execute(allowing.format(sql.Identifier(name), sql.SQL("false")))
        server.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE application_name = 'auditgraf tail' AND datname = %s",
            (name,),
        )
        store.add(*(event(f"meanwhile.{number}") for number in range(600)))
        wait_until(lambda: "trying again" in told.getvalue(), "the loss is told")
        server.execute(allowing.format(sql.Identifier(name), sql.SQL("true")))
        assert tail.actions(600) == [f"meanwhile.{number}" for number in range(600)]
        store.add(event("after"))
        assert tail.actions(1) == ["after"]
    assert "connected again" in told.getvalue()


def test_a_notification_that_announces_nothing_is_ignored(
    database: str, store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    with tailing(database) as tail, psycopg.connect(database, autocommit=True) as connection:
        for payload in (
            "",
            "[]",
            "{}",
            "\x1b[31m",
            '{"received_at": "2026-01-01", "from": "2026-01-01", "to": "2026-01-01"}',
        ):
            connection.execute("SELECT pg_notify('audit_events', %s)", (payload,))
        store.add(event("user.login"))
        assert tail.actions(1) == ["user.login"]
    told = capfd.readouterr().err
    assert told.count("was ignored") == 5
    assert "\x1b" not in told


def test_nothing_in_an_event_steers_the_terminal(database: str, store: Store) -> None:
    hostile = "\x1b]0;owned\x07 \x9b31m \r\n\u202egnp.exe\u2066 [bold red]markup[/] \u200b \U000e0041"
    with tailing(database, as_json=False, terminal={"force_terminal": True, "no_color": True}, width=400) as tail:
        store.add(event("user.login", actor_name=hostile, target_name=hostile, body=hostile, service=hostile))
        line = tail.line()
    own = line.replace("\x1b[2m", "").replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert own.isprintable()
    assert "[bold red]markup[/]" in own
    assert r"\x1b]0;owned\x07 \x9b31m \r\n\u202egnp.exe\u2066" in own


def test_json_carries_hostile_text_unchanged_and_unseen(database: str, store: Store) -> None:
    hostile = "\x1b[31m \x9b31m \x7f \u202e \U000e0041 ü 東京"
    with tailing(database) as tail:
        store.add(event("user.login", body=hostile, extra=hostile))
        line = tail.line()
    assert line.isprintable()
    assert json.loads(line)["message"] == hostile
    assert hostile in json.loads(line)["attributes"].values()
    assert "ü 東京" in line


def test_text_that_the_output_can_not_encode_is_escaped(database: str, store: Store) -> None:
    with tailing(database, as_json=False) as tail:
        tail._file.reconfigure(encoding="ascii")
        store.add(event("user.login", actor_name="東"))
        assert r"\u6771" in tail.line()


def test_an_unknown_class_is_refused_with_the_known_ones(database: str) -> None:
    with pytest.raises(ConfigError, match=r"'securty'.*default, log, security"):
        follow_nothing(as_role(database, "auditgraf_reader"), TailFilter(classes=("securty",)))


def test_a_database_that_was_never_migrated_is_refused_with_the_remedy(empty_database: str) -> None:
    with pytest.raises(AuditgrafError, match="run auditgraf migrate"):
        follow_nothing(empty_database, EVERYTHING)


def test_an_unreachable_database_is_told_at_once() -> None:
    with pytest.raises(StoreUnavailableError, match="can't be reached"):
        follow_nothing("postgresql://nobody@127.0.0.1:1/none", EVERYTHING)


def follow_nothing(url: str, chosen: TailFilter) -> None:
    follow(url, chosen, last=10, count=1, as_json=True, console=Console())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TailFilter(actions=("user.[",)), "--action: .*never closed"),
        (lambda: TailFilter(services=("",)), "--service: .*empty"),
        (lambda: TailFilter(outcomes=("failed",)), "--outcome: 'failed'.*success, failure, unknown"),
        (lambda: TailFilter(min_severity=25), "--level: 25"),
        (lambda: TailFilter(grep="a\0b"), "--grep: .*NUL"),
        (lambda: parse_severity("severe"), "--level: 'severe'.*error"),
    ],
)
def test_an_impossible_filter_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
