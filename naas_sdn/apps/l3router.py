"""Routing in the tables, on the sender's hypervisor: who answers ARP, gateways, routes, next hops.

A router's table leads to all of its subnets, and is entered only with a source address of the subnet whose gateway was
asked. NaaS routes are pairwise (a-b and b-c do not make a-c): a subnet that has some has a table of its own for them,
which goes on to the router's, if there is one. A router's own routes lead to machines, from whose subnet it is then
entered with sources of theirs too. Everything here is the same on every hypervisor but the rule that nobody
is answered about his own address.
"""
from __future__ import annotations

from collections.abc import Iterator

from naas_sdn.apps.contract import Group, PacketIn, Scope
from naas_sdn.apps.gateways import Destination, Gateway, extra_routes_of, gateways_of, legs_of, routes_of
from naas_sdn.apps.icmp import time_exceeded
from naas_sdn.apps.l2switch import local_port
from naas_sdn.model.ip import Prefix
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import DHCP_SERVICE, Attachment, Fact, Hypervisor, Network, Port, Router, Subnet
from naas_sdn.pipeline.flow import DecTtl, Flow, Move, Resubmit, SetField, drop, match, prefix, within
from naas_sdn.pipeline.program import Program
from naas_sdn.pipeline.tables import ANSWER_MAC, FLAGS, HOP, IN, NET, REASON, RT, Flag, Reason, Table, next_table

ARP, IPV4 = 0x0806, 0x0800
ICMP = 1
ECHO_REQUEST = 8


class L3Router:
    """Tables ARP, ROUTER_IN, ROUTE and NEXT_HOP."""

    name = "l3router"
    tables = frozenset((Table.ARP, Table.ROUTER_IN, Table.ROUTE, Table.NEXT_HOP))
    kinds = frozenset(("switch", "subnet", "network", "interface", "neighbour", "port"))
    reasons = frozenset((Reason.TTL_EXCEEDED,))

    def place(self, key: Key, fact: Fact) -> Iterator[tuple[Group, Scope]]:
        match fact:
            case Hypervisor():
                yield Group("fabric"), Scope("switch")
            case Subnet():
                yield Group("network", fact.network_id), Scope("subnet", fact.id)
            case Network():
                yield Group("network", fact.id), Scope("network", fact.id)
            case Router():
                for subnet_id in {leg.subnet_id for leg in fact.legs}:
                    yield Group("router", fact.id), Scope("interface", f"{fact.id} {subnet_id}")
            case Port() if fact.addresses:
                yield Group("ports", fact.network_id), Scope("neighbour", fact.id, remote=fact.is_machines)
            case Attachment():
                yield Group("host", fact.host), Scope("port", fact.port_id, fact.host)
            case _:
                return

    def compile(self, view: View, scope: Scope) -> Program:
        match scope.kind:
            case "switch":
                return Program((_UNKNOWN_HOP,))
            case "subnet":
                return Program(tuple(_subnet(view, scope.id)))
            case "network":
                return Program(tuple(_wide(view, scope.id)))
            case "interface":
                return Program(tuple(_interface(view, *scope.id.split(" ", 1))))
            case "neighbour":
                return Program(tuple(_neighbour(view, scope.id)))
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


_UNKNOWN_HOP = Flow(Table.NEXT_HOP, 50, match({FLAGS: (Flag.WIDE, Flag.WIDE)}),
                    (SetField(REASON, Reason.UNKNOWN_HOP),), Table.PUNT)
"""Where hypervisors hold only some of a network's ports, what they lack is asked for."""


def _subnet(view: View, subnet_id: str) -> Iterator[Flow]:
    subnet = view.subnet(subnet_id)
    network = view.network(subnet.network_id) if subnet is not None else None
    if subnet is None or network is None or not network.admin_up or subnet.cidr.version != 4:
        return
    routes = routes_of(view, subnet)
    for gateway in gateways_of(view, subnet):
        own = routes if gateway.ip == subnet.gateway else []
        yield _arp_answer(network, int(gateway.ip), gateway.mac)
        yield from _entry(view, network, gateway, subnet.key if own or gateway.router is None else gateway.router.key)
        for destination in own:
            yield from _route(view, subnet.key, destination)
        if own and gateway.router is not None:
            yield Flow(Table.ROUTE, 50, match({RT: subnet.key}), (SetField(RT, gateway.router.key),
                                                                 Resubmit(Table.ROUTE)))


def _entry(view: View, network: Network, gateway: Gateway, routing_table: int) -> Iterator[Flow]:
    table, to = Table.ROUTER_IN, {NET: network.key, "eth_dst": gateway.mac}
    yield _echo_answer(table, 300, {**to, "ip_dst": int(gateway.ip)})
    yield drop(table, 250, match(to, eth_type=IPV4, ip_dst=int(gateway.ip)), Reason.GATEWAY_NO_SERVICE)
    for ttl in (0, 1):
        yield Flow(table, 200, match(to, eth_type=IPV4, nw_ttl=ttl),
                   (SetField(REASON, Reason.TTL_EXCEEDED),), Table.PUNT)
    yield Flow(table, 100, match(to, eth_type=IPV4, ip_src=prefix(gateway.subnet.cidr)),
               (SetField(RT, routing_table),), Table.ROUTE)
    if gateway.router is not None:
        # What is behind a machine comes by it.
        for cidr in dict.fromkeys(cidr for cidr, _ in extra_routes_of(view, gateway.router, gateway.subnet)):
            yield Flow(table, 90, match({**to, **within("ip_src", cidr)}, eth_type=IPV4),
                       (SetField(RT, gateway.router.key),), Table.ROUTE)
    yield drop(table, 50, match(to), Reason.NO_ROUTE)


def _interface(view: View, router_id: str, subnet_id: str) -> Iterator[Flow]:
    router = view.router(router_id)
    if router is None or not router.admin_up:
        return
    for number, destination in enumerate(legs_of(view, router, subnet_id)):
        yield from _route(view, router.key, destination, to_gateway_only=number > 0)
        if not number:
            yield from _extra_routes(view, router, destination)


def _route(view: View, routing_table: int, to: Destination, *, to_gateway_only: bool = False) -> Iterator[Flow]:
    network = view.network(to.subnet.network_id)
    if network is None or not network.admin_up:
        return
    there = {RT: routing_table, "ip_dst": int(to.ip)}
    # The answer comes from the far gateway's address, but from the MAC that was asked.
    yield _echo_answer(Table.ROUTE, 310, there)
    yield drop(Table.ROUTE, 300, match(there, eth_type=IPV4), Reason.GATEWAY_NO_SERVICE)
    if to_gateway_only:
        return
    yield _leading(view, routing_table, to.subnet.cidr, network, to, Move("ip_dst", HOP, 32))


def _extra_routes(view: View, router: Router, leg: Destination) -> Iterator[Flow]:
    """The router's own routes by this leg."""
    network = view.network(leg.subnet.network_id)
    if network is None or not network.admin_up:
        return
    for destination, hop in extra_routes_of(view, router, leg.subnet):
        yield _leading(view, router.key, destination, network, leg, SetField(HOP, int(hop)))


def _leading(view: View, routing_table: int, cidr: Prefix, network: Network,  # noqa: PLR0917
             by: Destination, hop: Move | SetField) -> Flow:
    flags = Flag.ROUTED | (Flag.WIDE if view.is_wide(network.id) else 0)
    there = match({RT: routing_table, **within("ip_dst", cidr)}, eth_type=IPV4)
    return Flow(Table.ROUTE, 100 + cidr.prefixlen, there, (
        SetField(NET, network.key), SetField(FLAGS, flags, Flag.ROUTED | Flag.WIDE),
        SetField("eth_src", by.mac), DecTtl(), hop,
    ), Table.NEXT_HOP)


def _neighbour(view: View, port_id: str) -> Iterator[Flow]:
    port = view.port(port_id)
    network = view.network(port.network_id) if port is not None else None
    if port is None or network is None or not network.admin_up or not port.admin_up:
        return
    addresses = [address for address in port.addresses if address.ip.version == 4]
    if port.owner == DHCP_SERVICE:
        for address in addresses:
            yield _arp_answer(network, int(address.ip), port.mac)
    elif view.attachment(port_id) is not None:
        for address in addresses:
            yield Flow(Table.NEXT_HOP, 100, match({NET: network.key, HOP: int(address.ip)}),
                       (SetField("eth_dst", port.mac),), next_table(Table.NEXT_HOP))
            # Of a provider network all hear what is asked, and answer themselves.
            if not network.isolated and not network.is_provider:
                yield _arp_answer(network, int(address.ip), port.mac)


def _wide(view: View, network_id: str) -> Iterator[Flow]:
    network = view.network(network_id)
    if network is None or not network.admin_up or network.isolated or not view.is_wide(network_id):
        return
    for subnet in map(view.subnet, view.subnets_of(network_id)):
        if subnet is not None and subnet.cidr.version == 4:
            yield Flow(Table.ARP, 50, match({NET: network.key}, eth_type=ARP, arp_op=1, arp_tpa=prefix(subnet.cidr)),
                       (SetField(REASON, Reason.UNKNOWN_ARP),), Table.PUNT)


def _own_addresses(view: View, port_id: str) -> Iterator[Flow]:
    """A probe or announcement of the asker's own address is not answered (RFC 5227)."""
    here = local_port(view, port_id)
    if here is None:
        return
    for address in (address for address in here[0].addresses if address.ip.version == 4):
        yield Flow(Table.ARP, 200, match({IN: here[0].key}, eth_type=ARP, arp_op=1, arp_tpa=int(address.ip)),
                   goto=next_table(Table.ARP))


def _arp_answer(network: Network, ip: int, mac: int) -> Flow:
    return Flow(Table.ARP, 100, match({NET: network.key}, eth_type=ARP, arp_op=1, arp_tpa=ip),
                (SetField(ANSWER_MAC, mac),), Table.ANSWER)


def _echo_answer(table: Table, priority: int, where: dict[str, int]) -> Flow:
    return Flow(table, priority, match(where, eth_type=IPV4, nw_proto=ICMP, icmp_type=ECHO_REQUEST, icmp_code=0),
                goto=Table.ANSWER)
