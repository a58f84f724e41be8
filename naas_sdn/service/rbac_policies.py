"""RBAC policies as a resource: the owner of an object lets one project use it, an operator everybody."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from naas_sdn.db.rbac_rows import RbacPolicyRow
from naas_sdn.errors import (
    DuplicateRbacPolicy,
    InvalidActionForType,
    InvalidInput,
    NotFound,
    RbacPolicyInUse,
    RbacPolicyNotFound,
)
from naas_sdn.service import grants
from naas_sdn.service.access import require_change, require_new, require_owner
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.limits import Limits
from naas_sdn.service.rows import READER, find_rows, visible

OWN = RbacPolicyRow.project_id == READER
NAMES = ("project_id", "object_type", "object_id", "action", "target_tenant")


@dataclass(frozen=True, slots=True)
class RbacPolicies:
    limits: Limits
    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        require_new(context, _by_both_names(attributes), "create_rbac_policy")
        kind = attributes["object_type"]
        if kind not in grants.SHAREABLE:
            raise InvalidInput(f"Invalid input for operation: '{kind}' is not a valid RBAC object type; "
                               f"these are: {', '.join(grants.SHAREABLE)}.")
        actions = grants.SHAREABLE[kind].actions
        if attributes["action"] not in actions:
            raise InvalidActionForType(f"Invalid action '{attributes['action']}' for object type '{kind}'. "
                                       f"Valid actions: {', '.join(actions)}.")
        row = RbacPolicyRow(**{name: attributes[name] for name in NAMES})
        of = _object(session, context, row)
        self.limits.charge(session, "rbac_policy", row.project_id)
        _require_new(session, row)
        return _show(grants.add(session, row, of))

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        """Another target: as if this policy were deleted and another made."""
        row, of = _owned(session, context, identifier, "update_rbac_policy")
        target = attributes.get("target_tenant", row.target_tenant)
        if target != row.target_tenant:
            require_change(context, row, _by_both_names({"target_tenant": target}), "update_rbac_policy")
            _require_unused(session, row)
            with session.no_autoflush:
                row.target_tenant = target
                _require_new(session, row)
            grants.add(session, row, of)
        return _show(row)

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row, of = _owned(session, context, identifier, "delete_rbac_policy")
        _require_unused(session, row)
        grants.changed(of)
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return _show(_visible(session, context, identifier))

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        return [_show(row) for row in find_rows(session, context, RbacPolicyRow, query, RbacPolicyNotFound,
                                                clause=OWN)]


def _visible(session: Session, context: Context, identifier: str) -> RbacPolicyRow:
    return visible(session, context, RbacPolicyRow, identifier, RbacPolicyNotFound, OWN)


def _owned(session: Session, context: Context, identifier: str, what: str) -> tuple[RbacPolicyRow, Any]:
    """The policy, and its object. A policy that an operator made for a project is changed by the object's owner."""
    row = _visible(session, context, identifier)
    require_owner(context, row, what)
    return row, _object(session, context, row)


SEEN = {kind: grants.seen(kind) for kind in grants.SHAREABLE}


def _object(session: Session, context: Context, policy: RbacPolicyRow) -> Any:
    """The row of what the policy is about. Raises InvalidInput when it is not there for the caller, or not his."""
    kind, identifier = policy.object_type, policy.object_id
    try:
        row = visible(session, context, grants.SHAREABLE[kind].row, identifier, NotFound, SEEN[kind])
    except NotFound as error:
        raise InvalidInput(f"Invalid input for operation: there is no {kind} {identifier}.") from error
    if not context.owns(row.project_id):
        raise InvalidInput(f"Invalid input for operation: only the owner of {kind} {identifier} says who may use it.")
    return row


def _by_both_names(attributes: Attributes) -> Attributes:
    """The target, as rules call it."""
    return {**attributes, "target_project": attributes["target_tenant"]}


def _require_new(session: Session, row: RbacPolicyRow) -> None:
    same = session.scalar(select(RbacPolicyRow.id).where(
        RbacPolicyRow.object_id == row.object_id, RbacPolicyRow.action == row.action,
        RbacPolicyRow.target_tenant == row.target_tenant).limit(1))
    if same is not None:
        # Its id is not told: it may be an operator's.
        raise DuplicateRbacPolicy(f"An RBAC policy already exists with those values: {row.action} of "
                                  f"{row.object_type} {row.object_id} for {row.target_tenant}.")


def _require_unused(session: Session, row: RbacPolicyRow) -> None:
    user = grants.user_without(session, row)
    if user is not None:
        raise RbacPolicyInUse(f"RBAC policy on object {row.object_id} cannot be removed because other objects depend "
                              f"on it. Details: project_id={user[1]} uses it in {user[0]}.")


def _show(row: RbacPolicyRow) -> Attributes:
    return {"id": row.id, "tenant_id": row.project_id, **{name: getattr(row, name) for name in NAMES}}
