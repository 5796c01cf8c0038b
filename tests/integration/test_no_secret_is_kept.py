"""Known secrets, sent in every place that a record has, are in no table, no log line and no answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from psycopg import sql

from collector.spool import file
from exporter.otlp.encode import any_value, key_values
from exporter.redaction import Redaction
from exporter.redaction.redactor import Redactor
from exporter.transform import Transform
from tests.collector_process import collector
from tests.integration.test_writer_faults import with_bad_address
from tests.records import CLASSES, mapper
from tests.secret_samples import CONTEXTS, FOUND
from tests.sending import Store, count

# By its name alone: nothing about these words says what they are.
NAMED = ("correct-horse", "battery-staple")
PRESETS = "{mapping: {presets: [json, authentik, kubernetes]}}"


def places(text: str) -> list[LogRecord]:
    """Records with the text in each place that a record has."""
    document = json.dumps({"event_type": "x", "note": text, "inside": {"list": [text]}})
    changed = {"field": {"before": text, "after": "other"}, "deep": {"before": {"a": [text]}, "after": None}}
    return [
        made(body=text),
        made(body={"note": text, "list": [text, {"a": text}]}),
        made(body=document),
        made(body=document[:-3]),
        made(event_name=text),
        made(severity_text=text),
        made(attributes={"note": text, "user.name": text, "client.address": text, "url.full": text}),
        made(attributes={"nested": {"a": {"b": [text]}}, "user": {"name": text}}),
        made(attributes={"audit.action": "UPDATE", "audit.changes": changed}),
        made(attributes={"audit.action": "UPDATE", "audit.changes": json.dumps(changed)}),
        made(attributes={"email.before": text, "email.after": "other"}),
    ]


def named(text: str) -> list[LogRecord]:
    """Records with the text under names that say that it is a secret."""
    inside = {"db": {"password": text, "api_key": [text]}, "clientSecret": text}
    return [
        made(attributes={"db.password": text, "Authorization": text, "http.request.header.cookie": [text]}),
        made(attributes={"config": inside, "user": inside}),
        made(body=inside),
        made(body=json.dumps({"event_type": "x", **inside})),
        made(attributes={"audit.changes": {"password": {"before": text, "after": "new"}}}),
        made(attributes={"audit.changes": {"x": {"before": inside, "after": None}}}),
        made(attributes={"password.before": "old", "password.after": text}),
        made(body=json.dumps({"event": "Created Event", "logger": "authentik.x", "action": "model_updated",
                              "context": {"diff": {"token": {"previous_value": text, "new_value": "other"}}}})),
    ]  # fmt: skip


def made(attributes: dict[str, Any] | None = None, body: Any = None, **fields: Any) -> LogRecord:
    record = LogRecord(body=any_value(body), **fields)
    record.attributes.extend(key_values(attributes or {}))
    return record


def of(records: list[LogRecord], text: str, key: str) -> bytes:
    """A request whose resource and scope have the text too."""
    request = ExportLogsServiceRequest()
    resource_logs = request.resource_logs.add()
    resource_logs.resource.attributes.extend(key_values({"service.name": "shop", key: text, "more": {key: [text]}}))
    scope_logs = resource_logs.scope_logs.add()
    scope_logs.scope.attributes.extend(key_values({key: text}))
    scope_logs.log_records.extend(records)
    return request.SerializeToString()


def requests() -> list[tuple[str, bytes]]:
    secrets = [(secret, secret) for _, secret in FOUND] + [(text, secret) for _, text, secret in CONTEXTS]
    sent = [(secret, of(places(text), text, "note")) for text, secret in secrets]
    return sent + [(secret, of(named(secret), secret, "db.password")) for secret in NAMED]


def everything(url: str) -> str:
    """All rows of all tables of the schema, as text."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind = 'r'"
        ).fetchall()
        rows: list[str] = []
        for (table,) in tables:
            statement = sql.SQL("SELECT row_to_json(t)::text FROM {} t").format(sql.Identifier("audit", table))
            rows += (row[0] for row in connection.execute(statement).fetchall())
    return "\n".join(rows)


def found_in(text: str) -> list[str]:
    # Short words of the samples (1234) are in anything.
    return sorted({secret for secret, _ in requests() if len(secret) > 6 and secret in text})


def test_no_table_log_line_or_answer_has_a_known_secret(database: str, tmp_path: Path) -> None:
    log = tmp_path / "collector.log"
    config = tmp_path / "auditgraf.yaml"
    config.write_text(PRESETS)
    environ = {"AUDITGRAF_CONFIG": str(config), "AUDITGRAF_LOG_LEVEL": "debug"}
    with collector(database, environ, log=log, arguments=["--trace", "shop"]) as running:
        answers = [running.post(payload) for _, payload in requests()]
        assert {status for status, _, _ in answers} == {200}
        secret = NAMED[0]
        _, _, refused = running.post(b"\xff" + secret.encode(), "application/x-protobuf")
        _, _, also = running.post(json.dumps({"resourceLogs": secret}).encode(), "application/json")
    stored = everything(database)
    assert count(database) == sum(len(of_records(payload)) for _, payload in requests())
    assert not found_in(stored)
    assert "[redacted]" in stored
    assert '"changed": true' in stored or '"changed":true' in stored
    told = log.read_text(errors="replace")
    assert "trace: " in told
    assert not found_in(told)
    assert not found_in(" ".join(body.decode(errors="replace") for body in (refused, also)))


def of_records(payload: bytes) -> list[LogRecord]:
    request = ExportLogsServiceRequest.FromString(payload)
    return list(request.resource_logs[0].scope_logs[0].log_records)


def test_nor_has_the_spool(tmp_path: Path) -> None:
    nobody = "postgresql://auditgraf@127.0.0.1:1/audit"
    config, spool = tmp_path / "auditgraf.yaml", tmp_path / "spool"
    config.write_text(PRESETS)
    with collector(nobody, {"AUDITGRAF_CONFIG": str(config), "AUDITGRAF_SPOOL_PATH": str(spool)}) as running:
        assert {running.post(payload)[0] for _, payload in requests()} == {200}
    batches = [file.read(path.read_bytes()) for path in spool.iterdir()]
    assert sum(map(len, batches)) == sum(len(of_records(payload)) for _, payload in requests())
    kept = "\n".join(f"{batch.events.frame.to_dicts()} {batch.origins}" for batch in batches)
    assert "[redacted]" in kept
    assert not found_in(kept)


def test_nor_has_the_quarantine(database: str) -> None:
    store = Store(database)
    store.transform = Transform(mapper(presets=("json",)), CLASSES, redactor=Redactor(Redaction(), None))
    try:
        for _, payload in requests()[-4:]:
            events = store.events([payload])
            store.writer.write(with_bad_address(events, *range(len(events))))
    finally:
        store.close()
    stored = everything(database)
    assert "[redacted]" in stored
    assert not found_in(stored)
