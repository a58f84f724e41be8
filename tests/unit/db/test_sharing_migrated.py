"""What was shared before there were RBAC policies is shared with everybody after, and back."""
from __future__ import annotations

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.script import ScriptDirectory

from naas_sdn.db.migrations import alembic_config, migrate

POLICIES = "SELECT object_type, object_id, project_id, action, target_tenant FROM rbac_policies"


def test_shared_becomes_a_policy_and_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'naas.db'}"
    scripts = alembic_config(url)
    [before] = [script.down_revision for script in ScriptDirectory.from_config(scripts).walk_revisions()
                if script.revision == "0011"]
    assert isinstance(before, str)
    migrate(url)
    command.downgrade(scripts, before)
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        for identifier, shared in (("s1", True), ("s2", False)):
            connection.exec_driver_sql("INSERT INTO address_scopes (id, project_id, name, ip_version, shared) "
                                       "VALUES (?, 'alice', '', 4, ?)", (identifier, shared))
    migrate(url)
    with engine.begin() as connection:
        assert connection.exec_driver_sql(POLICIES).all() == [
            ("address_scope", "s1", "alice", "access_as_shared", "*")]
    command.downgrade(scripts, before)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT id, shared FROM address_scopes ORDER BY id").all() == [
            ("s1", 1), ("s2", 0)]
    engine.dispose()
