"""The table of RBAC policies."""
from __future__ import annotations

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from naas_sdn.db.rows import Row, new_id

EVERYBODY = "*"
"""The target that is all projects."""


class RbacPolicyRow(Row):
    """One project, or EVERYBODY, may use somebody's object. An object that is `shared` has such a row for EVERYBODY."""

    __tablename__ = "rbac_policies"
    __table_args__ = (UniqueConstraint("object_id", "action", "target_tenant"),
                      Index("ix_rbac_policies_target", "target_tenant", "object_type", "action", "object_id"),
                      Index("ix_rbac_policies_action", "action", "object_id"))
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(String(255), index=True)
    object_type: Mapped[str] = mapped_column(String(32))
    object_id: Mapped[str] = mapped_column(String(36))
    action: Mapped[str] = mapped_column(String(32))
    target_tenant: Mapped[str] = mapped_column(String(255))
