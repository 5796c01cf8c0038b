"""What the mapping costs, next to what PostgreSQL spends on the same rows in the same run: one COPY of them.

    python -m tests.benchmarks.mapping [--records N] [--rounds N] [--out FILE]

Two loads: records with attributes, and records whose body is a JSON document of one of several systems. All presets are
on. CPU time is the mapping thread's own; the limit is wall time, as in tests.benchmarks.ingest.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np
import psycopg

from collector.embedded import EmbeddedPostgres
from exporter.document import loads
from exporter.mapping.compile import Mapper
from exporter.mapping.rules import load_all, preset_names
from exporter.otlp.decode import Records, decode
from exporter.otlp.encode import of_lines
from exporter.redaction import Redaction
from exporter.redaction.redactor import Redactor
from exporter.store.catalogue import Catalogue
from exporter.store.migrate import migrate
from exporter.store.writer import copy
from exporter.transform import Transform
from tests.benchmarks.load import request

CLASSES = {"default": timedelta(days=365), "log": timedelta(days=7)}
GROUP = 5_000
RULES = 1_000
_MATCHES = (
    "{event: {one_of: [a%d, b%d]}, service: {glob: 'x-%d*'}}",
    "{attributes: {k%d: {at_least: 3}, user.n%d: {regex: '^u-%d'}}}",
    "{any: [{event: e%d}, {attributes: {p.q%d: {exists: true}}}], not: {service: s%d}}",
)


def main() -> None:
    options = _options()
    figures: dict[str, object] = {"rules_seconds": round(_thousand_rules(), 3)}
    print(f"{RULES} rules of one's own: {figures['rules_seconds']} s", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="auditgraf-bench-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "postgres", settings=["shared_buffers=512MB", "max_wal_size=8GB"])
        server.start()
        try:
            for name, payloads in (("attributes", _attributes), ("documents", _documents)):
                figures[name] = _load(server, name, payloads(options.records), options.rounds)
        finally:
            server.stop()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"written to {options.out}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("build/bench/mapping.json"))
    return parser.parse_args()


def _thousand_rules() -> float:
    """Seconds of CPU from the text of a thousand rules to what maps records."""
    rules = "".join(
        f"  - {{name: r{number}, match: {_MATCHES[number % 3] % (number, number, number)}, "
        f"copy: {{target_id: [t.id, {{template: '{{a.b}}-{number}'}}]}}, set: {{action: a.{number}}}, "
        "class: default}\n"
        for number in range(RULES)
    )
    started = time.process_time()
    Mapper(load_all([loads(f"version: 1\nrules:\n{rules}", "rules.yaml")], CLASSES))
    return time.process_time() - started


def _attributes(count: int) -> list[bytes]:
    start = time.time_ns() - 60 * 10**9
    return [request(1000, seed, start + seed * 10**6) for seed in range(count // 1000)]


def _documents(count: int) -> list[bytes]:
    draw = random.Random(7)
    at = datetime.now(UTC) - timedelta(minutes=1)
    made = (_kubernetes, _cloudtrail, _authentik)
    texts = [json.dumps(made[index % 3](draw, at + timedelta(milliseconds=index))) for index in range(count)]
    return [of_lines(texts[start : start + 1000], "forwarder").SerializeToString() for start in range(0, count, 1000)]


def _kubernetes(draw: random.Random, at: datetime) -> dict[str, object]:
    name = f"pod-{draw.randrange(10**6)}"
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"{draw.getrandbits(128):032x}",
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/namespaces/shop/pods/{name}",
        "verb": draw.choice(["get", "list", "create", "delete"]),
        "user": {"username": f"user{draw.randrange(5000)}@example.com", "groups": ["ops", "system:authenticated"]},
        "sourceIPs": [f"198.51.100.{draw.randrange(256)}"],
        "userAgent": "kubectl/v1.31.0 (linux/amd64)",
        "objectRef": {"resource": "pods", "namespace": "shop", "name": name, "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": draw.choice([200, 201, 403])},
        "requestReceivedTimestamp": at.isoformat(),
        "annotations": {"authorization.k8s.io/decision": "allow"},
    }


def _cloudtrail(draw: random.Random, at: datetime) -> dict[str, object]:
    user = f"user{draw.randrange(5000)}"
    return {
        "eventVersion": "1.09",
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/{user}", "userName": user},
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "s3.amazonaws.com",
        "eventName": draw.choice(["GetObject", "PutBucketPolicy", "DeleteObject"]),
        "awsRegion": "eu-central-1",
        "sourceIPAddress": f"203.0.113.{draw.randrange(256)}",
        "userAgent": "aws-cli/2.17",
        "requestParameters": {"bucketName": f"bucket-{draw.randrange(300)}", "key": f"k/{draw.randrange(10**6)}"},
        "responseElements": None,
        "eventID": f"{draw.getrandbits(128):032x}",
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
    }


def _authentik(draw: random.Random, at: datetime) -> dict[str, object]:
    user = f"user{draw.randrange(5000)}"
    return {
        "event": "Created Event",
        "logger": "authentik.events.models",
        "level": "info",
        "action": draw.choice(["login", "login_failed", "model_updated"]),
        "app": "authentik.events.signals",
        "client_ip": f"192.0.2.{draw.randrange(256)}",
        "context": {"http_request": {"path": "/api/v3/flows/", "method": "POST", "user_agent": "Mozilla/5.0"}},
        "user": {"pk": draw.randrange(5000), "username": user, "email": f"{user}@example.com"},
        "timestamp": at.replace(tzinfo=None).isoformat(),
        "pid": 7,
    }


def _load(server: EmbeddedPostgres, name: str, payloads: list[bytes], rounds: int) -> dict[str, float]:
    groups = [decode(payloads[start : start + GROUP // 1000]) for start in range(0, len(payloads), GROUP // 1000)]
    count = sum(map(len, groups))
    mapper = Mapper(load_all((), CLASSES, preset_names()))
    redactor = Redactor(Redaction(), None)
    measured: dict[str, list[float]] = {"parse": [], "redact": [], "map": [], "limit": []}
    for _ in range(rounds):
        parsed = _timed(measured["parse"], groups, mapper.parse)
        redacted = _timed(measured["redact"], parsed, lambda group: redactor.records(group)[0])
        _timed(measured["map"], redacted, mapper.map)
        measured["limit"].append(_limit(server, groups, Transform(mapper, CLASSES, redactor=redactor)))
    figures = {f"{step}_us": round(median(seconds) / count * 1e6, 2) for step, seconds in measured.items()}
    whole = sum(figures[f"{step}_us"] for step in ("parse", "redact", "map"))
    figures["share_of_limit"] = round(whole / figures["limit_us"], 3)
    print(
        f"{name}: {count} records, all presets: parse {figures['parse_us']} + redact {figures['redact_us']} "
        f"+ map {figures['map_us']} = {whole:.1f} us of CPU a record; COPY {figures['limit_us']} us a row; "
        f"{figures['share_of_limit']} of it",
        file=sys.stderr,
    )
    return figures


def _timed(into: list[float], groups: Sequence[Records], step: Callable[[Records], object]) -> list[Records]:
    started = time.thread_time()
    made = [step(group) for group in groups]
    into.append(time.thread_time() - started)
    return made  # type: ignore[return-value]


def _limit(server: EmbeddedPostgres, groups: list[Records], transform: Transform) -> float:
    """Seconds of one COPY of the rows that the groups become, rendered beforehand."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS bench WITH (FORCE)")
        connection.execute("CREATE DATABASE bench")
        connection.execute("CHECKPOINT")
    url = server.url("bench")
    migrate(url, CLASSES)
    catalogue = Catalogue(url)
    frames = []
    for group in groups:
        origins = [transform.mapper.source_columns(source) for source in group.sources]
        ids = catalogue.source_ids(group.sources, origins)
        made = transform(group, np.asarray(ids), time.time_ns()).events
        catalogue.ensure_partitions(made.days())
        frames += list(made.by_class())
    catalogue.close()
    with psycopg.connect(url) as connection:
        started = time.perf_counter()
        for retention_class, frame in frames:
            copy(connection, psycopg.sql.Identifier("audit", f"events_{retention_class}"), frame)
        connection.commit()
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
