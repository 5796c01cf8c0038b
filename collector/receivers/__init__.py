"""OTLP receivers: bytes in, an answer once they are committed. They know the pipeline, not what is behind."""

from __future__ import annotations

from typing import Protocol


class Sink(Protocol):
    """Where the receivers hand requests over."""

    async def submit(self, payload: bytes) -> None:
        """Returns once every record of `payload` (an ExportLogsServiceRequest, plain protobuf) is committed.

        Raises MalformedRequestError or RejectedRequestError (permanent) or StoreUnavailableError (passes).
        """
