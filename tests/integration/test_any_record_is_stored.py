"""Whatever protobuf lets a sender say becomes a row, and PostgreSQL refuses none of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from psycopg.rows import dict_row

from exporter.otlp.decode import decode
from exporter.store.catalogue import Catalogue
from exporter.store.writer import Writer, Written
from exporter.transform import Transform
from tests.records import (
    ARRIVAL_NS,
    CLASSES,
    NASTY,
    READ,
    any_value,
    log_records,
    mapper,
    record,
    request,
    texts,
)

FORMS: list[Any] = [
    *NASTY,
    "x" * 5000,
    "\U0001f512" * 700,
    "1.2.3.4:5",
    "fe80::1%eth0",
    "/run/app.sock",
    "AS64512",
    "1e308",
    '{"a": {"before": "\\u0000", "after": [1e-300, 123456789012345678901234567890]}}',
    '{"a": {"after": ' + "[" * 400 + "]" * 400 + "}}",
    '{"": {"added": "\\ud800"}}',
    1e308,
    5e-324,
    float("nan"),
    -(2**63),
    b"\0\xff",
    [],
    {"": None},
    True,
    None,
]


class Store:
    """The way of a group from its bytes to the committed rows."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        self._catalogue = Catalogue(url)
        self._writer = Writer(url, self._catalogue)
        self._transform = Transform(mapper(), CLASSES)
        self._serial = itertools.count()

    def close(self) -> None:
        self.connection.close()
        self._writer.close()
        self._catalogue.close()

    def write(self, records: Sequence[LogRecord], resource: Any = ()) -> tuple[Written, list[dict[str, Any]]]:
        """Each record made different from all before; what became of them, and their rows as COPY was given them."""
        for made in records:
            made.attributes.add(key="test.serial", value=any_value(next(self._serial)))
        decoded = decode([request(*records, resource=resource).SerializeToString()])
        columns = [mapper().source_columns(source) for source in decoded.sources]
        ids = self._catalogue.source_ids(decoded.sources, columns)
        events = self._transform(decoded, ids, ARRIVAL_NS).events
        return self._writer.write(events), events.frame.to_dicts()

    def count(self, table: str) -> int:
        [row] = self.connection.execute(f"SELECT count(*) AS rows FROM audit.{table}").fetchall()
        return int(row["rows"])

    def stored(self, row: dict[str, Any]) -> dict[str, Any]:
        statement = "SELECT *, attributes::text, changes::text FROM audit.events WHERE id = %s"
        [found] = self.connection.execute(statement, (row["id"],)).fetchall()
        return found


def exact(text: str) -> Any:
    """JSON whose numbers compare by their digits: 2e16 may come back as 20000000000000000."""
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    made = Store(database)
    yield made
    made.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(log_records(texts | st.sampled_from(READ)), min_size=1, max_size=12),
    resource=st.lists(st.tuples(texts | st.sampled_from(READ), texts), max_size=3),
)
def test_whatever_protobuf_allows_is_stored_as_it_was_given(store: Store, records: Any, resource: Any) -> None:
    before = store.count("events")
    written, rows = store.write(records, resource)
    assert written == Written(stored=len(records))
    assert store.count("events") == before + len(records)
    assert store.count("quarantine") == 0
    for row in rows:
        found = store.stored(row)
        assert exact(found["attributes"]) == exact(row["attributes"])
        assert exact(found["changes"] or "null") == exact(row["changes"] or "null")
        same = (
            "action",
            "actor_id",
            "country",
            "message",
            "occurred_ns",
            "observed_ns",
            "severity",
            "user_agent",
        )
        assert {name: found[name] for name in same} == {name: row[name] for name in same}
        assert str(found["client_ip"] or "") == (row.get("client_ip") or "")


def test_every_form_of_value_in_every_attribute_that_columns_read_is_stored(store: Store) -> None:
    records = [record({key: form}, body=form) for key in READ for form in FORMS]
    written, _ = store.write(records)
    assert written == Written(stored=len(records))
    assert store.count("quarantine") == 0


def test_an_attribute_of_a_mebibyte_and_ten_thousand_attributes_are_stored(store: Store) -> None:
    records = [
        record({"user.id": "\x01" * (1 << 20), "key": '"' * (1 << 20)}),
        record({f"key.{index}": index for index in range(10_000)}),
        record({"k" * (1 << 20): "v"}, event_name="e" * (1 << 20)),
    ]
    written, rows = store.write(records)
    assert written == Written(stored=3)
    assert "truncated" in store.stored(rows[0])["flags"]
    assert exact(store.stored(rows[0])["attributes"])["user.id"] == "\x01" * (1 << 20)
    assert len(exact(store.stored(rows[1])["attributes"])) == 10_001
