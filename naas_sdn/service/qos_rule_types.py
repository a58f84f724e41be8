"""The kinds of QoS rule that there are, and what their parameters may be."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from naas_sdn.errors import HTTPBadRequest, QosRuleTypeNotFound
from naas_sdn.service.contract import Action, Attributes, Context, Query


def _range(name: str, low: int, high: int) -> Attributes:
    return {"parameter_name": name, "parameter_type": "range", "parameter_values": {"start": low, "end": high}}


PARAMETERS: Mapping[str, list[Attributes]] = {
    "bandwidth_limit": [
        _range("max_kbps", 1, 2**31 - 1), _range("max_burst_kbps", 0, 2**31 - 1),
        {"parameter_name": "direction", "parameter_type": "choices", "parameter_values": ["egress", "ingress"]},
    ],
}
"""By type; as the API checks them."""


@dataclass(frozen=True, slots=True)
class RuleTypes:
    """`driver`: the name of the L2 plugin, which enforces them all."""

    driver: str
    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise HTTPBadRequest("Types of rules are what the plugins have; none can be made.")

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise HTTPBadRequest("Types of rules are what the plugins have; none can be changed.")

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        raise HTTPBadRequest("Types of rules are what the plugins have; none can be deleted.")

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        """With its parameters for operators. Raises QosRuleTypeNotFound."""
        if identifier not in PARAMETERS:
            raise QosRuleTypeNotFound(identifier)
        shown: Attributes = {"type": identifier}
        if context.is_admin:
            shown["drivers"] = [{"name": self.driver, "supported_parameters": PARAMETERS[identifier]}]
        return shown

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        """`all_supported` and `all_rules` mean the same here: what can be kept is enforced."""
        wanted = query.filters.get("type", tuple(PARAMETERS))
        return [{"type": name} for name in PARAMETERS if name in wanted]
