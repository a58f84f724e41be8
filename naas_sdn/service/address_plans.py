"""The address plan of a subnet: its range, gateway, allocation pools, and what goes with its IP version."""
from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import pairwise
from typing import Any

from naas_sdn.db.rows import SubnetRow
from naas_sdn.errors import (
    GatewayConflictWithAllocationPools,
    InvalidInput,
    OutOfBoundsAllocationPool,
    OverlappingAllocationPools,
)
from naas_sdn.model.ip import EUI64_LENGTH, Ip, Prefix, hosts, is_host
from naas_sdn.service.contract import Attributes

MAX_HOST_ROUTES, MAX_NAMESERVERS = 20, 5
SPECIAL: tuple[Prefix, ...] = (
    *map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")),
    *map(IPv6Network, ("::/127", "::ffff:0:0/96", "fe80::/10", "ff00::/8")))
"""This network, loopback, link-local, multicast, and reserved with broadcast; of IPv6 also what is mapped to IPv4."""
SMALLEST_FOR_DHCP = {4: 30, 6: 126}
UNSET = object()

SLAAC, STATEFUL, STATELESS = "slaac", "dhcpv6-stateful", "dhcpv6-stateless"
AUTOMATIC = (SLAAC, STATELESS)
"""The modes in which machines make their addresses themselves, of the prefix and their MACs."""
MODES = ("ipv6_ra_mode", "ipv6_address_mode")


def is_automatic(subnet: SubnetRow) -> bool:
    """Its addresses follow from MACs."""
    return subnet.ipv6_ra_mode in AUTOMATIC or subnet.ipv6_address_mode in AUTOMATIC


def cidr_of(attributes: Attributes) -> Prefix:
    """From `cidr`, or from `address` and `netmask` (the blueprint's other form). Raises InvalidInput."""
    text, address, netmask = (attributes.get(name) for name in ("cidr", "address", "netmask"))
    if [text is None, address is None, netmask is None] not in ([False, True, True], [True, False, False]):
        raise InvalidInput("Invalid input for operation: a subnet needs either a cidr, or an address and a netmask.")
    if text is None:
        text = f"{address}/{netmask}"
    try:
        network = ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidInput(f"Invalid input for operation: '{text}' is not a subnet: {error}.") from error
    return plain_range(network, attributes["ip_version"])


def plain_range(network: Prefix, ip_version: int) -> Prefix:
    """Raises InvalidInput for what no machines can have."""
    if network.version != ip_version:
        raise InvalidInput(f"Invalid input for operation: cidr '{network}' does not match the ip_version "
                           f"'{ip_version}'.")
    for special in SPECIAL:
        if network.version == special.version and network.overlaps(special):
            raise InvalidInput(f"Invalid input for operation: {network} is no range for machines: it has addresses of "
                               f"{special}, which are special (RFC 6890).")
    return network


def gateway_of(cidr: Prefix, wanted: Any) -> Ip | None:
    """`wanted`, or the first address that a machine can have when that is UNSET. Raises InvalidInput."""
    if wanted is None:
        return None
    if wanted is UNSET:
        return cidr.network_address + (hosts(cidr)[0] - int(cidr.network_address))
    gateway = ip_address(wanted)
    if gateway.version != cidr.version:
        raise InvalidInput(f"Invalid input for operation: gateway_ip '{wanted}' is not an IPv{cidr.version} address.")
    if gateway not in cidr:
        raise InvalidInput(f"Invalid input for operation: gateway_ip {gateway} is not in {cidr}; "
                           f"the L3 plugin routes for gateways inside their subnet.")
    if not is_host(cidr, gateway):
        what = "network or broadcast address" if cidr.version == 4 else "anycast address of all routers (RFC 4291)"
        raise InvalidInput(f"Invalid input for operation: gateway_ip {gateway} is the {what} of {cidr}.")
    return gateway


def modes_of(cidr: Prefix, attributes: Attributes) -> dict[str, str | None]:
    """`ipv6_ra_mode` and `ipv6_address_mode`, as Neutron allows them. Raises InvalidInput."""
    modes = {name: attributes.get(name) for name in MODES}
    chosen = {mode for mode in modes.values() if mode is not None}
    if not chosen:
        return modes
    if cidr.version != 6:
        raise InvalidInput("Invalid input for operation: ipv6_ra_mode and ipv6_address_mode are of subnets whose "
                           "ip_version is 6.")
    if not attributes.get("enable_dhcp", True):
        raise InvalidInput("Invalid input for operation: ipv6_ra_mode or ipv6_address_mode cannot be set when "
                           "enable_dhcp is set to False.")
    if len(chosen) > 1:
        raise InvalidInput(f"Invalid input for operation: ipv6_ra_mode set to '{modes['ipv6_ra_mode']}' with "
                           f"ipv6_address_mode set to '{modes['ipv6_address_mode']}' is not valid. If both attributes "
                           f"are set, they must be the same value.")
    if chosen <= set(AUTOMATIC) and cidr.prefixlen != EUI64_LENGTH:
        raise InvalidInput(f"Invalid input for operation: Invalid CIDR {cidr} for IPv6 address mode. Addresses are "
                           f"made of MACs (EUI-64), which requires the prefix to be /64.")
    return modes


def check_dhcp(cidr: Prefix, enabled: bool) -> None:
    """Raises InvalidInput."""
    if enabled and cidr.prefixlen > SMALLEST_FOR_DHCP[cidr.version]:
        raise InvalidInput(f"Invalid input for operation: {cidr} is too small for DHCP; use a "
                           f"/{SMALLEST_FOR_DHCP[cidr.version]} or larger, or enable_dhcp=false.")


def pools_of(cidr: Prefix, gateway: Ip | None, wanted: list[Attributes] | None) -> list[Attributes]:
    """Checked pools in order; by default all host addresses but the gateway's.

    Raises InvalidInput, OutOfBoundsAllocationPool, GatewayConflictWithAllocationPools and OverlappingAllocationPools.
    """
    address = type(cidr.network_address)
    low, high = hosts(cidr)[0], hosts(cidr)[1] - 1
    if wanted is None:
        parts = [(low, high)]
        if gateway is not None:
            parts = [(low, int(gateway) - 1), (int(gateway) + 1, high)]
        return [{"start": str(address(a)), "end": str(address(b))} for a, b in parts if a <= b]
    ends = [ip_address(pool[name]) for pool in wanted for name in ("start", "end")]
    for end in ends:
        if end.version != cidr.version:
            raise InvalidInput(f"Invalid input for allocation_pools: {end} is not an IPv{cidr.version} address; an "
                               f"IPv{cidr.version} subnet allocates IPv{cidr.version} addresses.")
    ranges = sorted((int(ends[index]), int(ends[index + 1])) for index in range(0, len(ends), 2))
    for first, last in ranges:
        shown = f"{address(first)}-{address(last)}"
        if first > last:
            raise InvalidInput(f"Invalid input for operation: allocation pool {shown} ends before it starts.")
        if first < low or last > high:
            raise OutOfBoundsAllocationPool(f"The allocation pool {shown} spans beyond the subnet cidr {cidr}.")
        if gateway is not None and first <= int(gateway) <= last:
            raise GatewayConflictWithAllocationPools(f"Gateway ip {gateway} conflicts with allocation pool {shown}.")
    for (_, last), (first, _) in pairwise(ranges):
        if first <= last:
            raise OverlappingAllocationPools(f"Found overlapping allocation pools around {address(first)} "
                                             f"for subnet {cidr}.")
    return [{"start": str(address(first)), "end": str(address(last))} for first, last in ranges]


def nameservers_of(version: int, wanted: Iterable[str] | None) -> list[str]:
    """Raises InvalidInput."""
    servers = [ip_address(server) for server in wanted or []]
    if len(servers) > MAX_NAMESERVERS or len(set(servers)) != len(servers):
        raise InvalidInput(f"Invalid input for dns_nameservers: at most {MAX_NAMESERVERS}, each once.")
    if any(server.version != version for server in servers):
        raise InvalidInput(f"Invalid input for dns_nameservers: an IPv{version} subnet hands out IPv{version} "
                           f"addresses.")
    return list(map(str, servers))


def host_routes_of(version: int, wanted: Iterable[Attributes] | None) -> list[Attributes]:
    """Raises InvalidInput."""
    routes = [(ip_network(route["destination"], strict=False), ip_address(route["nexthop"])) for route in wanted or []]
    if len(routes) > MAX_HOST_ROUTES:
        raise InvalidInput(f"Invalid input for host_routes: {len(routes)} routes, at most {MAX_HOST_ROUTES}.")
    if any(destination.version != version or hop.version != version for destination, hop in routes):
        raise InvalidInput(f"Invalid input for host_routes: an IPv{version} subnet hands out IPv{version} routes.")
    return [{"destination": str(destination), "nexthop": str(hop)} for destination, hop in routes]
