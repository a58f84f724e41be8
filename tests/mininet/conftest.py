"""A laboratory for each story: built once for the file, which names its tenants in TENANTS."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.mininet.lab import Lab


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Two hypervisors. After the story the controller must have stopped cleanly and logged no error."""
    with Lab(hypervisors=2, tenants=getattr(request.module, "TENANTS", ("alice",))) as made:
        try:
            yield made
            assert made.controller.complaints() == []
            assert made.controller.stop() == 0
        except BaseException:
            print(f"--- controller\n{made.controller.tail(60)}")
            raise
