"""Whose request it was, behind proxies: what is believed of the headers, and what isn't."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.config import load_config
from exporter.enrich.forwarded import TrustedProxies
from exporter.errors import ConfigError
from exporter.explain import explain
from exporter.mapping.compile import Mapper
from exporter.mapping.rules import load_all
from exporter.transform import Transform
from tests.records import CLASSES, record, request

PROXY, INNER, CLIENT = "10.1.0.1", "10.1.0.2", "198.51.100.7"
proxies = TrustedProxies(["10.1.0.0/16", "2001:db8:ffff::/48"])
words = st.text('0123456789abcdef.:,;="[]_\\ for', max_size=60) | st.text(max_size=40)


@pytest.mark.parametrize("peer", [None, "", "203.0.113.9", "203.0.113.9:4000", "2001:db8::9", "a.example", "10.1.0.1x"])
def test_the_headers_of_a_peer_that_is_no_trusted_proxy_are_its_own_words(peer: str | None) -> None:
    assert proxies.client(peer, f"for={CLIENT}", CLIENT, CLIENT) == peer


def test_without_trusted_proxies_no_header_counts() -> None:
    assert TrustedProxies([]).client(PROXY, None, CLIENT) == PROXY


def test_a_trusted_proxy_that_names_nobody_is_the_client_itself() -> None:
    assert proxies.client(PROXY, None, None) == PROXY
    assert proxies.client(PROXY, "", " , ,", "") == PROXY


@pytest.mark.parametrize(
    "peer", [PROXY, f"{PROXY}:9999", f"[::ffff:{PROXY}]:9999", f"::ffff:{PROXY}", "2001:db8:ffff:1::5"]
)
def test_a_proxy_is_known_with_a_port_and_as_ipv4_in_ipv6(peer: str) -> None:
    assert proxies.client(peer, None, CLIENT) == CLIENT


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (CLIENT, CLIENT),
        (f"{CLIENT}, {INNER}", CLIENT),
        (f"192.0.2.66, {CLIENT}, {INNER}, {PROXY}", CLIENT),
        (f"192.0.2.66,{CLIENT},{INNER}:8080", CLIENT),
        (f"{CLIENT}:51000, {INNER}", CLIENT),
        ("2001:DB8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:51000", "2001:db8::7"),
        ("fe80::7%eth0", "fe80::7"),
        ("::ffff:198.51.100.7", CLIENT),
        (f"{CLIENT}, , {INNER},", CLIENT),
        # All of them are ours: the one furthest away is where it came from.
        (f"10.1.0.9, {INNER}", "10.1.0.9"),
    ],
)
def test_x_forwarded_for_is_read_from_its_end_past_trusted_proxies(header: str, client: str) -> None:
    assert proxies.client(PROXY, None, header) == client


@pytest.mark.parametrize("odd", ["unknown", "_hidden", "a.example", "1.2.3", "300.1.1.1", "1.2.3.4:port", "[::1", "-"])
def test_an_entry_that_is_no_address_ends_the_way_at_the_last_good_one(odd: str) -> None:
    assert proxies.client(PROXY, None, f"{CLIENT}, {odd}, {INNER}") == INNER
    assert proxies.client(PROXY, None, f"{CLIENT}, {odd}") == PROXY
    assert proxies.client(PROXY, f'for={CLIENT}, for="{odd}", for={INNER}', None) == INNER


@pytest.mark.parametrize(
    ("header", "client"),
    [
        # The shapes of RFC 7239, sections 4 to 7.
        (f"for={CLIENT};proto=http;by=203.0.113.43", CLIENT),
        (f'For="{CLIENT}:47011"', CLIENT),
        ('for="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
        ('for="[2001:db8:cafe::17]:_p1"', "2001:db8:cafe::17"),
        (f'for=192.0.2.66, FOR={CLIENT} ; host="a,b;c", for={INNER}', CLIENT),
        (f'proto=https;for="{CLIENT}";by="_here, there"', CLIENT),
        (f"for={CLIENT},,for={INNER},", CLIENT),
        # Not quoted, as the RFC asks for, but said often enough.
        ("for=2001:db8:cafe::17", "2001:db8:cafe::17"),
        ("for=[2001:db8:cafe::17]:4711", "2001:db8:cafe::17"),
    ],
)
def test_forwarded_is_read_from_its_end_past_trusted_proxies(header: str, client: str) -> None:
    assert proxies.client(PROXY, header, None) == client


def test_a_forwarded_that_a_client_made_up_hides_nothing_from_the_header_that_proxies_write() -> None:
    assert proxies.client(PROXY, "for=192.0.2.1", CLIENT, "192.0.2.2") == CLIENT
    assert proxies.client(PROXY, f"for={CLIENT}", None, "192.0.2.2") == CLIENT
    assert proxies.client(PROXY, "for=unknown", None, "192.0.2.1") == PROXY


@pytest.mark.parametrize("header", ["proto=https", 'for="192.0.2.1', "192.0.2.1", "for=a;for=b", 'for="\\1"', ";"])
def test_a_forwarded_that_says_nothing_leaves_it_to_the_older_headers(header: str) -> None:
    assert proxies.client(PROXY, header, CLIENT) == CLIENT


def test_x_real_ip_counts_where_the_others_are_not_sent() -> None:
    assert proxies.client(PROXY, None, None, CLIENT) == CLIENT
    assert proxies.client(PROXY, None, "192.0.2.1", CLIENT) == "192.0.2.1"


@pytest.mark.parametrize(
    "forged",
    ['for="', 'for="192.0.2.1', 'for="\\"', "for=192.0.2.1;", ",,,", 'host="x, for=192.0.2.1', "for=192.0.2.1, for"],
)
def test_nothing_that_a_client_sends_ahead_hides_what_the_proxy_added(forged: str) -> None:
    assert proxies.client(PROXY, f"{forged}, for={CLIENT}", None) == CLIENT
    assert proxies.client(PROXY, None, f"{forged}, {CLIENT}") == CLIENT


def test_headers_come_as_the_arrays_that_opentelemetry_makes_of_them() -> None:
    assert proxies.client(PROXY, None, json.dumps([f"192.0.2.66, {CLIENT}", INNER])) == CLIENT
    assert proxies.client(PROXY, json.dumps([f"for={CLIENT}"]), None) == CLIENT
    assert proxies.client(PROXY, None, "[]", json.dumps([CLIENT])) == CLIENT
    assert proxies.client(PROXY, None, "[1]") == PROXY


@pytest.mark.parametrize(
    "flood",
    ["192.0.2.66, " * 100_000, "x" * 1_000_000, '"' * 1_000_000, ",;" * 500_000, 'for="a,', "\\" * 1_000_000],
    ids=["entries", "letters", "quotes", "separators", "open quote", "backslashes"],
)
def test_a_flood_ahead_of_what_the_proxy_added_changes_nothing(flood: str) -> None:
    assert proxies.client(PROXY, None, f"{flood}, {CLIENT}") == CLIENT
    assert proxies.client(PROXY, f"{flood}, for={CLIENT}", None) == CLIENT


def test_a_chain_longer_than_any_real_one_ends_at_a_trusted_proxy() -> None:
    for separator in (",", " , "):
        assert proxies.client(PROXY, None, separator.join([CLIENT, *["10.1.2.3"] * 10_000])) == "10.1.2.3"
    assert proxies.client(PROXY, ",".join([f"for={CLIENT}", *["for=10.1.2.3"] * 10_000]), None) == "10.1.2.3"


def test_an_entry_that_was_cut_for_its_length_is_not_read_as_another_one() -> None:
    assert proxies.client(PROXY, None, f"1{CLIENT},{INNER.rjust(8192 - len(CLIENT) - 1)}") == INNER
    assert proxies.client(PROXY, f"xfor={CLIENT},{f'for={INNER}'.rjust(8192 - len(CLIENT) - 5)}", None) == INNER


def test_networks_have_names_addresses_and_prefixes() -> None:
    named = TrustedProxies(["private", " Loopback ", "192.0.2.1", "::ffff:203.0.113.0/120"])
    for peer in ("10.9.9.9", "172.31.0.1", "192.168.1.1", "fd00::1", "127.0.0.2", "::1", "192.0.2.1", "203.0.113.255"):
        assert named.client(peer, None, CLIENT) == CLIENT
    for peer in ("172.32.0.1", "192.0.2.2", "192.0.2.0", "fe80::1", "203.0.114.0"):
        assert named.client(peer, None, CLIENT) == peer


@pytest.mark.parametrize(
    ("network", "remedy"),
    [
        ("10.0.0.1/8", "write 10.0.0.0/8 for all of that"),
        ("2001:db8::1/32", "write 2001:db8::/32 for all of that"),
        ("10.0.0.0/33", "10.0.0.0/8"),
        ("proxy.example", "private or loopback"),
        ("", "private or loopback"),
    ],
)
def test_what_is_no_network_is_refused_with_the_remedy(network: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy) as refusal:
        TrustedProxies(["10.0.0.0/8", network])
    assert repr(network) in str(refusal.value)


def test_the_configuration_names_the_place_of_a_network_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "auditgraf.yaml"
    file.write_text("mapping:\n  trusted_proxies: [private, 10.0.0.1/8]\n")
    with pytest.raises(ConfigError, match=r"auditgraf\.yaml:2: mapping\.trusted_proxies.*write 10\.0\.0\.0/8"):
        load_config({}, file)
    file.write_text("mapping:\n  trusted_proxies: [private, 192.0.2.1]\n")
    assert load_config({}, file).mapping.trusted_proxies == ("private", "192.0.2.1")


@settings(deadline=None)
@given(words, words, words)
def test_whatever_the_headers_say_the_answer_is_an_address(forwarded: str, listed: str, real: str) -> None:
    client = proxies.client(PROXY, forwarded, listed, real)
    assert client is not None
    assert str(ipaddress.ip_address(client)) == client


@settings(deadline=None)
@given(words, st.ip_addresses())
def test_what_a_client_sends_never_becomes_its_address(sent: str, address: ipaddress.IPv4Address) -> None:
    own = proxies.client(PROXY, None, str(address))
    if own is not None and not ipaddress.ip_address(own).is_private:
        assert proxies.client(PROXY, None, f"{sent}, {address}") == own
        assert proxies.client(PROXY, f'{sent}, for="{address}"', None) == own


@pytest.mark.parametrize(
    ("peer", "attributes", "client"),
    [
        (PROXY, {}, CLIENT),
        (PROXY, {"audit.source.id": "192.0.2.8"}, CLIENT),
        # A rule that names the attribute knows better.
        (PROXY, {"door.address": "192.0.2.9"}, "192.0.2.9"),
        ("203.0.113.9", {"door.address": "192.0.2.9"}, "192.0.2.9"),
        # Nothing is believed of the headers, and nothing is taken from the peer for them.
        ("203.0.113.9", {"audit.source.id": "192.0.2.8"}, "192.0.2.8"),
        ("203.0.113.9", {}, "203.0.113.9"),
    ],
)
def test_only_a_trusted_proxy_replaces_an_address_and_none_that_a_rule_copied(
    peer: str, attributes: dict[str, str], client: str, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("version: 1\nrules: [{name: door, match: all, copy: {client_address: door.address}}]\n")
    transform = Transform(Mapper(load_all([rules], tuple(CLASSES)), proxies), CLASSES)
    sent = {"network.peer.address": peer, "http.request.header.x-forwarded-for": CLIENT, **attributes}
    (found,) = explain(transform, [request(record(sent)).SerializeToString()])
    assert found.event["client_ip"] == client
