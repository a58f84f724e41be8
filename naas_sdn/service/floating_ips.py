"""Floating addresses: of an external network, for one address of a machine behind a router that has its gateway there.

ACTIVE means that the machine's port is, and that a hypervisor is there that leads to the external network.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, joinedload

from naas_sdn.db.floating_ip_rows import FloatingIpRow
from naas_sdn.db.gateway_rows import RouterGatewayRow
from naas_sdn.db.rows import AllocationRow, NetworkRow, PortRow, RouterInterfaceRow, SubnetRow, VifRow, new_id
from naas_sdn.db.status import ACTIVE, DOWN, errors_of, led_to, port_status
from naas_sdn.errors import (
    BadRequest,
    ExternalGatewayForFloatingIPNotFound,
    FloatingIPNotFound,
    FloatingIPPortAlreadyAssociated,
)
from naas_sdn.model.values import FLOATING_IP
from naas_sdn.plugins.contract import Change, Plugins
from naas_sdn.service import addresses
from naas_sdn.service.access import require_change, require_new, require_owner
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.external_networks import require_external
from naas_sdn.service.limits import Limits
from naas_sdn.service.networks import visible_network
from naas_sdn.service.ports import OF_THE_CLOUD, remove, visible_port
from naas_sdn.service.rows import (
    change,
    find_rows,
    own_clause,
    standard,
    touch,
    visible,
)

OWN = own_clause(FloatingIpRow)
SHOWN = ("floating_network_id", "floating_ip_address", "port_id", "fixed_ip_address", "router_id")
_ROUTERS = select(RouterInterfaceRow.router_id, AllocationRow.ip_address, SubnetRow.gateway_ip).join(
    RouterGatewayRow, RouterGatewayRow.router_id == RouterInterfaceRow.router_id).join(
    SubnetRow, SubnetRow.id == RouterInterfaceRow.subnet_id).join(
    AllocationRow, AllocationRow.port_id == RouterInterfaceRow.port_id).where(
    RouterInterfaceRow.subnet_id == bindparam("subnet_id"),
    RouterGatewayRow.network_id == bindparam("network_id")).order_by(RouterInterfaceRow.router_id)
_OTHER = select(FloatingIpRow.id).where(
    FloatingIpRow.port_id == bindparam("port_id"), FloatingIpRow.fixed_ip_address == bindparam("address"),
    FloatingIpRow.floating_network_id == bindparam("network_id"), FloatingIpRow.id != bindparam("identifier")).limit(1)


@dataclass(frozen=True, slots=True)
class FloatingIps:
    plugins: Plugins
    limits: Limits
    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        require_new(context, attributes, "create_floatingip")
        network = visible_network(session, context, attributes["floating_network_id"])
        require_external(session, context, network)
        if not any(subnet.ip_version == 4 for subnet in network.subnets):
            raise BadRequest(f"Bad floatingip request: Network {network.id} does not contain any IPv4 subnet.")
        self.limits.charge(session, "floatingip", attributes["project_id"])
        row = FloatingIpRow(id=new_id(), project_id=attributes["project_id"],
                            description=attributes.get("description", ""), floating_network_id=network.id)
        self.plugins.l3.check(session, Change("create", "floatingip", row.id, attributes))
        with session.no_autoflush:
            row.floating_port = self._hold(session, network, row.id, attributes)
        row.floating_ip_address = next(
            allocation.ip_address for allocation in row.floating_port.allocations if "." in allocation.ip_address)
        _associate(session, context, row, attributes.get("port_id"), attributes.get("fixed_ip_address"))
        session.add(row)
        session.flush()
        return _show(session, [row])[0]

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = self._visible(session, context, identifier)
        require_change(context, row, attributes, "update_floatingip")
        self.plugins.l3.check(session, Change("update", "floatingip", row.id, attributes))
        before = (row.port_id, row.fixed_ip_address, row.router_id)
        if "port_id" in attributes or "fixed_ip_address" in attributes:
            _associate(session, context, row, attributes.get("port_id", row.port_id),
                       attributes.get("fixed_ip_address"))
        if not change(row, attributes, ("description",)) and before != (
                row.port_id, row.fixed_ip_address, row.router_id):
            touch(row)
        session.flush()
        return _show(session, [row])[0]

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = self._visible(session, context, identifier)
        require_owner(context, row, "delete_floatingip")
        self.plugins.l3.check(session, Change("delete", "floatingip", row.id, {}))
        port = row.floating_port
        session.delete(row)
        session.flush()
        remove(session, self.plugins, port)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return _show(session, [self._visible(session, context, identifier)])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        wanted = query.filters.get("status")
        filters = {name: values for name, values in query.filters.items() if name != "status"}
        plain = Query(filters, query.sorts, None if wanted else query.limit, query.marker, query.reverse)
        shown = _show(session, find_rows(session, context, FloatingIpRow, plain, FloatingIPNotFound, clause=OWN))
        if wanted:
            # A status is joined, as that of ports is; a page of it is cut here.
            shown = [item for item in shown if item["status"] in wanted]
            if query.limit is not None:
                shown = shown[-query.limit:] if query.reverse else shown[:query.limit]
        return shown

    @staticmethod
    def _visible(session: Session, context: Context, identifier: str) -> FloatingIpRow:
        return visible(session, context, FloatingIpRow, identifier, FloatingIPNotFound, OWN)

    def _hold(self, session: Session, network: NetworkRow, identifier: str, attributes: Attributes) -> PortRow:
        """A new port with the floating address."""
        asked = {name: attributes[key] for name, key in (("subnet_id", "subnet_id"),
                                                         ("ip_address", "floating_ip_address"))
                 if attributes.get(key) is not None}
        wanted = asked.get("ip_address")
        if wanted is not None and not isinstance(ip_address(wanted), IPv4Address):
            raise BadRequest(f"Bad floatingip request: {wanted} is not an IPv4 address.")
        port = addresses.new_port(session, network, {
            "project_id": "", "name": "", "device_owner": FLOATING_IP, "device_id": identifier,
            "port_security_enabled": False})
        gained = addresses.give(session, self.plugins, port, [asked] if asked else None)
        session.flush()
        for subnet in gained:
            if any(a.ip_address == subnet.gateway_ip for a in port.allocations):
                addresses.ensure_service_address(session, self.plugins, subnet)
        return port


def _associate(session: Session, context: Context, row: FloatingIpRow, port_id: str | None,
               address: str | None) -> None:
    """Let the floating address stand for this one of the port; for the one that it has when None is said.

    Raises BadRequest, PortNotFound, ExternalGatewayForFloatingIPNotFound or FloatingIPPortAlreadyAssociated.
    """
    if port_id is None:
        if address is not None:
            raise BadRequest("Bad floatingip request: fixed_ip_address cannot be specified without a port_id.")
        row.port_id = row.fixed_ip_address = row.router_id = None
        return
    port = visible_port(session, context, port_id)
    if port.project_id != row.project_id and not context.is_admin:
        raise BadRequest(f"Bad floatingip request: Port {port.id} is associated with a different tenant than Floating "
                         f"IP {row.floating_ip_address} and therefore cannot be bound.")
    if port.device_owner.startswith(OF_THE_CLOUD):
        raise BadRequest(f"Bad floatingip request: Port {port.id} is the cloud's own ({port.device_owner}), not a "
                         f"machine's.")
    inner = _fixed(port, address)
    router = _router(session, row, port, inner)
    if session.scalar(_OTHER, {"port_id": port.id, "address": inner.ip_address,
                               "network_id": row.floating_network_id, "identifier": row.id}) is not None:
        raise FloatingIPPortAlreadyAssociated(
            f"Cannot associate floating IP {row.floating_ip_address} ({row.id}) with port {port.id} using fixed IP "
            f"{inner.ip_address}, as that fixed IP already has a floating IP on external network "
            f"{row.floating_network_id}.")
    row.port_id, row.fixed_ip_address, row.router_id = port.id, inner.ip_address, router


def _fixed(port: PortRow, address: str | None) -> AllocationRow:
    """The address of the port that is meant."""
    held = [allocation for allocation in port.allocations if "." in allocation.ip_address]
    if address is not None:
        found = next((allocation for allocation in held if allocation.ip_address == address), None)
        if found is None:
            raise BadRequest(f"Bad floatingip request: Port {port.id} does not have fixed ip {address}.")
        return found
    if not held:
        raise BadRequest(f"Bad floatingip request: Cannot add floating IP to port {port.id} that has no fixed IPv4 "
                         f"addresses.")
    if len(held) > 1:
        raise BadRequest(f"Bad floatingip request: Port {port.id} has multiple fixed IPv4 addresses. Must provide a "
                         f"specific IPv4 address (fixed_ip_address) when assigning a floating IP.")
    return held[0]


def _router(session: Session, row: FloatingIpRow, port: PortRow, inner: AllocationRow) -> str:
    """That leads from the address to the floating network: the subnet's own gateway before others."""
    found = session.execute(_ROUTERS, {"subnet_id": inner.subnet_id, "network_id": row.floating_network_id}).all()
    if not found:
        raise ExternalGatewayForFloatingIPNotFound(row.floating_network_id, inner.subnet_id, port.id)
    router: str = next((router for router, address, gateway in found if address == gateway), found[0][0])
    return router


def _show(session: Session, rows: Collection[FloatingIpRow]) -> list[Attributes]:
    details = _port_details(session, {row.port_id for row in rows if row.port_id is not None})
    networks = led_to(session, {row.floating_network_id for row in rows if row.port_id is not None})
    shown = []
    for row in rows:
        port = details.get(row.port_id or "")
        item = {**standard(row), **{name: getattr(row, name) for name in SHOWN},
                "port_details": port,
                "status": ACTIVE if port is not None and port["status"] == ACTIVE
                and row.floating_network_id in networks else DOWN}
        del item["name"]
        shown.append(item)
    return shown


def _port_details(session: Session, ids: Collection[str]) -> dict[str, Attributes]:
    """{port: what is shown of it with its floating address}."""
    if not ids:
        return {}
    errors = errors_of(session, "port", ids)
    return {port.id: {
        "name": port.name, "network_id": port.network_id, "mac_address": port.mac_address,
        "admin_state_up": port.admin_state_up, "status": port_status(port, errors.get(port.id)),
        "device_id": port.device_id, "device_owner": port.device_owner,
    } for port in session.scalars(select(PortRow).where(PortRow.id.in_(ids)).options(
        joinedload(PortRow.vif).joinedload(VifRow.hypervisor)))}
