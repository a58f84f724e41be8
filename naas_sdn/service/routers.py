"""Routers and their interfaces."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from sqlalchemy.orm import Session, joinedload

from naas_sdn.db import load, status
from naas_sdn.db.gateway_rows import RouterGatewayRow
from naas_sdn.db.rows import PortRow, RouterInterfaceRow, RouterRow, SubnetRow
from naas_sdn.errors import (
    BadRequest,
    PolicyNotAuthorized,
    PortInUse,
    RouterInterfaceNotFound,
    RouterInterfaceNotFoundForSubnet,
    RouterInUse,
    RouterNotFound,
)
from naas_sdn.model.values import ROUTER_INTERFACE
from naas_sdn.plugins.contract import Change, Plugins
from naas_sdn.service import addresses, extra_routes, floating_uses, gateways, zones
from naas_sdn.service.access import require_change, require_new, require_owner
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.limits import Limits
from naas_sdn.service.ports import remove, visible_port
from naas_sdn.service.rows import (
    change,
    find_rows,
    new_key,
    own_clause,
    standard,
    touch,
    visible,
)
from naas_sdn.service.subnets import visible_subnet
from naas_sdn.service.trunk_details import require_untrunked

OWN = own_clause(RouterRow)
_GATEWAY = joinedload(RouterRow.gateway).joinedload(RouterGatewayRow.port).selectinload(PortRow.allocations)


@dataclass(frozen=True, slots=True)
class Routers:
    plugins: Plugins
    limits: Limits

    @property
    def actions(self) -> Mapping[str, Action]:
        return {"add_router_interface": self.add_interface, "remove_router_interface": self.remove_interface,
                "add_extraroutes": self.add_routes, "remove_extraroutes": self.remove_routes}

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        require_new(context, gateways.said(None, attributes), "create_router")
        self.limits.charge(session, "router", attributes["project_id"])
        hints = attributes.get("availability_zone_hints", [])
        zones.require(session, hints)
        row = RouterRow(interfaces=[], gateway=None, routes=[], key=new_key(session), availability_zone_hints=hints, **{
            name: attributes[name] for name in ("project_id", "name", "description", "admin_state_up")
            if name in attributes})
        session.add(row)
        session.flush()
        gateways.settle(session, context, self.plugins, row, attributes.get("external_gateway_info"))
        self.plugins.l3.check(session, Change("create", "router", row.id, attributes))
        return _show(session, [row])[0]

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = self._visible(session, context, identifier)
        require_change(context, row, gateways.said(row, attributes), "update_router")
        if "external_gateway_info" in attributes:
            gateways.settle(session, context, self.plugins, row, attributes["external_gateway_info"])
        if "routes" in attributes:
            attributes = {**attributes, "routes": extra_routes.checked(row, attributes["routes"])}
        self.plugins.l3.check(session, Change("update", "router", row.id, attributes))
        change(row, attributes, ("name", "description", "admin_state_up", "routes"))
        session.flush()
        return _show(session, [row])[0]

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = self._visible(session, context, identifier)
        require_owner(context, row, "delete_router")
        if row.interfaces:
            raise RouterInUse(f"Router {row.id} still has ports, for example {row.interfaces[0].port_id}.")
        self.plugins.l3.check(session, Change("delete", "router", row.id, {}))
        gateways.drop(session, self.plugins, row)
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return _show(session, [self._visible(session, context, identifier)])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        return _show(session, find_rows(session, context, RouterRow, query, RouterNotFound,
                                        clause=OWN, options=[_GATEWAY]))

    def add_interface(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        """By subnet: a new port with the gateway's address. By port: that port, with the one address it has."""
        row = self._visible(session, context, identifier)
        require_owner(context, row, "add_router_interface")
        subnet_id, port_id = body.get("subnet_id"), body.get("port_id")
        if (subnet_id is None) == (port_id is None):
            raise BadRequest("Bad router request: give either subnet_id or port_id.")
        if subnet_id is not None:
            subnet = visible_subnet(session, context, subnet_id)
            if subnet.gateway_ip is None:
                raise BadRequest(f"Bad router request: Subnet for router interface must have a gateway IP: "
                                 f"{subnet.id} has none.")
            self._check(session, context, row, subnet)
            port = self._port_of_others(session, row, subnet) or self._gateway_port(session, context, row, subnet)
        else:
            port = visible_port(session, context, str(port_id))
            subnet = self._subnet_of(session, context, port)
            self._check(session, context, row, subnet)
            require_untrunked(session, port.id)
            port.device_id, port.device_owner, port.port_security_enabled = row.id, ROUTER_INTERFACE, False
            port.security_groups = []
            port.allowed_address_pairs = []
            touch(port)
        row.interfaces.append(RouterInterfaceRow(port_id=port.id, subnet_id=subnet.id))
        touch(row)
        session.flush()
        self.plugins.l3.check(session, Change("update", "router", row.id, {"subnet_id": subnet.id}))
        addresses.ensure_service_address(session, self.plugins, subnet)
        return _interface(row, port, subnet.id)

    def remove_interface(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        """The interface's port is deleted, unless it is on other subnets too that are not named."""
        row = self._visible(session, context, identifier)
        require_owner(context, row, "remove_router_interface")
        subnet_id, port_id = body.get("subnet_id"), body.get("port_id")
        if subnet_id is None and port_id is None:
            raise BadRequest("Bad router request: give subnet_id, port_id, or both.")
        found = [interface for interface in row.interfaces
                 if subnet_id in (None, interface.subnet_id) and port_id in (None, interface.port_id)]
        if not found:
            raise (RouterInterfaceNotFoundForSubnet(str(subnet_id)) if port_id is None
                   else RouterInterfaceNotFound(str(port_id)))
        port, subnets = found[0].port, [interface.subnet for interface in found]
        for interface in found:
            extra_routes.require_unused(row, interface)
            floating_uses.require_unused_interface(session, row, interface.subnet)
            self.plugins.l3.check(session, Change("update", "router", row.id, {"subnet_id": interface.subnet_id}))
            row.interfaces.remove(interface)
        touch(row)
        session.flush()
        if any(interface.port_id == port.id for interface in row.interfaces):
            addresses.take(port, subnets[0])
            session.flush()
        else:
            remove(session, self.plugins, port)
        return {**_interface(row, port, subnets[0].id), "subnet_ids": [subnet.id for subnet in subnets]}

    def add_routes(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        """Those that the router has already stay."""
        row = self._routing(session, context, identifier, "add_extraroutes")
        return self._route(session, row, extra_routes.merged(row.routes, body["router"]["routes"]))

    def remove_routes(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        """Those that the router has not are gone already."""
        row = self._routing(session, context, identifier, "remove_extraroutes")
        return self._route(session, row, extra_routes.without(row.routes, body["router"]["routes"]))

    def _routing(self, session: Session, context: Context, identifier: str, what: str) -> RouterRow:
        """Locked, so that of two who add or remove at once none undoes the other's."""
        row = self._visible(session, context, identifier)
        require_owner(context, row, what)
        session.refresh(row, with_for_update={"of": RouterRow})
        return row

    def _route(self, session: Session, row: RouterRow, routes: list[Attributes]) -> Attributes:
        routes = extra_routes.checked(row, routes)
        self.plugins.l3.check(session, Change("update", "router", row.id, {"routes": routes}))
        change(row, {"routes": routes}, ("routes",))
        session.flush()
        return {"router": _show(session, [row])[0]}

    @staticmethod
    def _visible(session: Session, context: Context, identifier: str) -> RouterRow:
        return visible(session, context, RouterRow, identifier, RouterNotFound, OWN, (_GATEWAY,))

    @staticmethod
    def _check(session: Session, context: Context, row: RouterRow, subnet: SubnetRow) -> None:
        if not context.owns(subnet.network.project_id):
            # The gateway's address is the network owner's to give.
            raise PolicyNotAuthorized("add_router_interface is disallowed by policy: the subnet's network belongs to "
                                      "another project.")
        for interface in row.interfaces:
            if interface.subnet_id == subnet.id:
                raise BadRequest(f"Bad router request: Router already has a port on subnet {subnet.id}.")
            if ip_network(interface.subnet.cidr).overlaps(ip_network(subnet.cidr)):
                raise BadRequest(f"Bad router request: Cidr {subnet.cidr} of subnet {subnet.id} overlaps with cidr "
                                 f"{interface.subnet.cidr} of subnet {interface.subnet_id}.")
        gateways.require_beside(session, row, subnet)

    def _port_of_others(self, session: Session, row: RouterRow, subnet: SubnetRow) -> PortRow | None:
        """The router's interface on other IPv6 subnets of the network, which is on this one too: they share a link."""
        if subnet.ip_version != 6:
            return None
        port = next((interface.port for interface in row.interfaces if interface.subnet.ip_version == 6
                     and interface.subnet.network_id == subnet.network_id), None)
        if port is not None:
            self._require_free_gateway(session, subnet)
            held = [{"subnet_id": a.subnet_id, "ip_address": a.ip_address} for a in port.allocations]
            addresses.give(session, self.plugins, port,
                           [*held, {"subnet_id": subnet.id, "ip_address": subnet.gateway_ip}])
            touch(port)
        return port

    @staticmethod
    def _require_free_gateway(session: Session, subnet: SubnetRow) -> None:
        holder = addresses.gateway_holder(session, subnet)
        if holder is not None:
            raise PortInUse(f"The gateway address {subnet.gateway_ip} of subnet {subnet.id} is in use by port "
                            f"{holder.id} ({holder.device_owner or 'a machine'}).")

    def _gateway_port(self, session: Session, context: Context, row: RouterRow, subnet: SubnetRow) -> PortRow:
        self._require_free_gateway(session, subnet)
        port = addresses.new_port(session, subnet.network, {
            "project_id": row.project_id, "name": "", "device_owner": ROUTER_INTERFACE, "device_id": row.id,
            "port_security_enabled": False, "mac_address": load.mac_of(load.gateway_mac(subnet.key))})
        addresses.give(session, self.plugins, port,
                       [{"subnet_id": subnet.id, "ip_address": subnet.gateway_ip}])
        return port

    @staticmethod
    def _subnet_of(session: Session, context: Context, port: PortRow) -> SubnetRow:
        if port.device_id or port.vif is not None:
            raise PortInUse(f"Unable to complete operation on port {port.id}: it is in use by "
                            f"{port.device_id or 'a VIF'}.")
        if len(port.allocations) != 1:
            raise BadRequest(f"Bad router request: Port {port.id} has {len(port.allocations)} addresses; a router's "
                             f"interface has exactly one.")
        return visible_subnet(session, context, port.allocations[0].subnet_id)


def _interface(row: RouterRow, port: PortRow, subnet_id: str) -> Attributes:
    return {"id": row.id, "project_id": row.project_id, "tenant_id": row.project_id, "port_id": port.id,
            "network_id": port.network_id, "subnet_id": subnet_id, "subnet_ids": [subnet_id]}


def _show(session: Session, rows: Iterable[RouterRow]) -> list[Attributes]:
    rows = list(rows)
    errors = status.errors_of(session, "router", [row.id for row in rows])
    everywhere = zones.available(session)
    return [{
        **standard(row), "admin_state_up": row.admin_state_up,
        "status": status.ERROR if row.id in errors else status.ACTIVE, "external_gateway_info": gateways.shown(row),
        "routes": row.routes,
        "availability_zone_hints": row.availability_zone_hints, "availability_zones": everywhere,
    } for row in rows]
