"""Who notices: a verification is an audit event, and logs keep the chains' heads."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from collector.config import as_role
from exporter.store.integrity import Scope, log_heads, parse_heads, verify
from tests.integration.retained import command, fill, told
from tests.integration.sealed import tamper, verified
from tests.sending import Store, fetch, record, request

WRITTEN_ANEW = r"""
    DO $$
    DECLARE
        link audit.digests;
        before bytea := decode(repeat('00', 32), 'hex');
        after bytea;
    BEGIN
        FOR link IN SELECT * FROM audit.digests WHERE chain = 1 ORDER BY sequence LOOP
            after := sha256(before || convert_to(concat_ws(E'\n', link.form, 1, link.sequence,
                to_char(link.period, 'YYYY-MM-DD'), (extract(epoch FROM link.made_at) * 1000000)::bigint + 1, link.kind,
                link.retention_class, link.events, coalesce(link.detail, ''), link.covers), 'UTF8'));
            UPDATE audit.digests SET made_at = made_at + interval '1 us', previous = before, digest = after
            WHERE chain = 1 AND sequence = link.sequence;
            before := after;
        END LOOP;
    END
    $$
"""


def test_a_verification_is_an_audit_event_with_its_counts(database: str) -> None:
    fill(database, "log", 1)
    assert command(database, "verify").returncode == 0
    [event] = told(database, "integrity.verified")
    assert (event["outcome"], event["actor_type"], event["target_id"]) == ("success", "system", "audit.events")
    counts = {name: event["attributes"][f"integrity.{name}"] for name in ("events", "links", "partitions", "findings")}
    assert counts == {"events": 20, "links": 1, "partitions": 1, "findings": 0}
    tamper(database, "DELETE FROM audit.events_log WHERE message = 'event 1'")
    assert command(database, "verify", "--class", "log").returncode == 1
    _, event = told(database, "integrity.verified")
    assert (event["outcome"], event["severity"]) == ("failure", 17)
    assert event["attributes"]["integrity.found.deleted"] == 1
    assert event["attributes"]["integrity.class"] == "log"


def test_an_event_that_could_not_be_stored_now_is_stored_by_the_next_run(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = as_role(database, "auditgraf_writer").replace("/audit_", "/no_audit_")
    outcome = verify(database, Scope(), writer_url=nobody)
    assert outcome.findings == 0
    assert "stored by the next run of retention" in caplog.text
    assert told(database, "integrity.verified") == []
    assert fetch(database, "SELECT action FROM audit.journal") == [{"action": "integrity.verified"}]
    assert command(database, "retention", "run").returncode == 0
    assert len(told(database, "integrity.verified")) == 1


def test_a_log_of_heads_shows_a_chain_that_was_written_anew_between_two_of_them(
    store: Store, database: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.INFO)
    log = tmp_path / "collector.log"
    store.write(request(record("one")))
    heads = log_heads(database)
    assert heads.links == {1: (1, heads.links[1][1])}
    store.write(request(record("two")))
    log_heads(database)
    lines = [f"2026-11-23 03:00:00,000 INFO    x: {text}" for text in caplog.messages if "heads of the chains" in text]
    assert len(lines) == 2
    log.write_text("\n".join(["something else", *lines]), encoding="utf-8")
    assert command(database, "verify", "--against", str(log)).returncode == 0
    assert verified(database, against=parse_heads(log.read_text(encoding="utf-8"), "log")).findings == []

    # Whoever writes the chain anew has the next line say so; the line before it says otherwise.
    tamper(database, WRITTEN_ANEW)
    after = log_heads(database)
    assert verified(database, against=after).findings == []
    done = command(database, "verify", "--against", str(log))
    assert done.returncode == 1
    assert "link 1 of chain 1 is another one than has been kept elsewhere" in done.stdout
    newer = tmp_path / "newer.json"
    newer.write_text(after.text(), encoding="utf-8")
    assert command(database, "verify", "--against", str(newer)).returncode == 0
    assert command(database, "verify", "--against", str(newer), "--against", str(log)).returncode == 1
