"""What migrations do with what is there."""
from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command

from naas_sdn.db.migrations import alembic_config


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
