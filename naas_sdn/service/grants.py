"""Who may use whose objects: the RBAC policies, and what depends on them.

An object is shared with a project by a policy, and `shared` is one for everybody: there is no other truth about it.
Likewise a network is external when there is a policy of that action about it, whomever it is for.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, delete, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from naas_sdn.db.floating_ip_rows import FloatingIpRow
from naas_sdn.db.gateway_rows import RouterGatewayRow
from naas_sdn.db.rbac_rows import EVERYBODY, RbacPolicyRow
from naas_sdn.db.rows import (
    AddressScopeRow,
    NetworkRow,
    Owned,
    PortRow,
    QosPolicyRow,
    RouterRow,
    SubnetPoolRow,
    SubnetRow,
)
from naas_sdn.db.security_group_rows import (
    AddressGroupRow,
    PortSecurityGroupRow,
    SecurityGroupRow,
    SecurityGroupRuleRow,
)
from naas_sdn.errors import IllegalSubnetPoolAssociationToAddressScope
from naas_sdn.service.contract import Context
from naas_sdn.service.rows import READER, Sight, touch

ACCESS_AS_SHARED = "access_as_shared"
ACCESS_AS_EXTERNAL = "access_as_external"


@dataclass(frozen=True, slots=True)
class Shareable:
    """A type of object. By action of a policy: the columns that name one of it for that action's sake, in tables whose
    rows are a project's (`_project`)."""

    row: Any
    actions: Mapping[str, tuple[InstrumentedAttribute[Any], ...]]


def _shareable(row: Any, *users: InstrumentedAttribute[Any]) -> Shareable:
    return Shareable(row, {ACCESS_AS_SHARED: users})


SHAREABLE: Mapping[str, Shareable] = {
    "network": Shareable(NetworkRow, {
        ACCESS_AS_SHARED: (PortRow.network_id,),
        ACCESS_AS_EXTERNAL: (RouterGatewayRow.network_id, FloatingIpRow.floating_network_id)}),
    "qos_policy": _shareable(QosPolicyRow, PortRow.qos_policy_id, NetworkRow.qos_policy_id),
    "subnetpool": _shareable(SubnetPoolRow, SubnetRow.subnetpool_id),
    "address_scope": _shareable(AddressScopeRow, SubnetPoolRow.address_scope_id),
    "security_group": _shareable(SecurityGroupRow, PortSecurityGroupRow.security_group_id,
                                 SecurityGroupRuleRow.remote_group_id),
    "address_group": _shareable(AddressGroupRow, SecurityGroupRuleRow.remote_address_group_id),
}
"""By RBAC object type."""


def shared_with_reader(kind: str) -> ColumnElement[bool]:
    """That there is a policy for READER or for everybody. By an index of targets: others' policies cost nothing."""
    identifier: InstrumentedAttribute[str] = SHAREABLE[kind].row.id
    return identifier.in_(_granted(kind, ACCESS_AS_SHARED))


def _granted(kind: str, *actions: str) -> Select[str]:
    """Ids of what READER may use in one of these ways."""
    return select(RbacPolicyRow.object_id).where(
        RbacPolicyRow.target_tenant.in_((READER, bindparam("everybody", EVERYBODY))),
        RbacPolicyRow.object_type == kind, RbacPolicyRow.action.in_(actions))


def seen(kind: str) -> Sight:
    """READER's own objects, and those that he may use in any way."""
    row = SHAREABLE[kind].row
    own, granted = row.project_id == READER, _granted(kind, *SHAREABLE[kind].actions)
    return Sight(or_(own, exists(granted.where(RbacPolicyRow.object_id == row.id).correlate(row))),
                 (select(row.id).where(own), granted))


_SHARED = select(RbacPolicyRow.object_id).distinct().where(
    RbacPolicyRow.object_id.in_(bindparam("ids", expanding=True)), RbacPolicyRow.action == ACCESS_AS_SHARED,
    RbacPolicyRow.target_tenant.in_((READER, bindparam("everybody", EVERYBODY))))


def shared_of(session: Session, context: Context, ids: Iterable[str]) -> set[str]:
    """Those of the objects that show the caller as shared."""
    return set(session.scalars(_SHARED, {"ids": list(ids), "reader": context.project_id}))


def covers(session: Session, object_id: str, project_id: str, action: str = ACCESS_AS_SHARED) -> bool:
    """Whether the project, or everybody, may use the object."""
    found = session.scalar(select(RbacPolicyRow.id).where(
        RbacPolicyRow.object_id == object_id, RbacPolicyRow.action == action,
        RbacPolicyRow.target_tenant.in_((project_id, EVERYBODY))).limit(1))
    return found is not None


def to_everybody(session: Session, object_id: str) -> RbacPolicyRow | None:
    """The policy that makes the object `shared`."""
    return session.scalar(select(RbacPolicyRow).where(
        RbacPolicyRow.object_id == object_id, RbacPolicyRow.action == ACCESS_AS_SHARED,
        RbacPolicyRow.target_tenant == EVERYBODY))


def add(session: Session, row: RbacPolicyRow, of: Any) -> RbacPolicyRow:
    """A new policy, flushed; `of` is the row of its object. Raises IllegalSubnetPoolAssociationToAddressScope."""
    session.add(row)
    session.flush()
    settle(session, of)
    changed(of)
    session.flush()
    return row


def changed(of: Any) -> None:
    """Whom an object is for is part of it, for who reads it."""
    if isinstance(of, Owned):
        touch(of)


def settle(session: Session, of: Any) -> None:
    """Raises IllegalSubnetPoolAssociationToAddressScope: who may use a pool may use its address scope."""
    if not isinstance(of, SubnetPoolRow) or of.address_scope_id is None:
        return
    scope = select(RbacPolicyRow.target_tenant).where(RbacPolicyRow.object_id == of.address_scope_id,
                                                      RbacPolicyRow.action == ACCESS_AS_SHARED)
    owner = select(AddressScopeRow.project_id).where(AddressScopeRow.id == of.address_scope_id).scalar_subquery()
    lacking = session.scalar(select(RbacPolicyRow.target_tenant).where(
        RbacPolicyRow.object_id == of.id, RbacPolicyRow.action == ACCESS_AS_SHARED,
        RbacPolicyRow.target_tenant != owner, RbacPolicyRow.target_tenant.not_in(scope),
        ~exists(scope.where(RbacPolicyRow.target_tenant == EVERYBODY))).limit(1))
    if lacking is not None:
        raise IllegalSubnetPoolAssociationToAddressScope(
            f"Illegal subnetpool association: subnetpool {of.id} is shared with {lacking}, and address scope "
            f"{of.address_scope_id} is not. Share the address scope first.")


def user_without(session: Session, policy: RbacPolicyRow) -> tuple[str, str] | None:
    """(table, project) of one that uses the object and could not without the policy."""
    kind = SHAREABLE[policy.object_type]
    owner = select(kind.row.project_id).where(kind.row.id == policy.object_id).scalar_subquery()
    others = select(RbacPolicyRow.target_tenant).where(
        RbacPolicyRow.object_id == policy.object_id, RbacPolicyRow.action == policy.action,
        RbacPolicyRow.id != policy.id)
    for column in kind.actions[policy.action]:
        project = _project(column)
        using: Select[Any] = select(project).select_from(column.class_).where(
            column == policy.object_id, project != owner, project.not_in(others),
            ~exists(others.where(RbacPolicyRow.target_tenant == EVERYBODY))).limit(1)
        if policy.target_tenant != EVERYBODY:
            using = using.where(project == policy.target_tenant)
        found: str | None = session.scalar(using)
        if found is not None:
            return column.class_.__tablename__, found
    return None


def _project(column: InstrumentedAttribute[Any]) -> Any:
    """Of the rows that have the column."""
    if column.class_ is PortSecurityGroupRow:
        return select(PortRow.project_id).where(PortRow.id == PortSecurityGroupRow.port_id).scalar_subquery()
    if column.class_ is RouterGatewayRow:
        return select(RouterRow.project_id).where(RouterRow.id == RouterGatewayRow.router_id).scalar_subquery()
    return column.class_.project_id


def forget(session: Session, object_id: str) -> None:
    """Policies end with their object."""
    session.execute(delete(RbacPolicyRow).where(RbacPolicyRow.object_id == object_id))
