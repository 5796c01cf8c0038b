"""Logs from web pages: only from origins that are configured."""

from __future__ import annotations

import pytest

from tests.conformance.client import JSON, Reply, call
from tests.conformance.samples import one_record
from tests.conformance.service import Service, serving

RECORD = one_record().SerializeToString()
ORIGINS = ("https://app.example.com", "https://*.example.org", "http://localhost:*")


def preflight(service: Service, origin: str) -> Reply:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-tenant",
    }
    return call(service.http_port, method="OPTIONS", content_type=None, headers=headers)


@pytest.mark.parametrize("origin", ["https://app.example.com", "https://a.b.example.org", "http://localhost:8080"])
def test_pages_of_allowed_origins_may_send(origin: str) -> None:
    """H16."""
    with serving(origins=ORIGINS) as service:
        asked = preflight(service, origin)
        assert (asked.code, asked.body) == (204, b"")
        assert asked.headers["access-control-allow-origin"] == origin
        assert asked.headers["access-control-allow-methods"] == "POST"
        assert asked.headers["access-control-allow-headers"] == "content-type,x-tenant"
        assert asked.headers["vary"] == "Origin"
        sent = call(service.http_port, b"[", JSON, headers={"Origin": origin})
        assert (sent.code, sent.headers["access-control-allow-origin"]) == (400, origin)


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.org",
        "http://app.example.com",
        "https://app.example.com.evil.net",
        "https://evil.net/.example.org",
        "https://app-example.com",
        "null",
        "",
    ],
)
def test_pages_of_other_origins_may_not(origin: str) -> None:
    """H16."""
    with serving(origins=ORIGINS) as service:
        asked = preflight(service, origin)
        assert asked.code == 403
        assert "cors_allowed_origins" in asked.status.message
        assert "access-control-allow-origin" not in asked.headers
        sent = call(service.http_port, RECORD, headers={"Origin": origin})
        assert "access-control-allow-origin" not in sent.headers


def test_a_lone_star_allows_every_origin() -> None:
    """H16."""
    with serving(origins=("*",)) as service:
        assert preflight(service, "https://any.example").code == 204


def test_no_origin_is_allowed_by_default(service: Service) -> None:
    """H16."""
    assert preflight(service, "https://app.example.com").code == 405
    sent = call(service.http_port, RECORD, headers={"Origin": "https://app.example.com"})
    assert sent.code == 200
    assert not [name for name in sent.headers if name.startswith("access-control")]
