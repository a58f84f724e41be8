"""QoS rules of every type, under their policy and by their own id, and the list of the types."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from naas_sdn.db.rows import QosPolicyRow, QosRuleRow
from naas_sdn.errors import QosRuleNotFound, QoSRuleParameterConflict, QoSRulesConflict, QosRuleTypeNotFound
from naas_sdn.plugins.contract import Change, Plugins
from naas_sdn.service.access import require
from naas_sdn.service.contract import Attributes, Context, Query, Refusing
from naas_sdn.service.qos import SEEN, shown_rule, visible_policy
from naas_sdn.service.qos_kinds import BOUNDS, KINDS, Kind
from naas_sdn.service.rows import Sight, find_rows, touch, visible

RULE_SEEN = Sight(QosRuleRow.policy.has(SEEN.row), (select(QosRuleRow.id).where(SEEN.among(QosRuleRow.policy_id)),))


@dataclass(frozen=True, slots=True)
class Rules(Refusing):
    """Those of one type, under their policy's URL; `parent` is {"policy_id": ...}."""

    kind: Kind
    plugins: Plugins

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        policy = self._policy(session, context, parent, "create")
        row = QosRuleRow(**{"type": self.kind.name, "direction": "", **self._columns(attributes)})
        self._check(session, policy, row)
        policy.rules.append(row)
        touch(policy)
        session.flush()
        return shown_rule(row)

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        policy = self._policy(session, context, parent, "update")
        row = self._row(policy, identifier)
        with session.no_autoflush:
            for column, value in self._columns(attributes).items():
                setattr(row, column, value)
            self._check(session, policy, row)
        touch(policy)
        session.flush()
        return shown_rule(row)

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        policy = self._policy(session, context, parent, "delete")
        policy.rules.remove(self._row(policy, identifier))
        touch(policy)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        policy = visible_policy(session, context, parent["policy_id"])
        if not self._readable(context, policy):
            raise QosRuleNotFound(identifier)
        return shown_rule(self._row(policy, identifier))

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        policy = visible_policy(session, context, parent["policy_id"])
        if not self._readable(context, policy):
            return []
        of_policy = (QosRuleRow.policy_id == policy.id) & (QosRuleRow.type == self.kind.name)
        # As the clause it holds for a marker, as a condition for operators too.
        rows = find_rows(session, context, QosRuleRow, query, QosRuleNotFound, clause=of_policy,
                         conditions=[of_policy], columns=_columns_of(self.kind))
        return [shown_rule(row) for row in rows]

    def _columns(self, attributes: Attributes) -> Attributes:
        return {column: attributes[name] for name, column in self.kind.columns.items() if name in attributes}

    def _check(self, session: Session, policy: QosPolicyRow, row: QosRuleRow) -> None:
        """Raises QoSRulesConflict for a second one of its type and direction, and QoSRuleParameterConflict."""
        for other in policy.rules:
            if other is row:
                continue
            if other.type == row.type and (other.direction == row.direction or "any" in (
                    other.direction, row.direction)):
                raise QoSRulesConflict(f"Rule {row.type} conflicts with rule {other.id} of the same type"
                                       f"{' and direction' if row.direction else ''} in QoS Policy {policy.id}; "
                                       f"change or delete that one.")
            most, least = (row, other) if row.type in BOUNDS else (other, row)
            if BOUNDS.get(most.type) == least.type and least.direction in (most.direction, "any") and (
                    least.value > most.value):
                raise QoSRuleParameterConflict(
                    f"Unable to set {row.type} to {row.value} in QoS Policy {policy.id}: its {other.type} rule "
                    f"{other.id} is {other.value}, and a minimum is at most the limit.")
        self.plugins.l2.check(session, Change("update", "qos_policy", policy.id, shown_rule(row)))

    def _policy(self, session: Session, context: Context, parent: Mapping[str, str], verb: str) -> QosPolicyRow:
        policy = visible_policy(session, context, parent["policy_id"])
        require(context, f"{verb}_policy_{self.kind.member}", _target(policy))
        return policy

    def _readable(self, context: Context, policy: QosPolicyRow) -> bool:
        return context.may(f"get_policy_{self.kind.member}", _target(policy))

    def _row(self, policy: QosPolicyRow, identifier: str) -> QosRuleRow:
        """A rule of another policy, or of another type, is not there."""
        for row in policy.rules:
            if (row.id, row.type) == (identifier, self.kind.name):
                return row
        raise QosRuleNotFound(identifier)


def _target(policy: QosPolicyRow) -> Attributes:
    return {"project_id": policy.project_id, "policy_id": policy.id, "ext_parent:project_id": policy.project_id}


@dataclass(frozen=True, slots=True)
class AliasedRules(Refusing):
    """The same rules by their own id, for who does not know the policy. They are made under it."""

    rules: Rules

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = self._visible(session, context, identifier)
        return self.rules.update(session, context, identifier, attributes, {"policy_id": row.policy_id})

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = self._visible(session, context, identifier)
        self.rules.delete(session, context, identifier, {"policy_id": row.policy_id})

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        row = self._visible(session, context, identifier)
        if not context.may(f"get_alias_{self.rules.kind.member}"):
            raise QosRuleNotFound(identifier)
        return shown_rule(row)

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        kind = self.rules.kind
        if not context.may(f"get_alias_{kind.member}"):
            return []
        rows = find_rows(session, context, QosRuleRow, query, QosRuleNotFound, clause=RULE_SEEN,
                         conditions=[QosRuleRow.type == kind.name], columns=_columns_of(kind))
        return [shown_rule(row) for row in rows]

    def _visible(self, session: Session, context: Context, identifier: str) -> QosRuleRow:
        row = visible(session, context, QosRuleRow, identifier, QosRuleNotFound, RULE_SEEN)
        if row.type != self.rules.kind.name:
            raise QosRuleNotFound(identifier)
        return row


def _columns_of(kind: Kind) -> dict[str, InstrumentedAttribute[int | str]]:
    return {name: getattr(QosRuleRow, column) for name, column in kind.columns.items()}


@dataclass(frozen=True, slots=True)
class RuleTypes(Refusing):
    """`driver`: the name of the L2 plugin, which enforces those that are."""

    driver: str

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        """With its parameters for operators. Raises QosRuleTypeNotFound."""
        if identifier not in KINDS or not context.may("get_rule_type"):
            raise QosRuleTypeNotFound(identifier)
        shown: Attributes = {"type": identifier}
        if context.is_admin:
            kind = KINDS[identifier]
            drivers = [{"name": self.driver, "supported_parameters": _parameters(kind)}]
            shown["drivers"] = drivers if kind.enforced else []
        return shown

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        """Those that are enforced, which `all_supported` means too here; with `all_rules` those that are kept also."""
        if not context.may("get_rule_type"):
            return []
        everything = True in query.filters.get("all_rules", ())
        wanted = query.filters.get("type", tuple(KINDS))
        return [{"type": kind.name} for kind in KINDS.values()
                if kind.name in wanted and (everything or kind.enforced)]


def _parameters(kind: Kind) -> list[Attributes]:
    """As the API checks them."""
    def choices(name: str, values: tuple[int | str, ...]) -> Attributes:
        return {"parameter_name": name, "parameter_type": "choices", "parameter_values": list(values)}

    def span(name: str, low: int, high: int) -> Attributes:
        return {"parameter_name": name, "parameter_type": "range", "parameter_values": {"start": low, "end": high}}

    value = choices(kind.value, kind.values) if kind.values else span(kind.value, kind.low, kind.high)
    burst = [span(kind.burst, 0, kind.high)] if kind.burst else []
    return [value, *burst, *([choices("direction", kind.directions)] if kind.directions else [])]
