"""Places of addresses: layouts of the files, ranges without a place, files that change, the bundled table."""

from __future__ import annotations

import ipaddress
import logging
import random
import threading
import time
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from exporter.enrich import geoip
from exporter.enrich.geoip import GeoIp, Place, demo_networks
from exporter.enrich.special_ranges import v4_has_no_place, v6_has_no_place
from exporter.errors import ConfigError

mmdb_writer = pytest.importorskip("mmdb_writer", reason="the extra `geo` is not installed: pip install '.[geo]'")
netaddr = pytest.importorskip("netaddr")

LONDON = {
    "city": {"names": {"de": "London (de)", "en": "London"}},
    "country": {"iso_code": "GB"},
    "registered_country": {"iso_code": "FR"},
    "location": {"latitude": 51.5, "longitude": -0.125},
}


def write(path: Path, kind: str, records: Mapping[str, Mapping[str, Any]], version: int = 6) -> str:
    writer = mmdb_writer.MMDBWriter(
        ip_version=version, ipv4_compatible=version == 6, database_type=kind, int_type="u32"
    )
    for network, record in records.items():
        writer.insert_network(netaddr.IPSet([network]), record)
    writer.to_db_file(str(path))
    return str(path)


def one(geo: GeoIp, address: str) -> Place | None:
    return geo.lookup([address])[0]


def age(geo: GeoIp) -> None:
    """Makes the next look-up look at the files, as it does by itself once a second."""
    geo._next_check = time.monotonic()


def test_the_nested_layout_of_maxmind_and_db_ip_is_read(tmp_path: Path) -> None:
    city = write(tmp_path / "c.mmdb", "GeoLite2-City", {"81.2.69.0/24": LONDON})
    asn = write(
        tmp_path / "a.mmdb",
        "DBIP-ASN-Lite (compat=GeoLite2-ASN)",
        {"81.2.64.0/18": {"autonomous_system_number": 20712, "autonomous_system_organization": "A&A"}},
    )
    assert one(GeoIp(city, asn), "81.2.69.7") == Place("GB", "London", 51.5, -0.125, 20712, "A&A")


def test_the_flat_layout_of_ip_location_db_is_read(tmp_path: Path) -> None:
    record = {
        "country_code": "GB",
        "city": "Leeds",
        "latitude": 53.75,
        "longitude": "-1.5",
        "state1": "England",
    }
    city = write(tmp_path / "c.mmdb", "city ipv4", {"81.2.69.0/24": record}, version=4)
    assert one(GeoIp(city, None), "81.2.69.7") == Place("GB", "Leeds", 53.75, -1.5, None, None)


def test_an_empty_name_or_a_coordinate_off_the_globe_is_unknown(tmp_path: Path) -> None:
    record = {"country_code": "GB", "city": "", "latitude": 91.0, "longitude": "west"}
    city = write(tmp_path / "c.mmdb", "city", {"81.2.69.0/24": record})
    assert one(GeoIp(city, None), "81.2.69.7") == Place("GB", None, None, None, None, None)


def test_the_registered_country_stands_in_where_the_country_is_unknown(tmp_path: Path) -> None:
    city = write(tmp_path / "c.mmdb", "GeoLite2-City", {"81.2.69.0/24": {"registered_country": {"iso_code": "FR"}}})
    assert one(GeoIp(city, None), "81.2.69.7") == Place("FR", None, None, None, None, None)


def test_neighbours_with_records_narrower_than_a_24_keep_their_own(tmp_path: Path) -> None:
    records = {"81.2.69.0/25": {"city": "West"}, "81.2.69.128/26": {"city": "East"}}
    geo = GeoIp(write(tmp_path / "c.mmdb", "city", records), None)
    cities = [place and place.city for place in geo.lookup(["81.2.69.1", "81.2.69.129", "81.2.69.200"])]
    assert cities == ["West", "East", None]


def test_neighbouring_networks_keep_their_own_in_either_version(tmp_path: Path) -> None:
    records = {"81.2.69.0/24": "a", "81.2.70.0/24": "b", "2001:630:1::/48": "c", "2001:630:2::/47": "d"}
    named = {network: {"city": city} for network, city in records.items()}
    geo = GeoIp(write(tmp_path / "c.mmdb", "city", named), None)
    addresses = ["81.2.69.1", "81.2.70.1", "81.2.71.1", "2001:630:1::1", "2001:630:2::1", "2001:630:4::1"]
    assert [place and place.city for place in geo.lookup(addresses)] == ["a", "b", None, "c", "d", None]


def test_either_file_is_enough(tmp_path: Path) -> None:
    record = {"autonomous_system_number": 20712, "autonomous_system_organization": "A&A"}
    asn = write(tmp_path / "a.mmdb", "GeoLite2-ASN", {"81.2.64.0/18": record})
    assert one(GeoIp(None, asn), "81.2.69.7") == Place(None, None, None, None, 20712, "A&A")


def test_a_mapped_address_has_the_place_of_its_ipv4_address(tmp_path: Path) -> None:
    city = write(tmp_path / "c.mmdb", "GeoLite2-City", {"81.2.69.0/24": LONDON}, version=4)
    geo = GeoIp(city, None)
    assert one(geo, "::ffff:81.2.69.7") == Place("GB", "London", 51.5, -0.125, None, None)
    assert one(geo, "::ffff:10.0.0.1") is None


def test_an_ipv6_address_in_a_file_of_ipv4_only_is_unknown(tmp_path: Path) -> None:
    geo = GeoIp(write(tmp_path / "c.mmdb", "GeoLite2-City", {"81.2.69.0/24": LONDON}, version=4), None)
    assert one(geo, "2001:630::1") is None


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "172.31.255.255",
        "192.168.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "100.64.0.1",
        "192.0.2.1",
        "198.51.100.7",
        "203.0.113.255",
        "224.0.0.1",
        "255.255.255.255",
        "0.0.0.0",
        "::",
        "::1",
        "fe80::1",
        "fd00::1",
        "2001:db8::1",
        "2002:5102:4507::1",
        "ff02::1",
    ],
)
def test_a_special_address_has_no_place_even_if_the_file_names_one(address: str, tmp_path: Path) -> None:
    everywhere = {"0.0.0.0/0": LONDON, "1000::/4": LONDON, "2000::/3": LONDON, "8000::/1": LONDON}
    assert one(GeoIp(write(tmp_path / "c.mmdb", "GeoLite2-City", everywhere), None), address) is None


@pytest.mark.parametrize(
    "text", ["", "example.com", "1.2.3", "1.2.3.4:80", "fe80::1%eth0", "a\x00b", "1.2.3.4\n", "\ud800"]
)
def test_text_that_is_no_address_has_no_place(text: str) -> None:
    assert one(GeoIp("bundled", "bundled"), text) is None


def test_no_address_that_python_calls_private_has_a_place() -> None:
    draw = random.Random(1)
    for network in (
        "10/8",
        "100.64/10",
        "172.16/12",
        "192/8",
        "198/8",
        "203/8",
        "169.254/16",
        "0/1",
        "128/1",
    ):
        base, _, length = network.partition("/")
        first = int.from_bytes(bytes(int(part) for part in base.split(".")).ljust(4, b"\0"))
        for _ in range(500):
            address = ipaddress.IPv4Address(first | draw.getrandbits(32 - int(length)))
            assert v4_has_no_place(int(address)) or address.is_global, address
    for _ in range(2000):
        v6 = ipaddress.IPv6Address(draw.getrandbits(16) << 112 | draw.getrandbits(112))
        assert v6_has_no_place(int(v6)) or v6.is_global, v6


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.255.255", "198.20.0.0", "223.255.255.255"]
)
def test_a_neighbour_of_a_special_range_has_a_place(address: str) -> None:
    assert not v4_has_no_place(int(ipaddress.IPv4Address(address)))


def test_without_files_nothing_is_known() -> None:
    assert GeoIp(None, None).lookup(["81.2.69.7", "10.0.0.1"]) == [None, None]


def test_answers_come_in_the_order_of_the_addresses_cached_or_not() -> None:
    geo = GeoIp("bundled", "bundled")
    rows = demo_networks()
    addresses = [str(ipaddress.ip_network(row.network)[9]) for row in rows]
    expected = [Place(r.country, r.city, r.latitude, r.longitude, r.asn, r.as_org) for r in rows]
    assert geo.lookup(addresses) == expected
    assert geo.lookup(addresses[::-1]) == expected[::-1]
    half = [*addresses[::2], "10.0.0.1", *addresses[1::2]]
    assert geo.lookup(half) == [*expected[::2], None, *expected[1::2]]


def test_the_caches_stay_bounded_under_ever_new_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geoip, "_MAX_ADDRESSES", 100)
    monkeypatch.setattr(geoip, "_MAX_NETWORKS", 20)
    geo = GeoIp("bundled", "bundled")
    for third in range(40):
        geo.lookup([f"14.160.{third}.{last}" for last in range(50)])
    assert len(geo._addresses) <= 100
    assert len(geo._networks) <= 20
    vietnam = one(geo, "14.160.0.1")
    assert vietnam is not None
    assert vietnam.city == "Hanoi"


def test_a_file_replaced_by_a_newer_one_is_used_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "c.mmdb"
    geo = GeoIp(write(path, "city", {"81.2.69.0/24": {"city": "Old"}}), None)
    assert one(geo, "81.2.69.7") == Place(None, "Old", None, None, None, None)
    write(tmp_path / "new", "city", {"81.2.69.0/24": {"city": "New"}})
    (tmp_path / "new").replace(path)
    age(geo)
    assert one(geo, "81.2.69.7") == Place(None, "New", None, None, None, None)


def test_files_are_looked_at_again_within_about_a_second(tmp_path: Path) -> None:
    path = tmp_path / "c.mmdb"
    geo = GeoIp(write(path, "city", {"81.2.69.0/24": {"city": "Old"}}), None)
    write(path, "city", {"81.2.69.0/24": {"city": "Newer"}})
    until = time.monotonic() + 10
    turn = threading.Event()
    while one(geo, "81.2.69.7") == Place(None, "Old", None, None, None, None) and time.monotonic() < until:
        turn.wait(0.05)
    assert one(geo, "81.2.69.7") == Place(None, "Newer", None, None, None, None)


@pytest.mark.parametrize("damage", ["truncated", "removed", "other type"])
def test_a_broken_new_file_leaves_the_old_one_in_use_and_is_reported_once(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "c.mmdb"
    geo = GeoIp(write(path, "city", {"81.2.69.0/24": {"city": "Old"}, "81.3.0.0/16": {"city": "Far"}}), None)
    if damage == "truncated":
        with path.open("r+b") as file:
            file.truncate(100)
    elif damage == "removed":
        path.unlink()
    else:
        write(path, "GeoLite2-ASN", {"81.2.69.0/24": {"autonomous_system_number": 1}})
    with caplog.at_level(logging.WARNING, logger="exporter.enrich.geoip"):
        for address in ("81.2.69.7", "81.3.0.1"):
            age(geo)
            place = one(geo, address)
            assert place is not None
            assert place.city in {"Old", "Far"}
    assert [str(path) in record.getMessage() for record in caplog.records] == [True]
    write(path, "city", {"81.2.69.0/24": {"city": "Mended"}})
    age(geo)
    assert one(geo, "81.2.69.7") == Place(None, "Mended", None, None, None, None)


def test_a_missing_file_is_refused_with_its_key_and_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"geoip\.city: .*none\.mmdb: can't be read: No such file"):
        GeoIp(str(tmp_path / "none.mmdb"), None)


def test_a_file_of_the_other_kind_is_refused(tmp_path: Path) -> None:
    city = write(tmp_path / "c.mmdb", "GeoLite2-City", {"81.2.69.0/24": LONDON})
    with pytest.raises(ConfigError, match=r"geoip\.asn: .*'GeoLite2-City'.*mixed up"):
        GeoIp(None, city)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.mmdb.gz").write_bytes(b"\x1f\x8b" + bytes(2000))
    with pytest.raises(ConfigError, match="not a complete file in MaxMind's format"):
        GeoIp(str(tmp_path / "c.mmdb.gz"), None)


def test_the_bundled_files_are_what_the_table_gives(tmp_path: Path) -> None:
    from exporter.enrich.build_demo_geo import build

    for built in build(tmp_path):
        bundled = Path(geoip.__file__).with_name(built.name)
        assert built.read_bytes() == bundled.read_bytes(), "run: python -m exporter.enrich.build_demo_geo"


def test_the_table_places_public_networks_once_on_every_continent() -> None:
    rows = demo_networks()
    networks = [ipaddress.ip_network(row.network) for row in rows]
    assert all(network.is_global for network in networks)
    assert not [(str(a), str(b)) for a, b in combinations(networks, 2) if a.version == b.version and a.overlaps(b)]
    coordinates: dict[tuple[str, str], set[tuple[float, float]]] = {}
    for row in rows:
        coordinates.setdefault((row.city, row.country), set()).add((row.latitude, row.longitude))
    assert all(len(places) == 1 for places in coordinates.values())
    assert len(coordinates) >= 80
    assert {"DE", "EG", "ZA", "US", "MX", "BR", "JP", "IN", "AU", "NZ"} <= {row.country for row in rows}
