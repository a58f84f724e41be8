"""Rows to facts: what the data plane must know of the truth."""
from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, ip_address, ip_network

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session, selectinload

from naas_sdn.db.floating_ip_rows import FloatingIpRow
from naas_sdn.db.gateway_rows import SightingRow
from naas_sdn.db.rows import (
    AllocationRow,
    HypervisorRow,
    HypervisorUplinkRow,
    NetworkRow,
    PortRow,
    QosPolicyRow,
    QosRuleRow,
    RouteRow,
    RouterRow,
    SubnetRow,
    TunnelKeyRow,
    VifRow,
)
from naas_sdn.db.security_group_rows import (
    AddressGroupRow,
    PortSecurityGroupRow,
    SecurityGroupRow,
    SecurityGroupRuleRow,
)
from naas_sdn.model import dhcp
from naas_sdn.model.store import Key, sighting_id, uplink_id
from naas_sdn.model.values import (
    Address,
    AddressGroup,
    AddressPair,
    Attachment,
    ExternalGateway,
    Fact,
    FloatingIp,
    Hypervisor,
    Leg,
    Network,
    Port,
    QosPolicy,
    RateLimit,
    Route,
    Router,
    SecurityGroup,
    SecurityRule,
    Sighting,
    Subnet,
    Uplink,
)

LARGEST_RATE = 2**32 - 1
"""That a meter can have (OpenFlow 1.3.5 section 7.3.4.4)."""

BURST = 0.3
"""Part of a second's worth that a limit lets through at once; TCP starves on less (measured)."""

GATEWAY_MAC = 0xFA163F000000
"""Base of the MACs of gateways; the subnet's key makes it unique. A router's interface on the gateway's address has
it too, so that machines need not ask again when a router comes or goes."""


def number_of(mac: str) -> int:
    return int(mac.replace(":", ""), 16)


def mac_of(number: int) -> str:
    """48 bits as the API writes them."""
    return number.to_bytes(6).hex(":")


def network(row: NetworkRow, wire: TunnelKeyRow) -> Network:
    return Network(row.id, wire.key, row.mtu, row.admin_state_up, row.isolated, row.qos_policy_id,
                   wire.physical_network, wire.vlan or None)


def subnet(row: SubnetRow) -> Subnet:
    return Subnet(
        row.id, row.network_id, row.key, ip_network(row.cidr),
        ip_address(row.gateway_ip) if row.gateway_ip is not None else None,
        gateway_mac(row.key), row.enable_dhcp,
        tuple(map(ip_address, row.dns_nameservers)),
        tuple((ip_network(route["destination"]), ip_address(route["nexthop"])) for route in row.host_routes),
        row.ipv6_ra_mode, row.ipv6_address_mode,
    )


def gateway_mac(key: int) -> int:
    return GATEWAY_MAC | key & 0xFFFFFF


def hostname(ip: str) -> str:
    """The name that DHCP hands out with an address."""
    return "host-" + re.sub("[.:]", "-", ip)


def port(row: PortRow, allocations: Iterable[AllocationRow], groups: Iterable[str]) -> Port:
    """Nothing is filtered of a port without port security, nor of one that the cloud itself uses."""
    addresses = tuple(Address(a.subnet_id, ip_address(a.ip_address)) for a in allocations)
    first = next((address for address in addresses if address.ip.version == 4), addresses[0] if addresses else None)
    return Port(
        row.id, row.network_id, row.key, number_of(row.mac_address), addresses, row.admin_state_up,
        row.port_security_enabled, row.device_owner, row.device_id,
        hostname(str(first.ip)) if first is not None else "", row.qos_policy_id,
        tuple(_pairs(row)), tuple(_dhcp_options(row, 4)),
        tuple(sorted(groups)) if row.port_security_enabled and not row.device_owner.startswith("network:") else None,
        tuple(_dhcp_options(row, 6)),
    )


def _pairs(row: PortRow) -> Iterator[AddressPair]:
    for pair in row.allowed_address_pairs:
        yield AddressPair(number_of(pair["mac_address"] or row.mac_address), ip_network(pair["ip_address"]))


def _dhcp_options(row: PortRow, version: int) -> Iterator[tuple[int, bytes]]:
    """What cannot be told is left out: it may have been kept before it could."""
    for option in row.extra_dhcp_opts:
        if option["ip_version"] == version:
            with suppress(ValueError):
                told = dhcp.encoded(option["opt_name"], option["opt_value"], version)
                if told is not None:
                    yield told


def attachment(row: VifRow, network_id: str) -> Attachment:
    return Attachment(row.port_id, network_id, row.host, row.interface, row.slot, row.plugging,
                      row.vlan or None, row.acknowledged >= row.plugging)


def hypervisor(row: HypervisorRow) -> Hypervisor:
    return Hypervisor(row.name, row.key, int(row.datapath_id, 16), IPv4Address(row.vtep), row.certificate)


def router(row: RouterRow) -> Router:
    legs = sorted((interface.port_id, interface.subnet_id) for interface in row.interfaces)
    gateway = row.gateway
    return Router(
        row.id, row.key, tuple(Leg(*leg) for leg in legs), row.admin_state_up,
        tuple((ip_network(route["destination"]), ip_address(route["nexthop"])) for route in row.routes),
        ExternalGateway(gateway.port_id, gateway.network_id, gateway.slot, gateway.enable_snat)
        if gateway is not None else None)


def security_rule(group_id: str, content: str) -> SecurityRule:
    """By what its row says that it matches. Protocol 0 is any, as in Neutron."""
    direction, ethertype, *numbers, whom = content.split(" ")
    protocol, low, high = (None if number == "-" else int(number) for number in numbers)
    return SecurityRule(group_id, direction == "ingress", 4 if ethertype == "IPv4" else 6, protocol or None, low, high,
                        ip_network(whom) if "/" in whom else None, None if "/" in whom or whom == "-" else whom)


def route(row: RouteRow) -> Route:
    return Route(row.id, (row.source_subnet_id, row.destination_subnet_id))


def qos_policy(row: QosPolicyRow) -> QosPolicy:
    rules = {(rule.type, rule.direction): rule for rule in row.rules}
    bits = {direction: _limit(rules.get(("bandwidth_limit", direction)), 1) for direction in ("egress", "ingress")}
    packets = {direction: _limit(rules.get(("packet_rate_limit", direction)), 1000) for direction in bits}
    mark = rules.get(("dscp_marking", ""))
    return QosPolicy(row.id, bits["egress"], bits["ingress"], packets["egress"], packets["ingress"],
                     mark.value if mark is not None else None)


def _limit(rule: QosRuleRow | None, unit: int) -> RateLimit | None:
    """`unit`: how many of the limit's the rule's are."""
    if rule is None:
        return None
    rate, burst = rule.value * unit, rule.burst * unit or max(1, round(rule.value * unit * BURST))
    return RateLimit(min(rate, LARGEST_RATE), min(burst, LARGEST_RATE))


def load(session: Session, keys: Iterable[Key]) -> dict[Key, Fact | None]:
    """These facts as they stand; None for what is gone. At most three statements a kind, however many there are."""
    wanted: defaultdict[str, list[str]] = defaultdict(list)
    found: dict[Key, Fact | None] = {}
    for key in dict.fromkeys(keys):
        wanted[key.kind].append(key.id)
        found[key] = None
    for kind, ids in wanted.items():
        found.update((Key(kind, identifier), fact) for identifier, fact in READERS[kind](session, ids))
    return found


def load_all(session: Session) -> Iterator[tuple[Key, Fact]]:
    """Every fact. Ids are UUIDs, but a VIF goes by its port's and a hypervisor by its name."""
    for kind, read in READERS.items():
        for identifier, fact in read(session, None):
            yield Key(kind, identifier), fact


Ids = Collection[str] | None
"""Which to read; None: all."""

Facts = Iterator[tuple[str, Fact]]


def _among(column: InstrumentedAttribute[str], ids: Ids) -> ColumnElement[bool]:
    return true() if ids is None else column.in_(ids)


def _hypervisors(session: Session, ids: Ids) -> Facts:
    for row in session.scalars(select(HypervisorRow).where(_among(HypervisorRow.name, ids))):
        yield row.name, hypervisor(row)


def _networks(session: Session, ids: Ids) -> Facts:
    keyed = select(NetworkRow, TunnelKeyRow).join(TunnelKeyRow, TunnelKeyRow.network_id == NetworkRow.id)
    for row, wire in session.execute(keyed.where(_among(NetworkRow.id, ids))):
        yield row.id, network(row, wire)


def _uplinks(session: Session, ids: Ids) -> Facts:
    hosts = None if ids is None else {host for host, _, _ in (identifier.partition(" ") for identifier in ids)}
    for row in session.scalars(select(HypervisorUplinkRow).where(_among(HypervisorUplinkRow.host, hosts))):
        identifier = uplink_id(row.host, row.physical_network)
        if ids is None or identifier in ids:
            yield identifier, Uplink(row.host, row.physical_network, row.interface)


def _subnets(session: Session, ids: Ids) -> Facts:
    for row in session.scalars(select(SubnetRow).where(_among(SubnetRow.id, ids))):
        yield row.id, subnet(row)


def _ports(session: Session, ids: Ids) -> Facts:
    allocations: defaultdict[str, list[AllocationRow]] = defaultdict(list)
    for allocation in session.scalars(select(AllocationRow).where(_among(AllocationRow.port_id, ids))
                                      .order_by(AllocationRow.id)):
        allocations[allocation.port_id].append(allocation)
    groups: defaultdict[str, list[str]] = defaultdict(list)
    member = PortSecurityGroupRow
    for port_id, group_id in session.execute(select(member.port_id, member.security_group_id)
                                             .where(_among(member.port_id, ids))):
        groups[port_id].append(group_id)
    for row in session.scalars(select(PortRow).where(_among(PortRow.id, ids))):
        yield row.id, port(row, allocations[row.id], groups[row.id])


def _vifs(session: Session, ids: Ids) -> Facts:
    placed = select(VifRow, PortRow.network_id).join(PortRow, PortRow.id == VifRow.port_id)
    for row, network_id in session.execute(placed.where(_among(VifRow.port_id, ids))):
        yield row.port_id, attachment(row, network_id)


def _routers(session: Session, ids: Ids) -> Facts:
    for row in session.scalars(select(RouterRow).where(_among(RouterRow.id, ids))
                               .options(selectinload(RouterRow.interfaces), selectinload(RouterRow.gateway))):
        yield row.id, router(row)


def _floating_ips(session: Session, ids: Ids) -> Facts:
    """Those that stand for something."""
    held = select(FloatingIpRow, PortRow.mac_address).join(PortRow, PortRow.id == FloatingIpRow.floating_port_id)
    for row, mac in session.execute(held.where(_among(FloatingIpRow.id, ids))):
        if row.port_id is not None and row.fixed_ip_address is not None and row.router_id is not None:
            yield row.id, FloatingIp(row.id, row.floating_network_id, row.router_id,
                                     IPv4Address(row.floating_ip_address), number_of(mac), row.port_id,
                                     IPv4Address(row.fixed_ip_address))


def _sightings(session: Session, ids: Ids) -> Facts:
    networks = None if ids is None else {identifier.partition(" ")[0] for identifier in ids}
    for row in session.scalars(select(SightingRow).where(_among(SightingRow.network_id, networks))):
        identifier = sighting_id(row.network_id, row.ip_address)
        if ids is None or identifier in ids:
            yield identifier, Sighting(row.network_id, IPv4Address(row.ip_address), number_of(row.mac_address))


def _routes(session: Session, ids: Ids) -> Facts:
    for row in session.scalars(select(RouteRow).where(_among(RouteRow.id, ids))):
        yield row.id, route(row)


def _qos_policies(session: Session, ids: Ids) -> Facts:
    for row in session.scalars(select(QosPolicyRow).where(_among(QosPolicyRow.id, ids))
                               .options(selectinload(QosPolicyRow.rules))):
        yield row.id, qos_policy(row)


def _security_groups(session: Session, ids: Ids) -> Facts:
    for row in session.scalars(select(SecurityGroupRow).where(_among(SecurityGroupRow.id, ids))):
        yield row.id, SecurityGroup(row.id, row.key, row.stateful)


def _security_rules(session: Session, ids: Ids) -> Facts:
    """By columns: a row of the session costs more than what is read of it."""
    rule = SecurityGroupRuleRow
    columns = select(rule.id, rule.security_group_id, rule.content)
    for identifier, group_id, content in session.execute(columns.where(_among(rule.id, ids))):
        yield identifier, security_rule(group_id, content)


def _address_groups(session: Session, ids: Ids) -> Facts:
    for row in session.scalars(select(AddressGroupRow).where(_among(AddressGroupRow.id, ids))):
        yield row.id, AddressGroup(row.id, row.key, tuple(map(ip_network, row.addresses)))


READERS: Mapping[str, Callable[[Session, Ids], Facts]] = {
    "hypervisor": _hypervisors, "uplink": _uplinks, "network": _networks, "subnet": _subnets, "port": _ports,
    "vif": _vifs, "router": _routers, "floating_ip": _floating_ips,
    "sighting": _sightings, "route": _routes, "qos_policy": _qos_policies,
    "security_group": _security_groups, "security_rule": _security_rules,
    "address_group": _address_groups,
}
"""By kind of fact, what others refer to first."""
