"""Databases of both kinds, each test's own."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.postgresql import Cluster


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL for all tests of this run, started when the first needs it."""
    # Not above: whoever needs the hub starts it first, in a conftest below.
    from tests.support.postgresql import Cluster  # noqa: PLC0415

    made = Cluster()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a database of its own; not always migrated yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/naas.db"
    else:
        cluster: Cluster = request.getfixturevalue("postgresql")
        with cluster.database() as made:
            yield made
