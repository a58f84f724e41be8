"""QoS policies. Their rules: service/qos_rules.py."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from naas_sdn.db.rows import NetworkRow, PortRow, QosPolicyRow, QosRuleRow
from naas_sdn.errors import NotFound, QoSPolicyDefaultAlreadyExists, QosPolicyInUse, QosPolicyNotFound
from naas_sdn.plugins.contract import Plugins
from naas_sdn.service.access import require_change, require_new, require_owner
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.grants import seen, shared_with_reader
from naas_sdn.service.qos_kinds import KINDS
from naas_sdn.service.rows import change, find_rows, standard, visible

SEEN = seen("qos_policy")
SHARED = shared_with_reader("qos_policy")


def visible_policy(session: Session, context: Context, identifier: str,
                   missing: type[NotFound] = QosPolicyNotFound) -> QosPolicyRow:
    """Raises `missing`."""
    return visible(session, context, QosPolicyRow, identifier, missing, SEEN)


def shown_rule(row: QosRuleRow) -> Attributes:
    """As its own collection shows it."""
    return {"id": row.id, **{name: getattr(row, column) for name, column in KINDS[row.type].columns.items()}}


def _show(row: QosPolicyRow) -> Attributes:
    rules = [{**shown_rule(rule), "type": rule.type, "qos_policy_id": row.id} for rule in row.rules]
    return {**standard(row), "is_default": row.is_default, "rules": rules}


@dataclass(frozen=True, slots=True)
class Policies:
    plugins: Plugins
    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        require_new(context, attributes, "create_policy")
        row = QosPolicyRow(rules=[], **{name: attributes[name] for name in
                                        ("project_id", "name", "description", "is_default") if name in attributes})
        if row.is_default:
            self._only_default(session, row)
        session.add(row)
        session.flush()
        return _show(row)

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = visible_policy(session, context, identifier)
        require_change(context, row, attributes, "update_policy")
        change(row, attributes, ("name", "description", "is_default"))
        if row.is_default:
            self._only_default(session, row)
        session.flush()
        return _show(row)

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = visible_policy(session, context, identifier)
        require_owner(context, row, "delete_policy")
        for what, column in (("port", PortRow), ("network", NetworkRow)):
            user = session.scalar(select(column.id).where(column.qos_policy_id == row.id).limit(1))
            if user is not None:
                raise QosPolicyInUse(f"QoS Policy {row.id} is used by {what} {user}.")
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return _show(visible_policy(session, context, identifier))

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        rows = find_rows(session, context, QosPolicyRow, query, QosPolicyNotFound, clause=SEEN,
                         columns={"shared": SHARED}, options=[selectinload(QosPolicyRow.rules)])
        return [_show(row) for row in rows]

    @staticmethod
    def _only_default(session: Session, row: QosPolicyRow) -> None:
        with session.no_autoflush:
            other = session.scalar(select(QosPolicyRow.id).where(
                QosPolicyRow.project_id == row.project_id, QosPolicyRow.is_default, QosPolicyRow.id != row.id))
        if other is not None:
            raise QoSPolicyDefaultAlreadyExists(
                f"A default QoS policy exists for project {row.project_id}: {other}.")

