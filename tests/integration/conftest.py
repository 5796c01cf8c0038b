"""What the tests of the store share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sending import Store


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """Decoding to PostgreSQL, on the test's own database."""
    made = Store(database)
    yield made
    made.close()
