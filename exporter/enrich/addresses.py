"""Client addresses as senders write them, to what PostgreSQL's inet takes."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence

_WITH_PORT = re.compile(r"^(?:\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$")
# What systems write where they know no address: no client has one of these.
UNKNOWN = frozenset({"255.255.255.255", "0.0.0.0", "::"})  # noqa: S104 (nothing is bound to it)
_KEPT = 200_000
# The longest address, its zone, brackets and port, with room to spare: longer text is none, nor worth remembering.
_LONGEST = 128


class Addresses:
    """Parses addresses, remembering what it has seen. For one thread."""

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {}

    def parse(self, texts: Sequence[str]) -> list[str | None]:
        """Each text's address in canonical form; None where it is none.

        A port, brackets and an IPv6 zone are left out; IPv4 mapped into IPv6 is IPv4.
        """
        known = self._known
        if len(known) > _KEPT:
            known.clear()
        parsed: list[str | None] = []
        for text in texts:
            if len(text) > _LONGEST:
                parsed.append(None)
                continue
            if text not in known:
                known[text] = _parse(text)
            parsed.append(known[text])
        return parsed


def _parse(text: str) -> str | None:
    bare = text.strip()
    try:
        # The common case by far, and ten times quicker than ipaddress.
        return socket.inet_ntop(socket.AF_INET, socket.inet_pton(socket.AF_INET, bare))
    except (OSError, ValueError):
        pass
    if match := _WITH_PORT.match(bare):
        bare = match[1] or match[2]
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(address)
