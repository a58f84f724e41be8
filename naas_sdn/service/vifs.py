"""VIFs as a resource: what is plugged where, and the subnets it takes part in (use cases 2 and 6)."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from naas_sdn.db import status
from naas_sdn.db.rows import PortRow, VifRow
from naas_sdn.errors import (
    BadRequest,
    HTTPBadRequest,
    InvalidInput,
    PortInUse,
    SubnetNotFound,
    VifNotFound,
)
from naas_sdn.plugins.contract import Plugins
from naas_sdn.service import addresses, plugging, statistics, uplinks
from naas_sdn.service.access import require, require_owner
from naas_sdn.service.address_plans import is_automatic
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.limits import Limits
from naas_sdn.service.ports import SEEN as PORT_SEEN
from naas_sdn.service.ports import Ports, visible_port
from naas_sdn.service.rows import Sight, find_rows, times, touch, visible
from naas_sdn.service.subnets import visible_subnet

SEEN = Sight(VifRow.port.has(PORT_SEEN.row), (select(VifRow.id).where(PORT_SEEN.among(VifRow.port_id)),))
"""Those of the ports that the caller sees."""

OF_THE_PORT = {name: select(column).where(PortRow.id == VifRow.port_id).scalar_subquery() for name, column in (
    ("network_id", PortRow.network_id), ("project_id", PortRow.project_id), ("tenant_id", PortRow.project_id))}
"""What a VIF has of its port, to filter and to sort by."""


@dataclass(frozen=True, slots=True)
class Vifs:
    plugins: Plugins
    reserved: frozenset[str]
    limits: Limits

    @property
    def actions(self) -> Mapping[str, Action]:
        return {"attach_subnet": self.attach_subnet, "detach_subnet": self.detach_subnet,
                "statistics": self.statistics}

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        """Plug a port; one that names only a network makes the port first."""
        require(context, "create_vif", attributes)
        plugging.require_plain_interface(attributes["interface"], self.reserved)
        port_id, network_id = attributes.get("port_id"), attributes.get("network_id")
        if port_id is None and network_id is None:
            raise HTTPBadRequest("A VIF is plugged to a port: give port_id, or network_id to have the port made.")
        if port_id is not None:
            row = visible_port(session, context, port_id)
        else:
            row = Ports(self.plugins, self.reserved, self.limits).make(session, context, {
                "network_id": network_id, "project_id": attributes["project_id"]})
        if network_id is not None and row.network_id != network_id:
            raise BadRequest(f"Port {row.id} is on network {row.network_id}, not on {network_id}.")
        if row.vif is not None:
            raise PortInUse(f"Port {row.id} is plugged to {plugging.named(row.vif.interface, row.vif.vlan)} of "
                            f"hypervisor {row.vif.host}; "
                            f"unplug it first.")
        self.limits.charge(session, "vif", row.project_id)
        vif = plugging.plug(session, row, attributes["host"], attributes["interface"],
                            vlan=attributes.get("vlan") or 0)
        uplinks.require(session, row, attributes["host"], attributes["interface"])
        return self._show(session, [vif])[0]

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise HTTPBadRequest("A VIF has nothing to change: delete it and plug the port again.")

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = self._visible(session, context, identifier)
        require_owner(context, row.port, "delete_vif")
        plugging.unplug(session, row.port)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return self._show(session, [self._visible(session, context, identifier)])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        options = [joinedload(VifRow.port).selectinload(PortRow.allocations), joinedload(VifRow.hypervisor),
                   joinedload(VifRow.port).joinedload(PortRow.network), joinedload(VifRow.port).joinedload(PortRow.vif)]
        rows = find_rows(session, context, VifRow, query, VifNotFound, clause=SEEN, columns=OF_THE_PORT,
                         options=options)
        return self._show(session, rows)

    def attach_subnet(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        """Give the VIF an address of a subnet of its network (use case 6, with its sanity checks)."""
        vif, port = self._owned(session, context, identifier, "attach_subnet")
        subnet = visible_subnet(session, context, body["subnet_id"])
        if subnet.network_id != port.network_id:
            raise InvalidInput(f"Invalid input for subnet_id: subnet {subnet.id} is on network {subnet.network_id}, "
                               f"but VIF {vif.id} is on network {port.network_id}.")
        if any(allocation.subnet_id == subnet.id for allocation in port.allocations):
            raise PortInUse(f"VIF {vif.id} is attached to subnet {subnet.id} already.")
        if body.get("ip_address"):
            require_owner(context, port, "attach_subnet:ip_address")
        held = [{"subnet_id": a.subnet_id, "ip_address": a.ip_address} for a in port.allocations]
        addresses.give(session, self.plugins, port,
                       [*held, {"subnet_id": subnet.id, "ip_address": body.get("ip_address")}])
        addresses.ensure_service_address(session, self.plugins, subnet)
        return self._finish(session, context, vif)

    def detach_subnet(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        vif, port = self._owned(session, context, identifier, "detach_subnet")
        kept = [{"subnet_id": a.subnet_id, "ip_address": a.ip_address} for a in port.allocations
                if a.subnet_id != body["subnet_id"]]
        if len(kept) == len(port.allocations):
            raise SubnetNotFound(body["subnet_id"])
        if is_automatic(visible_subnet(session, context, body["subnet_id"])) and kept:
            raise BadRequest(f"VIF {vif.id} has an address of subnet {body['subnet_id']} because it is automatic "
                             f"there (SLAAC): it is attached as long as it has any address.")
        left = addresses.subnets_of(session, [port])
        addresses.give(session, self.plugins, port, kept)
        for subnet in left:
            addresses.ensure_service_address(session, self.plugins, subnet)
        return self._finish(session, context, vif)

    def statistics(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        row = self._visible(session, context, identifier)
        return statistics.total(session, {"vif_id": row.id, "port_id": row.port_id}, PortRow.id == row.port_id)

    def _visible(self, session: Session, context: Context, identifier: str) -> VifRow:
        return visible(session, context, VifRow, identifier, VifNotFound, SEEN)

    def _owned(self, session: Session, context: Context, identifier: str, action: str) -> tuple[VifRow, PortRow]:
        row = self._visible(session, context, identifier)
        require_owner(context, row.port, action)
        return row, row.port

    def _finish(self, session: Session, context: Context, vif: VifRow) -> Attributes:
        touch(vif.port)
        touch(vif)
        session.flush()
        return {"vif": self._show(session, [vif])[0]}

    @staticmethod
    def _show(session: Session, rows: Iterable[VifRow]) -> list[Attributes]:
        rows = list(rows)
        errors = status.errors_of(session, "port", [row.port_id for row in rows])
        shown = []
        for row in rows:
            port = row.port
            shown.append({
                "id": row.id, "project_id": port.project_id, "tenant_id": port.project_id, "port_id": row.port_id,
                "network_id": port.network_id, "mac_address": port.mac_address,
                "fixed_ips": [{"subnet_id": a.subnet_id, "ip_address": a.ip_address} for a in port.allocations],
                "status": status.port_status(port, errors.get(row.port_id)), **times(row),
                "host": row.host, "interface": row.interface, "vlan": row.vlan or None, "source": row.source,
                "refusal": row.refusal,
            })
        return shown
