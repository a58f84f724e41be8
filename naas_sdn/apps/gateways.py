"""Where a subnet can be left: its gateways, and the subnets that each of them leads to."""
from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from naas_sdn.model.store import View
from naas_sdn.model.values import Port, Subnet


@dataclass(frozen=True, slots=True)
class Gateway:
    """An address and MAC that routes for `subnet`. `key` names its routing table in register RT."""

    key: int
    subnet: Subnet
    ip: IPv4Address
    mac: int
    router_id: str | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """A subnet reached through a gateway, and the gateway's MAC there."""

    subnet: Subnet
    ip: IPv4Address
    mac: int


def _ip_in(port: Port, subnet_id: str) -> IPv4Address | None:
    return next((address.ip for address in port.addresses if address.subnet_id == subnet_id), None)


def gateways_of(view: View, subnet: Subnet) -> list[Gateway]:
    """The interfaces of routers on the subnet, and its own gateway where no port holds that address."""
    found = []
    for router_id in view.routers_of(subnet.id):
        router = view.router(router_id)
        if router is None or not router.admin_up:
            continue
        for leg in router.legs:
            port = view.port(leg.port_id) if leg.subnet_id == subnet.id else None
            ip = _ip_in(port, subnet.id) if port is not None else None
            if port is not None and ip is not None:
                key = subnet.key if ip == subnet.gateway else port.key
                found.append(Gateway(key, subnet, ip, port.mac, router_id))
    if subnet.gateway is not None and not view.holders_of(subnet.id, subnet.gateway):
        found.append(Gateway(subnet.key, subnet, subnet.gateway, subnet.gateway_mac))
    return found


def destinations_of(view: View, gateway: Gateway) -> list[Destination]:
    """Each subnet once: the other interfaces of the gateway's router, then the NaaS routes of the subnet.

    A NaaS route leads through the subnet's gateway address only.
    """
    found: dict[str, Destination] = {}
    router = view.router(gateway.router_id) if gateway.router_id is not None else None
    for leg in router.legs if router is not None else ():
        port, subnet = view.port(leg.port_id), view.subnet(leg.subnet_id)
        ip = _ip_in(port, leg.subnet_id) if port is not None else None
        if port is not None and subnet is not None and ip is not None and subnet.id != gateway.subnet.id:
            found[subnet.id] = Destination(subnet, ip, port.mac)
    if gateway.ip == gateway.subnet.gateway:
        for route_id in view.routes_of(gateway.subnet.id):
            route = view.route(route_id)
            for subnet_id in route.subnet_ids if route is not None else ():
                other = view.subnet(subnet_id) if subnet_id != gateway.subnet.id else None
                if other is None or other.id in found:
                    continue
                for there in gateways_of(view, other):
                    if there.ip == other.gateway:
                        found[other.id] = Destination(other, there.ip, there.mac)
    return list(found.values())


def reach_of(view: View, network_id: str) -> frozenset[str]:
    """The networks that a packet of this network can get to in one routed hop, itself included."""
    reached = {network_id}
    for subnet_id in view.subnets_of(network_id):
        subnet = view.subnet(subnet_id)
        for gateway in gateways_of(view, subnet) if subnet is not None else ():
            reached.update(destination.subnet.network_id for destination in destinations_of(view, gateway))
    return frozenset(reached)
