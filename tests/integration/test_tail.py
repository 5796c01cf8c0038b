"""`auditgraf tail` on a real database: events go in through the writer, which announces them."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psycopg
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from psycopg import sql
from rich.console import Console

from collector.config import as_role
from collector.tail import TailFilter, follow, parse_severity
from exporter.errors import AuditgrafError, ConfigError, StoreUnavailableError
from exporter.events import Events
from exporter.mapping.compile import Mapper
from exporter.mapping.rules import load_all
from exporter.otlp.decode import decode
from exporter.store.catalogue import Catalogue
from exporter.store.writer import Writer
from exporter.transform import Transform
from tests.conftest import CLASSES

WAIT = 30.0
EVERYTHING = TailFilter()
Record = dict[str, str]


class Store:
    """The collector's way from records to committed events, without its receivers."""

    def __init__(self, owner_url: str) -> None:
        url = as_role(owner_url, "auditgraf_writer")
        self._catalogue = Catalogue(url)
        self._writer = Writer(url, self._catalogue)
        self._transform = Transform(Mapper(load_all((), tuple(CLASSES))), CLASSES)
        self._next_ns = time.time_ns() - 60_000_000_000

    def prepare(self, records: Sequence[Record], *, at_ns: int | None = None) -> Events:
        """A group of records: their attributes, and `service`, `severity` and `body`, which are none."""
        message = ExportLogsServiceRequest()
        for values in records:
            attributes = dict(values)
            resource_logs = message.resource_logs.add()
            resource_logs.resource.attributes.add(key="service.name").value.string_value = attributes.pop(
                "service", "shop"
            )
            self._next_ns += 1_000_000
            record = resource_logs.scope_logs.add().log_records.add(time_unix_nano=at_ns or self._next_ns)
            record.severity_number = int(attributes.pop("severity", "9"))  # type: ignore[assignment]
            record.body.string_value = attributes.pop("body", "")
            for key, value in attributes.items():
                record.attributes.add(key=key).value.string_value = value
        decoded = decode([message.SerializeToString()])
        columns = [self._transform.mapper.source_columns(source) for source in decoded.sources]
        return self._transform(
            decoded, self._catalogue.source_ids(decoded.sources, columns), time.time_ns()
        ).events

    def commit(self, events: Events) -> None:
        self._catalogue.ensure_partitions(events.days())
        assert self._writer.write(events).stored == len(events)

    def add(self, *records: Record) -> None:
        self.commit(self.prepare(records))

    def close(self) -> None:
        self._writer.close()
        self._catalogue.close()


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    made = Store(database)
    yield made
    made.close()


def event(name: str, **more: str) -> Record:
    """An audit event of that action; underscores in the other names stand for dots, `audit` goes in front."""
    known = {"service", "severity", "body"}
    return {"audit.action": name} | {
        key if key in known else f"audit.{key.replace('_', '.')}": value for key, value in more.items()
    }


class Tail:
    """A tail in a thread of its own, its output in a pipe. Ends when the pipe is closed."""

    def __init__(self, url: str, filter: TailFilter, options: dict[str, Any]) -> None:
        self._source, sink = os.pipe()
        self._rest = b""
        self._failure: BaseException | None = None
        self._file = os.fdopen(sink, "w", encoding="utf-8")
        console = Console(file=self._file, width=options.pop("width", None), **options.pop("terminal", {}))
        settings = {"last": 0, "count": None, "as_json": True, **options}

        def run() -> None:
            try:
                follow(url, filter, **settings, console=console)
            except BaseException as failure:
                self._failure = failure
            finally:
                self._file.close()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def line(self) -> str:
        """The next line; fails where none comes."""
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._source], [], [], WAIT)
            assert ready, f"no line within {WAIT} s; so far: {self._rest!r}"
            part = os.read(self._source, 1 << 20)
            assert part, f"the tail has ended: {self._failure!r}"
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def lines(self, count: int) -> list[str]:
        return [self.line() for _ in range(count)]

    def actions(self, count: int) -> list[str]:
        return [json.loads(line)["action"] for line in self.lines(count)]

    def rest(self) -> str:
        """What comes until the tail ends by itself."""
        while part := os.read(self._source, 1 << 20):
            self._rest += part
        return self._rest.decode()

    def stop(self) -> None:
        os.close(self._source)
        self._thread.join(WAIT)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure


@contextmanager
def tailing(database: str, filter: TailFilter = EVERYTHING, **options: Any) -> Iterator[Tail]:
    """A tail that listens already."""
    tail = Tail(as_role(database, "auditgraf_reader"), filter, options)
    try:
        wait_until_listening(database)
        yield tail
    finally:
        tail.stop()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {WAIT} s"
        threading.Event().wait(0.02)


def wait_until_listening(database: str) -> None:
    """Until the tail is past its LISTEN and waits for news."""
    statement = (
        "SELECT FROM pg_stat_activity WHERE application_name = 'auditgraf tail' AND datname = current_database()"
        " AND state = 'idle' AND query NOT LIKE '%set_config%'"
    )
    with psycopg.connect(database, autocommit=True) as connection:
        wait_until(lambda: connection.execute(statement).fetchone() is not None, "the tail listens")


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
        assert sorted(tail.actions(1_501)) == sorted(
            [*(f"number.{number}" for number in range(1_500)), "last"]
        )


def test_a_group_committed_in_interleaved_parts_is_shown_once(database: str, store: Store) -> None:
    group = store.prepare([event(f"number.{number}") for number in range(10)])
    with tailing(database) as tail:
        store.commit(group.take(np.arange(0, 10, 2)))
        store.commit(group.take(np.arange(1, 10, 2)))
        store.add(event("last"))
        assert sorted(tail.actions(11)) == sorted([*(f"number.{number}" for number in range(10)), "last"])


def test_what_happened_during_a_lost_connection_is_shown_once(
    postgres: str, database: str, store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    name = sql.Identifier(urlsplit(database).path[1:])
    store.add(event("before.start"))
    with tailing(database, last=1) as tail, psycopg.connect(postgres, autocommit=True) as server:
        store.add(event("before.loss"))
        assert tail.actions(2) == ["before.start", "before.loss"]
        server.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(name))
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'auditgraf tail'"
        )
        store.add(*(event(f"meanwhile.{number}") for number in range(600)))
        wait_until(lambda: "trying again" in capfd.readouterr().err, "the loss is told")
        server.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true").format(name))
        assert tail.actions(600) == [f"meanwhile.{number}" for number in range(600)]
        store.add(event("after"))
        assert tail.actions(1) == ["after"]
    assert "connected again" in capfd.readouterr().err


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
    with tailing(
        database, as_json=False, terminal={"force_terminal": True, "no_color": True}, width=400
    ) as tail:
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
        (lambda: TailFilter(min_severity=25), "--min-severity: 25"),
        (lambda: TailFilter(grep="a\0b"), "--grep: .*NUL"),
        (lambda: parse_severity("severe"), "--min-severity: 'severe'.*error"),
    ],
)
def test_an_impossible_filter_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


PROGRAM = """
import sys
from rich.console import Console
from collector.tail import TailFilter, follow
follow(sys.argv[1], TailFilter(), last=10, count=None, as_json=True, console=Console())
"""


@contextmanager
def tail_process(database: str) -> Iterator[subprocess.Popen[bytes]]:
    url = as_role(database, "auditgraf_reader")
    command = [sys.executable, "-c", PROGRAM, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            wait_until_listening(database)
            yield process
        finally:
            process.kill()


def test_ctrl_c_ends_quietly(database: str, store: Store) -> None:
    store.add(event("user.login"))
    with tail_process(database) as process:
        assert process.stdout is not None
        assert b"user.login" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=WAIT)
    assert (process.returncode, out, err) == (0, b"", b"")


def test_a_closed_pipe_ends_it_quietly_without_waiting_for_an_event(database: str, store: Store) -> None:
    store.add(event("user.login"))
    with tail_process(database) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"user.login" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(WAIT) == 0
        assert process.stderr.read() == b""
