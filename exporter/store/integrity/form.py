"""Form 1 of an event's digest: as audit.leaf_expression() has it, which nothing that verifies asks."""

from __future__ import annotations

from psycopg import sql

# In this order, in PostgreSQL's binary form of a record.
COLUMNS = (
    "id",
    "occurred_at",
    "received_at",
    "occurred_ns",
    "observed_ns",
    "source_id",
    "severity",
    "severity_text",
    "action",
    "outcome",
    "actor_id",
    "actor_name",
    "actor_email",
    "actor_type",
    "on_behalf_of",
    "client_ip",
    "client_address",
    "country",
    "city",
    "latitude",
    "longitude",
    "asn",
    "as_org",
    "target_type",
    "target_id",
    "target_name",
    "service",
    "environment",
    "tenant",
    "session_id",
    "trace_id",
    "span_id",
    "user_agent",
    "message",
    "changes",
    "attributes",
    "flags",
)
DIGEST = sql.SQL("sha256(record_send(ROW({})))").format(sql.SQL(", ").join(map(sql.Identifier, COLUMNS)))
LEAF = sql.SQL("uuid_send(id) || {}").format(DIGEST)
