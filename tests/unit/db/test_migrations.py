"""The schema's history, forth and back on both databases."""
from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import inspect

from naas_sdn.db.migrations import alembic_config, migrate
from tests.support.database import ADMIN, Cloud, opened


def tables(url: str) -> set[str]:
    with opened(url) as database, database.read() as session:
        return set(inspect(session.connection()).get_table_names())


def test_every_step_can_be_taken_back(url: str) -> None:
    before = tables(url)
    command.downgrade(alembic_config(url), "base")
    assert tables(url) == {"alembic_version"}
    migrate(url)
    assert tables(url) == before
    with opened(url) as database:
        cloud = Cloud(database)
        network, _ = cloud.network()
        assert cloud.get("ports", cloud.port(network, "hv1"))["fixed_ips"]


def test_what_is_there_is_kept(url: str) -> None:
    """Rows of the present version live through the last step's being taken back and made again."""
    with opened(url) as database:
        cloud = Cloud(database)
        port = cloud.port(cloud.network()[0], "hv1")
        before = cloud.get("ports", port)
    command.downgrade(alembic_config(url), "-1")
    migrate(url)
    with opened(url) as database, database.read() as session:
        assert cloud.resources["ports"].get(session, ADMIN, port, {}) == before


@pytest.mark.parametrize("back", [False, True])
def test_bandwidth_limits_become_rules(tmp_path: Path, *, back: bool) -> None:
    config = alembic_config(f"sqlite:///{tmp_path / 'naas.db'}")
    command.upgrade(config, "0007")
    with sqlite3.connect(tmp_path / "naas.db") as connection:
        connection.execute("INSERT INTO qos_bandwidth_limit_rules (id, policy_id, direction, max_kbps, max_burst_kbps) "
                           "VALUES ('r', 'p', 'ingress', 1000, 300)")
    connection.close()
    command.upgrade(config, "head")
    if back:
        command.downgrade(config, "0007")
    query = ("SELECT id, policy_id, direction, max_kbps, max_burst_kbps FROM qos_bandwidth_limit_rules" if back else
             "SELECT id, policy_id, direction, value, burst FROM qos_rules WHERE type = 'bandwidth_limit'")
    connection = sqlite3.connect(tmp_path / "naas.db")
    assert connection.execute(query).fetchall() == [("r", "p", "ingress", 1000, 300)]
    connection.close()
