"""Who takes part in the demonstration: invented people with a home, what they use, and service accounts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from random import Random
from typing import Literal
from unicodedata import normalize

from exporter.enrich.geoip import DemoNetwork, demo_networks

Role = Literal["customer", "staff", "admin"]

# The first four are administrators, the next ten staff, the others customers. Names are invented.
_PEOPLE = """
Mara Lindqvist, Stockholm
Tomás Ferreira, Lisbon
Anneke de Wit, Amsterdam
Jonas Bergmann, Berlin
Chiara Bellandi, Milan
Owen Pryce, London
Ayşe Korkmaz, Istanbul
Kwabena Asante, Accra
Louise Marchetti, Paris
Piotr Zawadzki, Warsaw
Hana Dvořáková, Prague
Sophie Tremblay-Roy, Montreal
Marcus Oyelaran, Lagos
Elina Kallio, Helsinki
Grace Wambui, Nairobi
Thabo Nkosana, Johannesburg
Fatima Benkirane, Casablanca
Youssef Halaby, Cairo
Zoe Hartigan, New York
Caleb Whitmore, Austin
Renata Solis, Los Angeles
Dylan Okafor-Reyes, Chicago
Priya Venkatraman, Bengaluru
Arjun Malhotra-Sen, Mumbai
Mei-Ling Tsao, Taipei
Haruto Kisaragi, Tokyo
Yuna Seo, Seoul
Wei Zhengrong, Singapore
Siti Rahmawati, Jakarta
Nguyen Bao Thien, Hanoi
Niran Suksawat, Bangkok
Isla McAllister, Sydney
Lachlan Peverell, Melbourne
Aroha Tamihana, Auckland
Camila Quiroga, Buenos Aires
Bruno Cavalcanti, Sao Paulo
Valentina Rojas-Paz, Santiago
Mateo Echeverri, Bogota
Lucía Montiel, Mexico City
Omar Al-Fahim, Dubai
"""
_ADMINS, _STAFF = 4, 10

_BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 "
    "Mobile Safari/537.36",
)


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who signs in."""

    id: str
    full_name: str
    name: str  # the login name
    email: str
    role: Role
    home: DemoNetwork
    address: str
    browser: str

    @property
    def morning_utc(self) -> float:
        """The hour of the day in UTC at which it is about nine where the person lives."""
        return (9 - self.home.longitude / 15) % 24


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A program that acts in its own name, from inside the network."""

    id: str
    address: str
    agent: str


NIGHTLY_BATCH = ServiceAccount("svc-billing-batch", "10.20.4.17", "billing-batch/3.2")
DEPLOYER = ServiceAccount("svc-deployer", "10.20.1.9", "deployer/7.0 (pipeline)")
INVENTORY = ServiceAccount("svc-inventory-sync", "10.20.8.30", "inventory-sync/1.14")


@cache
def people() -> tuple[Person, ...]:
    """The forty, always the same."""
    return tuple(_person(index, line) for index, line in enumerate(_PEOPLE.strip().splitlines()))


@cache
def networks_by_city() -> dict[str, tuple[DemoNetwork, ...]]:
    """City name to the networks there."""
    cities: dict[str, tuple[DemoNetwork, ...]] = {}
    for network in demo_networks():
        cities[network.city] = (*cities.get(network.city, ()), network)
    return cities


def address_in(network: DemoNetwork, draw: Random) -> str:
    """An address of the network that looks like a host's."""
    range_ = ip_network(network.network)
    if range_.version == 6:
        return str(range_[(draw.randrange(1, 1 << 16) << 64) + draw.randrange(1 << 16)])
    return str(range_[draw.randrange(range_.num_addresses // 256) * 256 + draw.randrange(2, 250)])


def _person(index: int, line: str) -> Person:
    full_name, city = line.rsplit(", ", 1)
    draw = Random(f"{full_name} of {city}")
    home = draw.choice(networks_by_city()[city])
    name = _ascii(full_name.lower().replace(" ", "."))
    role: Role = "admin" if index < _ADMINS else "staff" if index < _ADMINS + _STAFF else "customer"
    domain = "example.org" if role != "customer" else draw.choice(["example.com", "example.net"])
    return Person(
        id=f"u-{1001 + index}",
        full_name=full_name,
        name=name,
        email=f"{name}@{domain}",
        role=role,
        home=home,
        address=address_in(home, draw),
        browser=draw.choice(_BROWSERS),
    )


def _ascii(text: str) -> str:
    return normalize("NFKD", text).encode("ascii", "ignore").decode()
