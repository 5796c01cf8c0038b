"""Export of many events next to its limit: the same rows by one plain COPY TO, and by a COPY of PostgreSQL's own JSON.

    python -m tests.benchmarks.export [--events N] [--rounds N] [--out FILE]

The export is a process of its own, whose CPU time and peak memory are the kernel's figures; it shares this machine
with PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from collector.embedded import EmbeddedPostgres
from exporter.store.migrate import migrate

CLASSES = {"default": timedelta(days=365), "log": timedelta(days=7)}
DAYS = 10
FORMATS = ("jsonl", "jsonl.zst", "csv", "parquet")


@dataclass(frozen=True, slots=True)
class Measured:
    """One export, or one COPY, of all events."""

    what: str
    seconds: float
    cpu_seconds: float | None = None
    peak_mib: float | None = None


def main() -> None:
    options = _options()
    measured: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="auditgraf-bench-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "postgres", settings=["shared_buffers=512MB", "max_wal_size=8GB"])
        server.start()
        try:
            url = server.url("postgres")
            _fill(url, options.events)
            for _ in range(options.rounds):
                for one in _round(url, Path(folder)):
                    measured.append(one)
                    print(_line(one, options.events), file=sys.stderr)
        finally:
            server.stop()
    _report(measured, options.events, options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("build/bench/export.json"))
    return parser.parse_args()


def _fill(url: str, events: int) -> None:
    migrate(url, CLASSES)
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=back) for back in range(DAYS + 2)]
    rows = Path(__file__).with_name("export_rows.sql").read_bytes()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT audit.ensure_partitions('default', %s)", (days,))
        connection.execute(rows, {"events": events, "days": DAYS}, prepare=False)
        connection.execute("VACUUM ANALYZE")


def _round(url: str, folder: Path) -> list[Measured]:
    plain = "COPY (SELECT * FROM audit.events) TO STDOUT (FORMAT csv)"
    own_json = "COPY (SELECT row_to_json(event) FROM audit.events AS event) TO STDOUT"
    found = [_copied(url, "COPY", plain), _copied(url, "COPY of row_to_json", own_json)]
    return found + [_exported(url, folder, form) for form in FORMATS]


def _copied(url: str, what: str, statement: str) -> Measured:
    with psycopg.connect(url, autocommit=True) as connection:
        started = time.perf_counter()
        with connection.cursor().copy(statement.encode()) as copy:
            while copy.read():
                pass
        return Measured(what, time.perf_counter() - started)


def _exported(url: str, folder: Path, form: str) -> Measured:
    file = folder / f"events.{form}"
    environment = os.environ | {"AUDITGRAF_DATABASE_URL": url}
    command = [sys.executable, "-m", "collector", "export", "--output", str(file)]
    started = time.perf_counter()
    process = os.posix_spawn(sys.executable, command, environment)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(f"the export ended with {os.waitstatus_to_exitcode(status)}")
    file.unlink()
    return Measured(form, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _line(one: Measured, events: int) -> str:
    text = f"{one.what:20} {events / one.seconds:>9,.0f} events/s"
    if one.cpu_seconds is None or one.peak_mib is None:
        return text
    return f"{text}  {one.cpu_seconds / events * 1e6:5.1f} us CPU each  peak {one.peak_mib:4.0f} MiB"


def _report(measured: list[Measured], events: int, out: Path) -> None:
    middle = {
        what: statistics.median(one.seconds for one in measured if one.what == what)
        for what in dict.fromkeys(one.what for one in measured)
    }
    for what, seconds in middle.items():
        print(f"{what:20} {events / seconds:>9,.0f} events/s, {middle['COPY'] / seconds:.2f} of plain COPY")
    out.parent.mkdir(parents=True, exist_ok=True)
    document = {"events": events, "cpus": os.cpu_count(), "measured": [asdict(one) for one in measured]}
    out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
