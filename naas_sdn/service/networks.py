"""Networks: Neutron's, with NaaS's port isolation."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from naas_sdn.db import status
from naas_sdn.db.bridge_rows import BridgeRow
from naas_sdn.db.rows import NetworkRow, PortRow, TunnelKeyRow, new_id
from naas_sdn.db.segment_queries import networks_with
from naas_sdn.db.segment_rows import SegmentRow
from naas_sdn.errors import (
    InvalidInput,
    NetworkInUse,
    NetworkNotFound,
    QosPolicyNotFound,
)
from naas_sdn.plugins.contract import Change, Plugins
from naas_sdn.service import addresses, statistics, zones
from naas_sdn.service.access import require_change, require_new, require_owner
from naas_sdn.service.address_scopes import scopes_of
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.external_networks import EXTERNAL
from naas_sdn.service.grants import seen, shared_with_reader
from naas_sdn.service.limits import Limits
from naas_sdn.service.qos import visible_policy
from naas_sdn.service.rows import change, find_rows, standard, visible

PROVIDER = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")
CHANGEABLE = ("name", "description", "admin_state_up", "mtu", "port_security_enabled", "isolated", "is_default",
              "qos_policy_id")

SEEN = seen("network")
"""Own networks, shared ones, and external ones that the project may use."""
SHARED = shared_with_reader("network")


def visible_network(session: Session, context: Context, identifier: str) -> NetworkRow:
    """Raises NetworkNotFound."""
    return visible(session, context, NetworkRow, identifier, NetworkNotFound, SEEN)


@dataclass(frozen=True, slots=True)
class Networks:
    plugins: Plugins
    limits: Limits

    @property
    def actions(self) -> Mapping[str, Action]:
        return {"statistics": self.statistics}

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        require_new(context, attributes, "create_network")
        self.limits.charge(session, "network", attributes["project_id"])
        self._policy(session, context, attributes)
        hints = attributes.get("availability_zone_hints", [])
        zones.require(session, hints)
        row = NetworkRow(id=new_id(), project_id=attributes["project_id"],
                         mtu=_mtu(attributes.get("mtu", 0), self.plugins.l2.largest_mtu(attributes)),
                         availability_zone_hints=hints,
                         **{name: attributes[name] for name in CHANGEABLE if name in attributes and name != "mtu"})
        session.add_all((row, SegmentRow(network_id=row.id)))
        session.flush()
        self.plugins.l2.check(session, Change("create", "network", row.id, attributes))
        session.flush()
        return self._show(session, context, [row])[0]

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = visible_network(session, context, identifier)
        require_change(context, row, attributes, "update_network", {
            "isolated": row.isolated, "is_default": row.is_default, "port_security_enabled": row.port_security_enabled})
        self._policy(session, context, attributes)
        if "mtu" in attributes:
            wire = self.plugins.l2.extend(session, "network", [row.id]).get(row.id, {})
            attributes = {**attributes, "mtu": _mtu(attributes["mtu"], self.plugins.l2.largest_mtu(wire))}
        self.plugins.l2.check(session, Change("update", "network", row.id, attributes))
        change(row, attributes, CHANGEABLE)
        session.flush()
        return self._show(session, context, [row])[0]

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = visible_network(session, context, identifier)
        require_owner(context, row, "delete_network")
        ports = list(session.scalars(select(PortRow).where(PortRow.network_id == row.id)))
        used = [port for port in ports if port.device_owner != "network:dhcp"]
        if used:
            raise NetworkInUse(f"Unable to complete operation on network {row.id}. There are one or more ports still "
                               f"in use on the network, for example {used[0].id}.")
        route = addresses.route_through(session, row.subnets)
        if route is not None:
            raise NetworkInUse(f"Unable to complete operation on network {row.id}. Route {route} uses a subnet of it.")
        bridge = session.scalar(select(BridgeRow.id).where(BridgeRow.network_id == row.id).limit(1))
        if bridge is not None:
            raise NetworkInUse(f"Unable to complete operation on network {row.id}. Bridge {bridge} is registered for "
                               f"it.")
        self.plugins.l2.check(session, Change("delete", "network", row.id, {}))
        for port in ports:
            session.delete(port)
        session.flush()
        for subnet in row.subnets:
            session.delete(subnet)
        session.flush()
        tunnel = session.get(TunnelKeyRow, row.id)
        if tunnel is not None:
            session.delete(tunnel)
            session.flush()
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return self._show(session, context, [visible_network(session, context, identifier)])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        conditions = []
        on_wire = networks_with(query.filters, "provider:")
        if on_wire is not None:
            conditions.append(NetworkRow.id.in_(on_wire))
        for name, only in (("status", "ACTIVE"),):
            if name in query.filters and only not in query.filters[name]:
                return []
        rows = find_rows(session, context, NetworkRow, query, NetworkNotFound, clause=SEEN,
                         columns={"shared": SHARED, "router:external": EXTERNAL},
                         conditions=conditions, options=[selectinload(NetworkRow.subnets)])
        return self._show(session, context, rows)

    def statistics(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        """Totals of all ports of the network; not for those who only share it."""
        row = visible_network(session, context, identifier)
        require_owner(context, row, "get_network_statistics")
        return statistics.total(session, {"network_id": row.id}, PortRow.network_id == row.id)

    def _show(self, session: Session, context: Context, rows: Iterable[NetworkRow]) -> list[Attributes]:
        rows = list(rows)
        ids = [row.id for row in rows]
        extra = self.plugins.l2.extend(session, "network", ids)
        errors = status.errors_of(session, "network", ids)
        scopes = scopes_of(session, {row.id: row.subnets for row in rows})
        everywhere = zones.available(session)
        shown = []
        for row in rows:
            item = {
                **standard(row), "admin_state_up": row.admin_state_up,
                "status": status.ERROR if row.id in errors else status.ACTIVE, "error": errors.get(row.id),
                "subnets": [s.id for s in row.subnets],
                "mtu": row.mtu, "isolated": row.isolated, "is_default": row.is_default,
                "port_security_enabled": row.port_security_enabled, "qos_policy_id": row.qos_policy_id,
                "availability_zone_hints": row.availability_zone_hints, "availability_zones": everywhere,
                "ipv4_address_scope": scopes.get((row.id, 4)), "ipv6_address_scope": scopes.get((row.id, 6)),
                "l2_adjacency": True,
                **extra.get(row.id, {}),
            }
            shown.append(item)
        return shown

    @staticmethod
    def _policy(session: Session, context: Context, attributes: Attributes) -> None:
        if attributes.get("qos_policy_id") is not None:
            visible_policy(session, context, attributes["qos_policy_id"], QosPolicyNotFound)



def _mtu(asked: int, largest: int) -> int:
    """Raises InvalidInput; 0 asks for the largest."""
    if asked > largest:
        raise InvalidInput(f"Invalid input for operation: Requested MTU is too big, maximum is {largest}.")
    if asked and asked < 576:
        raise InvalidInput("Invalid input for operation: Requested MTU is too small, minimum is 576 (RFC 791).")
    return asked or largest
