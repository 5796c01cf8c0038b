"""Address ranges that are nowhere: not global, so no database can say where their addresses are.

Source: the IANA special-purpose address registries (RFC 6890), and multicast (RFC 5771, RFC 4291).
"""

from __future__ import annotations

from bisect import bisect_right
from ipaddress import ip_network

# All of them /24 or wider: what is true of one address is true of its /24. geoip.py relies on it.
_V4 = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
)
# Only 2000::/3 is given out; these are the exceptions in it: protocol assignments with Teredo,
# documentation, 6to4 (the place would be that of a tunnel).
_V6 = ("::/3", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "4000::/2", "8000::/1")


def _bounds(networks: tuple[str, ...]) -> tuple[list[int], list[int]]:
    ranges = [ip_network(network) for network in networks]
    return [int(r.network_address) for r in ranges], [int(r.broadcast_address) for r in ranges]


_V4_FIRST, _V4_LAST = _bounds(_V4)
_V6_FIRST, _V6_LAST = _bounds(_V6)


def v4_has_no_place(address: int) -> bool:
    """Whether an IPv4 address, as a number, is in a special range."""
    return address <= _V4_LAST[bisect_right(_V4_FIRST, address) - 1]


def v6_has_no_place(address: int) -> bool:
    """Whether an IPv6 address, as a number, is in a special range."""
    return address <= _V6_LAST[bisect_right(_V6_FIRST, address) - 1]
