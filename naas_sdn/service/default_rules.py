"""The rules that new security groups begin with: read by all, set by operators."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from naas_sdn.db.security_group_rows import PARENT, DefaultSecurityGroupRuleRow, SecurityGroupRow, SecurityGroupRuleRow
from naas_sdn.errors import DefaultSecurityGroupRuleExists, DefaultSecurityGroupRuleNotFound, HTTPBadRequest
from naas_sdn.service import rule_content
from naas_sdn.service.access import require, require_owner
from naas_sdn.service.address_groups import visible_address_group
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.rows import find_rows, times, visible

USES = ("used_in_default_sg", "used_in_non_default_sg")

_IN_DEFAULT = select(DefaultSecurityGroupRuleRow).where(DefaultSecurityGroupRuleRow.used_in_default_sg)
_IN_OTHERS = select(DefaultSecurityGroupRuleRow).where(DefaultSecurityGroupRuleRow.used_in_non_default_sg)
_SAME = select(DefaultSecurityGroupRuleRow.id).where(DefaultSecurityGroupRuleRow.content == bindparam("content"))


def first_rules(session: Session, group: SecurityGroupRow) -> list[SecurityGroupRuleRow]:
    """Of a group that is new, whose id and project are set."""
    rules = []
    for row in session.scalars(_IN_OTHERS if group.default_of is None else _IN_DEFAULT):
        columns = rule_content.matches(row)
        if row.remote_group_id == PARENT:
            columns["remote_group_id"] = group.id
        rules.append(SecurityGroupRuleRow(project_id=group.project_id, description=row.description,
                                          **rule_content.settled(columns)))
    return rules


@dataclass(frozen=True, slots=True)
class DefaultRules:
    """A change is for groups made from then on."""

    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        require(context, "create_default_security_group_rule", attributes)
        columns = rule_content.settled(attributes)
        if columns["remote_address_group_id"] is not None:
            visible_address_group(session, context, columns["remote_address_group_id"])
        same = session.scalar(_SAME, {"content": columns["content"]})
        if same is not None:
            raise DefaultSecurityGroupRuleExists(f"Default Security group rule already exists. Rule id is {same}.")
        row = DefaultSecurityGroupRuleRow(**columns, **{
            name: attributes[name] for name in (*USES, "description") if name in attributes})
        session.add(row)
        session.flush()
        return _show(row)

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise HTTPBadRequest("A rule stays as it is: delete it and make another.")

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = _visible_rule(session, context, identifier)
        require_owner(context, row, "delete_default_security_group_rule")
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return _show(_visible_rule(session, context, identifier))

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        return [_show(row) for row in find_rows(
            session, context, DefaultSecurityGroupRuleRow, rule_content.spelt(query), DefaultSecurityGroupRuleNotFound,
            clause=None)]


def _visible_rule(session: Session, context: Context, identifier: str) -> DefaultSecurityGroupRuleRow:
    return visible(session, context, DefaultSecurityGroupRuleRow, identifier, DefaultSecurityGroupRuleNotFound, None)


def _show(row: DefaultSecurityGroupRuleRow) -> Attributes:
    return {"id": row.id, **rule_content.matches(row), "used_in_default_sg": row.used_in_default_sg,
            "used_in_non_default_sg": row.used_in_non_default_sg, "description": row.description, **times(row)}
