"""Bodies of HTTP requests: read and inflated within a limit, whatever the sender claims."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from exporter.errors import MalformedRequestError

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

# Content-Encoding to zlib's wbits.
ENCODINGS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}

# zlib copies what follows a gzip member, once for each member: both bounds together keep that linear.
_WINDOW = 64 << 10
_MOST_MEMBERS = 10_000


class TooLargeError(Exception):
    """The body has more bytes than the limit, as sent or inflated."""


class HungUpError(Exception):
    """The sender closed the connection before the body was complete."""


async def read_body(receive: Receive, *, limit: int, idle_timeout: float) -> bytes:
    """The whole body, as sent; holds `limit` bytes at most.

    Raises TooLargeError, HungUpError, or TimeoutError where nothing comes for `idle_timeout` seconds.
    """
    pieces: list[bytes] = []
    size = 0
    more = True
    while more:
        async with asyncio.timeout(idle_timeout):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise HungUpError
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise TooLargeError
        pieces.append(piece)
        more = message.get("more_body", False)
    return b"".join(pieces)


def inflate(raw: bytes, encoding: str, *, limit: int) -> bytes:
    """A body of one of ENCODINGS as plain bytes; several gzip members are joined.

    Raises TooLargeError as soon as more than `limit` bytes come out, MalformedRequestError for anything that
    is not what `encoding` says.
    """
    pieces: list[bytes] = []
    size = members = 0
    stream = None
    for start in range(0, len(raw), _WINDOW):
        window = raw[start : start + _WINDOW]
        while window:
            if stream is None:
                stream = zlib.decompressobj(ENCODINGS[encoding])
                members += 1
                if members > _MOST_MEMBERS:
                    raise MalformedRequestError(f"the body has more than {_MOST_MEMBERS} {encoding} members")
            try:
                piece = stream.decompress(window, limit - size + 1)
            except zlib.error as error:
                raise MalformedRequestError(
                    f"Content-Encoding is {encoding}, but the body can't be inflated: {error}"
                ) from None
            size += len(piece)
            if size > limit:
                raise TooLargeError
            pieces.append(piece)
            window = stream.unused_data
            if stream.eof:
                stream = None
    if stream is not None or not members:
        raise MalformedRequestError(f"Content-Encoding is {encoding}, but the body ends too early")
    return b"".join(pieces)
