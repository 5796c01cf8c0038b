"""The counts of a running collector, as Prometheus and PostgreSQL have them."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import grpc
import psycopg
import pytest

from collector.config import load_config
from collector.receivers.grpc import METHOD
from collector.server import Collector
from exporter.errors import ConfigError
from tests.collector_process import WAIT, CollectorProcess, collector, wait_until
from tests.integration.examined import sound_environ
from tests.scraping import scrape
from tests.sending import MALFORMED, fetch, messages, record, request

TOTALS = "requests records stored duplicates dropped rejected quarantined refused unavailable"


def health(url: str) -> dict[str, Any]:
    """The sums of all samples, and the reasons with their sums."""
    sums = ", ".join(f"sum({name})::int AS {name}" for name in TOTALS.split())
    [found] = fetch(url, f"SELECT {sums} FROM audit.collector_health")
    for kind in ("refused_by", "rejected_by", "dropped_by", "quarantined_by"):
        reasons = f"SELECT key, sum(value::int)::int FROM audit.collector_health, jsonb_each_text({kind}) GROUP BY key"
        found[kind] = {row["key"]: row["sum"] for row in fetch(url, reasons)}
    return found


def send_grpc(process: CollectorProcess, payload: bytes) -> None:
    with grpc.insecure_channel(process.grpc_target) as channel:
        export: Any = channel.unary_unary(METHOD)
        export(payload, timeout=WAIT)


def test_counts_add_up_to_what_was_sent_in_the_metrics_and_in_the_table(database: str) -> None:
    first = request(record("a"), record("b"), record("a heartbeat", event=""))
    as_json = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"eventName": "x.y"}]}]}]}).encode()
    with collector(database, {"AUDITGRAF_UNMATCHED": "drop", "AUDITGRAF_MAX_REQUEST_BYTES": "100000"}) as process:
        assert process.post(first)[0] == 200
        assert process.post(first)[0] == 200
        send_grpc(process, request(record("c", at_ns=time.time_ns() - 3600 * 10**9)))
        assert process.post(as_json, "application/json")[0] == 200
        assert process.post(MALFORMED)[0] == 400
        assert process.post(b"{", "application/json")[0] == 400
        with pytest.raises(grpc.RpcError):
            send_grpc(process, MALFORMED)
        assert process.post(b"text", "text/plain")[0] == 415
        assert process.post(bytes(100_001))[0] == 413
        assert process.get("/v1/traces")[0] == 404
        found = scrape(process)
        assert process.terminate() == 0
    expected = {
        "auditgraf_requests_total{protocol=http,status=200}": 3,
        "auditgraf_requests_total{protocol=http,status=400}": 2,
        "auditgraf_requests_total{protocol=http,status=404}": 1,
        "auditgraf_requests_total{protocol=http,status=413}": 1,
        "auditgraf_requests_total{protocol=http,status=415}": 1,
        "auditgraf_requests_total{protocol=grpc,status=OK}": 1,
        "auditgraf_requests_total{protocol=grpc,status=INVALID_ARGUMENT}": 1,
        "auditgraf_rejected_requests_total{reason=malformed}": 3,
        "auditgraf_rejected_requests_total{reason=too_large}": 1,
        "auditgraf_rejected_requests_total{reason=unsupported}": 1,
        "auditgraf_records_total{result=stored}": 4,
        "auditgraf_records_total{result=duplicate}": 2,
        "auditgraf_records_total{result=dropped}": 2,
        "auditgraf_dropped_records_total{rule=unmatched}": 2,
        "auditgraf_event_lag_seconds_bucket{le=1800.0}": 5,
        "auditgraf_event_lag_seconds_count{}": 6,
        "auditgraf_waiting_requests{}": 0,
        "auditgraf_waiting_bytes{}": 0,
    }
    assert {name: found.get(name) for name in expected} == expected
    assert found["auditgraf_commit_seconds_count{}"] >= 1
    assert len(messages(database)) == 4
    assert health(database) == {
        "requests": 10,
        "records": 8,
        "stored": 4,
        "duplicates": 2,
        "dropped": 2,
        "quarantined": 0,
        "unavailable": 0,
        "refused": 6,
        "refused_by": {"http 400": 2, "http 404": 1, "http 413": 1, "http 415": 1, "grpc INVALID_ARGUMENT": 1},
        "rejected": 5,
        "rejected_by": {"malformed": 3, "too_large": 1, "unsupported": 1},
        "dropped_by": {"unmatched": 2},
        "quarantined_by": {},
    }
    [row] = fetch(
        database,
        """
        SELECT sum(cpu_seconds) > 0 AND min(memory_bytes) > 10000000 AS measured, max(commit_seconds) > 0 AS committed,
               max(lag_seconds) >= 3600 AS late, min(sampled_at) > min(started_at) AS after_the_start
        FROM audit.collector_health
        """,
    )
    assert all(row.values()), row


def test_a_request_that_the_configuration_refuses_is_counted_as_unmatched(database: str) -> None:
    with collector(database, {"AUDITGRAF_UNMATCHED": "reject"}) as process:
        assert process.post(request(record("no event", event=""), record("a")))[0] == 400
        assert process.terminate() == 0
    found = health(database)
    assert (found["rejected_by"], found["refused_by"], found["records"]) == ({"unmatched": 1}, {"http 400": 1}, 0)


def test_a_record_set_aside_is_counted_by_postgresqls_reason_and_seen_by_the_reader(database: str) -> None:
    with psycopg.connect(database) as owner:
        owner.execute("ALTER TABLE audit.events_default ALTER COLUMN actor_id SET NOT NULL")
    with collector(database) as process:
        assert process.post(request(record("by nobody"), record("by somebody", user__id="u-1")))[0] == 200
        found = scrape(process)
        assert process.terminate() == 0
    assert found["auditgraf_records_total{result=quarantined}"] == 1
    assert found["auditgraf_quarantined_records_total{reason=not_null_violation}"] == 1
    assert messages(database) == ["by somebody"]
    totals = health(database)
    assert (totals["records"], totals["stored"], totals["quarantined_by"]) == (2, 1, {"not_null_violation": 1})
    [aside] = fetch(database, "SELECT * FROM audit.quarantined")
    assert aside.keys() == {"id", "received_at", "source_id", "reason"}
    assert aside["reason"].startswith("NotNullViolation")


def test_a_sender_that_hangs_up_is_counted_as_such(database: str) -> None:
    head = b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 9\r\n\r\nx"
    with collector(database) as process:
        with socket.create_connection(("127.0.0.1", process.http_port), WAIT) as sender:
            sender.sendall(head)
        wait_until(lambda: scrape(process).get("auditgraf_requests_total{protocol=http,status=499}") == 1, "it is seen")


def test_two_collectors_on_one_host_have_two_names(database: str) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(collector(database)) for _ in range(2)]
        for number, process in enumerate(processes):
            assert process.post(request(record(f"{number}")))[0] == 200
        for process in processes:
            assert process.terminate() == 0
    rows = fetch(database, "SELECT instance, sum(stored)::int AS stored FROM audit.collector_health GROUP BY instance")
    assert [row["stored"] for row in rows] == [1, 1]
    assert all(row["instance"].startswith(socket.gethostname()) for row in rows)


def test_who_scrapes_slowly_or_never_reads_holds_up_nobody(database: str) -> None:
    with collector(database) as process, ExitStack() as stack:
        address = ("127.0.0.1", process.metrics_port)
        for begun in (b"", b"GET /met", b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: "):
            stack.enter_context(socket.create_connection(address, WAIT)).sendall(begun)
        # Far more answers than any buffer holds, and none of them is read.
        deaf = stack.enter_context(socket.create_connection(address, WAIT))
        deaf.setblocking(False)
        _send_until_full(deaf, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        assert process.post(request(record("meanwhile")))[0] == 200
        assert scrape(process)["auditgraf_records_total{result=stored}"] == 1
        assert process.terminate() == 0
    assert messages(database) == ["meanwhile"]


def _send_until_full(connection: socket.socket, requests: bytes) -> None:
    sent = 0
    while sent < 64 << 20:
        try:
            sent += connection.send(requests)
        except OSError:  # full, or given up by the collector
            return
    raise AssertionError("the collector reads requests without end, whose answers nobody reads")


@pytest.mark.parametrize(
    ("method", "path", "code", "text"),
    [("GET", "/", 404, "/metrics"), ("GET", "/v1/logs", 404, "/metrics"), ("POST", "/metrics", 405, "use GET")],
)
def test_the_metrics_listener_has_nothing_but_metrics(
    shared_collector: CollectorProcess, method: str, path: str, code: int, text: str
) -> None:
    url = f"http://127.0.0.1:{shared_collector.metrics_port}{path}"
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(url, method=method), timeout=WAIT)
    assert refused.value.code == code
    assert text in refused.value.read().decode()


def test_metrics_are_not_where_requests_are_sent(shared_collector: CollectorProcess) -> None:
    assert shared_collector.get("/metrics")[0] == 404


def test_a_head_request_tells_the_type_and_no_more(shared_collector: CollectorProcess) -> None:
    url = f"http://127.0.0.1:{shared_collector.metrics_port}/metrics"
    with urlopen(Request(url, method="HEAD"), timeout=WAIT) as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert response.read() == b""


@pytest.fixture(scope="module")
def shared_collector(shared_database: str) -> Iterator[CollectorProcess]:
    with collector(shared_database) as process:
        yield process


def test_without_a_listener_the_collector_serves_all_the_same(database: str) -> None:
    with collector(database, {"AUDITGRAF_METRICS_LISTEN": "off"}) as process:
        with pytest.raises(OSError, match="refused"):
            scrape(process)
        assert process.post(request(record("a")))[0] == 200
        assert process.terminate() == 0
    assert health(database)["stored"] == 1


async def test_a_metrics_port_that_is_taken_is_told_and_nothing_else_goes_on_listening(
    database: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        config = load_config(sound_environ(database, tmp_path) | {"AUDITGRAF_METRICS_LISTEN": listen})
        with pytest.raises(ConfigError, match=rf"telemetry\.listen: {listen} .*AUDITGRAF_METRICS_LISTEN"):
            await Collector(config).start()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(config.http.listen.rpartition(":")[2])), WAIT)
