"""What it takes to drop a partition, by its size, and what writers notice of it.

    python -m tests.benchmarks.retention [--events N] [--out FILE]

A partition of a thousand events and one of N are dropped by the job. Then a writer commits groups without a pause while
it drops sixty more partitions, one of them as large again, and after that while it archives. PostgreSQL, the writer and
the job share this machine, so only the ratios mean anything.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from collector.config import Archive, Config, Database
from collector.embedded import EmbeddedPostgres
from collector.retention.schedule import run_in_child
from exporter.store.migrate import migrate
from tests.benchmarks.load import request
from tests.integration.retained import retain
from tests.sending import Store

CLASSES = {"default": timedelta(days=365), "log": timedelta(days=7)}
GROUP = 50
SMALL = 1000
MORE = 60
BASELINE_S = 30.0
LOADING = """
    INSERT INTO {} (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome, action, actor_id,
                    target_id, client_ip, service, message, attributes, flags)
    SELECT (lpad(to_hex((extract(epoch FROM %(day)s::timestamptz) * 1000)::bigint + i / 1000), 12, '0') || '7'
            || substr(md5(i::text), 1, 19))::uuid,
           %(day)s::timestamptz + i * interval '1 us', %(day)s::timestamptz, i, 1, 9, 'success',
           'user.login', 'u' || i %% 10000, 'order/' || i, '81.2.69.142', 'shop',
           'order ' || i || ' was touched by its owner',
           '{{"http.request.method": "POST", "http.response.status_code": 200}}', '{{}}'
    FROM generate_series(1, %(count)s) AS i
"""


@dataclass(frozen=True, slots=True)
class Latencies:
    """How long commits of a group took, in milliseconds."""

    p50: float
    p99: float
    groups: int


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="auditgraf-bench-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(
            Path(folder) / "postgres", settings=["shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=30min"]
        )
        server.start()
        try:
            figures = _measure(server.url("postgres"), server, options.events, Path(folder) / "archive")
        finally:
            server.stop()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))
    print(f"written to {options.out}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000, help="of the large partitions")
    parser.add_argument("--out", type=Path, default=Path("build/bench/retention.json"))
    return parser.parse_args()


def _measure(cluster: str, server: EmbeddedPostgres, events: int, archive: Path) -> dict[str, object]:
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute("CREATE DATABASE bench")
    url = server.url("bench")
    migrate(url, CLASSES)
    drops = {count: _drop_seconds(url, count) for count in (SMALL, events)}
    _load(url, 100, events)
    for days in range(20, 20 + MORE):
        _load(url, days, SMALL)
    without_drops, during, took = _beside_a_writer(url, Config(database=Database.model_validate({"url": url})))
    _load(url, 100, min(events, 300_000))
    config = Config(database=Database.model_validate({"url": url}), archive=Archive(to=str(archive)))
    without, archiving, archived = _beside_a_writer(url, config)
    return {
        "events": events,
        "drop_seconds_of_1000": round(drops[SMALL], 4),
        "drop_seconds": round(drops[events], 4),
        "drop_ratio": round(drops[events] / drops[SMALL], 2),
        "writer_ms_without": [without_drops.p50, without_drops.p99],
        "writer_ms_during": [during.p50, during.p99],
        "writer_p99_ratio": round(during.p99 / without_drops.p99, 2),
        "job_seconds": round(took, 2),
        "writer_ms_without_archive": [without.p50, without.p99],
        "writer_ms_during_archive": [archiving.p50, archiving.p99],
        "writer_p99_ratio_archive": round(archiving.p99 / without.p99, 2),
        "archive_seconds": round(archived, 2),
        "groups": [without_drops.groups, during.groups, without.groups, archiving.groups],
    }


def _load(url: str, days_ago: int, count: int) -> None:
    """A partition of class log; its indexes are made when it is attached, which takes a fraction of the time."""
    started = time.perf_counter()
    day = datetime.now(UTC).date() - timedelta(days=days_ago)
    table = sql.Identifier("audit", f"events_log_p{day:%Y%m%d}")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET ROLE auditgraf_owner")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE audit.event_template)").format(table))
        connection.execute(sql.SQL(LOADING).format(table), {"day": day, "count": count})
        attach = sql.SQL("ALTER TABLE audit.events_log ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})")
        end = day + timedelta(days=1)
        connection.execute(attach.format(table, sql.Literal(day.isoformat()), sql.Literal(end.isoformat())))
        if count > SMALL:
            connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(table))
            connection.execute("RESET ROLE")
            connection.execute("CHECKPOINT")
            _forget_pages(connection, f"audit.events_log_p{day:%Y%m%d}")
            print(f"{count} events loaded in {time.perf_counter() - started:.0f} s", file=sys.stderr)


def _forget_pages(connection: psycopg.Connection[Any], table: str) -> None:
    """What expires was written long ago: the system has none of its pages in memory any more."""
    files = connection.execute(
        "SELECT current_setting('data_directory') || '/' || pg_relation_filepath(part) FROM ("
        "SELECT %(table)s::regclass AS part "
        "UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = %(table)s::regclass) AS parts",
        {"table": table},
    ).fetchall()
    for (first,) in files:
        for path in Path(first).parent.glob(f"{Path(first).name}*"):
            opened = os.open(path, os.O_RDONLY)
            os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(opened)


def _drop_seconds(url: str, count: int) -> float:
    """What the job takes to detach, drop and record a partition of that size. The median of five small ones."""
    taken = []
    for _ in range(5 if count == SMALL else 1):
        _load(url, 100, count)
        retain(url)
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT extract(epoch FROM finished_at - started_at) FROM audit.retention_steps "
                "WHERE action = 'dropped' ORDER BY id DESC LIMIT 1"
            ).fetchone()
            assert row is not None
            taken.append(float(row[0]))
    return statistics.median(taken)


def _beside_a_writer(url: str, config: Config) -> tuple[Latencies, Latencies, float]:
    """Latencies of a writer without (before and after) and with the job, in its own process; how long that took."""
    quiet = _latencies(url, lambda: time.sleep(BASELINE_S / 2))
    process = multiprocessing.get_context("spawn").Process(target=run_in_child, args=(config,))
    started = time.perf_counter()

    def job() -> None:
        process.start()
        process.join()

    busy = _latencies(url, job)
    took = time.perf_counter() - started
    # Both sides of it: what else the machine does changes with time.
    quiet += _latencies(url, lambda: time.sleep(BASELINE_S / 2))
    return _summary(quiet), _summary(busy), took


def _summary(taken: list[float]) -> Latencies:
    cuts = statistics.quantiles(taken, n=100)
    return Latencies(round(cuts[49], 2), round(cuts[98], 2), len(taken))


def _latencies(url: str, meanwhile: Callable[[], object]) -> list[float]:
    """Commits groups, one after the other, until something else has ended; the milliseconds of each."""
    store, over = Store(url, CLASSES), threading.Event()
    taken: list[float] = []

    def write() -> None:
        number = 0
        while not over.is_set():
            events = store.events([request(GROUP, time.time_ns() % 2**31 + number, time.time_ns())])
            began = time.perf_counter()
            store.writer.write(events)
            taken.append((time.perf_counter() - began) * 1000)
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    meanwhile()
    over.set()
    thread.join()
    store.close()
    return taken


if __name__ == "__main__":
    main()
