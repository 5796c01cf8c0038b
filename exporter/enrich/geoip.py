"""Places and networks of addresses, from files in MaxMind's format (https://maxmind.github.io/MaxMind-DB/)."""

from __future__ import annotations

import csv
import logging
import math
import os
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import TypeVar

import maxminddb

from exporter.enrich.special_ranges import v4_has_no_place, v6_has_no_place
from exporter.errors import ConfigError

_log = logging.getLogger(__name__)

_HERE = Path(__file__).parent
_BUNDLED = "bundled"
# A file's metadata says what it is in words: GeoLite2-City, DBIP-City-Lite, city ipv4, GeoIP2-ISP, ...
_CITY_WORDS = ("city", "country", "enterprise")
_ASN_WORDS = ("asn", "isp")
# Each about 10 MiB when full; an attacker who varies addresses can't make them grow.
_MAX_ADDRESSES = 65_536
_MAX_NETWORKS = 65_536
_CHECK_SECONDS = 1.0
_MAPPED = bytes(10) + b"\xff\xff"

_Key = TypeVar("_Key", int, str)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is and who announces it; None where the files don't say."""

    country: str | None  # ISO 3166-1 alpha-2
    city: str | None  # English name
    latitude: float | None
    longitude: float | None
    asn: int | None
    as_org: str | None


@dataclass(frozen=True, slots=True)
class DemoNetwork:
    """A row of demo_geo.csv."""

    network: str
    city: str
    country: str
    latitude: float
    longitude: float
    asn: int
    as_org: str


_NOWHERE = Place(None, None, None, None, None, None)
_NOT_CACHED = Place(None, None, None, None, None, None)


class GeoIp:
    """Looks addresses up; safe to use from several threads. Files are read anew when they change."""

    def __init__(self, city: str | None, asn: str | None) -> None:
        """Each is a path, `bundled` for the demonstration's own file, or None for off.

        Raises ConfigError where a file is missing, unreadable, damaged or of another type.
        """
        self._city = _Database.configured("geoip.city", city, "demo_city.mmdb", _CITY_WORDS)
        self._asn = _Database.configured("geoip.asn", asn, "demo_asn.mmdb", _ASN_WORDS)
        self._lock = threading.Lock()
        self._next_check = time.monotonic() + _CHECK_SECONDS
        self._addresses: dict[str, Place | None] = {}
        self._networks: dict[int, Place | None] = {}

    def lookup(self, addresses: Sequence[str]) -> list[Place | None]:
        """The place of each address, in order; the addresses should be distinct.

        None where nothing is known, where the text is no address, and for addresses that have no place:
        private, loopback, link-local, shared (CGNAT), documentation, multicast, reserved.
        """
        if self._city is None and self._asn is None:
            return [None] * len(addresses)
        with self._lock:
            self._refresh()
            known = self._addresses
            places = [known.get(address, _NOT_CACHED) for address in addresses]
            missing = [index for index, place in enumerate(places) if place is _NOT_CACHED]
            for index in missing:
                place = self._resolve(addresses[index])
                known[addresses[index]] = places[index] = place
            self._addresses = _bounded(known, _MAX_ADDRESSES)
            self._networks = _bounded(self._networks, _MAX_NETWORKS)
        return places

    def _refresh(self) -> None:
        now = time.monotonic()
        if now < self._next_check:
            return
        self._next_check = now + _CHECK_SECONDS
        for database in (self._city, self._asn):
            if database is not None and database.refresh():
                self._addresses, self._networks = {}, {}

    def _resolve(self, address: str) -> Place | None:
        try:
            packed = inet_pton(AF_INET6 if ":" in address else AF_INET, address)
        except (OSError, ValueError):
            return None
        if len(packed) == 16 and packed.startswith(_MAPPED):
            packed = packed[12:]
            address = inet_ntop(AF_INET, packed)
        number = int.from_bytes(packed)
        # Many addresses share a network, so answers for a /24 (IPv6: /48) or wider are kept under it. The two
        # kinds of key can't meet: the /48s with a place start at 2000::, 2**45, the /24s end at 2**24.
        v6 = len(packed) == 16
        key = number >> (80 if v6 else 8)
        place = self._networks.get(key, _NOT_CACHED)
        if place is not _NOT_CACHED:
            return place
        if v6_has_no_place(number) if v6 else v4_has_no_place(number):
            self._networks[key] = None
            return None
        place, prefix = self._read(address, v6)
        if prefix <= (48 if v6 else 24):
            self._networks[key] = place
        return place

    def _read(self, address: str, v6: bool) -> tuple[Place | None, int]:
        """The place, and the length of the longest prefix for which it was said."""
        city, city_prefix = self._city.get(address, v6) if self._city else ({}, 0)
        asn, asn_prefix = self._asn.get(address, v6) if self._asn else ({}, 0)
        place = _place(city, asn)
        return (None if place == _NOWHERE else place), max(city_prefix, asn_prefix)


class _Database:
    """One open file."""

    def __init__(self, key: str, path: Path, words: tuple[str, ...]) -> None:
        self._key, self._path, self._words = key, path, words
        self._signature = _signature(path)
        self._reader = self._open()
        self._has_v6 = self._reader.metadata().ip_version == 6
        self._warned = False

    @classmethod
    def configured(cls, key: str, given: str | None, demo: str, words: tuple[str, ...]) -> _Database | None:
        if given is None:
            return None
        return cls(key, _HERE / demo if given == _BUNDLED else Path(given), words)

    def get(self, address: str, v6: bool) -> tuple[Mapping[str, object], int]:
        """The record of an address, {} for none, and its network's prefix length."""
        if v6 and not self._has_v6:
            return {}, 0
        try:
            record, prefix = self._reader.get_with_prefix_len(address)
        except maxminddb.InvalidDatabaseError as failure:
            self._warn(f"{self._key}: {self._path}: damaged: {failure}; fetch the file anew")
            return {}, 128
        return (record if isinstance(record, dict) else {}), prefix

    def refresh(self) -> bool:
        """Opens the file again if it has changed; True if it did. A broken one leaves the old one in use."""
        signature = _signature(self._path)
        if signature == self._signature:
            return False
        self._signature = signature
        try:
            self._reader = self._open()
        except ConfigError as failure:
            self._warn(f"{failure}; the former file stays in use")
            return False
        self._has_v6 = self._reader.metadata().ip_version == 6
        self._warned = False
        _log.info("%s: %s has changed and was read again", self._key, self._path)
        return True

    def _warn(self, message: str) -> None:
        if not self._warned:
            _log.warning("%s", message)
        self._warned = True

    def _open(self) -> maxminddb.Reader:
        place = f"{self._key}: {self._path}"
        try:
            reader = _open_copy(self._path)
        except OSError as failure:
            raise ConfigError(
                f"{place}: can't be read: {failure.strerror or failure}; give the path of a .mmdb file, "
                "'bundled' for the demonstration's, or leave the setting out"
            ) from None
        except (maxminddb.InvalidDatabaseError, ValueError) as failure:
            raise ConfigError(
                f"{place}: not a complete file in MaxMind's format ({failure}); fetch it anew, unpacked"
            ) from None
        kind = reader.metadata().database_type
        if not any(word in kind.lower() for word in self._words):
            raise ConfigError(
                f"{place}: its type is {kind!r}, where one of {'/'.join(self._words)} is needed; "
                "check whether geoip.city and geoip.asn are mixed up"
            )
        return reader


def demo_networks() -> list[DemoNetwork]:
    """The networks of the bundled files, in the order of demo_geo.csv."""
    with (_HERE / "demo_geo.csv").open(encoding="utf-8", newline="") as table:
        return [
            DemoNetwork(
                row["network"],
                row["city"],
                row["country"],
                float(row["latitude"]),
                float(row["longitude"]),
                int(row["asn"]),
                row["as_org"],
            )
            for row in csv.DictReader(table)
        ]


def _open_copy(path: Path) -> maxminddb.Reader:
    """Opens a private copy in memory.

    The C reader maps the file: whoever overwrites it in place (`cp`) would end this process with SIGBUS.
    """
    if not hasattr(os, "memfd_create"):
        return maxminddb.open_database(path)
    with path.open("rb") as source, os.fdopen(os.memfd_create("geoip"), "wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        return maxminddb.open_database(f"/proc/self/fd/{copy.fileno()}")


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def _bounded(cache: dict[_Key, Place | None], limit: int) -> dict[_Key, Place | None]:
    if len(cache) <= limit:
        return cache
    return dict(islice(cache.items(), len(cache) - limit // 2, None))


def _place(city: Mapping[str, object], asn: Mapping[str, object]) -> Place:
    """Reads MaxMind's and DB-IP's nested layout, and the flat one of the ip-location-db project."""
    location = _map(city.get("location")) or city
    number = asn.get("autonomous_system_number")
    return Place(
        country=_text(_map(city.get("country")).get("iso_code"))
        or _text(_map(city.get("registered_country")).get("iso_code"))
        or _text(city.get("country_code")),
        city=_text(_map(_map(city.get("city")).get("names")).get("en")) or _text(city.get("city")),
        latitude=_degrees(location.get("latitude"), 90.0),
        longitude=_degrees(location.get("longitude"), 180.0),
        asn=number if isinstance(number, int) else None,
        as_org=_text(asn.get("autonomous_system_organization")),
    )


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _degrees(value: object, limit: float) -> float | None:
    if not isinstance(value, int | float | str):
        return None
    try:
        degrees = float(value)
    except ValueError:
        return None
    return degrees if math.isfinite(degrees) and abs(degrees) <= limit else None
