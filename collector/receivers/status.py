"""google.rpc.Status: what OTLP senders are told when a request is not taken, the same over gRPC and HTTP."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

import orjson
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from exporter.errors import MalformedRequestError, RejectedRequestError, RequestTooLargeError, StoreUnavailableError

log = logging.getLogger(__name__)

# Bytes. gRPC clients refuse more than 8 KiB of trailers, and this text is in them three times: once
# percent-encoded, up to three times as long, and in Status and BadRequest, both base64-encoded.
_LONGEST_MESSAGE = 1000
_RETRY_AFTER_FAULT = 1.0
# What no sender may send again as it is, and the reason under which it is counted. Before the collector's own view of a
# request comes its receiver's: an encoding that it doesn't know.
_REJECTED = {
    MalformedRequestError: "malformed",
    RequestTooLargeError: "too_large",
    RejectedRequestError: "unmatched",
}
UNSUPPORTED = "unsupported"
TOO_LARGE = _REJECTED[RequestTooLargeError]
REJECTED_WHERE = (*_REJECTED.values(), UNSUPPORTED)
_FIELD = re.compile(r"(resourceLogs[\w.\[\]…]*): ")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was not taken. `retry` is set where the sender shall send it again."""

    status: Status
    retry: RetryInfo | None = None


def refusal(code: int, message: str, *details: Message) -> Refusal:
    """A refusal with one of google.rpc.Code's numbers; the message is cut to what trailers can carry."""
    status = Status(code=code, message=_cut(message))
    for detail in details:
        status.details.add().Pack(detail)
    retry = next((detail for detail in details if isinstance(detail, RetryInfo)), None)
    return Refusal(status, retry)


def bad_request(message: str) -> Refusal:
    """INVALID_ARGUMENT with BadRequest; the field is taken from a message that begins with its path."""
    field = _FIELD.match(message)
    violation = BadRequest.FieldViolation(field=field[1] if field else "", description=_cut(message))
    return refusal(code_pb2.INVALID_ARGUMENT, message, BadRequest(field_violations=[violation]))


def unavailable(message: str, retry_after: float = _RETRY_AFTER_FAULT) -> Refusal:
    """UNAVAILABLE with RetryInfo; `retry_after` in seconds."""
    delay = Duration()
    delay.FromNanoseconds(max(0, round(retry_after * 1e9)))
    return refusal(code_pb2.UNAVAILABLE, message, RetryInfo(retry_delay=delay))


def refusal_of(error: Exception) -> Refusal:
    """What the sender is told about an exception of the sink.

    An unexpected one is logged with its traceback and told as a fault that passes: senders drop a batch
    that is answered with UNKNOWN, INTERNAL or 500, and the records would be lost.
    """
    if isinstance(error, MalformedRequestError | RejectedRequestError):
        return bad_request(str(error))
    if isinstance(error, RequestTooLargeError):
        # Without RetryInfo: the same request will not fit the next time either.
        return refusal(code_pb2.RESOURCE_EXHAUSTED, str(error))
    if isinstance(error, StoreUnavailableError):
        return unavailable(str(error), error.retry_after)
    log.error("a request failed in a way that is not foreseen; its sender is asked to retry", exc_info=error)
    return unavailable("the collector failed on this request; its log says why. Send it again")


def rejection_of(error: Exception) -> str | None:
    """One of REJECTED_WHERE where the sender must not send the request again as it is, else None."""
    return next((reason for kind, reason in _REJECTED.items() if isinstance(error, kind)), None)


def _cut(message: str) -> str:
    encoded = message.encode("utf-8", "replace")
    if len(encoded) <= _LONGEST_MESSAGE:
        return encoded.decode()
    return encoded[:_LONGEST_MESSAGE].decode("utf-8", "ignore") + "…"


def to_json(status: Status) -> bytes:
    """The status in protobuf's JSON form, every detail with its `@type`."""
    return orjson.dumps(MessageToDict(status))
