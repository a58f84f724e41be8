"""Rows to facts: what the data plane must know of the truth."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from naas_sdn.db.rows import (
    AllocationRow,
    BandwidthLimitRow,
    HypervisorRow,
    NetworkRow,
    PortRow,
    QosPolicyRow,
    RouteRow,
    RouterRow,
    SubnetRow,
    TunnelKeyRow,
    VifRow,
)
from naas_sdn.model.store import Key
from naas_sdn.model.values import (
    Address,
    Attachment,
    Fact,
    Hypervisor,
    Leg,
    Network,
    Port,
    QosPolicy,
    RateLimit,
    Route,
    Router,
    Subnet,
)

BURST = 0.3
"""Part of a second's worth that a bit-rate limit lets through at once; TCP starves on less (measured)."""

GATEWAY_MAC = 0xFA163F000000
"""Base of the MACs of gateways; the subnet's key makes it unique. A router's interface on the gateway's address has
it too, so that machines need not ask again when a router comes or goes."""


def number_of(mac: str) -> int:
    return int(mac.replace(":", ""), 16)


def mac_of(number: int) -> str:
    """48 bits as the API writes them."""
    return number.to_bytes(6).hex(":")


def network(row: NetworkRow, key: int) -> Network:
    return Network(row.id, key, row.mtu, row.admin_state_up, row.isolated, row.qos_policy_id)


def subnet(row: SubnetRow) -> Subnet:
    return Subnet(
        row.id, row.network_id, row.key, IPv4Network(row.cidr),
        IPv4Address(row.gateway_ip) if row.gateway_ip is not None else None,
        gateway_mac(row.key), row.enable_dhcp,
        tuple(map(IPv4Address, row.dns_nameservers)),
        tuple((IPv4Network(route["destination"]), IPv4Address(route["nexthop"])) for route in row.host_routes),
    )


def gateway_mac(key: int) -> int:
    return GATEWAY_MAC | key & 0xFFFFFF


def hostname(ip: str) -> str:
    """The name that DHCP hands out with an address."""
    return "host-" + ip.replace(".", "-")


def port(row: PortRow, allocations: Iterable[AllocationRow]) -> Port:
    addresses = tuple(Address(a.subnet_id, IPv4Address(a.ip_address)) for a in allocations)
    return Port(
        row.id, row.network_id, row.key, number_of(row.mac_address), addresses, row.admin_state_up,
        row.port_security_enabled, row.device_owner, row.device_id,
        hostname(str(addresses[0].ip)) if addresses else "", row.qos_policy_id,
    )


def attachment(row: VifRow, network_id: str) -> Attachment:
    return Attachment(row.port_id, network_id, row.host, row.interface, row.slot, row.plugging)


def hypervisor(row: HypervisorRow) -> Hypervisor:
    return Hypervisor(row.name, row.key, int(row.datapath_id, 16), IPv4Address(row.vtep), row.certificate)


def router(row: RouterRow) -> Router:
    legs = sorted((interface.port_id, interface.subnet_id) for interface in row.interfaces)
    return Router(row.id, row.key, tuple(Leg(*leg) for leg in legs), row.admin_state_up)


def route(row: RouteRow) -> Route:
    return Route(row.id, (row.source_subnet_id, row.destination_subnet_id))


def qos_policy(row: QosPolicyRow) -> QosPolicy:
    limits = {rule.direction: _limit(rule) for rule in row.rules}
    return QosPolicy(row.id, limits.get("egress"), limits.get("ingress"))


def _limit(rule: BandwidthLimitRow) -> RateLimit:
    return RateLimit(rule.max_kbps, rule.max_burst_kbps or max(1, round(rule.max_kbps * BURST)))


def load(session: Session, kind: str, identifier: str) -> Fact | None:
    """The fact as it stands; None when it is gone. Key ids as in `load_all`."""
    match kind:
        case "network":
            found: Any = session.execute(
                select(NetworkRow, TunnelKeyRow.key).join(TunnelKeyRow, TunnelKeyRow.network_id == NetworkRow.id)
                .where(NetworkRow.id == identifier)).one_or_none()
            return network(found[0], found[1]) if found else None
        case "subnet":
            row: Any = session.get(SubnetRow, identifier)
            return subnet(row) if row else None
        case "port":
            row = session.get(PortRow, identifier)
            return port(row, row.allocations) if row else None
        case "vif":
            row = session.scalar(select(VifRow).where(VifRow.port_id == identifier))
            return attachment(row, row.port.network_id) if row else None
        case "hypervisor":
            row = session.scalar(select(HypervisorRow).where(HypervisorRow.name == identifier))
            return hypervisor(row) if row else None
        case "router":
            row = session.get(RouterRow, identifier)
            return router(row) if row else None
        case "route":
            row = session.get(RouteRow, identifier)
            return route(row) if row else None
        case "qos_policy":
            row = session.get(QosPolicyRow, identifier)
            return qos_policy(row) if row else None
        case _:
            raise ValueError(f"no such kind of fact: {kind}")


def load_all(session: Session) -> Iterator[tuple[Key, Fact]]:
    """Every fact. Ids are UUIDs, but a VIF goes by its port's and a hypervisor by its name."""
    for row in session.scalars(select(HypervisorRow)):
        yield Key("hypervisor", row.name), hypervisor(row)
    for network_row, key in session.execute(
            select(NetworkRow, TunnelKeyRow.key).join(TunnelKeyRow, TunnelKeyRow.network_id == NetworkRow.id)):
        yield Key("network", network_row.id), network(network_row, key)
    for subnet_row in session.scalars(select(SubnetRow)):
        yield Key("subnet", subnet_row.id), subnet(subnet_row)
    allocations: defaultdict[str, list[AllocationRow]] = defaultdict(list)
    for allocation in session.scalars(select(AllocationRow).order_by(AllocationRow.id)):
        allocations[allocation.port_id].append(allocation)
    networks: dict[str, str] = {}
    for port_row in session.scalars(select(PortRow)):
        networks[port_row.id] = port_row.network_id
        yield Key("port", port_row.id), port(port_row, allocations[port_row.id])
    for vif_row in session.scalars(select(VifRow)):
        yield Key("vif", vif_row.port_id), attachment(vif_row, networks[vif_row.port_id])
    for router_row in session.scalars(select(RouterRow).options(selectinload(RouterRow.interfaces))):
        yield Key("router", router_row.id), router(router_row)
    for route_row in session.scalars(select(RouteRow)):
        yield Key("route", route_row.id), route(route_row)
    for policy_row in session.scalars(select(QosPolicyRow).options(selectinload(QosPolicyRow.rules))):
        yield Key("qos_policy", policy_row.id), qos_policy(policy_row)
