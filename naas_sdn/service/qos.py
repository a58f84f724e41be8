"""QoS policies and their bandwidth limits."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from naas_sdn.db.rows import BandwidthLimitRow, NetworkRow, PortRow, QosPolicyRow
from naas_sdn.errors import (
    HTTPBadRequest,
    NotFound,
    QoSPolicyDefaultAlreadyExists,
    QosPolicyInUse,
    QosPolicyNotFound,
    QosRuleNotFound,
    QoSRuleParameterConflict,
    QoSRulesConflict,
)
from naas_sdn.plugins.contract import Change, Plugins
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.grants import seen, shared_with_reader
from naas_sdn.service.rows import change, find_rows, require_owner, standard, touch, visible

RULE = ("direction", "max_kbps", "max_burst_kbps")


SEEN = seen("qos_policy")
SHARED = shared_with_reader("qos_policy")


def visible_policy(session: Session, context: Context, identifier: str,
                   missing: type[NotFound] = QosPolicyNotFound) -> QosPolicyRow:
    """Raises `missing`."""
    return visible(session, context, QosPolicyRow, identifier, missing, SEEN)


def _rule(row: BandwidthLimitRow) -> Attributes:
    return {"id": row.id, "direction": row.direction, "max_kbps": row.max_kbps, "max_burst_kbps": row.max_burst_kbps}


def _show(row: QosPolicyRow) -> Attributes:
    rules = [{**_rule(rule), "type": "bandwidth_limit", "qos_policy_id": row.id} for rule in row.rules]
    return {**standard(row), "is_default": row.is_default, "rules": rules}


@dataclass(frozen=True, slots=True)
class Policies:
    plugins: Plugins
    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        require_owner(context, attributes["project_id"], "create_policy")
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
        require_owner(context, row.project_id, "update_policy")
        change(row, attributes, ("name", "description", "is_default"))
        if row.is_default:
            self._only_default(session, row)
        session.flush()
        return _show(row)

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = visible_policy(session, context, identifier)
        require_owner(context, row.project_id, "delete_policy")
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


@dataclass(frozen=True, slots=True)
class BandwidthLimits:
    """Under their policy's URL; `parent` is {"policy_id": ...}."""

    plugins: Plugins
    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        policy = self._policy(session, context, parent, "create_policy_bandwidth_limit_rule")
        if any(rule.direction == attributes["direction"] for rule in policy.rules):
            raise QoSRulesConflict(f"Rule bandwidth_limit conflicts with another {attributes['direction']} rule in "
                                   f"QoS Policy {policy.id}; change or delete that one.")
        row = BandwidthLimitRow(**{name: attributes[name] for name in RULE})
        self._check(session, policy, row)
        policy.rules.append(row)
        touch(policy)
        session.flush()
        return _rule(row)

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        policy = self._policy(session, context, parent, "update_policy_bandwidth_limit_rule")
        row = self._row(policy, identifier)
        direction = attributes.get("direction", row.direction)
        if any(rule.direction == direction and rule is not row for rule in policy.rules):
            raise QoSRulesConflict(f"QoS Policy {policy.id} has another {direction} bandwidth limit.")
        for name in RULE:
            if name in attributes:
                setattr(row, name, attributes[name])
        self._check(session, policy, row)
        touch(policy)
        session.flush()
        return _rule(row)

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        policy = self._policy(session, context, parent, "delete_policy_bandwidth_limit_rule")
        policy.rules.remove(self._row(policy, identifier))
        touch(policy)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return _rule(self._row(visible_policy(session, context, parent["policy_id"]), identifier))

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        of_policy = BandwidthLimitRow.policy_id == visible_policy(session, context, parent["policy_id"]).id
        # As the clause it holds for a marker, as a condition for operators too.
        rows = find_rows(session, context, BandwidthLimitRow, query, QosRuleNotFound, clause=of_policy,
                         conditions=[of_policy])
        return [_rule(row) for row in rows]

    def _check(self, session: Session, policy: QosPolicyRow, row: BandwidthLimitRow) -> None:
        if row.max_burst_kbps and row.max_burst_kbps > 0xFFFFFFFF:
            raise QoSRuleParameterConflict("max_burst_kbps does not fit into 32 bits.")
        self.plugins.l2.check(session, Change("update", "qos_policy", policy.id, _rule(row)))

    @staticmethod
    def _policy(session: Session, context: Context, parent: Mapping[str, str], what: str) -> QosPolicyRow:
        policy = visible_policy(session, context, parent["policy_id"])
        require_owner(context, policy.project_id, what)
        return policy

    @staticmethod
    def _row(policy: QosPolicyRow, identifier: str) -> BandwidthLimitRow:
        """A rule of another policy is not there (attack 68)."""
        for row in policy.rules:
            if row.id == identifier:
                return row
        raise QosRuleNotFound(identifier)


@dataclass(frozen=True, slots=True)
class AliasedBandwidthLimits:
    """The same rules by their own id, for who does not know the policy."""

    limits: BandwidthLimits
    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise HTTPBadRequest("A rule is made under its policy: POST to /v2.0/qos/policies/{id}/bandwidth_limit_rules.")

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        return self.limits.update(session, context, identifier, attributes, _policy_of(session, context, identifier))

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        self.limits.delete(session, context, identifier, _policy_of(session, context, identifier))

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return _rule(_visible_rule(session, context, identifier))

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        rows = find_rows(session, context, BandwidthLimitRow, query, QosRuleNotFound, clause=RULE_SEEN)
        return [_rule(row) for row in rows]


RULE_SEEN = BandwidthLimitRow.policy_id.in_(select(QosPolicyRow.id).where(SEEN))


def _visible_rule(session: Session, context: Context, identifier: str) -> BandwidthLimitRow:
    return visible(session, context, BandwidthLimitRow, identifier, QosRuleNotFound, RULE_SEEN)


def _policy_of(session: Session, context: Context, identifier: str) -> dict[str, str]:
    return {"policy_id": _visible_rule(session, context, identifier).policy_id}
