"""OTLP receivers: bytes in, an answer once they are committed. They know the pipeline, not what is behind."""

from __future__ import annotations

from typing import Protocol


class Answered(Protocol):
    """Who counts the answers."""

    def __call__(self, protocol: str, status: str, rejected: str | None = None) -> None:
        """A request was answered over `protocol` (grpc or http) with `status` (gRPC's name, or HTTP's number).

        `rejected`: why it must not come again as it is, one of status.REJECTED_WHERE; None where it may or was taken.
        """


def uncounted(protocol: str, status: str, rejected: str | None = None) -> None:
    """For receivers whose answers nobody counts."""


class Sink(Protocol):
    """Where the receivers hand requests over."""

    async def submit(self, payload: bytes) -> None:
        """Returns once every record of `payload` (an ExportLogsServiceRequest, plain protobuf) is committed.

        Raises MalformedRequestError or RejectedRequestError (permanent) or StoreUnavailableError (passes).
        """
