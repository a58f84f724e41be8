"""Who may read what: the rules `get_MEMBER`, on top of what a project sees at all (service/rows.py).

By default they let whoever reads in his project see all that it sees, which takes one question a request. Where an
operator says otherwise, and looks at the object, they are asked for each.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from naas_sdn.db.bridge_rows import BridgeRow
from naas_sdn.db.floating_ip_rows import FloatingIpRow
from naas_sdn.db.rbac_rows import EVERYBODY, RbacPolicyRow
from naas_sdn.db.rows import (
    AddressScopeRow,
    NetworkRow,
    PortRow,
    QosPolicyRow,
    RouteRow,
    RouterRow,
    SubnetPoolRow,
    SubnetRow,
    VifRow,
)
from naas_sdn.db.security_group_rows import (
    AddressGroupRow,
    DefaultSecurityGroupRuleRow,
    SecurityGroupRow,
    SecurityGroupRuleRow,
)
from naas_sdn.db.trunk_rows import TrunkRow
from naas_sdn.service.access import RowTarget
from naas_sdn.service.contract import Context

RULES: Mapping[type[Any], str] = {
    NetworkRow: "get_network", SubnetRow: "get_subnet", PortRow: "get_port", RouterRow: "get_router",
    FloatingIpRow: "get_floatingip", RouteRow: "get_route", VifRow: "get_vif", TrunkRow: "get_trunk",
    BridgeRow: "get_bridge",
    SubnetPoolRow: "get_subnetpool",
    AddressScopeRow: "get_address_scope", AddressGroupRow: "get_address_group", RbacPolicyRow: "get_rbac_policy",
    SecurityGroupRow: "get_security_group", SecurityGroupRuleRow: "get_security_group_rule",
    DefaultSecurityGroupRuleRow: "get_default_security_group_rule", QosPolicyRow: "get_policy",
}

_SHARED = select(RbacPolicyRow.id).where(
    RbacPolicyRow.object_id == bindparam("object_id"), RbacPolicyRow.action == "access_as_shared",
    RbacPolicyRow.target_tenant.in_((bindparam("reader"), bindparam("everybody", EVERYBODY)))).limit(1)

_EXTERNAL = select(RbacPolicyRow.id).where(
    RbacPolicyRow.object_id == bindparam("object_id"), RbacPolicyRow.action == "access_as_external").limit(1)


class _Own(Mapping[str, Any]):
    """An object that is the project's own, as are its parents."""

    __slots__ = ("_project_id", "_shared")

    def __init__(self, project_id: str, shared: bool) -> None:
        self._project_id, self._shared = project_id, shared

    def __getitem__(self, key: str) -> Any:
        if key in ("shared", "router:external"):
            return self._shared
        if key.rpartition(":")[2] in ("project_id", "tenant_id"):
            return self._project_id
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(("project_id", "tenant_id", "shared", "router:external"))

    def __len__(self) -> int:
        return 4


def readable(session: Session, context: Context, row_class: type[Any]) -> bool | Callable[[Any], bool]:
    """Of the rows that the caller's project sees: all, none, or those that the function lets through."""
    rule = RULES.get(row_class)
    if rule is None:
        return True
    if rule not in context.rules.looking:
        return context.may(rule)
    if rule not in context.rules.changed:
        if context.may(rule, _Own(context.project_id, False)):
            return True
        if not context.may(rule, _Own(context.project_id, True)):
            return False

    def judged(row: Any) -> bool:
        about = row.port if isinstance(row, VifRow) else row
        return context.may(rule, RowTarget(about, later={
            "shared": lambda: _shared(session, context, about), "router:external": lambda: _external(session, about)}))

    return judged


def _external(session: Session, row: Any) -> bool:
    """The network, or that of what is on one: whomever it is for."""
    return session.scalar(_EXTERNAL, {"object_id": getattr(row, "network_id", row.id)}) is not None


def _shared(session: Session, context: Context, row: Any) -> bool:
    """With the caller: the object, or what it is part of."""
    match row:
        case SubnetRow() | PortRow():
            shared = row.network_id
        case SecurityGroupRuleRow():
            shared = row.security_group_id
        case _:
            shared = row.id
    return session.scalar(_SHARED, {"object_id": shared, "reader": context.project_id}) is not None
