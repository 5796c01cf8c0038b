"""Event ids: the same for a retry however it is batched, different for what was sent twice on purpose."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from exporter.identity import Repetitions
from exporter.otlp import decode as decoding
from exporter.otlp.decode import open_requests
from exporter.transform import Transform
from tests.records import (
    ARRIVAL_NS,
    CLASSES,
    OCCURRED_NS,
    event,
    events,
    filled,
    log_records,
    mapper,
    record,
    request,
    transform,
)


def ids(*requests: ExportLogsServiceRequest, **options: Any) -> list[str]:
    return [row["id"] for row in events(*requests, **options)]


def id_of(made: LogRecord, **options: Any) -> str:
    return str(event(made, **options)["id"])


def test_an_id_is_a_uuid_of_version_7_with_the_milliseconds_of_the_event() -> None:
    for serial in range(50):
        made = uuid.UUID(id_of(record({"serial": serial})))
        assert (made.version, made.variant) == (7, uuid.RFC_4122)
        assert made.int >> 80 == OCCURRED_NS // 1_000_000


def test_ids_differ_in_all_of_their_74_bits() -> None:
    made = [uuid.UUID(text).int for text in ids(request(*(record({"serial": serial}) for serial in range(100))))]
    differing = 0
    for one in made:
        differing |= one ^ made[0]
    assert differing == (0x0FFF << 64) | 0x3FFF_FFFF_FFFF_FFFF


def test_a_retry_has_the_same_ids() -> None:
    sent = request(record({"a": 1}), record(body="x"), record(body="x"), resource={"service.name": "shop"})
    assert ids(sent) == ids(sent)


def test_identical_records_of_one_request_are_different_events_and_stay_so_in_a_retry() -> None:
    same = [record({"a": 1}) for _ in range(3)]
    first = ids(request(*same))
    assert len(set(first)) == 3
    assert ids(request(record({"b": 2}), *same))[1:] == first


def test_identical_records_of_different_requests_are_one_event() -> None:
    one, other = ids(request(record({"a": 1})), request(record({"a": 1})))
    assert one == other


def test_equal_records_of_different_sources_are_different_events() -> None:
    shop = request(record(), resource={"service.name": "shop"})
    bank = request(record(), resource={"service.name": "bank"})
    scoped = request(record(), resource={"service.name": "bank"}, scope="audit")
    assert len(set(ids(shop, bank, scoped))) == 3


def unlike_records() -> list[LogRecord]:
    """Records that differ from each other in one thing each."""
    return [
        record([("k", 1)]),
        record([("k", 2)]),
        record([("k", "1")]),
        record([("k", [1])]),
        record([("k", 1.0)]),
        record([("l", 1)]),
        record([("k", 1), ("k", 1)]),
        record([("k", None)]),
        record([("k", "")]),
        record([('k":1,"l', 1)]),
        record([("k", 1), ("l", 1)]),
        record(body="k"),
        record(body=["k"]),
        record(body=""),
        record(event_name="k"),
        record(severity_text="k"),
        record(severity_number=1),
        record(flags=1),
        record(dropped_attributes_count=1),
        record(trace_id=b"k"),
        record(span_id=b"k"),
        record(observed_time_unix_nano=1),
        record(time_unix_nano=OCCURRED_NS + 1),
        record(),
    ]


def test_records_that_differ_in_anything_have_different_ids() -> None:
    made = unlike_records()
    assert len({id_of(one) for one in made}) == len(made)
    assert len(set(ids(request(*made)))) == len(made)


@settings(max_examples=40, deadline=None)
@given(st.lists(log_records(), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_an_id_is_the_same_alone_in_any_batch_and_in_any_order(records: list[LogRecord], random: Any) -> None:
    for serial, made in enumerate(records):
        made.time_unix_nano = OCCURRED_NS - serial  # no two alike
    alone = [id_of(made) for made in records]
    assert ids(request(*records)) == alone
    order = random.sample(range(len(records)), len(records))
    cut = random.randint(0, len(records))
    batched = ids(
        request(record({"log.record.uid": "another's"}), *(records[index] for index in order[:cut])),
        request(*(records[index] for index in order[cut:]), record(body="x", event_name="y")),
    )
    assert batched[1:-1] == [alone[index] for index in order]


@settings(max_examples=15, deadline=None)
@given(st.lists(log_records(), min_size=1, max_size=6), st.integers(1, 4))
def test_a_group_taken_in_parts_has_the_rows_and_ids_of_the_whole(records: list[LogRecord], size: int) -> None:
    made = request(*records, *records, resource={"service.name": "shop"})
    transformation = Transform(mapper(), CLASSES)
    envelope = open_requests([made.SerializeToString(), made.SerializeToString()])
    source_ids = np.arange(1, len(envelope.sources) + 1)
    repetitions = Repetitions()
    rows = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "PART_RECORDS", size)
        parts = envelope.parts()
    assert len(parts) == -(-len(envelope) // size)
    for part in parts:
        rows += transformation(envelope.records(part), source_ids, ARRIVAL_NS, repetitions).events.frame.to_dicts()
    whole = transform(made, made).events.frame.to_dicts()
    assert [filled(row) for row in rows] == [filled(row) for row in whole]


@pytest.mark.parametrize("key", ["log.record.uid", "audit.record.id"])
def test_the_senders_own_id_decides_and_nothing_else(key: str) -> None:
    assert id_of(record({key: "1"})) == id_of(record({key: "1", "a": 2}, body="other"))
    assert id_of(record({key: "1"})) != id_of(record({key: "2"}))
    one, other = ids(request(record({key: "1"}), record({key: "1"})))
    assert one == other


def test_the_audit_drafts_id_goes_before_the_conventions() -> None:
    both = record({"log.record.uid": "u", "audit.record.id": "a"})
    assert id_of(both) == id_of(record({"audit.record.id": "a"}))
    assert id_of(record({"log.record.uid": "u", "audit.record.id": ""})) == id_of(record({"log.record.uid": "u"}))


def test_an_empty_id_of_the_sender_is_none() -> None:
    nameless = [record({"audit.record.id": ""}), record({"audit.record.id": ""})]
    made = ids(request(record({"audit.record.id": "a"}), *nameless))
    assert len(set(made)) == 3
    assert made[1:] == ids(request(*nameless))


def test_an_id_does_not_depend_on_the_rules() -> None:
    made = record({"user.id": "anna", "secret": 1, "k": 2}, event_name="login")
    rules = """
version: 1
fields: {target_id: [k]}
rules:
  - name: everything
    match: all
    set: {action: other, "attributes.more": true}
    drop: [secret]
    rename: {k: l}
    class: security
"""
    assert id_of(made) == id_of(made, rules=rules)


def test_an_undated_record_keeps_its_content_whenever_it_arrives() -> None:
    twice = request(record({"a": 1}, time_unix_nano=0), record({"a": 1}, time_unix_nano=0), record())
    first, again = (transform(twice).events.arrivals for _ in range(2))
    assert first is not None and again is not None
    assert first["row"].to_list() == [0, 1]
    assert first["undated"].to_list() == [True, True]
    assert first["content"].n_unique() == 2
    assert first["content"].to_list() == again["content"].to_list()


def test_an_undated_record_has_the_milliseconds_of_its_arrival_in_its_id() -> None:
    made = uuid.UUID(id_of(record(time_unix_nano=0)))
    assert made.int >> 80 == ARRIVAL_NS // 1_000_000
