"""Agents: each hypervisor is one, alive when its switch is, for clients that know Neutron's."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session, joinedload

from naas_sdn.db.rows import AgentRow, HypervisorRow, now
from naas_sdn.errors import AgentNotFound, PolicyNotAuthorized
from naas_sdn.service.access import require_owner
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.rows import find_rows
from naas_sdn.service.uplinks import mappings

FIXED = {"agent_type": "Open vSwitch agent", "binary": "neutron-openvswitch-agent", "topic": "N/A"}
"""What is the same of all of them."""

OF_HYPERVISOR = {"alive": HypervisorRow.alive, "availability_zone": HypervisorRow.availability_zone}
WHOLE = joinedload(AgentRow.hypervisor).selectinload(HypervisorRow.uplinks)


@dataclass(frozen=True, slots=True)
class Agents:
    """For the operator: a list is empty for others. `bridge`, `datapath_type`: of every hypervisor."""

    bridge: str
    datapath_type: str
    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise PolicyNotAuthorized("create_agent is disallowed by policy: use `naas-sdn hypervisor add`.")

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = self._visible(session, context, identifier)
        require_owner(context, row, "update_agent")
        for name, value in attributes.items():
            setattr(row, name, value)
        session.flush()
        return self._show(row)

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        """The hypervisor stays in the register, and is an agent again when its switch connects."""
        row = self._visible(session, context, identifier)
        require_owner(context, row, "delete_agent")
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return self._show(self._visible(session, context, identifier))

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        others = any(value not in query.filters.get(name, (value,)) for name, value in FIXED.items())
        if others or not context.may("get_agent"):
            return []
        conditions = [AgentRow.hypervisor.has(column.in_(query.filters[name]))
                      for name, column in OF_HYPERVISOR.items() if name in query.filters]
        rows = find_rows(session, context, AgentRow, query, AgentNotFound, clause=None, conditions=conditions,
                         options=[WHOLE])
        return [self._show(row) for row in rows]

    @staticmethod
    def _visible(session: Session, context: Context, identifier: str) -> AgentRow:
        row = session.get(AgentRow, identifier, options=[WHOLE]) if context.may("get_agent") else None
        if row is None:
            raise AgentNotFound(identifier)
        return row

    def _show(self, row: AgentRow) -> Attributes:
        alive = row.hypervisor.alive
        return {
            **FIXED, "id": row.id, "host": row.host, "admin_state_up": row.admin_state_up, "alive": alive,
            "availability_zone": row.hypervisor.availability_zone, "description": row.description,
            "configurations": {"bridge_mappings": mappings(row.hypervisor.uplinks), "datapath_type": self.datapath_type,
                               "integration_bridge": self.bridge, "tunnel_types": ["vxlan"],
                               "tunneling_ip": row.hypervisor.vtep},
            "created_at": _time(row.created_at), "started_at": _time(row.started_at or row.created_at),
            # A switch that is alive is heard of every few seconds; only coming and going is written down.
            "heartbeat_timestamp": _time(now() if alive else row.lost_at or row.created_at),
            "resources_synced": None,
        }


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")
