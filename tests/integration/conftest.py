"""What the tests of the store share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporter.store.retention import partitions
from tests.alert_history import AlertHistory, opened_history
from tests.sending import Store


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """Decoding to PostgreSQL, on the test's own database."""
    made = Store(database)
    yield made
    made.close()


@pytest.fixture(scope="module")
def history(shared_database: str) -> Iterator[AlertHistory]:
    """What alert rules are asked of: one for all tests of a file."""
    with opened_history(shared_database) as opened:
        yield opened


@pytest.fixture
def emptied_history(history: AlertHistory) -> None:
    """For tests each of which begins with an empty one."""
    history.clear()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention tries as often as ever, in a hurry: for tests in which somebody holds on to a partition to the end."""
    monkeypatch.setattr(partitions, "_PAUSE_S", 0.02)
