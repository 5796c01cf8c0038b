"""A server that goes away in the middle: what it answers until then is the real one's."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_METHODS = (b"GET ", b"PUT ", b"POST", b"HEAD", b"DELE")


@contextmanager
def dying(endpoint: str, requests: int) -> Iterator[str]:
    """The endpoint of a proxy that passes on so many requests, and then no longer answers anybody."""
    host, port = urlsplit(endpoint).hostname, urlsplit(endpoint).port
    assert host is not None
    assert port is not None
    left = iter(range(requests))
    listening = socket.create_server(("127.0.0.1", 0))
    with listening:
        threading.Thread(target=_accept, args=(listening, (host, port), left), daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def _accept(listening: socket.socket, to: tuple[str, int], left: Iterator[int]) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listening.accept()
            threading.Thread(target=_forward, args=(client, to, left), daemon=True).start()


def _forward(client: socket.socket, to: tuple[str, int], left: Iterator[int]) -> None:
    with client, socket.create_connection(to) as server, contextlib.suppress(OSError):
        threading.Thread(target=_answer, args=(server, client), daemon=True).start()
        while data := client.recv(1 << 16):
            if data.startswith(_METHODS) and next(left, None) is None:
                client.shutdown(socket.SHUT_RDWR)
                return
            server.sendall(data)


def _answer(server: socket.socket, client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := server.recv(1 << 16):
            client.sendall(data)
        client.shutdown(socket.SHUT_RDWR)
