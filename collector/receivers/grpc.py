"""OTLP/gRPC: LogsService/Export, the request left as the bytes it came in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import grpc

from collector.receivers import Answered, Sink, uncounted
from collector.receivers.status import Refusal, refusal_of, rejection_of, unavailable
from exporter.errors import ConfigError

METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

_SUCCESS = b""  # ExportLogsServiceResponse with partial_success unset
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[bytes, bytes]
    Handler = grpc.RpcMethodHandler[bytes, bytes]


class GrpcReceiver:
    """The gRPC server. One per process and address.

    `listen` is host:port (port 0: any free one); a message over `max_request_bytes`, inflated, is refused (by gRPC's
    library, before anything here could count it). `answered` is told about every other answer.
    """

    def __init__(self, sink: Sink, *, listen: str, max_request_bytes: int, answered: Answered = uncounted) -> None:
        self._sink = sink
        self._answered = answered
        self._listen = listen
        self._max_request_bytes = max_request_bytes
        self._server: grpc.aio.Server | None = None

    async def start(self) -> int:
        """Serves from now on; returns the port. Raises ConfigError where the address can't be had."""
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", self._max_request_bytes),
                # Else a second collector shares the port in silence and takes half of the connections.
                ("grpc.so_reuseport", 0),
            ]
        )
        server.add_generic_rpc_handlers((_LogsService(self._export),))
        try:
            port = server.add_insecure_port(self._listen)
        except RuntimeError:
            port = 0
        if port == 0:
            raise ConfigError(
                f"grpc.listen: {self._listen} can't be had: another program listens there, or it is no"
                " address of this machine; stop that program or set AUDITGRAF_GRPC_LISTEN to a free host:port"
            )
        await server.start()
        self._server = server
        return port

    async def stop(self, grace: float) -> None:
        """Takes no new requests; those under way have `grace` seconds to finish, then they are cancelled."""
        if self._server is not None:
            await self._server.stop(grace)

    async def _export(self, request: bytes, context: Context) -> bytes:
        try:
            if request:
                await self._sink.submit(request)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                self._answered("grpc", "CANCELLED")
                raise  # the sender hung up, or the server's grace is over: nobody waits for an answer
            # Only the sink gave up; the sender would wait for an answer until its deadline.
            await self._refuse(context, unavailable("the collector is stopping; send the request again"))
        except Exception as error:
            await self._refuse(context, refusal_of(error), rejection_of(error))
        else:
            self._answered("grpc", "OK")
        return _SUCCESS

    async def _refuse(self, context: Context, refused: Refusal, rejected: str | None = None) -> None:
        """Never returns: to abort a call is to raise."""
        trailers: list[tuple[str, bytes]] = [("grpc-status-details-bin", refused.status.SerializeToString())]
        if refused.retry is not None:
            # The Python exporter looks for RetryInfo here and nowhere else.
            trailers.append(("google.rpc.retryinfo-bin", refused.retry.SerializeToString()))
        code = _CODES[refused.status.code]
        self._answered("grpc", code.name, rejected)
        await context.abort(code, refused.status.message, tuple(trailers))


class _LogsService(grpc.GenericRpcHandler):
    """Knows one method; the server answers UNIMPLEMENTED to all others."""

    def __init__(self, export: Callable[[bytes, Context], Awaitable[bytes]]) -> None:
        self._handler: Handler = grpc.unary_unary_rpc_method_handler(export)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        return self._handler if handler_call_details.method == METHOD else None
