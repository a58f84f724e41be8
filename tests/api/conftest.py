"""The hub first: the standard library must be patched before anything else is imported."""
from naas_sdn import runtime

runtime.start()

from collections.abc import Iterator  # noqa: E402

import pytest  # noqa: E402

from tests.api.wire import Wire  # noqa: E402


@pytest.fixture
def wire(url: str) -> Iterator[Wire]:
    """The API on a database of its own, with all plugins."""
    with Wire(url) as made:
        yield made


@pytest.fixture
def sqlite_wire(sqlite_url: str) -> Iterator[Wire]:
    """On a file that others can hold."""
    with Wire(sqlite_url) as made:
        yield made


@pytest.fixture
def bare(url: str) -> Iterator[Wire]:
    """The API without an L3 plugin."""
    with Wire(url, l3="", ipconfig=[]) as made:
        yield made
