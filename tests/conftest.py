"""Databases of both kinds, each test's own."""
from __future__ import annotations

import shutil
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


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema, to copy: migrating takes longer than most tests."""
    from naas_sdn.db.migrations import migrate  # noqa: PLC0415

    path = tmp_path_factory.mktemp("template") / "naas.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(migrated: Path, tmp_path: Path) -> str:
    """Of a migrated file of its own."""
    return f"sqlite:///{shutil.copy(migrated, tmp_path / 'naas.db')}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a migrated database of its own."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
    else:
        cluster: Cluster = request.getfixturevalue("postgresql")
        with cluster.database() as made:
            yield made
