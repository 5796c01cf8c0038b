"""What these tests share: a real Grafana, and a PostgreSQL that may be killed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.embedded import EmbeddedPostgres
from exporter.store.migrate import migrate
from tests.conftest import CLASSES
from tests.grafana_server import Grafana, running_grafana


@pytest.fixture(scope="session")
def grafana(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grafana]:
    """The Grafana to test: one for all, since it takes a while to start."""

    def postgres() -> str:
        return str(request.getfixturevalue("postgres"))

    with running_grafana(postgres, tmp_path_factory.mktemp("grafana")) as running:
        yield running


@pytest.fixture
def crashing() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL, migrated, that writes through to the disk as in earnest."""
    with tempfile.TemporaryDirectory(prefix="auditgraf-tests-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "postgres")
        server.start()
        migrate(server.url(), CLASSES)
        yield server
        server.stop()
