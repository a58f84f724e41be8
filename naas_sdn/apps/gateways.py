"""Where a subnet can be left: its gateways, and the subnets and networks that they lead to."""
from __future__ import annotations

from dataclasses import dataclass

from naas_sdn.model.ip import Ip, Prefix
from naas_sdn.model.store import View
from naas_sdn.model.values import Port, Router, Subnet


@dataclass(frozen=True, slots=True)
class Gateway:
    """An address and MAC that routes for `subnet`: its own, or an interface of a router."""

    subnet: Subnet
    ip: Ip
    mac: int
    router: Router | None = None
    first: bool = True
    """Of the subnets that share the MAC, and its link-local address: an interface may be on several of IPv6."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A subnet that can be routed to, and address and MAC of the gateway there."""

    subnet: Subnet
    ip: Ip
    mac: int


def _ip_in(port: Port, subnet_id: str) -> Ip | None:
    return next((address.ip for address in port.addresses if address.subnet_id == subnet_id), None)


def gateways_of(view: View, subnet: Subnet) -> list[Gateway]:
    """The interfaces of routers on the subnet, and its own gateway where no port holds that address.

    The gateway of a provider network's subnet is a machine of the physical network.
    """
    found = []
    for router_id in view.routers_of(subnet.id):
        router = view.router(router_id)
        if router is None or not router.admin_up:
            continue
        for leg in router.legs:
            port = view.port(leg.port_id) if leg.subnet_id == subnet.id else None
            ip = _ip_in(port, subnet.id) if port is not None else None
            if port is not None and ip is not None:
                first = min(other.subnet_id for other in router.legs if other.port_id == leg.port_id)
                found.append(Gateway(subnet, ip, port.mac, router, subnet.id == first))
    network = view.network(subnet.network_id)
    if network is not None and network.is_provider:
        return found
    if subnet.gateway is not None and not view.holders_of(subnet.id, subnet.gateway):
        found.append(Gateway(subnet, subnet.gateway, subnet.gateway_mac))
    return found


def legs_of(view: View, router: Router, subnet_id: str) -> list[Destination]:
    """The router's interfaces on a subnet, as those see them who are routed there."""
    found = []
    subnet = view.subnet(subnet_id)
    for leg in router.legs if subnet is not None else ():
        port = view.port(leg.port_id) if leg.subnet_id == subnet_id else None
        ip = _ip_in(port, subnet_id) if port is not None else None
        if port is not None and subnet is not None and ip is not None:
            found.append(Destination(subnet, ip, port.mac))
    return found


def extra_routes_of(view: View, router: Router, subnet: Subnet) -> list[tuple[Prefix, Ip]]:
    """(destination, next hop) of the router's own routes that leave by this subnet.

    A subnet that is connected goes before a route to the same prefix.
    """
    by_here = [(destination, hop) for destination, hop in router.routes if hop in subnet.cidr]
    if not by_here:
        return []
    subnets = (view.subnet(leg.subnet_id) for leg in router.legs)
    connected = {other.cidr for other in subnets if other is not None}
    return [(destination, hop) for destination, hop in by_here if destination not in connected]


def routes_of(view: View, subnet: Subnet) -> list[Destination]:
    """Where the NaaS routes of a subnet lead, each subnet once: from gateway address to gateway address."""
    found: dict[str, Destination] = {}
    for route_id in view.routes_of(subnet.id):
        route = view.route(route_id)
        for subnet_id in route.subnet_ids if route is not None else ():
            other = view.subnet(subnet_id) if subnet_id != subnet.id else None
            for there in gateways_of(view, other) if other is not None else ():
                if there.ip == there.subnet.gateway:
                    found[subnet_id] = Destination(there.subnet, there.ip, there.mac)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Ways:
    """How packets of a network get to others in one routed hop, and theirs to it: the two are the same.

    `routers` with an interface on one of its subnets, and `networks` by NaaS routes.
    """

    routers: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()


def ways_of(view: View, network_id: str) -> Ways:
    routers: set[str] = set()
    networks: set[str] = set()
    for subnet_id in view.subnets_of(network_id):
        subnet = view.subnet(subnet_id)
        if subnet is None:
            continue
        for router_id in view.routers_of(subnet_id):
            router = view.router(router_id)
            if router is not None and router.admin_up:
                routers.add(router_id)
        networks.update(destination.subnet.network_id for destination in routes_of(view, subnet))
    return Ways(frozenset(routers), frozenset(networks - {network_id}))


def networks_of(view: View, router_id: str) -> frozenset[str]:
    """The networks that a router has interfaces on."""
    router = view.router(router_id)
    if router is None or not router.admin_up:
        return frozenset()
    subnets = (view.subnet(leg.subnet_id) for leg in router.legs)
    return frozenset(subnet.network_id for subnet in subnets if subnet is not None)
