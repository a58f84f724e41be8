"""Routing in the tables, on the sender's hypervisor: ARP answers, gateways, routes, next hops.

A routing table belongs to one gateway of one subnet and is entered only with a source address of that subnet, so
routes are pairwise: a-b and b-c do not make a-c. Everything here is the same on every hypervisor but the rule that
nobody is answered about his own address.
"""
from __future__ import annotations

from collections.abc import Iterator

from naas_sdn.apps.contract import Group, PacketIn, Scope
from naas_sdn.apps.gateways import Gateway, destinations_of, gateways_of
from naas_sdn.apps.icmp import time_exceeded
from naas_sdn.apps.l2switch import local_port
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import DHCP_SERVICE, Attachment, Fact, Network, Port, Subnet
from naas_sdn.pipeline.flow import DecTtl, Flow, InPort, Move, SetField, drop, match, prefix
from naas_sdn.pipeline.program import Program
from naas_sdn.pipeline.tables import FLAGS, HOP, IN, NET, REASON, RT, Flag, Reason, Table, next_table

ARP, IPV4 = 0x0806, 0x0800
ICMP = 1
ECHO_REQUEST, ECHO_REPLY = 8, 0


class L3Router:
    """Tables ARP, ROUTER_IN, ROUTE and NEXT_HOP."""

    name = "l3router"
    tables = frozenset((Table.ARP, Table.ROUTER_IN, Table.ROUTE, Table.NEXT_HOP))
    reasons = frozenset((Reason.TTL_EXCEEDED,))

    def place(self, key: Key, fact: Fact) -> Iterator[tuple[Group, Scope]]:
        match fact:
            case Subnet():
                yield Group("network", fact.network_id), Scope(self.name, "subnet", fact.id)
            case Network():
                yield Group("network", fact.id), Scope(self.name, "network", fact.id)
            case Port() if fact.addresses:
                yield Group("network", fact.network_id), Scope(self.name, "port", fact.id, remote=fact.is_machines)
            case Attachment():
                yield Group("host", fact.host), Scope(self.name, "own addresses", fact.port_id, fact.host)
            case _:
                return

    def compile(self, view: View, scope: Scope) -> Program:
        match scope.kind:
            case "subnet":
                return Program(tuple(_subnet(view, scope.id)))
            case "network":
                return Program(tuple(_wide(view, scope.id)))
            case "port":
                return Program(tuple(_port(view, scope.id)))
            case _:
                return Program(tuple(_own_addresses(view, scope.id)))

    def packet_in(self, view: View, packet: PacketIn) -> list[bytes]:
        """ICMP time exceeded from the gateway that the packet was sent to (RFC 1812 section 4.3.3)."""
        port = view.port(packet.port_id)
        if port is None:
            return []
        target = int.from_bytes(packet.data[:6])
        for address in port.addresses:
            subnet = view.subnet(address.subnet_id)
            for gateway in gateways_of(view, subnet) if subnet is not None else ():
                if gateway.mac == target:
                    answer = time_exceeded(packet.data, int(gateway.ip), gateway.mac)
                    return [answer] if answer is not None else []
        return []


def _subnet(view: View, subnet_id: str) -> Iterator[Flow]:
    subnet = view.subnet(subnet_id)
    network = view.network(subnet.network_id) if subnet is not None else None
    if subnet is None or network is None or not network.admin_up:
        return
    for gateway in gateways_of(view, subnet):
        yield _arp_answer(network, int(gateway.ip), gateway.mac)
        yield from _entry(network, gateway)
        yield from _routes(view, gateway)


def _entry(network: Network, gateway: Gateway) -> Iterator[Flow]:
    table, to = Table.ROUTER_IN, {NET: network.key, "eth_dst": gateway.mac}
    yield _echo_answer(table, 300, {**to, "ip_dst": int(gateway.ip)}, gateway)
    yield drop(table, 250, match(to, eth_type=IPV4, ip_dst=int(gateway.ip)), Reason.GATEWAY_NO_SERVICE)
    for ttl in (0, 1):
        yield Flow(table, 200, match(to, eth_type=IPV4, nw_ttl=ttl),
                   (SetField(REASON, Reason.TTL_EXCEEDED),), Table.PUNT)
    yield Flow(table, 100, match(to, eth_type=IPV4, ip_src=prefix(gateway.subnet.cidr)),
               (SetField(RT, gateway.key),), Table.ROUTE)
    yield drop(table, 50, match(to), Reason.NO_ROUTE)


def _routes(view: View, gateway: Gateway) -> Iterator[Flow]:
    for destination in destinations_of(view, gateway):
        network = view.network(destination.subnet.network_id)
        if network is None or not network.admin_up:
            continue
        there = {RT: gateway.key, "ip_dst": int(destination.ip)}
        yield _echo_answer(Table.ROUTE, 310, there, gateway, int(destination.ip))
        yield drop(Table.ROUTE, 300, match(there, eth_type=IPV4), Reason.GATEWAY_NO_SERVICE)
        cidr = destination.subnet.cidr
        yield Flow(Table.ROUTE, 100 + cidr.prefixlen, match({RT: gateway.key}, eth_type=IPV4, ip_dst=prefix(cidr)), (
            SetField(NET, network.key), SetField(FLAGS, Flag.ROUTED, Flag.ROUTED),
            SetField("eth_src", destination.mac), DecTtl(), Move("ip_dst", HOP, 32),
        ), Table.NEXT_HOP)


def _port(view: View, port_id: str) -> Iterator[Flow]:
    port = view.port(port_id)
    network = view.network(port.network_id) if port is not None else None
    if port is None or network is None or not network.admin_up or not port.admin_up:
        return
    if port.owner == DHCP_SERVICE:
        for address in port.addresses:
            yield _arp_answer(network, int(address.ip), port.mac)
    elif view.attachment(port_id) is not None:
        for address in port.addresses:
            yield Flow(Table.NEXT_HOP, 100, match({NET: network.key, HOP: int(address.ip)}),
                       (SetField("eth_dst", port.mac),), next_table(Table.NEXT_HOP))
            if not network.isolated:
                yield _arp_answer(network, int(address.ip), port.mac)


def _wide(view: View, network_id: str) -> Iterator[Flow]:
    """Where hypervisors hold only some of a network's ports, what they lack is asked for."""
    network = view.network(network_id)
    if network is None or not network.admin_up or not view.is_wide(network_id):
        return
    yield Flow(Table.NEXT_HOP, 50, match({NET: network.key}), (SetField(REASON, Reason.UNKNOWN_HOP),), Table.PUNT)
    for subnet_id in view.subnets_of(network_id) if not network.isolated else ():
        subnet = view.subnet(subnet_id)
        if subnet is not None:
            yield Flow(Table.ARP, 50, match({NET: network.key}, eth_type=ARP, arp_op=1, arp_tpa=prefix(subnet.cidr)),
                       (SetField(REASON, Reason.UNKNOWN_ARP),), Table.PUNT)


def _own_addresses(view: View, port_id: str) -> Iterator[Flow]:
    """A probe or announcement of the asker's own address is not answered (RFC 5227)."""
    here = local_port(view, port_id)
    if here is None:
        return
    for address in here[0].addresses:
        yield Flow(Table.ARP, 200, match({IN: here[0].key}, eth_type=ARP, arp_op=1, arp_tpa=int(address.ip)),
                   goto=next_table(Table.ARP))


def _arp_answer(network: Network, ip: int, mac: int) -> Flow:
    return Flow(Table.ARP, 100, match({NET: network.key}, eth_type=ARP, arp_op=1, arp_tpa=ip), (
        Move("eth_src", "eth_dst", 48), SetField("eth_src", mac), SetField("arp_op", 2),
        Move("arp_sha", "arp_tha", 48), SetField("arp_sha", mac),
        Move("arp_spa", "arp_tpa", 32), SetField("arp_spa", ip), InPort(),
    ))


def _echo_answer(table: Table, priority: int, where: dict[str, int], gateway: Gateway,
                 ip: int | None = None) -> Flow:
    return Flow(table, priority, match(where, eth_type=IPV4, nw_proto=ICMP, icmp_type=ECHO_REQUEST, icmp_code=0), (
        Move("eth_src", "eth_dst", 48), SetField("eth_src", gateway.mac),
        Move("ip_src", "ip_dst", 32), SetField("ip_src", int(gateway.ip) if ip is None else ip),
        SetField("nw_ttl", 64), SetField("icmp_type", ECHO_REPLY), InPort(),
    ))
