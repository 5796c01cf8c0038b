"""Distinct export requests of realistic records, and a sender that keeps several of them under way."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_ACTIONS = ("user.login", "user.logout", "model.updated", "order.created", "invoice.paid", "document.shared")


def request(records: int, seed: int, start_ns: int) -> bytes:
    """One request of `records` records with 8 attributes, about 360 bytes each; the seed makes it distinct."""
    draw = random.Random(seed)
    message = ExportLogsServiceRequest()
    resource_logs = message.resource_logs.add()
    for key, value in (("service.name", f"shop-{seed % 5}"), ("deployment.environment.name", "production")):
        resource_logs.resource.attributes.add(key=key).value.string_value = value
    scope_logs = resource_logs.scope_logs.add()
    scope_logs.scope.name = "shop.audit"
    for index in range(records):
        at = start_ns + index * 1000
        record = scope_logs.log_records.add(
            time_unix_nano=at,
            observed_time_unix_nano=at + 500,
            severity_number=9,
            severity_text="INFO",
            event_name=draw.choice(_ACTIONS),
            trace_id=draw.randbytes(16),
            span_id=draw.randbytes(8),
        )
        record.body.string_value = f"order {draw.randrange(10**7)} was touched by its owner"
        for key, value in (
            ("user.id", f"u-{draw.randrange(10_000)}"),
            ("user.name", f"user{draw.randrange(10_000)}"),
            ("client.address", f"81.2.{draw.randrange(256)}.{draw.randrange(1, 255)}"),
            ("http.request.method", "POST"),
            ("url.path", f"/orders/{draw.randrange(100_000)}"),
            ("session.id", draw.randbytes(8).hex()),
        ):
            record.attributes.add(key=key).value.string_value = value
        record.attributes.add(key="http.response.status_code").value.int_value = 200
        record.attributes.add(key="order.total").value.double_value = round(draw.random() * 100, 2)
    return message.SerializeToString()


async def send(target: str, payloads: Sequence[bytes], under_way: int) -> float:
    """Sends all payloads over gRPC, `under_way` at a time; the seconds until the last was acknowledged."""
    options = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        export: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
        waiting = iter(payloads)

        async def sender() -> None:
            for payload in waiting:
                await export(payload)

        await channel.channel_ready()
        started = time.perf_counter()
        await asyncio.gather(*(sender() for _ in range(under_way)))
        return time.perf_counter() - started
