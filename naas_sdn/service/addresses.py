"""Addresses of ports: which subnets they come from, and the service address that DHCP answers from."""
from __future__ import annotations

import random
from collections.abc import Iterable
from ipaddress import IPv6Network, ip_address, ip_network

from sqlalchemy import bindparam, false, or_, select, true, union_all
from sqlalchemy.orm import Session, selectinload

from naas_sdn.db.load import GATEWAY_MAC, mac_of, number_of
from naas_sdn.db.rows import AllocationRow, NetworkRow, PortRow, RouteRow, SubnetRow, new_id
from naas_sdn.errors import (
    AllocationOnAutoAddressSubnet,
    GatewayIpInUse,
    InvalidInput,
    InvalidIpForNetwork,
    IpAddressGenerationFailure,
    MacAddressInUse,
)
from naas_sdn.model.ip import Ip, eui64, is_host
from naas_sdn.model.values import DHCP_SERVICE, ROUTER_INTERFACE
from naas_sdn.plugins.contract import Plugins
from naas_sdn.plugins.ipam import sortable
from naas_sdn.service import floating_uses
from naas_sdn.service.address_plans import is_automatic
from naas_sdn.service.contract import Attributes
from naas_sdn.service.rows import new_key, touch
from naas_sdn.service.service_types import CLOUD, require_service, serves, serving

MAC_BASE = 0xFA163E000000
MAC_TRIES = 16
MAX_FIXED_IPS = 16

_SUBNETS = select(SubnetRow).where(SubnetRow.network_id == bindparam("network_id")).order_by(
    SubnetRow.created_at, SubnetRow.id)
_HOLDER = select(PortRow.id).where(PortRow.network_id == bindparam("network_id"),
                                   PortRow.mac_address == bindparam("mac_address"))
_FOUND = union_all(
    select(AllocationRow.port_id, true().label("at_gateway")).where(
        AllocationRow.subnet_id == bindparam("subnet_id"), AllocationRow.ip_number == bindparam("gateway")),
    select(PortRow.id, false()).where(
        PortRow.device_id == bindparam("dhcp"), PortRow.device_owner == DHCP_SERVICE)).subquery()
_AT_GATEWAY_OR_DHCP = select(PortRow, _FOUND.c.at_gateway).join(_FOUND, _FOUND.c.port_id == PortRow.id)
"""Each by its index, whatever else the subnet has: an OR of the two would read all of its addresses."""


def give(session: Session, plugins: Plugins, port: PortRow,
         wanted: list[Attributes] | None) -> list[SubnetRow]:
    """Set the port's addresses: as `wanted` ([{subnet_id?, ip_address?}]), or one of each IP version when None.

    One of each automatic subnet that serves the port comes with them, if it has any. Returns the subnet of each address
    that is new. Addresses that stay keep their place; the last new one is not flushed. Raises InvalidIpForNetwork,
    InvalidInput, AllocationOnAutoAddressSubnet, GatewayIpInUse, IpAddressGenerationFailureNoMatchingSubnet and what the
    IPAM plugin raises.
    """
    subnets = list(session.scalars(_SUBNETS, {"network_id": port.network_id}))
    if wanted is None:
        return _give_some(session, plugins, port, serving(subnets, port)) if subnets else []
    if len(wanted) > MAX_FIXED_IPS:
        raise InvalidInput(f"Invalid input for fixed_ips: {len(wanted)} addresses, at most {MAX_FIXED_IPS}.")
    named = [item["ip_address"] for item in wanted if item.get("ip_address") is not None]
    if len(set(named)) < len(named):
        raise InvalidInput(f"Invalid input for fixed_ips: {', '.join(sorted(named))} names an address twice.")
    plan = _with_automatic(port, subnets, [
        (_subnet_for(port, subnets, item), item.get("ip_address")) for item in wanted])
    kept: list[AllocationRow] = []
    fresh: list[tuple[SubnetRow, Ip | None]] = []
    for subnet, ip in plan:
        address = ip_address(ip) if ip is not None else None
        held = next((a for a in port.allocations if a not in kept and a.subnet_id == subnet.id
                     and (address is None or a.ip_address == str(address))), None)
        if held is not None:
            kept.append(held)
        else:
            fresh.append((subnet, address))
    require_service([subnet for subnet, _ in fresh], port)
    lost = [a for a in port.allocations if a not in kept]
    if lost:
        floating_uses.require_kept(session, port, [a.ip_address for a in lost])
    for allocation in lost:
        port.allocations.remove(allocation)
    if lost:
        session.flush()
    for index, (subnet, address) in enumerate(fresh):
        if index:
            # For the IPAM plugin to see that the one before is taken.
            session.flush()
        if address is not None and str(address) == subnet.gateway_ip and port.device_owner != ROUTER_INTERFACE:
            _require_unrouted(session, subnet)
        _record(port, subnet, plugins.ipam.allocate(session, subnet, address))
    return [subnet for subnet, _ in fresh]


def is_automatic_of(port: PortRow) -> bool:
    """Automatic subnets give it addresses; the cloud's own ports get them otherwise."""
    return not port.device_owner.startswith(CLOUD)


def _with_automatic(port: PortRow, subnets: Iterable[SubnetRow],
                    plan: list[tuple[SubnetRow, str | None]]) -> list[tuple[SubnetRow, str | None]]:
    """`plan` with the one address that the port can have on each automatic subnet."""
    if not is_automatic_of(port):
        return plan
    for subnet, ip in plan:
        own = own_address(port, subnet) if is_automatic(subnet) else None
        if own is not None and ip not in (None, own):
            raise AllocationOnAutoAddressSubnet(
                f"IPv6 address {ip} cannot be directly assigned to a port on subnet {subnet.id} as the subnet is "
                f"configured for automatic addresses; that of MAC {port.mac_address} is {own}.")
    automatic = dict.fromkeys(subnet for subnet, _ in plan if is_automatic(subnet))
    if plan:
        automatic.update(dict.fromkeys(
            subnet for subnet in subnets if is_automatic(subnet) and serves(subnet, port)))
    return [*((subnet, ip) for subnet, ip in plan if subnet not in automatic),
            *((subnet, own_address(port, subnet)) for subnet in automatic)]


def own_address(port: PortRow, subnet: SubnetRow) -> str:
    """The port's address on an automatic subnet."""
    return str(eui64(IPv6Network(subnet.cidr), number_of(port.mac_address)))


def give_automatic(session: Session, plugins: Plugins, subnet: SubnetRow) -> None:
    """The ports of the network get their addresses of a new automatic subnet."""
    ports = session.scalars(select(PortRow).where(PortRow.network_id == subnet.network_id)
                            .options(selectinload(PortRow.allocations)))
    for port in ports:
        if is_automatic_of(port) and serves(subnet, port):
            _record(port, subnet, plugins.ipam.allocate(session, subnet, ip_address(own_address(port, subnet))))
            touch(port)


def take(port: PortRow, subnet: SubnetRow) -> None:
    """The port loses its addresses of a subnet."""
    for allocation in [allocation for allocation in port.allocations if allocation.subnet_id == subnet.id]:
        port.allocations.remove(allocation)
    touch(port)


def renew_automatic(session: Session, plugins: Plugins, port: PortRow) -> None:
    """Its automatic addresses follow the port's new MAC, in their places."""
    for allocation in port.allocations:
        subnet = session.get(SubnetRow, allocation.subnet_id)
        if subnet is not None and is_automatic(subnet) and is_automatic_of(port):
            ip = plugins.ipam.allocate(session, subnet, ip_address(own_address(port, subnet)))
            allocation.ip_address, allocation.ip_number = str(ip), sortable(ip)


def _require_unrouted(session: Session, subnet: SubnetRow) -> None:
    """A machine that has the gateway's address routes itself, and a route would lead nowhere."""
    route = route_through(session, [subnet])
    if route is not None:
        raise GatewayIpInUse(f"Gateway ip {subnet.gateway_ip} of subnet {subnet.id} is in use by route {route}: "
                             f"no machine can have it. Delete the route first.")


def _give_some(session: Session, plugins: Plugins, port: PortRow, subnets: Iterable[SubnetRow]) -> list[SubnetRow]:
    """An address of each IP version, and one of each automatic subnet."""
    automatic = [subnet for subnet in subnets if is_automatic(subnet)]
    chosen = [_give_any(session, plugins, port, [subnet for subnet in subnets if subnet.ip_version == version])
              for version in sorted({subnet.ip_version for subnet in subnets if subnet not in automatic})]
    for subnet in automatic if is_automatic_of(port) else ():
        _record(port, subnet, plugins.ipam.allocate(session, subnet, ip_address(own_address(port, subnet))))
    return [*chosen, *automatic]


def _give_any(session: Session, plugins: Plugins, port: PortRow, subnets: Iterable[SubnetRow]) -> SubnetRow:
    for subnet in subnets:
        if is_automatic(subnet):
            continue
        try:
            _record(port, subnet, plugins.ipam.allocate(session, subnet, None))
            return subnet
        except IpAddressGenerationFailure:
            continue
    raise IpAddressGenerationFailure(f"No more IP addresses available on network {port.network_id}.")


def _subnet_for(port: PortRow, subnets: list[SubnetRow], item: Attributes) -> SubnetRow:
    by_id = {subnet.id: subnet for subnet in subnets}
    if item.get("subnet_id") is not None:
        if item["subnet_id"] not in by_id:
            raise InvalidInput(f"Invalid input for operation: Failed to create port on network {port.network_id}, "
                               f"because fixed_ips included invalid subnet {item['subnet_id']}.")
        return by_id[item["subnet_id"]]
    if item.get("ip_address") is None:
        raise InvalidInput("Invalid input for operation: IP allocation requires subnet_id or ip_address.")
    wanted = ip_address(item["ip_address"])
    for subnet in subnets:
        if is_host(ip_network(subnet.cidr), wanted):
            return subnet
    raise InvalidIpForNetwork(f"IP address {item['ip_address']} is not a valid IP for any of the subnets on "
                              f"network {port.network_id}.")


def _record(port: PortRow, subnet: SubnetRow, ip: Ip) -> None:
    port.allocations.append(AllocationRow(subnet_id=subnet.id, ip_address=str(ip), ip_number=sortable(ip)))


def new_port(session: Session, network: NetworkRow, attributes: Attributes) -> PortRow:
    """A port row with key, number and MAC (any, unless given), not yet with addresses or flushed.

    Raises MacAddressInUse.
    """
    mac = attributes.get("mac_address") or free_mac(session, network.id)
    row = PortRow(**{"id": new_id(), "profile": {}, "allocations": [], "security_groups": [], "vif": None,
                     "allowed_address_pairs": [], "extra_dhcp_opts": [], "device_owner": "", **attributes,
                     "network_id": network.id, "network": network, "mac_address": mac, "number": network.next_number,
                     "key": new_key(session)})
    network.next_number += 1
    session.add(row)
    return row


def require_free_mac(session: Session, network_id: str, mac: str) -> None:
    """Raises MacAddressInUse when a port of the network has it, or gateways might."""
    if number_of(mac) >> 24 == GATEWAY_MAC >> 24:
        raise MacAddressInUse(f"Unable to complete operation for network {network_id}. The mac address {mac} is in "
                              f"the range of gateways ({mac_of(GATEWAY_MAC)}/24).")
    if session.scalar(_HOLDER, {"network_id": network_id, "mac_address": mac}):
        raise MacAddressInUse(f"Unable to complete operation for network {network_id}. "
                              f"The mac address {mac} is in use.")


def free_mac(session: Session, network_id: str) -> str:
    """Raises MacAddressInUse when the network's range is as good as full."""
    for _ in range(MAC_TRIES):
        mac = mac_of(MAC_BASE | random.getrandbits(24))
        if session.scalar(_HOLDER, {"network_id": network_id, "mac_address": mac}) is None:
            return mac
    raise MacAddressInUse(f"No free MAC address was found for network {network_id}.")


def gateway_holder(session: Session, subnet: SubnetRow) -> PortRow | None:
    """The port that has the subnet's gateway address."""
    if subnet.gateway_ip is None:
        return None
    return session.scalar(select(PortRow).join(AllocationRow, AllocationRow.port_id == PortRow.id).where(
        AllocationRow.subnet_id == subnet.id, AllocationRow.ip_address == subnet.gateway_ip))


def route_through(session: Session, subnets: Iterable[SubnetRow]) -> str | None:
    """The id of a NaaS route that leads from or to one of the subnets."""
    ids = [subnet.id for subnet in subnets]
    return session.scalar(select(RouteRow.id).where(
        or_(RouteRow.source_subnet_id.in_(ids), RouteRow.destination_subnet_id.in_(ids))).limit(1))


def ensure_service_address(session: Session, plugins: Plugins, subnet: SubnetRow) -> None:
    """DHCPv4 answers from the gateway; where there is none, or a machine is it, from a port of its own."""
    found = session.execute(_AT_GATEWAY_OR_DHCP, {
        "subnet_id": subnet.id, "dhcp": f"dhcp-{subnet.id}",
        "gateway": sortable(ip_address(subnet.gateway_ip)) if subnet.gateway_ip else None}).all()
    holder = next((port for port, at_gateway in found if at_gateway), None)
    service = next((port for port, at_gateway in found if not at_gateway), None)
    needed = subnet.ip_version == 4 and subnet.enable_dhcp and (
        subnet.gateway_ip is None or (holder is not None and holder.device_owner != ROUTER_INTERFACE))
    if needed and service is None:
        network = subnet.network
        port = new_port(session, network, {
            "project_id": network.project_id, "name": "", "device_owner": DHCP_SERVICE,
            "device_id": f"dhcp-{subnet.id}", "port_security_enabled": False})
        _record(port, subnet, plugins.ipam.allocate(session, subnet, None))
    elif service is not None and not needed:
        session.delete(service)
    session.flush()


def subnets_of(session: Session, ports: Iterable[PortRow]) -> list[SubnetRow]:
    """The subnets that these ports have addresses of."""
    ids = {allocation.subnet_id for port in ports for allocation in port.allocations}
    return [subnet for subnet in (session.get(SubnetRow, identifier) for identifier in sorted(ids)) if subnet]
