"""Both receivers in a thread with a loop of its own, so that tests can be plain blocking clients."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from collector.receivers.grpc import GrpcReceiver
from collector.receivers.http import HttpReceiver
from exporter.errors import MalformedRequestError

Result = TypeVar("Result")

LIMIT = 64 << 20
WAIT = 20.0  # seconds until a condition that never comes fails its test


class RecordingSink:
    """Keeps what is submitted. A commit goes on when its request is cancelled, as the pipeline's do."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.attempts = 0
        self.failures: deque[BaseException] = deque()
        self._held: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] | None = None
        self._changed = threading.Condition()

    async def submit(self, payload: bytes) -> None:
        with self._changed:
            self.attempts += 1
            self._changed.notify_all()
        if self.failures:
            raise self.failures.popleft()
        try:
            ExportLogsServiceRequest.FromString(payload)
        except DecodeError as error:
            raise MalformedRequestError(f"the body is no ExportLogsServiceRequest: {error}") from None
        await asyncio.shield(asyncio.ensure_future(self._commit(payload)))

    async def _commit(self, payload: bytes) -> None:
        released = asyncio.Event()
        with self._changed:
            if self._held is None:
                released.set()
            else:
                self._held.append((asyncio.get_running_loop(), released))
        await released.wait()
        with self._changed:
            self.payloads.append(payload)
            self._changed.notify_all()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """No commit finishes within the block."""
        with self._changed:
            held = self._held = []
        try:
            yield
        finally:
            with self._changed:
                self._held = None
            for loop, released in held:
                loop.call_soon_threadsafe(released.set)

    def wait_for_attempts(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.attempts >= count, WAIT)

    def wait_for_payloads(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.payloads) >= count, WAIT)

    @property
    def requests(self) -> list[ExportLogsServiceRequest]:
        return [ExportLogsServiceRequest.FromString(payload) for payload in self.payloads]

    def forget(self) -> None:
        self.payloads.clear()
        self.failures.clear()
        self.attempts = 0


class Service:
    """Receivers on free ports of the loopback address."""

    def __init__(
        self,
        *,
        limit: int = LIMIT,
        origins: tuple[str, ...] = (),
        idle_timeout: int = 75,
        listen: str = "127.0.0.1:0",
    ) -> None:
        self.sink = RecordingSink()
        self.missing: str | BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.grpc = GrpcReceiver(self.sink, listen=listen, max_request_bytes=limit)
        self.http = HttpReceiver(
            self.sink,
            listen=listen,
            max_request_bytes=limit,
            ready=self._ready,
            cors_allowed_origins=origins,
            idle_timeout=idle_timeout,
        )
        self.grpc_port = self.run(self.grpc.start())
        self.http_port = self.run(self.http.start())

    async def _ready(self) -> str | None:
        if isinstance(self.missing, BaseException):
            raise self.missing
        return self.missing

    def submit(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.submit(work).result(WAIT)

    def stop(self, grace: float = 0.5) -> None:
        self.run(self.grpc.stop(grace))
        self.run(self.http.stop(grace))

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT)
        self._loop.close()


@contextmanager
def serving(**options: Any) -> Iterator[Service]:
    service = Service(**options)
    try:
        yield service
    finally:
        service.close()
