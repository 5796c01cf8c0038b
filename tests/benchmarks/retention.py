"""What it takes to drop a partition, by its size, and what writers notice of it.

    python -m tests.benchmarks.retention [--events N] [--out FILE]

A partition of a thousand events and one of N are dropped by the job. Then a writer commits groups without a pause, and
round after round the job, a process of its own, drops some partitions, one of them large; after that it archives, too.
What groups took meanwhile is compared with what they take right after each run. PostgreSQL, the writer and the job
share this machine, so only the ratios mean anything.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from collector.config import Archive, Config, Database
from collector.embedded import EmbeddedPostgres
from collector.retention.schedule import announce, start_child
from exporter.store.migrate import migrate
from tests.benchmarks.load import request
from tests.integration.retained import retain
from tests.sending import Store

CLASSES = {"default": timedelta(days=365), "log": timedelta(days=7)}
GROUP = 50
SMALL = 1000
# So many rounds that the 99th percentile is not the worst two or three groups. Each drops a few small partitions and a
# large one, of N events in the first.
ROUNDS = 8
FEW = 12
LARGE = 1_000_000
ARCHIVED = 300_000
QUIET_S = 15.0
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
    worst: float
    groups: int


@dataclass(frozen=True, slots=True)
class Beside:
    """What groups take without the job, what they take beside it, and how long its runs took together."""

    without: Latencies
    with_job: Latencies
    p99_ratio: float
    job_seconds: float


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
    job = {"database": Database.model_validate({"url": url}), "log_level": "error"}
    with WriterAtWork(url) as writer:
        dropping = _beside(writer, url, Config(**job), [events] + [min(events, LARGE)] * (ROUNDS - 1), FEW)
        archive_of = Config(**job, archive=Archive(to=str(archive)))
        archiving = _beside(writer, url, archive_of, [min(events, ARCHIVED)] * (ROUNDS // 2), 0)
    return {
        "events": events,
        "drop_seconds_of_1000": round(drops[SMALL], 4),
        "drop_seconds": round(drops[events], 4),
        "drop_ratio": round(drops[events] / drops[SMALL], 2),
        "dropping": asdict(dropping),
        "archiving": asdict(archiving),
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


class WriterAtWork:
    """Commits groups, one after the other; `between` answers the milliseconds of those that began within a time."""

    def __init__(self, url: str) -> None:
        self._store = Store(url, CLASSES)
        self._over = threading.Event()
        self._taken: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> WriterAtWork:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._store.close()

    def during(self, what: Callable[[], object]) -> list[float]:
        began = time.perf_counter()
        what()
        ended = time.perf_counter()
        while self._thread.is_alive() and (not self._taken or self._taken[-1][0] < ended):
            time.sleep(0.01)  # a group that began meanwhile may last
        return [took for at, took in self._taken if began <= at < ended]

    def _write(self) -> None:
        number = 0
        while not self._over.is_set():
            events = self._store.events([request(GROUP, time.time_ns() % 2**31 + number, time.time_ns())])
            began = time.perf_counter()
            self._store.writer.write(events)
            self._taken.append((began, (time.perf_counter() - began) * 1000))
            number += 1


def _beside(writer: WriterAtWork, url: str, config: Config, sizes: Sequence[int], few: int) -> Beside:
    """Loads partitions, lets the job retire them, and waits; once for every size of the large one."""
    busy: list[float] = []
    quiet: list[float] = []
    seconds = 0.0
    for size in sizes:
        for days in range(20, 20 + few):
            _load(url, days, SMALL)
        _load(url, 100, size)
        time.sleep(QUIET_S / 3)  # until what the loading left to be written is written
        began = time.perf_counter()
        busy += writer.during(lambda: _job(config))
        seconds += time.perf_counter() - began
        quiet += writer.during(lambda: time.sleep(QUIET_S))
        _all_gone(url)
    without, beside = _summary(quiet), _summary(busy)
    return Beside(without, beside, round(beside.p99 / without.p99, 2), round(seconds, 2))


def _job(config: Config) -> None:
    """As a collector runs it."""
    start_child(config).join()
    announce(config)


def _all_gone(url: str) -> None:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM audit.partitions WHERE range_end + keep <= now()").fetchone()
    assert row is not None
    if row[0]:
        raise SystemExit(f"the job left {row[0]} expired partitions: there is nothing to compare")


def _summary(taken: list[float]) -> Latencies:
    cuts = statistics.quantiles(taken, n=100)
    return Latencies(round(cuts[49], 2), round(cuts[98], 2), round(max(taken), 2), len(taken))


if __name__ == "__main__":
    main()
