"""Security groups, and the default one that each project has from the moment on that somebody needs it."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, selectinload

from naas_sdn.db.rows import new_id
from naas_sdn.db.security_group_rows import PortSecurityGroupRow, SecurityGroupRow, SecurityGroupRuleRow
from naas_sdn.db.session import writable
from naas_sdn.errors import (
    SecurityGroupCannotRemoveDefault,
    SecurityGroupCannotUpdateDefault,
    SecurityGroupDefaultAlreadyExists,
    SecurityGroupInUse,
    SecurityGroupNotFound,
)
from naas_sdn.service import rule_content
from naas_sdn.service.access import require_change, require_new, require_owner
from naas_sdn.service.contract import Action, Attributes, Context, NeedsToWrite, Query
from naas_sdn.service.default_rules import first_rules
from naas_sdn.service.grants import seen, shared_with_reader
from naas_sdn.service.limits import Limits
from naas_sdn.service.rows import change, find_rows, new_key, standard, times, touch, visible

DEFAULT = "default"

SEEN = seen("security_group")
SHARED = shared_with_reader("security_group")

_WITH_RULES = (selectinload(SecurityGroupRow.rules),)
_DEFAULT_OF = select(SecurityGroupRow.id).where(SecurityGroupRow.default_of == bindparam("project_id"))
_USER = select(PortSecurityGroupRow.port_id).where(
    PortSecurityGroupRow.security_group_id == bindparam("security_group_id")).limit(1)


def visible_group(session: Session, context: Context, identifier: str) -> SecurityGroupRow:
    """Raises SecurityGroupNotFound."""
    return visible(session, context, SecurityGroupRow, identifier, SecurityGroupNotFound, SEEN)


def default_group(session: Session, project_id: str) -> str:
    """The id of the project's default group, which is made when there is none.

    Raises NeedsToWrite when it must be and the session only reads.
    """
    found = session.scalar(_DEFAULT_OF, {"project_id": project_id})
    if found is not None:
        return found
    if not writable(session):
        raise NeedsToWrite
    return make_default(session, project_id)


def make_default(session: Session, project_id: str) -> str:
    """The id of the project's new default group, or of the one that somebody else made meanwhile.

    Raises IntegrityError when there is one that this transaction does not see.
    """
    row = SecurityGroupRow(id=new_id(), project_id=project_id, default_of=project_id, name=DEFAULT,
                           key=new_key(session), description="Default security group")
    row.rules = first_rules(session, row)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        found = session.scalar(_DEFAULT_OF, {"project_id": project_id})
        if found is None:
            raise
        return found
    return row.id


def show_rule(row: SecurityGroupRuleRow, group: SecurityGroupRow) -> Attributes:
    """All but the tags."""
    remote = row.remote_ip_prefix
    return {
        "id": row.id, "project_id": row.project_id, "tenant_id": row.project_id,
        "security_group_id": row.security_group_id, **rule_content.matches(row),
        "normalized_cidr": None if remote is None else str(rule_content.prefix(remote).network),
        "belongs_to_default_sg": group.default_of is not None, "description": row.description, **times(row),
    }


def _show(row: SecurityGroupRow) -> Attributes:
    # The order in which a database gives them, for those that were made just now too.
    rules = sorted(row.rules, key=lambda rule: (rule.created_at, rule.id))
    return {**standard(row), "stateful": row.stateful, "security_group_rules": [show_rule(rule, row) for rule in rules]}


@dataclass(frozen=True, slots=True)
class SecurityGroups:
    limits: Limits
    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        project = attributes["project_id"]
        require_new(context, attributes, "create_security_group")
        _require_free_name(attributes.get("name", ""))
        default_group(session, project)
        self.limits.charge(session, "security_group", project)
        row = SecurityGroupRow(id=new_id(), key=new_key(session), **{name: attributes[name] for name in (
            "project_id", "name", "description", "stateful") if name in attributes})
        row.rules = first_rules(session, row)
        session.add(row)
        session.flush()
        return _show(row)

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = visible(session, context, SecurityGroupRow, identifier, SecurityGroupNotFound, SEEN, _WITH_RULES)
        require_change(context, row, attributes, "update_security_group")
        if attributes.get("name", row.name) != row.name:
            if row.default_of is not None:
                raise SecurityGroupCannotUpdateDefault("Updating default security group not allowed: it keeps its "
                                                       "name. Its description may change.")
            _require_free_name(attributes["name"])
        if attributes.get("stateful", row.stateful) != row.stateful:
            _require_unused(session, row)
        change(row, attributes, ("name", "description", "stateful"))
        session.flush()
        return _show(row)

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        """With its rules, and those of other groups that are about it."""
        row = visible(session, context, SecurityGroupRow, identifier, SecurityGroupNotFound, SEEN, _WITH_RULES)
        require_owner(context, row, "delete_security_group")
        _require_unused(session, row)
        if row.default_of is not None and not context.is_admin:
            raise SecurityGroupCannotRemoveDefault("Insufficient rights for removing default security group.")
        for rule in session.scalars(select(SecurityGroupRuleRow).options(joinedload(SecurityGroupRuleRow.group)).where(
                SecurityGroupRuleRow.remote_group_id == row.id, SecurityGroupRuleRow.security_group_id != row.id)):
            session.delete(rule)
            touch(rule.group)
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return _show(visible(session, context, SecurityGroupRow, identifier, SecurityGroupNotFound, SEEN, _WITH_RULES))

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        """With a default group, which is made for whom the list is of."""
        default_group(session, _whose(context, query))
        rows = find_rows(session, context, SecurityGroupRow, query, SecurityGroupNotFound,
                         clause=SEEN, columns={"shared": SHARED}, options=_WITH_RULES)
        return [_show(row) for row in rows]


def _whose(context: Context, query: Query) -> str:
    """The project that a list is of: the caller's, or the one that an operator names."""
    named: Iterable[str] = (*query.filters.get("project_id", ()), *query.filters.get("tenant_id", ()))
    projects = [project for project in named if context.owns(project) and 0 < len(project) <= 255]
    return projects[0] if projects else context.project_id


def _require_free_name(name: str) -> None:
    if name.lower() == DEFAULT:
        raise SecurityGroupDefaultAlreadyExists("Default security group already exists; choose another name.")


def _require_unused(session: Session, row: SecurityGroupRow) -> None:
    if session.scalar(_USER, {"security_group_id": row.id}) is not None:
        raise SecurityGroupInUse(f"Security Group {row.id} in use.")
