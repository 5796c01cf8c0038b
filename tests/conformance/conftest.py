from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.service import Service, serving


@pytest.fixture(scope="module")
def module_service() -> Iterator[Service]:
    with serving() as running:
        yield running


@pytest.fixture
def service(module_service: Service) -> Iterator[Service]:
    """Receivers with the default limits, shared by a module's tests; the sink starts empty."""
    module_service.sink.forget()
    module_service.missing = None
    yield module_service
