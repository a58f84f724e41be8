"""The hub first: the standard library must be patched before anything else is imported."""
from naas_sdn import runtime

runtime.start()

from collections.abc import Iterator  # noqa: E402

import pytest  # noqa: E402

from naas_sdn.db.session import Database  # noqa: E402
from tests.support.database import Cloud, opened  # noqa: E402


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with opened(url) as made:
        yield made


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    with opened(sqlite_url) as made:
        yield made


@pytest.fixture
def cloud_db(database: Database) -> Cloud:
    return Cloud(database)
