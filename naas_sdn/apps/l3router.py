"""Routing in the tables, on the sender's hypervisor: who answers ARP and ND, gateways, routes, next hops.

A router's table leads to all of its subnets, and is entered only with a source address of the subnet whose gateway was
asked. NaaS routes are pairwise (a-b and b-c do not make a-c): a subnet that has some has a table of its own for them,
which goes on to the router's, if there is one. A router's own routes lead to machines, from whose subnet it is then
entered with sources of theirs too. Everything here is the same on every hypervisor but the rule that nobody
is answered about his own address.
"""
from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Network

from naas_sdn.apps import external, icmp, icmp6, neighbours6
from naas_sdn.apps.contract import Group, PacketIn, Scope
from naas_sdn.apps.gateways import Destination, Gateway, extra_routes_of, gateways_of, legs_of, routes_of
from naas_sdn.apps.l2switch import local_port
from naas_sdn.apps.wire import ETHERNET, Station
from naas_sdn.model.ip import Ip, Prefix, link_local
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import (
    DHCP_SERVICE,
    FLOATING_IP,
    ROUTER_GATEWAY,
    Attachment,
    Fact,
    Hypervisor,
    Network,
    Port,
    Router,
    Subnet,
)
from naas_sdn.pipeline.families import FAMILIES, Family
from naas_sdn.pipeline.flow import CheckLarger, DecTtl, Flow, Move, Resubmit, SetField, drop, match, prefix, within
from naas_sdn.pipeline.program import Program
from naas_sdn.pipeline.tables import (
    ANSWER_MAC,
    FLAGS,
    HOP,
    HOP6_PARTS,
    IN,
    NET,
    REASON,
    RT,
    Flag,
    Reason,
    Table,
    next_table,
)

ARP = 0x0806
NEAR = IPv6Network("fe80::/10")
"""What no router forwards."""


class L3Router:
    """Tables ARP, ROUTER_IN, ROUTE and NEXT_HOP."""

    name = "l3router"
    tables = frozenset((Table.ARP, Table.ROUTER_IN, Table.ROUTE, Table.NEXT_HOP))
    kinds = frozenset(("switch", "subnet", "network", "interface", "neighbour", "port", "exit"))
    reasons = frozenset((Reason.TTL_EXCEEDED, Reason.TOO_BIG))

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
                if fact.gateway is not None:
                    yield Group("router", fact.id), Scope("exit", fact.id)
            case Port() if fact.addresses:
                yield Group("ports", fact.network_id), Scope("neighbour", fact.id, remote=fact.is_machines)
            case Attachment():
                yield Group("host", fact.host), Scope("port", fact.port_id, fact.host)
            case _:
                return

    def compile(self, view: View, scope: Scope) -> Program:
        match scope.kind:
            case "switch":
                return Program((_UNKNOWN_HOP, _TOO_BIG, *neighbours6.UNANSWERED))
            case "subnet":
                return Program(tuple(_subnet(view, scope.id)))
            case "network":
                return Program((*_wide(view, scope.id), *external.next_hops(view, scope.id)))
            case "interface":
                return Program(tuple(_interface(view, *scope.id.split(" ", 1))))
            case "exit":
                return Program(tuple(_exit(view, scope.id)))
            case "neighbour":
                return Program(tuple(_neighbour(view, scope.id)))
            case _:
                return Program(tuple(_own_addresses(view, scope.id)))

    def packet_in(self, view: View, packet: PacketIn) -> list[bytes]:
        """ICMP time exceeded, or too big, from the gateway that was asked (RFC 1812 section 4.3, RFC 4443)."""
        port, into = view.port(packet.port_id), view.network_of_key(packet.network_key)
        if port is None:
            return []
        target = int.from_bytes(packet.data[:6])
        for address in port.addresses:
            subnet = view.subnet(address.subnet_id)
            for gateway in gateways_of(view, subnet) if subnet is not None else ():
                if gateway.mac == target:
                    family, source = (icmp if gateway.ip.version == 4 else icmp6), Station(gateway.mac, int(gateway.ip))
                    if packet.reason == Reason.TTL_EXCEEDED:
                        answer = family.time_exceeded(packet.data, source)
                    else:
                        # It has the far gateway's MAC already.
                        own = packet.data[:6] + port.mac.to_bytes(6) + packet.data[12:]
                        answer = family.too_big(own, source, into.mtu) if into is not None else None
                    return [answer] if answer is not None else []
        return []


_UNKNOWN_HOP = Flow(Table.NEXT_HOP, 50, match({FLAGS: (Flag.WIDE, Flag.WIDE)}),
                    (SetField(REASON, Reason.UNKNOWN_HOP),), Table.PUNT)
"""Where hypervisors hold only some of a network's ports, what they lack is asked for."""


_TOO_BIG = Flow(Table.NEXT_HOP, 200, match({FLAGS: (Flag.LARGE, Flag.LARGE)}), (SetField(REASON, Reason.TOO_BIG),),
                Table.PUNT)


def _subnet(view: View, subnet_id: str) -> Iterator[Flow]:
    subnet = view.subnet(subnet_id)
    network = view.network(subnet.network_id) if subnet is not None else None
    if subnet is None or network is None or not network.admin_up:
        return
    routes = routes_of(view, subnet)
    for gateway in gateways_of(view, subnet):
        own = routes if gateway.ip == subnet.gateway else []
        yield from _answers(network, gateway)
        yield from _entry(view, network, gateway, subnet.key if own or gateway.router is None else gateway.router.key)
        for destination in own:
            yield from _route(view, subnet.key, destination)
        if own and gateway.router is not None:
            yield Flow(Table.ROUTE, 50, match({RT: subnet.key}), (SetField(RT, gateway.router.key),
                                                                 Resubmit(Table.ROUTE)))


def _entry(view: View, network: Network, gateway: Gateway, routing_table: int) -> Iterator[Flow]:
    table, to = Table.ROUTER_IN, {NET: network.key, "eth_dst": gateway.mac}
    family = FAMILIES[gateway.ip.version]
    ip_type = {"eth_type": family.eth_type}
    for ip in _own_of(gateway):
        yield _echo_answer(family, table, 300, {**to, family.dst: int(ip)})
        yield drop(table, 250, match({**to, **ip_type, family.dst: int(ip)}), Reason.GATEWAY_NO_SERVICE)
    for ttl in (0, 1) if gateway.first else ():
        yield Flow(table, 200, match({**to, **ip_type, "nw_ttl": ttl}), (SetField(REASON, Reason.TTL_EXCEEDED),),
                   Table.PUNT)
    for field in (family.src, family.dst) if gateway.first and gateway.ip.version == 6 else ():
        # RFC 4291 section 2.5.6.
        yield drop(table, 150, match({**to, **ip_type, field: prefix(NEAR)}), Reason.NO_ROUTE)
    yield Flow(table, 100, match({**to, **ip_type, **within(family.src, gateway.subnet.cidr)}),
               (SetField(RT, routing_table),), Table.ROUTE)
    if gateway.router is not None:
        # What is behind a machine comes by it.
        for cidr in dict.fromkeys(cidr for cidr, _ in extra_routes_of(view, gateway.router, gateway.subnet)):
            yield Flow(table, 90, match({**to, **ip_type, **within(family.src, cidr)}),
                       (SetField(RT, gateway.router.key),), Table.ROUTE)
    if gateway.first:
        yield drop(table, 50, match(to), Reason.NO_ROUTE)


def _own_of(gateway: Gateway) -> Iterator[Ip]:
    """The addresses that it answers for."""
    yield gateway.ip
    if gateway.ip.version == 6 and gateway.first:
        yield link_local(gateway.mac)


def _answers(network: Network, gateway: Gateway) -> Iterator[Flow]:
    for ip in _own_of(gateway):
        yield (_arp_answer(network, int(ip), gateway.mac) if ip.version == 4
               else neighbours6.answer(network, int(ip), gateway.mac, router=True))


def _interface(view: View, router_id: str, subnet_id: str) -> Iterator[Flow]:
    router = view.router(router_id)
    if router is None or not router.admin_up:
        return
    for number, destination in enumerate(legs_of(view, router, subnet_id)):
        yield from _route(view, router.key, destination, to_gateway_only=number > 0)
        if not number:
            yield from _extra_routes(view, router, destination)


def _exit(view: View, router_id: str) -> Iterator[Flow]:
    """The router's way out of the cloud, and its address there, seen from inside."""
    router = view.router(router_id)
    if router is None or external.external_network(view, router) is None or router.gateway is None:
        return
    yield from external.routes(view, router)
    port = view.port(router.gateway.port_id)
    address = external.address_of(port) if port is not None else None
    if address is not None:
        there = {RT: router.key, "ip_dst": int(address)}
        yield _echo_answer(FAMILIES[4], Table.ROUTE, 310, there)
        yield drop(Table.ROUTE, 300, match(there, eth_type=FAMILIES[4].eth_type), Reason.GATEWAY_NO_SERVICE)


def _route(view: View, routing_table: int, to: Destination, *, to_gateway_only: bool = False) -> Iterator[Flow]:
    network = view.network(to.subnet.network_id)
    if network is None or not network.admin_up:
        return
    family = FAMILIES[to.ip.version]
    there = {RT: routing_table, family.dst: int(to.ip)}
    # The answer comes from the far gateway's address, but from the MAC that was asked.
    yield _echo_answer(family, Table.ROUTE, 310, there)
    yield drop(Table.ROUTE, 300, match(there, eth_type=family.eth_type), Reason.GATEWAY_NO_SERVICE)
    if to_gateway_only:
        return
    yield _leading(view, routing_table, to.subnet.cidr, network, to, Move(family.dst, family.hop, family.bits))


def _extra_routes(view: View, router: Router, leg: Destination) -> Iterator[Flow]:
    """The router's own routes by this leg."""
    network = view.network(leg.subnet.network_id)
    if network is None or not network.admin_up:
        return
    for destination, hop in extra_routes_of(view, router, leg.subnet):
        yield _leading(view, router.key, destination, network, leg,
                       SetField(FAMILIES[hop.version].hop, int(hop)))


def _leading(view: View, routing_table: int, cidr: Prefix, network: Network,  # noqa: PLR0917
             by: Destination, hop: Move | SetField) -> Flow:
    flags = Flag.ROUTED | (Flag.WIDE if view.is_wide(network.id) else 0)
    family = FAMILIES[cidr.version]
    there = match({RT: routing_table, **within(family.dst, cidr)}, eth_type=family.eth_type)
    return Flow(Table.ROUTE, 100 + cidr.prefixlen, there, (
        CheckLarger(network.mtu + ETHERNET, FLAGS, Flag.LARGE.bit_length() - 1),
        SetField(NET, network.key), SetField(FLAGS, flags, Flag.ROUTED | Flag.WIDE),
        SetField("eth_src", by.mac), DecTtl(), hop,
    ), Table.NEXT_HOP)


def _neighbour(view: View, port_id: str) -> Iterator[Flow]:
    port = view.port(port_id)
    network = view.network(port.network_id) if port is not None else None
    if port is None or network is None or not network.admin_up or not port.admin_up:
        return
    if port.owner == DHCP_SERVICE:
        for address in port.addresses:
            yield _arp_answer(network, int(address.ip), port.mac)
    elif port.owner in (ROUTER_GATEWAY, FLOATING_IP) and network.is_provider:
        for address in port.addresses:
            if address.ip.version == 4:
                yield Flow(Table.NEXT_HOP, 100, match({NET: network.key, HOP: int(address.ip)}),
                           (SetField("eth_dst", port.mac),), next_table(Table.NEXT_HOP))
                yield _arp_answer(network, int(address.ip), port.mac)
    elif view.attachment(port_id) is not None:
        for address in port.addresses:
            yield Flow(Table.NEXT_HOP, 100, match({NET: network.key, **_hop(address.ip)}),
                       (SetField("eth_dst", port.mac),), next_table(Table.NEXT_HOP))
            # Of a provider network all hear what is asked, and answer themselves.
            if network.isolated or network.is_provider:
                continue
            if address.ip.version == 4:
                yield _arp_answer(network, int(address.ip), port.mac)
            else:
                # Without port security it may be a router, which then must be said; of others it means nothing.
                yield neighbours6.answer(network, int(address.ip), port.mac, router=not port.port_security)


def _hop(ip: Ip) -> dict[str, int]:
    """What the register of the next hop holds."""
    if ip.version == 4:
        return {HOP: int(ip)}
    return {part: int.from_bytes(ip.packed[4 * at:4 * at + 4]) for at, part in enumerate(HOP6_PARTS)}


def _wide(view: View, network_id: str) -> Iterator[Flow]:
    network = view.network(network_id)
    if network is None or not network.admin_up or network.isolated or not view.is_wide(network_id):
        return
    for subnet in map(view.subnet, view.subnets_of(network_id)):
        if subnet is not None and subnet.cidr.version == 6:
            yield neighbours6.unknown(network, subnet.cidr)
        elif subnet is not None:
            yield Flow(Table.ARP, 50, match({NET: network.key}, eth_type=ARP, arp_op=1, arp_tpa=prefix(subnet.cidr)),
                       (SetField(REASON, Reason.UNKNOWN_ARP),), Table.PUNT)


def _own_addresses(view: View, port_id: str) -> Iterator[Flow]:
    """A probe or announcement of the asker's own address is not answered (RFC 5227, RFC 4862 section 5.4)."""
    here = local_port(view, port_id)
    if here is None:
        return
    for address in here[0].addresses:
        asked = (match({IN: here[0].key}, eth_type=ARP, arp_op=1, arp_tpa=int(address.ip)) if address.ip.version == 4
                 else neighbours6.asked({IN: here[0].key, "nd_target": int(address.ip)}))
        yield Flow(Table.ARP, 200, asked, goto=next_table(Table.ARP))


def _arp_answer(network: Network, ip: int, mac: int) -> Flow:
    return Flow(Table.ARP, 100, match({NET: network.key}, eth_type=ARP, arp_op=1, arp_tpa=ip),
                (SetField(ANSWER_MAC, mac),), Table.ANSWER)


def _echo_answer(family: Family, table: Table, priority: int, where: dict[str, int]) -> Flow:
    ping = {"eth_type": family.eth_type, "nw_proto": family.icmp, family.icmp_type: family.echo, family.icmp_code: 0}
    return Flow(table, priority, match({**where, **ping}), goto=Table.ANSWER)
