"""Requests that are taken in several parts: still whole or not at all, and nothing merged that is not the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import psycopg
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from collector.config import Limits
from collector.pipeline import Pipeline
from exporter.errors import MalformedRequestError, RejectedRequestError, RequestTooLargeError
from exporter.mapping.compile import Mapper
from exporter.mapping.rules import load_all
from exporter.otlp.decode import PART_RECORDS
from exporter.store.catalogue import Catalogue
from exporter.store.writer import Writer
from exporter.transform import Transform

CLASSES = {"default": timedelta(days=365), "log": timedelta(days=7)}
MORE_THAN_A_PART = PART_RECORDS + 500


def equal_records(count: int, *, event_name: str = "user.login") -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    now = time.time_ns()
    for _ in range(count):
        records.add(event_name=event_name, time_unix_nano=now).body.string_value = "the same"
    return request


def stored(database: str) -> int:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT count(*) FROM audit.events").fetchone()
    assert row is not None
    return int(row[0])


def pipeline_for(database: str, *, unmatched: str = "keep", limits: Limits | None = None) -> Pipeline:
    catalogue = Catalogue(database)
    transform = Transform(Mapper(load_all((), CLASSES)), CLASSES, unmatched=unmatched)
    return Pipeline(transform, catalogue, Writer(database, catalogue), limits or Limits())


@pytest.fixture
async def pipeline(database: str) -> AsyncIterator[Pipeline]:
    made = pipeline_for(database)
    made.start()
    yield made
    await made.stop()


async def test_equal_records_in_different_parts_of_a_request_are_all_kept(pipeline: Pipeline, database: str) -> None:
    await pipeline.submit(equal_records(MORE_THAN_A_PART).SerializeToString())
    assert stored(database) == MORE_THAN_A_PART


async def test_retry_of_a_request_in_several_parts_stores_nothing_twice(pipeline: Pipeline, database: str) -> None:
    payload = equal_records(MORE_THAN_A_PART).SerializeToString()
    await pipeline.submit(payload)
    await pipeline.submit(payload)
    assert stored(database) == MORE_THAN_A_PART
    assert pipeline.counts.duplicates == MORE_THAN_A_PART


async def test_a_malformed_last_record_refuses_all_parts_of_its_request(pipeline: Pipeline, database: str) -> None:
    request = equal_records(MORE_THAN_A_PART)
    request.resource_logs[0].scope_logs[0].log_records[-1].body.string_value = "to be broken"
    # No UTF-8, behind all the good records: found only when its own part is decoded.
    with pytest.raises(MalformedRequestError):
        await pipeline.submit(request.SerializeToString().replace(b"to be broken", b"\xff" * 12))
    assert stored(database) == 0


async def test_one_unwanted_record_refuses_all_parts_of_its_request(database: str) -> None:
    pipeline = pipeline_for(database, unmatched="reject")
    pipeline.start()
    request = equal_records(MORE_THAN_A_PART)
    request.resource_logs[0].scope_logs[0].log_records.add(time_unix_nano=1).body.string_value = "a plain line"
    try:
        with pytest.raises(RejectedRequestError):
            await pipeline.submit(request.SerializeToString())
    finally:
        await pipeline.stop()
    assert stored(database) == 0


async def test_more_records_than_the_limit_are_refused_without_being_decoded(database: str) -> None:
    pipeline = pipeline_for(database, limits=Limits(max_request_records=10))
    pipeline.start()
    try:
        await pipeline.submit(equal_records(10).SerializeToString())
        with pytest.raises(RequestTooLargeError, match="11 records in one request; send at most 10"):
            await pipeline.submit(equal_records(11).SerializeToString())
    finally:
        await pipeline.stop()
    assert stored(database) == 10


async def test_a_request_beyond_any_limit_fails_alone(database: str) -> None:
    pipeline = pipeline_for(database, limits=Limits(max_record_bytes=2048, max_request_sources=3))
    pipeline.start()
    long = equal_records(1)
    long.resource_logs[0].scope_logs[0].log_records[0].body.string_value = "x" * 3000
    scattered = equal_records(1, event_name="from.everywhere")
    for _ in range(3):
        scattered.resource_logs.add().scope_logs.add().log_records.add(event_name="from.everywhere")
    try:
        answers = await asyncio.gather(
            pipeline.submit(long.SerializeToString()),
            pipeline.submit(scattered.SerializeToString()),
            pipeline.submit(equal_records(2).SerializeToString()),
            return_exceptions=True,
        )
    finally:
        await pipeline.stop()
    assert [type(answer) for answer in answers] == [RequestTooLargeError, RequestTooLargeError, type(None)]
    assert "bytes in one record; send at most 2048" in str(answers[0])
    assert str(answers[1]) == "4 resources and scopes in one request; send at most 3"
    assert stored(database) == 2
