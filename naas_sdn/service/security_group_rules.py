"""The rules of security groups."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import ColumnElement, bindparam, or_, select
from sqlalchemy.orm import Session, joinedload

from naas_sdn.db.security_group_rows import SecurityGroupRow, SecurityGroupRuleRow
from naas_sdn.errors import (
    HTTPBadRequest,
    SecurityGroupNotSingleGroupRules,
    SecurityGroupRuleExists,
    SecurityGroupRuleNotFound,
)
from naas_sdn.service import rule_content
from naas_sdn.service.access import require_new, require_owner
from naas_sdn.service.address_groups import visible_address_group
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.limits import Limits
from naas_sdn.service.rows import READER, Sight, find_rows, touch, visible
from naas_sdn.service.security_groups import SEEN as GROUP_SEEN
from naas_sdn.service.security_groups import show_rule, visible_group

SEEN = Sight(or_(SecurityGroupRuleRow.project_id == READER, SecurityGroupRuleRow.group.has(GROUP_SEEN.row)),
             (select(SecurityGroupRuleRow.id).where(SecurityGroupRuleRow.project_id == READER),
              select(SecurityGroupRuleRow.id).where(GROUP_SEEN.among(SecurityGroupRuleRow.security_group_id))))
"""Own rules, and those of the groups that the caller sees."""

_WITH_GROUP = (joinedload(SecurityGroupRuleRow.group),)
_SAME = select(SecurityGroupRuleRow.id).where(
    SecurityGroupRuleRow.security_group_id == bindparam("security_group_id"),
    SecurityGroupRuleRow.content == bindparam("content"))
_OF_DEFAULT_GROUPS = SecurityGroupRuleRow.security_group_id.in_(
    select(SecurityGroupRow.id).where(SecurityGroupRow.default_of.is_not(None)))


@dataclass(frozen=True, slots=True)
class SecurityGroupRules:
    """A rule's project is its group's, whoever makes it."""

    limits: Limits
    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        group = visible_group(session, context, attributes["security_group_id"])
        require_new(context, attributes, "create_security_group_rule", security_group=group)
        if session.info.setdefault(__name__, group.id) != group.id:
            raise SecurityGroupNotSingleGroupRules("Only allowed to update rules for one security profile at a time: "
                                                   "the rules of one request are of one group.")
        columns = rule_content.settled(attributes)
        remote = columns["remote_group_id"]
        if remote not in (None, group.id):
            visible_group(session, context, remote)
        if columns["remote_address_group_id"] is not None:
            visible_address_group(session, context, columns["remote_address_group_id"])
        same = session.scalar(_SAME, {"security_group_id": group.id, "content": columns["content"]})
        if same is not None:
            raise SecurityGroupRuleExists(f"Security group rule already exists. Rule id is {same}.")
        self.limits.charge(session, "security_group_rule", group.project_id)
        row = SecurityGroupRuleRow(project_id=group.project_id, security_group_id=group.id, group=group,
                                   description=attributes.get("description", ""), **columns)
        session.add(row)
        touch(group)
        session.flush()
        return {**show_rule(row, group), "tags": []}

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise HTTPBadRequest("A rule stays as it is: delete it and make another.")

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = _visible_rule(session, context, identifier)
        require_owner(context, row, "delete_security_group_rule")
        touch(row.group)
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        row = _visible_rule(session, context, identifier)
        return {**show_rule(row, row.group), "tags": []}

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        filters = dict(query.filters)
        of_default = filters.pop("belongs_to_default_sg", (True, False))
        conditions: list[ColumnElement[bool]] = []
        if len(set(of_default)) == 1:
            conditions.append(_OF_DEFAULT_GROUPS if of_default[0] else ~_OF_DEFAULT_GROUPS)
        rows = find_rows(session, context, SecurityGroupRuleRow, rule_content.spelt(replace(query, filters=filters)),
                         SecurityGroupRuleNotFound, clause=SEEN, conditions=conditions, options=_WITH_GROUP)
        return [{**show_rule(row, row.group), "tags": []} for row in rows]


def _visible_rule(session: Session, context: Context, identifier: str) -> SecurityGroupRuleRow:
    return visible(session, context, SecurityGroupRuleRow, identifier, SecurityGroupRuleNotFound, SEEN, _WITH_GROUP)
