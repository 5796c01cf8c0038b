"""The client's address behind proxies: X-Forwarded-For, Forwarded (RFC 7239), X-Real-IP.

Whoever connects can write any header. So a header counts only where a trusted proxy connected, and is read from its
end: each proxy appends the address that it saw itself, and the first one that is no trusted proxy's is the client's.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

import orjson

_NAMED = {
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),  # RFC 1918, RFC 4193
    "loopback": ("127.0.0.0/8", "::1/128"),
}
# A chain of more proxies is none. Past these the header is the client's own words, of whatever length.
_MOST_HOPS = 64
_LONGEST = 8192
_MAPPED = bytes(10) + b"\xff\xff"
# One element of a list from its end, so read backwards. A backslash is in no address: what has one is not understood.
_LAST_ELEMENT = re.compile(r'((?:[^,"\\]++|"[^"\\]*+")*+)(?:,|\Z)')
_PARAMETER = re.compile(r"""\s*([!#$%&'*+.^_`|~\w-]+)=("[^"]*"|[^\s;,"]*)\s*(?:;|\Z)""", re.ASCII)
_PORT = re.compile(r"\d{1,5}|_[\w.-]+", re.ASCII)


class TrustedProxies:
    """Knows which peers' headers to believe, and finds the client in them."""

    def __init__(self, networks: Sequence[str]) -> None:
        """Networks as CIDR texts, addresses, or the names `private` and `loopback`.

        Raises ValueError, with the remedy, for one that is none of these.
        """
        parsed = [_network(part) for text in networks for part in _NAMED.get(text.strip().lower(), (text,))]
        v4 = [network for network in parsed if isinstance(network, ipaddress.IPv4Network)]
        v6 = [network for network in parsed if isinstance(network, ipaddress.IPv6Network)]
        self._v4 = _Ranges([*ipaddress.collapse_addresses(v4)])
        self._v6 = _Ranges([*ipaddress.collapse_addresses(v6)])

    def trusts(self, peer: str | None) -> bool:
        """Whether the headers of who connected count: an address, with or without a port."""
        return peer is not None and self._trusts(_packed(peer))

    def client(
        self, peer: str | None, forwarded: str | None, x_forwarded_for: str | None, x_real_ip: str | None = None
    ) -> str | None:
        """The address of whoever made the request; the peer's own text where that is the answer.

        `peer` is who connected, with or without a port. Each header is its text, its values joined by commas, or the
        text of a JSON array of its values. X-Forwarded-For goes first, then Forwarded, then X-Real-IP, each if its last
        element can be read: most proxies write only the first, and hand on whatever else the client wrote. An entry
        that is no address (`unknown`, `_hidden`) ends the way back: the last good one is taken.
        """
        if peer is None or not self.trusts(peer):
            return peer
        for header, read in ((x_forwarded_for, _listed), (forwarded, _forwarded), (x_real_ip, _listed)):
            if header:
                hops = read(_text(header))
                first = next(hops, None)
                if first is not None:
                    return self._first_untrusted(peer, chain((first,), hops))
        return peer

    def _first_untrusted(self, peer: str, hops: Iterable[str]) -> str:
        good = peer
        for hop in islice(hops, _MOST_HOPS):
            packed = _packed(hop)
            if packed is None:
                break
            good = _unpacked(packed)
            if not self._trusts(packed):
                break
        return good

    def _trusts(self, packed: bytes | None) -> bool:
        if packed is None:
            return False
        return (self._v4 if len(packed) == 4 else self._v6).has(int.from_bytes(packed))


class _Ranges:
    """Networks of one family, in order and apart from each other, for finding a number in them."""

    def __init__(self, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> None:
        self._first = [int(network.network_address) for network in networks]
        self._last = [int(network.broadcast_address) for network in networks]

    def has(self, number: int) -> bool:
        place = bisect_right(self._first, number) - 1
        return place >= 0 and number <= self._last[place]


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(
            f"{text[:80]!r} is no network; write e.g. 10.0.0.0/8, 2001:db8::/32, 192.0.2.1, private or loopback"
        ) from None
    if "/" in text and ipaddress.ip_address(text.strip().partition("/")[0]) != network.network_address:
        raise ValueError(f"{text!r} is an address within a network; write {network} for all of that")
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    return ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}") if mapped and network.prefixlen >= 96 else network


def _forwarded(text: str) -> Iterator[str]:
    """The `for` of each element of a Forwarded, the last one first; ends at one that can't be read or has none."""
    backwards = text[: -_LONGEST - 1 : -1]
    at = 0
    while at < len(backwards):
        match = _LAST_ELEMENT.match(backwards, at)
        if match is None or (match.end() == _LONGEST < len(text)):
            return
        at = match.end()
        element = match[1][::-1]
        if element.strip():
            node = _node(element)
            if node is None:
                return
            yield node


def _node(element: str) -> str | None:
    """for=192.0.2.60;proto=http;by=203.0.113.43"""
    node, at = None, 0
    while at < len(element):
        match = _PARAMETER.match(element, at)
        if match is None:
            return None
        at = match.end()
        if match[1].lower() == "for":
            if node is not None:
                return None
            node = match[2].strip('"')
    return node


def _listed(text: str) -> Iterator[str]:
    """The entries of an X-Forwarded-For, the last one first."""
    entries = text[-_LONGEST:].split(",")
    if len(text) > _LONGEST:
        del entries[0]  # it may have been cut
    for entry in reversed(entries):
        if stripped := entry.strip():
            yield stripped


def _text(header: str) -> str:
    """A header's values as one list; OpenTelemetry's http.request.header.* are arrays of them."""
    if header.startswith("["):  # as does an IPv6 address with a port
        try:
            values = orjson.loads(header)
        except orjson.JSONDecodeError:
            return header
        if isinstance(values, list) and all(isinstance(value, str) for value in values):
            return ",".join(values)
    return header


def _packed(text: str) -> bytes | None:
    """The bytes of an address, 4 or 16, a port left out; None for text that is none."""
    host = text.strip()
    try:
        return socket.inet_pton(socket.AF_INET, host)
    except (OSError, ValueError):
        pass
    if host.startswith("["):
        host, closed, port = host[1:].partition("]")
        if not closed or (port and not (port.startswith(":") and _PORT.fullmatch(port[1:]))):
            return None
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
        if not _PORT.fullmatch(port):
            return None
    host = host.partition("%")[0]
    try:
        packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed


def _unpacked(packed: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
