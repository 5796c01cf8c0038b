"""What the OpenTelemetry SDK for Node.js emits over HTTP and JSON, in a row of which every column is checked."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.collector_process import ROOT, WAIT, CollectorProcess, collector
from tests.sending import messages, stored

pytestmark = pytest.mark.node

SOURCE = Path(__file__).parent / "node"
KEPT = ROOT / "build" / "node"
# What npm says where there is no way to the registry; anything else is a fault that the test must show.
NO_REGISTRY = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|network")


@pytest.fixture(scope="module")
def node_client() -> Path:
    """The script with its packages beside it, installed once for each lock file."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    installed = KEPT / hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()[:16]
    if not installed.exists():
        _install(installed)
    shutil.copy(SOURCE / "emit.mjs", installed)
    return installed / "emit.mjs"


def _install(folder: Path) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=KEPT))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SOURCE / name, staging)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    done = subprocess.run(command, cwd=staging, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        shutil.rmtree(staging)
        if NO_REGISTRY.search(done.stderr):
            pytest.skip("npm can't reach its registry, and the packages are not installed yet")
        pytest.fail(f"npm ci failed: {done.stderr}")
    try:
        staging.rename(folder)
    except OSError:  # another process was quicker
        shutil.rmtree(staging)


@pytest.fixture(scope="module")
def receiving(shared_database: str) -> Iterator[CollectorProcess]:
    with collector(shared_database) as process:
        yield process


def emit(client: Path, to: CollectorProcess, compression: str, body: str, at_ns: int) -> None:
    seconds, nanoseconds = divmod(at_ns, 10**9)
    arguments = [f"{to.http_url}/v1/logs", compression, body, str(seconds), str(nanoseconds)]
    subprocess.run(["node", client, *arguments], check=True, timeout=WAIT)


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_an_event_of_the_node_sdk_is_a_row_with_every_column_as_it_was_sent(
    node_client: Path, receiving: CollectorProcess, shared_database: str, compression: str
) -> None:
    since, at_ns = datetime.now(UTC), time.time_ns() // 10**9 * 10**9 - 10**9 + 123_456_789
    body = f"cancelled, {compression}"
    emit(node_client, receiving, compression, body, at_ns)
    found = stored(shared_database, "message", body)
    found.assert_filed(since)
    assert found.given() == {
        "occurred_at": datetime.fromtimestamp(at_ns // 10**9, UTC) + timedelta(microseconds=123_456),
        "occurred_ns": at_ns,
        "observed_ns": at_ns + 500,
        "severity": 17,
        "severity_text": "ERROR",
        "action": "order.cancelled",
        "outcome": "failure",
        "actor_id": "u-17",
        "actor_name": "Änna",
        "actor_email": "anna@example.org",
        "actor_type": "service",
        "on_behalf_of": "u-1",
        "client_ip": ip_address("2001:db8::17"),
        "client_address": None,
        "country": "DE",
        "city": "Köln",
        "latitude": 50.938,
        "longitude": 6.96,
        "asn": None,
        "as_org": None,
        "target_type": "order",
        "target_id": "o-1",
        "target_name": 'Order "1"',
        "service": "checkout",
        "environment": "staging",
        "tenant": "acme",
        "session_id": "s-1",
        "trace_id": "5b8efff798038103d269b633813fc60c",
        "span_id": "eee19b7ec3c1b174",
        "user_agent": "Mozilla/5.0",
        "message": body,
        "changes": {
            "state": {"before": "open", "after": "cancelled"},
            "notes": {"before": None, "after": "late"},
        },
        "attributes": {
            "error.type": "out_of_stock",
            "details": {"list": [1, "two", {"three": 3.5}], "none": None, "empty": ""},
            "big": 9007199254740991,
            "ratio": 0.5,
            "ok": True,
            "nothing": [],
            "raw": "AP8=",
            "trace_flags": 1,
        },
        "retention_class": "default",
        "flags": [],
    }
    assert {name: found.source[name] for name in found.source if name not in {"source_id", "first_seen"}} == {
        "service": "checkout",
        "environment": "staging",
        "tenant": "acme",
        "resource": {
            "service.name": "checkout",
            "deployment.environment.name": "staging",
            "tenant.id": "acme",
            "process.pid": 4711,
        },
        "resource_schema_url": "",
        "scope": {"name": "checkout.audit", "version": "4.5.6", "attributes": {}},
        "scope_schema_url": "https://example.org/schema",
    }


def test_the_same_event_emitted_twice_is_one_row(
    node_client: Path, receiving: CollectorProcess, shared_database: str
) -> None:
    at_ns = time.time_ns()
    for compression in ("none", "gzip"):
        emit(node_client, receiving, compression, "once", at_ns)
    assert messages(shared_database).count("once") == 1
