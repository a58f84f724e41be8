"""A router's own routes: prefixes behind machines on its subnets."""
from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from naas_sdn.db.rows import RouterInterfaceRow, RouterRow
from naas_sdn.errors import InvalidRoutes, RouterInterfaceInUseByRoute, RoutesExhausted
from naas_sdn.service.contract import Attributes

MOST = 30


def checked(row: RouterRow, wanted: Iterable[Attributes]) -> list[Attributes]:
    """`wanted` ([{destination, nexthop}]), each once, as the router can have them.

    Raises InvalidRoutes and RoutesExhausted.
    """
    routes = merged([], wanted)
    if len(routes) > MOST:
        raise RoutesExhausted(f"Unable to complete operation for {row.id}. The number of routes exceeds the maximum "
                              f"{MOST}.")
    by_destination: dict[str, str] = {}
    for route in routes:
        destination, hop = route["destination"], route["nexthop"]
        _require_connected(row, destination, hop)
        if by_destination.setdefault(destination, hop) != hop:
            raise InvalidRoutes(f"Invalid format for routes: {destination} has the next hops "
                                f"{by_destination[destination]} and {hop}; one is served.")
    return routes


def merged(present: Iterable[Attributes], more: Iterable[Attributes]) -> list[Attributes]:
    """Both, each route once."""
    found = {(route["destination"], route["nexthop"]): route for route in (*present, *more)}
    return list(found.values())


def without(present: Iterable[Attributes], gone: Iterable[Attributes]) -> list[Attributes]:
    gone = list(gone)
    return [route for route in present if route not in gone]


def require_unused(row: RouterRow, interface: RouterInterfaceRow) -> None:
    """Raises RouterInterfaceInUseByRoute when a route's next hop is on the interface's subnet."""
    for route in row.routes:
        if ip_address(route["nexthop"]) in ip_network(interface.subnet.cidr):
            raise RouterInterfaceInUseByRoute(
                f"Router interface for subnet {interface.subnet_id} on router {row.id} cannot be deleted, as it is "
                f"required by the route to {route['destination']} via {route['nexthop']}.")


def _require_connected(row: RouterRow, destination: str, hop: str) -> None:
    prefix, address = ip_network(destination), ip_address(hop)
    if prefix.version != address.version:
        raise InvalidRoutes(f"Invalid format for routes: {destination} via {hop}: these are of two IP versions.")
    if prefix.is_multicast or prefix.is_loopback or (prefix.version == 6 and prefix.is_link_local):
        raise InvalidRoutes(f"Invalid format for routes: {destination} is no range of machines.")
    legs = [interface for interface in row.interfaces if address in ip_network(interface.subnet.cidr)]
    if not legs:
        raise InvalidRoutes(f"Invalid format for routes: the nexthop {hop} of {destination} is not connected with the "
                            f"router; it is on none of its interfaces' subnets.")
    if any(allocation.ip_address == hop for leg in legs for allocation in leg.port.allocations):
        raise InvalidRoutes(f"Invalid format for routes: the nexthop {hop} of {destination} is used by the router.")
