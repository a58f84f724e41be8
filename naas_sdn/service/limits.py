"""How many of a resource a project may have: asked before each is made, by one statement, safe against others.

The count ends at the limit and is of an index, so it costs the same however many rows other projects have, and nothing
for a project without a limit.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, case, func, literal, select, text
from sqlalchemy.orm import Session

from naas_sdn.db.bridge_rows import BridgeRow
from naas_sdn.db.floating_ip_rows import FloatingIpRow
from naas_sdn.db.quota_rows import QuotaRow
from naas_sdn.db.rbac_rows import RbacPolicyRow
from naas_sdn.db.rows import (
    AddressScopeRow,
    NetworkRow,
    PortRow,
    RouteRow,
    RouterRow,
    SubnetPoolRow,
    SubnetRow,
    VifRow,
)
from naas_sdn.db.security_group_rows import AddressGroupRow, SecurityGroupRow, SecurityGroupRuleRow
from naas_sdn.db.trunk_rows import TrunkRow
from naas_sdn.errors import OverQuota

MARGIN = 100
"""So many transactions may run at once, each adding one thing, unasked; nearer to the limit they take turns."""

_PROJECT: BindParameter[str] = bindparam("project_id")
_ROWS: Mapping[str, Select[Any]] = {
    **{name: select(literal(1)).where(row.project_id == _PROJECT) for name, row in (
        ("network", NetworkRow), ("subnet", SubnetRow), ("port", PortRow), ("router", RouterRow),
        ("route", RouteRow), ("trunk", TrunkRow), ("bridge", BridgeRow), ("security_group", SecurityGroupRow),
        ("security_group_rule", SecurityGroupRuleRow), ("rbac_policy", RbacPolicyRow),
        ("floatingip", FloatingIpRow),
        ("subnetpool", SubnetPoolRow), ("address_scope", AddressScopeRow), ("address_group", AddressGroupRow))},
    "vif": select(literal(1)).select_from(VifRow).join(PortRow, PortRow.id == VifRow.port_id).where(
        PortRow.project_id == _PROJECT),
}
"""What counts, by resource."""

_TURN = text("INSERT INTO quota_turns (project_id, resource, turns) VALUES (:project_id, :resource, 1) "
             "ON CONFLICT (project_id, resource) DO UPDATE SET turns = quota_turns.turns + 1")
"""Waits for whoever else holds the row, in every database and isolation level that we use; SQLite has one writer."""


def _question(resource: str) -> Select[Any]:
    own = select(QuotaRow.hard_limit).where(QuotaRow.project_id == _PROJECT, QuotaRow.resource == resource)
    limit = func.coalesce(own.scalar_subquery(), bindparam("usual"))
    counted = _ROWS[resource].limit(case((limit < 0, 0), else_=limit)).subquery()
    return select(limit, select(func.count()).select_from(counted).scalar_subquery())


_QUESTIONS = {resource: _question(resource) for resource in _ROWS}
_USED = select(*(select(func.count()).select_from(rows.subquery()).scalar_subquery().label(resource)
                 for resource, rows in _ROWS.items()))


@dataclass(frozen=True, slots=True)
class Limits:
    """`usual`: by resource, for projects without a limit of their own; -1: any number."""

    usual: Mapping[str, int]

    def charge(self, session: Session, resource: str, project_id: str) -> None:
        """Before a project gets one more. Raises OverQuota."""
        limit, used = self._asked(session, resource, project_id)
        if limit < 0:
            return
        holds: dict[tuple[str, str], bool] = session.info.setdefault(__name__, {})
        key = (resource, project_id)
        # A transaction that makes several asks the others too, from its second one on.
        if used < limit and not holds.get(key) and (key in holds or used >= limit - MARGIN):
            session.execute(_TURN, {"project_id": project_id, "resource": resource})
            holds[key] = True
            limit, used = self._asked(session, resource, project_id)
        holds.setdefault(key, False)
        if used >= limit >= 0:
            raise OverQuota(f"Quota exceeded for resources: ['{resource}'].")

    def _asked(self, session: Session, resource: str, project_id: str) -> tuple[int, int]:
        """(limit, used); what is used beyond the limit is not counted."""
        limit, used = session.execute(_QUESTIONS[resource], {
            "project_id": project_id, "usual": self.usual[resource]}).one()
        return limit, used


def used_by(session: Session, project_id: str) -> dict[str, int]:
    """By resource."""
    return dict(session.execute(_USED, {"project_id": project_id}).one()._mapping)
