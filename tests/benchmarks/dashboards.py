"""Every query of every dashboard over a day and over 90 days, on 10 million events.

    python -m tests.benchmarks.dashboards [--url URL] [--events N] [--days N] [--only TEXT] [--out FILE]

Without --url an embedded PostgreSQL is filled first, which takes about twenty minutes; with --url the database there is
filled only if it has no event yet, and stays. Times are warm: the best of three, after one that does not count.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString, cast

import psycopg
from psycopg import errors

from collector.config import as_role
from collector.embedded import EmbeddedPostgres
from exporter.store.migrate import migrate
from tests.grafana_sql import Values, expand, interpolate

CLASSES = {"default": timedelta(days=365), "log": timedelta(days=7)}
DASHBOARDS = Path("dashboards/json")
# What Grafana makes of a panel a thousand pixels wide, and how long a query may take (docs/architecture.md).
RANGES = {"24 h": (timedelta(days=1), "2m", 0.5), "90 d": (timedelta(days=90), "2h", 2.0)}
ROUNDS = 3
# Shares of an ordinary day's events: fewer at the weekend.
_WEEKDAYS = (1.15, 1.15, 1.15, 1.15, 1.15, 0.75, 0.5)

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Timing:
    """One query's seconds over one range, None where PostgreSQL gave up; what it may take; the rows it gave."""

    query: str
    range: str
    seconds: float | None
    limit: float
    rows: int

    @property
    def slow(self) -> bool:
        return self.seconds is None or self.seconds > self.limit


def main() -> None:
    options = _options()
    if options.url:
        _measure(options.url, options)
        return
    with tempfile.TemporaryDirectory(prefix="auditgraf-bench-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "postgres", settings=["max_wal_size=4GB"])
        server.start()
        try:
            _measure(server.url(), options)
        finally:
            server.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the owner's URL of a database that is for this alone")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--only", default="", help="part of a query's name")
    parser.add_argument("--out", type=Path, default=Path("build/bench/dashboards.json"))
    return parser.parse_args()


def _measure(url: str, options: argparse.Namespace) -> None:
    migrate(url, CLASSES)
    with psycopg.connect(url, autocommit=True) as owner:
        if owner.execute("SELECT FROM audit.volume_days LIMIT 1").fetchone() is None:
            fill(owner, options.events, options.days)
    with psycopg.connect(as_role(url, "auditgraf_reader"), autocommit=True) as reader:
        _report(list(timings(reader, options.only)), options.out)


def fill(owner: Connection, events: int, days: int) -> None:
    """Events of that many days up to today, counted and summarised as the collector would have done."""
    statements = _statements()
    owner.execute("SET synchronous_commit = off; SET jit = off; SET work_mem = '64MB'")
    for name in ("people", "places", "actions", "analyze", "source"):
        owner.execute(statements[name])
    today = datetime.now(UTC).date()
    wanted = [today - timedelta(days=ago) for ago in range(days)]
    ordinary = events / sum(_WEEKDAYS[day.weekday()] for day in wanted)
    for done, day in enumerate(wanted, start=1):
        count = round(ordinary * _WEEKDAYS[day.weekday()])
        _fill_day(
            owner, statements, day, {"default": count} | ({"log": count // 10} if done <= CLASSES["log"].days else {})
        )
        print(f"\r{done} of {days} days are filled", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    while owner.execute("SELECT audit.summarise_next()").fetchone() != (None,):
        pass
    owner.execute("VACUUM ANALYZE")


def _fill_day(owner: Connection, statements: dict[str, LiteralString], day: date, counts: dict[str, int]) -> None:
    for name, count in counts.items():
        place = {"class": name, "day": day, "events": count}
        owner.execute(statements["partition"], place)
        owner.execute(statements["events" if name == "default" else "logs"], place)
        owner.execute(statements["count"], place)


def _statements() -> dict[str, LiteralString]:
    text = Path(__file__).with_name("ninety_days.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return {name: cast("LiteralString", body) for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def timings(reader: Connection, only: str = "") -> Iterator[Timing]:
    """Times the queries whose name has the text `only`, each over all ranges."""
    for file in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(file.read_text(encoding="utf-8"))
        declared = dashboard["templating"]["list"]
        queries = dict(_queries(dashboard))
        end = _end(reader)
        for name, (span, interval, limit) in RANGES.items():
            values = _first_choices(reader, declared, end - span, end)
            for title, sql in queries.items():
                if only not in f"{file.stem}: {title}":
                    continue
                text = expand(interpolate(sql, declared, values), end - span, end, interval)
                seconds, rows = _time(reader, text)
                yield Timing(f"{file.stem}: {title}", name, seconds, limit, rows)


def _end(reader: Connection) -> datetime:
    """Now, or the newest event where that is longer ago: a database that was filled once can be measured any day."""
    [newest] = reader.execute("SELECT least(now(), max(occurred_at)) FROM audit.events").fetchone() or [None]
    if not isinstance(newest, datetime):
        raise SystemExit("there is no event to measure with; give the URL of an empty database, or none")
    return newest


def _queries(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    panels = [inner for panel in dashboard["panels"] for inner in (panel, *panel.get("panels", []))]
    for panel in panels:
        for number, target in enumerate(panel.get("targets", [])):
            if target.get("rawSql"):
                yield f"{panel['title']}{f' ({number + 1})' if number else ''}", target["rawSql"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield f"${variable['name']}", variable["query"]


def _first_choices(reader: Connection, declared: list[dict[str, Any]], start: datetime, end: datetime) -> Values:
    """An event that changed something, and for each variable with one choice what Grafana would choose: the first."""
    newest = "SELECT id::text FROM audit.events WHERE occurred_at > %s AND changes IS NOT NULL LIMIT 1"
    found = reader.execute(newest, (end - timedelta(days=2),)).fetchone()
    values: dict[str, str] = {"event_id": found[0]} if found else {}
    for variable in declared:
        if variable["type"] == "query" and not variable.get("multi"):
            text = expand(interpolate(variable["query"], declared, values), start, end)
            if row := reader.execute(text.encode()).fetchone():
                values[variable["name"]] = str(row[-1])
    return values


def _time(reader: Connection, sql: str) -> tuple[float | None, int]:
    taken = []
    rows = 0
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        try:
            rows = len(reader.execute(sql.encode()).fetchall())
        except errors.QueryCanceled:
            return None, 0
        taken.append(time.perf_counter() - started)
    return min(taken[1:]), rows


def _report(measured: list[Timing], out: Path) -> None:
    """A line for each query, and a file; exits with 1 where one is over its limit."""
    for each in sorted(measured, key=lambda timing: (timing.range, -(timing.seconds or 1e9))):
        shown = "gave up" if each.seconds is None else f"{each.seconds:7.3f} s"
        print(f"{each.range}  {shown}  {'OVER' if each.slow else '    '}  {each.rows:6} rows  {each.query}")
    figures = [
        {"query": each.query, "range": each.range, "seconds": each.seconds, "limit": each.limit, "rows": each.rows}
        for each in measured
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    over = sum(each.slow for each in measured)
    print(f"{len(measured)} timings, {over} over the limit; written to {out}")
    raise SystemExit(1 if over else 0)


if __name__ == "__main__":
    main()
