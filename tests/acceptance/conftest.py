"""What the tests with a real Grafana share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.grafana_server import Grafana, running_grafana


@pytest.fixture(scope="session")
def grafana(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grafana]:
    """The Grafana to test: one for all, since it takes a while to start."""

    def postgres() -> str:
        return str(request.getfixturevalue("postgres"))

    with running_grafana(postgres, tmp_path_factory.mktemp("grafana")) as running:
        yield running
