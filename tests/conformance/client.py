"""A plain HTTP client that shows answers as they are."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any

from google.protobuf.json_format import Parse
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from tests.conformance.service import WAIT

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    code: int
    headers: dict[str, str]
    body: bytes

    @property
    def status(self) -> Any:
        """The body as google.rpc.Status, in whichever encoding it says it is in."""
        if self.headers["content-type"] == PROTOBUF:
            return Status.FromString(self.body)
        assert self.headers["content-type"] == JSON
        assert set(json.loads(self.body)) <= {"code", "message", "details"}
        return Parse(self.body, Status())

    def bad_request(self) -> Any:
        detail = BadRequest()
        assert self.status.details[0].Unpack(detail)
        return detail

    def retry_info(self) -> Any:
        detail = RetryInfo()
        assert self.status.details[0].Unpack(detail)
        return detail


def call(
    port: int,
    body: bytes = b"",
    content_type: str | None = PROTOBUF,
    *,
    method: str = "POST",
    path: str = "/v1/logs",
    headers: dict[str, str] | None = None,
) -> Reply:
    """One request on a connection of its own."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=WAIT)) as connection:
        typed = {} if content_type is None else {"Content-Type": content_type}
        connection.request(method, path, body, typed | (headers or {}))
        return reply_of(connection.getresponse())


def reply_of(response: HTTPResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())


def connect(port: int) -> socket.socket:
    """A bare connection, for bytes that no HTTP library would send."""
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT)


def read_reply(connection: socket.socket, method: str = "POST") -> Reply:
    response = HTTPResponse(connection, method=method)
    response.begin()
    return reply_of(response)
