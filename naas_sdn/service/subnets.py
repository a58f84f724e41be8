"""IPv4 subnets: address plans, gateways, and the service address that DHCP answers from."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from itertools import pairwise
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from naas_sdn.db import status
from naas_sdn.db.rows import AllocationRow, NetworkRow, PortRow, RouterInterfaceRow, SubnetPoolRow, SubnetRow, new_id
from naas_sdn.errors import (
    GatewayConflictWithAllocationPools,
    GatewayIpInUse,
    InvalidInput,
    OutOfBoundsAllocationPool,
    OverlappingAllocationPools,
    SubnetInUse,
    SubnetNotFound,
)
from naas_sdn.model.values import DHCP_SERVICE
from naas_sdn.plugins.contract import Change, Plugins
from naas_sdn.plugins.ipam import is_host
from naas_sdn.service import addresses, service_types, subnet_pools
from naas_sdn.service.access import require_change, require_new, require_owner
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.limits import Limits
from naas_sdn.service.networks import SEEN as NETWORK_SEEN
from naas_sdn.service.networks import SHARED as NETWORK_SHARED
from naas_sdn.service.networks import visible_network
from naas_sdn.service.rows import READER, Sight, change, find_rows, new_key, standard, touch, visible

CHANGEABLE = ("name", "description", "enable_dhcp", "dns_nameservers", "host_routes", "allocation_pools", "gateway_ip",
              "service_types")
MAX_HOST_ROUTES, MAX_NAMESERVERS = 20, 5
SPECIAL = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")))
"""This network, loopback, link-local, multicast, and reserved with broadcast."""
UNSET = object()


SEEN = Sight(or_(SubnetRow.project_id == READER, SubnetRow.network.has(NETWORK_SEEN.row)),
             (select(SubnetRow.id).where(SubnetRow.project_id == READER),
              select(SubnetRow.id).where(NETWORK_SEEN.among(SubnetRow.network_id))))
"""Own subnets, and those of the networks that the caller sees."""


def visible_subnet(session: Session, context: Context, identifier: str) -> SubnetRow:
    """Raises SubnetNotFound."""
    return visible(session, context, SubnetRow, identifier, SubnetNotFound, SEEN)


@dataclass(frozen=True, slots=True)
class Subnets:
    plugins: Plugins
    limits: Limits
    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        _require_whole(attributes)
        network = visible_network(session, context, attributes["network_id"])
        require_new(context, attributes, "create_subnet", network=network)
        service_types.check(attributes.get("service_types", []))
        self.limits.charge(session, "subnet", attributes["project_id"])
        identifier = new_id()
        self.plugins.l3.check(session, Change("create", "subnet", identifier, attributes))
        pool = subnet_pools.pool_for(session, context, attributes)
        subnet_pools.require_affinity(network, pool, attributes["ip_version"])
        cidr = _cidr(attributes) if pool is None else self._from_pool(session, pool, attributes)
        for other in network.subnets:
            if ip_network(other.cidr).overlaps(cidr):
                raise InvalidInput(f"Invalid input for operation: Requested subnet with cidr: {cidr} for network: "
                                   f"{network.id} overlaps with subnet {other.id} ({other.cidr}).")
        gateway = _gateway(cidr, attributes.get("gateway_ip", UNSET))
        row = SubnetRow(
            id=identifier, project_id=attributes["project_id"], network_id=network.id, ip_version=4, cidr=str(cidr),
            name=attributes.get("name", ""), description=attributes.get("description", ""),
            gateway_ip=str(gateway) if gateway is not None else None,
            enable_dhcp=attributes.get("enable_dhcp", True),
            allocation_pools=_pools(cidr, gateway, attributes.get("allocation_pools")),
            dns_nameservers=_nameservers(attributes), host_routes=_host_routes(attributes), key=new_key(session),
            subnetpool_id=pool.id if pool is not None else None,
            service_types=attributes.get("service_types", []),
        )
        _check_dhcp(cidr, row.enable_dhcp)
        network.subnets.append(row)
        touch(network)
        session.flush()
        addresses.ensure_service_address(session, self.plugins, row)
        session.flush()
        return self._show(session, [row])[0]

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        _require_whole(attributes)
        row = visible_subnet(session, context, identifier)
        require_change(context, row, attributes, "update_subnet", {"service_types": row.service_types})
        if attributes.get("service_types", row.service_types) != row.service_types:
            service_types.check(attributes["service_types"])
        self.plugins.l3.check(session, Change("update", "subnet", row.id, attributes))
        cidr = IPv4Network(row.cidr)
        new = dict(attributes)
        if "gateway_ip" in new:
            new["gateway_ip"] = self._new_gateway(session, row, cidr, new["gateway_ip"])
        if "allocation_pools" in new or "gateway_ip" in new:
            gateway = new.get("gateway_ip", row.gateway_ip)
            new["allocation_pools"] = _pools(cidr, IPv4Address(gateway) if gateway else None,
                                             new.get("allocation_pools") or row.allocation_pools)
        if "dns_nameservers" in new:
            new["dns_nameservers"] = _nameservers(new)
        if "host_routes" in new:
            new["host_routes"] = _host_routes(new)
        _check_dhcp(cidr, new.get("enable_dhcp", row.enable_dhcp))
        change(row, new, CHANGEABLE)
        session.flush()
        addresses.ensure_service_address(session, self.plugins, row)
        session.flush()
        return self._show(session, [row])[0]

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = visible_subnet(session, context, identifier)
        require_owner(context, row, "delete_subnet")
        self.plugins.l3.check(session, Change("delete", "subnet", row.id, {}))
        users = list(session.execute(select(PortRow).join(AllocationRow, AllocationRow.port_id == PortRow.id)
                                     .where(AllocationRow.subnet_id == row.id)).scalars())
        for port in users:
            if port.device_owner != DHCP_SERVICE:
                raise SubnetInUse(f"Unable to complete operation on subnet {row.id}: One or more ports have an IP "
                                  f"allocation from this subnet, for example {port.id}.")
        route = addresses.route_through(session, [row])
        if route is not None:
            raise SubnetInUse(f"Unable to complete operation on subnet {row.id}: route {route} uses it.")
        for port in users:
            session.delete(port)
        touch(row.network)
        session.flush()
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return self._show(session, [visible_subnet(session, context, identifier)])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        if None not in query.filters.get("segment_id", (None,)):
            return []
        conditions = []
        if "shared" in query.filters:
            conditions.append(SubnetRow.network_id.in_(
                select(NetworkRow.id).where(NETWORK_SHARED.in_(query.filters["shared"]))))
        return self._show(session, find_rows(session, context, SubnetRow, query, SubnetNotFound, clause=SEEN,
                                             conditions=conditions))

    def _show(self, session: Session, rows: Iterable[SubnetRow]) -> list[Attributes]:
        rows = list(rows)
        errors = status.errors_of(session, "subnet", [row.id for row in rows])
        return [{
            **standard(row), "network_id": row.network_id, "ip_version": row.ip_version, "cidr": row.cidr,
            "gateway_ip": row.gateway_ip, "enable_dhcp": row.enable_dhcp, "allocation_pools": row.allocation_pools,
            "dns_nameservers": row.dns_nameservers, "host_routes": row.host_routes, "ipv6_ra_mode": None,
            "ipv6_address_mode": None, "subnetpool_id": row.subnetpool_id, "service_types": row.service_types,
            "segment_id": None,
            "status": status.ERROR if row.id in errors else status.ACTIVE,
        } for row in rows]

    @staticmethod
    def _from_pool(session: Session, pool: SubnetPoolRow, attributes: Attributes) -> IPv4Network:
        named = any(attributes.get(name) is not None for name in ("cidr", "address", "netmask"))
        found = subnet_pools.allocate(session, pool, attributes["project_id"], _cidr(attributes) if named else None,
                                      attributes.get("prefixlen"))
        return _plain_range(found, attributes["ip_version"])

    @staticmethod
    def _new_gateway(session: Session, row: SubnetRow, cidr: IPv4Network, wanted: Any) -> str | None:
        gateway = _gateway(cidr, wanted)
        new = str(gateway) if gateway is not None else None
        if new == row.gateway_ip:
            return new
        router = session.scalar(select(RouterInterfaceRow.router_id).join(
            AllocationRow, AllocationRow.port_id == RouterInterfaceRow.port_id).where(
            RouterInterfaceRow.subnet_id == row.id, AllocationRow.ip_address == row.gateway_ip))
        if router is not None:
            raise GatewayIpInUse(f"Current gateway ip {row.gateway_ip} already in use by router {router}. "
                                 f"Unable to update.")
        route = addresses.route_through(session, [row])
        if route is not None:
            raise GatewayIpInUse(f"Current gateway ip {row.gateway_ip} already in use by route {route}. "
                                 f"Delete the route first.")
        return new


def _require_whole(attributes: Attributes) -> None:
    """Raises InvalidInput for a subnet of a segment: a network has one, and its subnets are where it is."""
    if attributes.get("segment_id") is not None:
        raise InvalidInput("Invalid input for segment_id: networks are not routed between segments; leave it null.")


def _cidr(attributes: Attributes) -> IPv4Network:
    """From `cidr`, or from `address` and `netmask` (the blueprint's other form)."""
    text, address, netmask = (attributes.get(name) for name in ("cidr", "address", "netmask"))
    if [text is None, address is None, netmask is None] not in ([False, True, True], [True, False, False]):
        raise InvalidInput("Invalid input for operation: a subnet needs either a cidr, or an address and a netmask.")
    if text is None:
        text = f"{address}/{netmask}"
    try:
        network = ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidInput(f"Invalid input for operation: '{text}' is not a subnet: {error}.") from error
    return _plain_range(network, attributes["ip_version"])


def _plain_range(network: IPv4Network | IPv6Network, ip_version: int) -> IPv4Network:
    """Raises InvalidInput for what no machines can have."""
    if network.version != ip_version or not isinstance(network, IPv4Network):
        raise InvalidInput(f"Invalid input for operation: cidr '{network}' does not match the ip_version "
                           f"'{ip_version}'.")
    for special in SPECIAL:
        if network.overlaps(special):
            raise InvalidInput(f"Invalid input for operation: {network} is no range for machines: it has addresses of "
                               f"{special}, which are special (RFC 6890).")
    return network


def _gateway(cidr: IPv4Network, wanted: Any) -> IPv4Address | None:
    if wanted is None:
        return None
    if wanted is UNSET:
        return cidr.network_address + (1 if cidr.prefixlen < 31 else 0)
    gateway = ip_address(wanted)
    if not isinstance(gateway, IPv4Address):
        raise InvalidInput(f"Invalid input for operation: gateway_ip '{wanted}' is not an IPv4 address.")
    if gateway not in cidr:
        raise InvalidInput(f"Invalid input for operation: gateway_ip {gateway} is not in {cidr}; "
                           f"the L3 plugin routes for gateways inside their subnet.")
    if not is_host(cidr, gateway):
        raise InvalidInput(f"Invalid input for operation: gateway_ip {gateway} is the network or broadcast address "
                           f"of {cidr}.")
    return gateway


def _check_dhcp(cidr: IPv4Network, enabled: bool) -> None:
    if enabled and cidr.prefixlen > 30:
        raise InvalidInput(f"Invalid input for operation: {cidr} is too small for DHCP; use a /30 or larger, "
                           f"or enable_dhcp=false.")


def _pools(cidr: IPv4Network, gateway: IPv4Address | None, wanted: list[Attributes] | None) -> list[Attributes]:
    """Checked pools in order; by default all host addresses but the gateway's."""
    low, high = int(cidr.network_address), int(cidr.broadcast_address)
    if cidr.prefixlen < 31:
        low, high = low + 1, high - 1
    if wanted is None:
        parts = [(low, high)]
        if gateway is not None:
            parts = [(low, int(gateway) - 1), (int(gateway) + 1, high)]
        return [{"start": str(IPv4Address(a)), "end": str(IPv4Address(b))} for a, b in parts if a <= b]
    try:
        ranges = sorted((int(IPv4Address(pool["start"])), int(IPv4Address(pool["end"]))) for pool in wanted)
    except AddressValueError as error:
        raise InvalidInput(f"Invalid input for allocation_pools: {error}; an IPv4 subnet allocates IPv4 "
                           f"addresses.") from error
    for start, end in ranges:
        if start > end:
            raise InvalidInput(f"Invalid input for operation: allocation pool {IPv4Address(start)}-{IPv4Address(end)} "
                               f"ends before it starts.")
        if start < low or end > high:
            raise OutOfBoundsAllocationPool(f"The allocation pool {IPv4Address(start)}-{IPv4Address(end)} spans "
                                            f"beyond the subnet cidr {cidr}.")
        if gateway is not None and start <= int(gateway) <= end:
            raise GatewayConflictWithAllocationPools(
                f"Gateway ip {gateway} conflicts with allocation pool {IPv4Address(start)}-{IPv4Address(end)}.")
    for (_, end), (start, _) in pairwise(ranges):
        if start <= end:
            raise OverlappingAllocationPools(f"Found overlapping allocation pools around {IPv4Address(start)} "
                                             f"for subnet {cidr}.")
    return [{"start": str(IPv4Address(start)), "end": str(IPv4Address(end))} for start, end in ranges]


def _nameservers(attributes: Attributes) -> list[str]:
    servers = [str(ip_address(server)) for server in attributes.get("dns_nameservers") or []]
    if len(servers) > MAX_NAMESERVERS or len(set(servers)) != len(servers):
        raise InvalidInput(f"Invalid input for dns_nameservers: at most {MAX_NAMESERVERS}, each once.")
    if any(":" in server for server in servers):
        raise InvalidInput("Invalid input for dns_nameservers: an IPv4 subnet hands out IPv4 addresses.")
    return servers


def _host_routes(attributes: Attributes) -> list[Attributes]:
    routes = [{"destination": str(ip_network(route["destination"], strict=False)), "nexthop": route["nexthop"]}
              for route in attributes.get("host_routes") or []]
    if len(routes) > MAX_HOST_ROUTES:
        raise InvalidInput(f"Invalid input for host_routes: {len(routes)} routes, at most {MAX_HOST_ROUTES}.")
    if any(":" in route["destination"] or ":" in route["nexthop"] for route in routes):
        raise InvalidInput("Invalid input for host_routes: an IPv4 subnet hands out IPv4 routes.")
    return routes
