"""End-to-end ingest next to its limit: the same rows sent by one COPY, in the same run, into the same tables.

    python -m tests.benchmarks.ingest [--records N] [--rounds N] [--out FILE]

The generator, the collector and PostgreSQL share this machine. What is sent is made beforehand, so the generator's own
cost is small; the collector runs in a process of its own, whose CPU time and peak memory are the kernel's figures.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
from psycopg import sql

from collector.embedded import EmbeddedPostgres
from exporter.mapping.compile import Mapper
from exporter.mapping.rules import load_all
from exporter.otlp.decode import decode
from exporter.store.catalogue import Catalogue
from exporter.store.migrate import migrate
from exporter.store.writer import csv_parts
from exporter.transform import Transform
from tests.benchmarks.load import request, send

CLASSES = {"default": timedelta(days=365), "log": timedelta(days=7)}
RECORDS_PER_REQUEST = 1000
UNDER_WAY = 24


@dataclass(frozen=True, slots=True)
class Round:
    """One measurement of both ways, one after the other."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    limit_seconds: float


def main() -> None:
    options = _options()
    rounds = []
    with tempfile.TemporaryDirectory(prefix="auditgraf-bench-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(
            Path(folder) / "postgres", settings=["shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=30min"]
        )
        server.start()
        try:
            for number in range(options.rounds):
                rounds.append(_round(server, options.records, number))
                print(_line(f"round {number + 1}", rounds[-1], options.records), file=sys.stderr)
        finally:
            server.stop()
    _report(rounds, options.records, options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("build/bench/ingest.json"))
    return parser.parse_args()


def _round(server: EmbeddedPostgres, records: int, number: int) -> Round:
    payloads = _payloads(records, number)
    size = sum(map(len, payloads)) / records
    if number == 0:
        print(f"{records} records of {size:.0f} bytes in requests of {RECORDS_PER_REQUEST}", file=sys.stderr)
    seconds, cpu, peak = _through_the_collector(_fresh(server), payloads, records)
    limit = _by_copy_alone(_fresh(server), payloads)
    return Round(seconds, cpu, peak, limit)


def _payloads(records: int, number: int) -> list[bytes]:
    start = time.time_ns() - 10**9 * 60
    count = records // RECORDS_PER_REQUEST
    return [
        request(RECORDS_PER_REQUEST, number * count + index, start + index * 1_000_000 * RECORDS_PER_REQUEST // 1000)
        for index in range(count)
    ]


def _fresh(server: EmbeddedPostgres) -> str:
    """An empty migrated database; the one before it is dropped, so that neither way inherits the other's pages."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS bench WITH (FORCE)")
        connection.execute("CREATE DATABASE bench")
        connection.execute("CHECKPOINT")
    url = server.url("bench")
    migrate(url, CLASSES)
    return url


def _through_the_collector(url: str, payloads: list[bytes], records: int) -> tuple[float, float, float]:
    """Seconds, the collector's CPU seconds for these records, its peak memory in MiB."""
    environment = os.environ | {
        "AUDITGRAF_DATABASE_URL": url,
        "AUDITGRAF_GRPC_LISTEN": "127.0.0.1:14317",
        "AUDITGRAF_HTTP_LISTEN": "127.0.0.1:14318",
        "AUDITGRAF_RETENTION_EVERY": "never",
        "AUDITGRAF_METRICS_LISTEN": "127.0.0.1:18888",
    }
    process = subprocess.Popen([sys.executable, "-m", "collector", "serve"], env=environment)
    try:
        _wait_until_ready("http://127.0.0.1:14318/readyz", process)
        before = _cpu_seconds(process.pid)
        seconds = asyncio.run(send("127.0.0.1:14317", payloads, UNDER_WAY))
        cpu = _cpu_seconds(process.pid) - before
        peak = _peak_mib(process.pid)
    finally:
        process.terminate()
        process.wait(30)
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM audit.events").fetchone()
    assert row is not None
    if row[0] != records:
        raise SystemExit(f"{records} records were acknowledged, {row[0]} are stored")
    return seconds, cpu, peak


def _by_copy_alone(url: str, payloads: list[bytes]) -> float:
    """Seconds for the same rows, rendered beforehand, in one COPY over one connection."""
    rendered, columns = _rendered(url, payloads)
    statement = sql.SQL("COPY audit.events_default ({}) FROM STDIN (FORMAT csv)").format(
        sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with psycopg.connect(url) as connection:
        started = time.perf_counter()
        with connection.cursor() as cursor, cursor.copy(statement) as channel:
            for part in rendered:
                channel.write(part)
        connection.commit()
        return time.perf_counter() - started


def _rendered(url: str, payloads: list[bytes]) -> tuple[list[bytes], list[str]]:
    catalogue = Catalogue(url)
    transform = Transform(Mapper(load_all((), CLASSES)), CLASSES)
    rendered: list[bytes] = []
    columns: list[str] = []
    for start in range(0, len(payloads), 10):
        records = decode(payloads[start : start + 10])
        origins = [transform.mapper.source_columns(source) for source in records.sources]
        events = transform(records, catalogue.source_ids(records.sources, origins), time.time_ns()).events
        catalogue.ensure_partitions(events.days())
        for _, frame in events.by_class():
            assert columns in ([], frame.columns), "every group must fill the same columns"
            columns = frame.columns
            rendered += csv_parts(frame)
    catalogue.close()
    gc.collect()
    return rendered, columns


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"the collector ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the collector was not ready within 30 seconds")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def _line(name: str, measured: Round, records: int) -> str:
    return (
        f"{name}: {records / measured.seconds:,.0f} events/s, limit {records / measured.limit_seconds:,.0f} rows/s, "
        f"ratio {measured.limit_seconds / measured.seconds:.2f}; "
        f"CPU of the collector {measured.cpu_seconds / records * 1e6:.1f} us per record, "
        f"limit {measured.limit_seconds / records * 1e6:.1f} us per row; peak {measured.peak_mib:.0f} MiB"
    )


def _report(rounds: list[Round], records: int, out: Path) -> None:
    """The median round by ratio; memory is the highest of all."""
    median = sorted(rounds, key=lambda each: each.limit_seconds / each.seconds)[len(rounds) // 2]
    peak = max(each.peak_mib for each in rounds)
    figures = {
        "events_per_s": round(records / median.seconds),
        "limit_rows_per_s": round(records / median.limit_seconds),
        "ratio": round(median.limit_seconds / median.seconds, 3),
        "cpu_us_per_record": round(median.cpu_seconds / records * 1e6, 2),
        "limit_us_per_row": round(median.limit_seconds / records * 1e6, 2),
        "peak_mib": round(peak, 1),
        "ratios": [round(float(each.limit_seconds / each.seconds), 3) for each in rounds],
        "records": records,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(_line("median", median, records))
    print(f"written to {out}")


if __name__ == "__main__":
    main()
