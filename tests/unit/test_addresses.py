"""Client addresses as senders write them."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.enrich import addresses
from exporter.enrich.addresses import Addresses
from exporter.enrich.geoip import GeoIp, demo_networks
from tests.records import event, events, record, request, texts


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.1:54321", "192.0.2.1"),
        ("[192.0.2.1]:80", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:443", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("::", "::"),
    ],
)
def test_an_address_is_found_with_port_brackets_zone_or_mapping(text: str, address: str) -> None:
    assert Addresses().parse([text]) == [address]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "db.example.org",
        "localhost:5432",
        "/run/app.sock",
        "unix:/run/app.sock",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.01",
        "192.0.2.1/24",
        "192.0.2.1, 198.51.100.2",
        "2001:db8::1::2",
        "2001:db8::/32",
        "[2001:db8::1",
        "1" * 5000,
        "\N{FULLWIDTH DIGIT ONE}.2.3.4",
        "3221225985",
        "0x7f.1",
    ],
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert Addresses().parse([text]) == [None]


@given(st.ip_addresses(), st.integers(0, 65535))
def test_every_address_is_found_as_ipaddress_writes_it_with_and_without_a_port(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    plain = address
    if isinstance(address, ipaddress.IPv6Address):
        plain = address.ipv4_mapped or address
    host = f"[{address}]" if address.version == 6 else str(address)
    assert Addresses().parse([str(address), f"{host}:{port}"]) == [str(plain)] * 2


@given(st.lists(texts))
def test_any_text_is_an_address_or_none_and_the_same_when_asked_again(asked: list[str]) -> None:
    known = Addresses()
    found = known.parse(asked)
    assert known.parse(asked) == found == [Addresses().parse([text])[0] for text in asked]
    for address in filter(None, found):
        assert str(ipaddress.ip_address(address)) == address


def test_what_is_remembered_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_KEPT", 100)
    known = Addresses()
    for third in range(50):
        known.parse([f"10.0.{third}.{last}" for last in range(10)] + ["x" * 10_000 + str(third)])
    assert len(known._known) <= 110
    assert max(map(len, known._known)) < 200


def test_text_that_is_no_address_goes_to_its_own_column_flagged() -> None:
    made = event(record({"client.address": "db.example.org"}))
    assert (made.get("client_ip"), made["client_address"]) == (None, "db.example.org")
    assert (made["flags"], made["attributes"]) == ({"bad_ip"}, {})


def test_an_address_is_in_its_column_and_nowhere_else() -> None:
    made = event(record({"client.address": "192.0.2.1"}))
    assert made["client_ip"] == "192.0.2.1"
    assert (made.get("client_address"), made["flags"], made["attributes"]) == (None, set(), {})


@pytest.mark.parametrize("text", ["192.0.2.1:80", "fe80::1%eth0", "[2001:db8::1]:443", "2001:DB8::1"])
@pytest.mark.parametrize("neighbours", [[], ["192.0.2.9"], ["db.example.org"], [""]])
def test_what_an_address_does_not_say_is_kept_whoever_is_in_the_batch(text: str, neighbours: list[str]) -> None:
    others = [record({"client.address": other}) for other in neighbours]
    made = events(request(record({"client.address": text}), record(), *others))[0]
    assert made["client_ip"] == Addresses().parse([text])[0]
    assert made["attributes"] == {"client.address": text}
    assert (made.get("client_address"), made["flags"]) == (None, set())


@pytest.fixture(scope="module")
def geo() -> GeoIp:
    return GeoIp("bundled", "bundled")


def test_an_address_has_the_place_of_the_database(geo: GeoIp) -> None:
    network = next(each for each in demo_networks() if "." in each.network)
    address = network.network.partition("/")[0].removesuffix(".0") + ".1"
    located, private, none = events(
        request(record({"client.address": address}), record({"client.address": "10.0.0.1"}), record()),
        geo=geo,
    )
    place = (network.country, network.city, network.latitude, network.longitude, network.asn, network.as_org)
    names = ("country", "city", "latitude", "longitude", "asn", "as_org")
    assert tuple(located[name] for name in names) == place
    for row in (private, none):
        assert [row[name] for name in names] == [None] * 6


def test_what_the_sender_says_about_the_place_wins_and_is_not_mixed_with_another(geo: GeoIp) -> None:
    network = next(each for each in demo_networks() if "." in each.network and each.country != "NZ")
    address = network.network.partition("/")[0].removesuffix(".0") + ".1"
    sent: list[dict[str, Any]] = [
        {"geo.country.iso_code": "NZ"},
        {"geo.country.iso_code": network.country},
        {"geo.location.lat": -41.5, "geo.location.lon": 173.5},
        {},
    ]
    rows = events(request(*(record({"client.address": address} | geography) for geography in sent)), geo=geo)
    other, same, coordinates, nothing = rows
    assert (other["country"], other["city"], other["latitude"]) == ("NZ", None, None)
    assert (same["country"], same["city"], same["latitude"]) == (
        network.country,
        network.city,
        network.latitude,
    )
    assert (coordinates["latitude"], coordinates["longitude"], coordinates["city"]) == (-41.5, 173.5, None)
    assert (nothing["country"], nothing["city"]) == (network.country, network.city)
    assert {row["asn"] for row in rows} == {network.asn}
