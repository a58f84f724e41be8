"""Leaving by a router's gateway, and coming back: floating addresses, source NAT, or neither (UNNAT to NAT_CT).

A floating address is rewritten without state, on the hypervisor of its machine if that has the uplink. All other
packets leave by the router's exit, those that are not translated by any uplink. Each MAC is sent from one hypervisor
only, for the physical network to learn: that of a floating address from where it is translated, that of a gateway's
port from the exit; others use a MAC of their own, which nobody is told.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from naas_sdn.apps import external, wire
from naas_sdn.apps.contract import Group, PacketIn, Scope
from naas_sdn.apps.nat_errors import ERRORS
from naas_sdn.apps.provider import FROM_WIRE, MULTICAST
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import ExternalGateway, Fact, FloatingIp, Landing, Member, Network, Outlet, Port, Router
from naas_sdn.pipeline.flow import (
    Action,
    DecTtl,
    Flow,
    Resubmit,
    SetField,
    Translate,
    Untranslate,
    Value,
    drop,
    match,
    within,
)
from naas_sdn.pipeline.program import Announcement, Program
from naas_sdn.pipeline.tables import ANSWER_MAC, FLAGS, NET, OUT, REASON, RT, Flag, Reason, Table, next_table

ARP, IPV4 = 0x0806, 0x0800
ICMP, ECHO_REQUEST = 1, 8
REQUEST, REPLY = 1, 2
TRACKED_ANSWER = (0x20 | 0x08, 0x20 | 0x10 | 0x08)
"""Of ct_state: tracked, valid, and in the direction of replies (ovs-fields(7))."""
QUESTION_INTERVAL, ANNOUNCEMENT_INTERVAL = 30.0, 240.0
"""Seconds, at most, between two questions about the gateway, and between two announcements of a floating address:
switches forget after 300 (IEEE 802.1Q-2018 table 8-6)."""
OWN_MAC = 0xFA163F000000
"""Base of what a hypervisor sends from that is not the exit; its key makes it unique, among gateways' too."""


class Nat:
    """Tables UNNAT, UNNAT_CT, EDGE, NAT and NAT_CT."""

    name = "nat"
    tables = frozenset((Table.UNNAT, Table.UNNAT_CT, Table.EDGE, Table.NAT, Table.NAT_CT))
    kinds = frozenset(("leave", "floating", "outlet"))
    reasons: frozenset[Reason] = frozenset()

    def __init__(self, *, translates: bool = True) -> None:
        """Without, gateways are routed plainly, and floating addresses lead nowhere."""
        self._translates = translates

    def place(self, key: Key, fact: Fact) -> Iterator[tuple[Group, Scope]]:
        match fact:
            case Member():
                yield Group("host", fact.host), Scope("leave", fact.router_id, fact.host)
            case Landing() if self._translates:
                yield Group("host", fact.host), Scope("floating", fact.floating_ip_id, fact.host)
            case Outlet():
                yield Group("host", fact.host), Scope("outlet", fact.network_id, fact.host)
            case _:
                return

    def compile(self, view: View, scope: Scope) -> Program:
        match scope.kind:
            case "leave":
                return self._leave(view, scope.id, scope.host or "")
            case "floating":
                return _floating(view, scope.id)
            case _:
                return Program(tuple(_outlet(view, scope.id)))

    def _leave(self, view: View, router_id: str, host: str) -> Program:
        """What a hypervisor does with what it has routed to the router's external network."""
        router, chosen, own = view.router(router_id), view.exit(router_id), view.hypervisor(host)
        network = external.external_network(view, router) if router is not None else None
        if router is None or router.gateway is None or network is None or chosen is None or own is None:
            return Program()
        gateway = router.gateway if self._translates else replace(router.gateway, snat=False)
        port = view.port(gateway.port_id)
        address = external.address_of(port) if port is not None else None
        here = external.has_uplink(view, host, network)
        edge = tuple(_edge(view, router)) if here else ()
        if chosen.host == host and port is not None and address is not None:
            flows = tuple(_at_exit(router, gateway, network, port, address))
            asked = tuple(_questions(view, router, network, port))
            return Program((*flows, *edge), zones=(gateway.zone,) if gateway.snat else (), announcements=asked)
        leaving, peer = match({RT: router.key}, eth_type=IPV4), view.hypervisor(chosen.host)
        if not gateway.snat and here:
            plain = _out(network, OWN_MAC | own.key & 0xFFFFFF)
            return Program((Flow(Table.NAT, 100, leaving, plain, Table.NEXT_HOP), *edge))
        if peer is None:
            return Program(edge)
        return Program((Flow(Table.NAT, 100, leaving, (SetField(OUT, peer.key),), Table.FROM_COUNT), *edge))

    def packet_in(self, view: View, packet: PacketIn) -> list[bytes]:
        return []


def _questions(view: View, router: Router, network: Network, port: Port) -> Iterator[Announcement]:
    """By what it asks, the physical network learns where the router is."""
    held = {address.subnet_id: address.ip for address in port.addresses}
    for subnet in external.subnets_of(view, network.id):
        if subnet.id in held and subnet.gateway is not None:
            sender = wire.Station(port.mac, int(held[subnet.id]))
            yield Announcement(network.id, f"exit {router.id} {subnet.id}", QUESTION_INTERVAL,
                               wire.arp_request(sender, int(subnet.gateway), network.vlan),
                               uplink=network.physical_network)


def _out(network: Network, mac: int) -> tuple[Action, ...]:
    return (SetField(NET, network.key), SetField(FLAGS, Flag.ROUTED, Flag.ROUTED | Flag.WIDE),
            SetField("eth_src", mac), DecTtl())


def _edge(view: View, router: Router) -> Iterator[Flow]:
    """Nobody outside has an address of inside, or he would pass rules that are about machines."""
    inside = {subnet.cidr for subnet in (view.subnet(leg.subnet_id) for leg in router.legs) if subnet is not None}
    inside |= {destination for destination, hop in router.routes
               if destination.prefixlen and any(hop in cidr for cidr in inside)}
    for cidr in sorted(cidr for cidr in inside if isinstance(cidr, IPv4Network)):
        yield drop(Table.EDGE, 100, match({RT: router.key, FLAGS: FROM_WIRE, **within("ip_src", cidr)},
                                              eth_type=IPV4), Reason.SPOOFED)


def _at_exit(router: Router, gateway: ExternalGateway, network: Network, port: Port,
             address: IPv4Address) -> Iterator[Flow]:
    leaving = match({RT: router.key}, eth_type=IPV4)
    to_it: dict[str, Value] = {NET: network.key, "eth_dst": port.mac}
    yield _arp_from_wire(network, address, port.mac)
    # What a probe is answered ends here; others on the network have no use for it.
    yield Flow(Table.UNNAT, 320, match({**to_it, FLAGS: FROM_WIRE}, eth_type=ARP, arp_op=REPLY, arp_tpa=int(address)),
               (SetField(REASON, Reason.OUTSIDE),), Table.PUNT)
    yield from _expired(to_it)
    yield Flow(Table.UNNAT, 130, match(to_it, eth_type=IPV4, nw_proto=ICMP, ip_dst=int(address),
                                       icmp_type=ECHO_REQUEST, icmp_code=0), goto=Table.ANSWER)
    enter = SetField(RT, router.key)
    if not gateway.snat:
        yield drop(Table.UNNAT, 120, match(to_it, eth_type=IPV4, ip_dst=int(address)), Reason.GATEWAY_NO_SERVICE)
        yield Flow(Table.UNNAT, 110, match(to_it, eth_type=IPV4), (enter,), Table.EDGE)
        yield Flow(Table.NAT, 100, leaving, _out(network, port.mac), Table.NEXT_HOP)
        return
    yield Flow(Table.UNNAT, 120, match(to_it, eth_type=IPV4, ip_dst=int(address)),
               (enter, Untranslate(gateway.zone, Table.UNNAT_CT)))
    yield Flow(Table.UNNAT_CT, 100, match({RT: router.key}, eth_type=IPV4, ct_state=TRACKED_ANSWER), goto=Table.EDGE)
    yield drop(Table.UNNAT, 110, match(to_it, eth_type=IPV4), Reason.NO_CONNECTION)
    yield Flow(Table.NAT, 100, leaving, (*_out(network, port.mac),
                                         Translate(gateway.zone, Table.NAT_CT, int(address))))
    # Open vSwitch lets a packet go on as it is when no port is left for it.
    yield Flow(Table.NAT_CT, 100, match({RT: router.key}, eth_type=IPV4, ip_src=int(address)), goto=Table.NEXT_HOP)


def _expired(to_it: dict[str, Value]) -> Iterator[Flow]:
    for ttl in (0, 1):
        yield drop(Table.UNNAT, 200, match({**to_it, FLAGS: FROM_WIRE}, eth_type=IPV4, nw_ttl=ttl), Reason.EXPIRED)


def _floating(view: View, identifier: str) -> Program:
    floating = view.floating_ip(identifier)
    router = view.router(floating.router_id) if floating is not None else None
    network = external.external_network(view, router) if router is not None else None
    if floating is None or router is None or network is None:
        return Program()
    station = wire.Station(floating.mac, int(floating.ip))
    told = Announcement(network.id, f"floating {floating.ip}", ANNOUNCEMENT_INTERVAL,
                        wire.arp_request(station, station.ip, network.vlan), uplink=network.physical_network)
    return Program(tuple(_translated(router, network, floating)), announcements=(told,))


def _translated(router: Router, network: Network, floating: FloatingIp) -> Iterator[Flow]:
    to_it: dict[str, Value] = {NET: network.key, "eth_dst": floating.mac}
    yield _arp_from_wire(network, floating.ip, floating.mac)
    yield from _expired(to_it)
    inward = (SetField("ip_dst", int(floating.fixed)), SetField(RT, router.key))
    outward = (*_out(network, floating.mac), SetField("ip_src", int(floating.ip)))
    yield Flow(Table.NAT, 200, match({RT: router.key}, eth_type=IPV4, ip_src=int(floating.fixed)), outward,
               Table.NEXT_HOP)
    yield Flow(Table.UNNAT, 120, match(to_it, eth_type=IPV4, ip_dst=int(floating.ip)), inward, Table.EDGE)
    quoting = SetField(REASON, Reason.OUTSIDE)
    for kind in ERRORS:
        error = {"eth_type": IPV4, "nw_proto": ICMP, "icmp_type": kind}
        yield Flow(Table.UNNAT, 130, match(to_it, **error, ip_dst=int(floating.ip)), (*inward, quoting), Table.PUNT)
        yield Flow(Table.NAT, 210, match({RT: router.key}, **error, ip_src=int(floating.fixed)), (*outward, quoting),
                   Table.PUNT)


def _arp_from_wire(network: Network, ip: IPv4Address, mac: int) -> Flow:
    return Flow(Table.UNNAT, 300, match({NET: network.key, FLAGS: FROM_WIRE}, eth_type=ARP, arp_op=REQUEST,
                                        arp_tpa=int(ip)), (SetField(ANSWER_MAC, mac),), Table.ANSWER)


def _outlet(view: View, network_id: str) -> Iterator[Flow]:
    """Where the gateway of the external network is told by itself."""
    network = view.network(network_id)
    if network is None or not network.admin_up:
        return
    told = (SetField(REASON, Reason.OUTSIDE), Resubmit(Table.PUNT))
    for subnet in external.subnets_of(view, network_id):
        if subnet.gateway is not None:
            where: dict[str, Value] = {NET: network.key, FLAGS: FROM_WIRE, "arp_spa": int(subnet.gateway)}
            yield Flow(Table.UNNAT, 310, match(where, eth_type=ARP, arp_op=REQUEST, arp_tpa=int(subnet.gateway)),
                       told, next_table(Table.UNNAT))
            yield Flow(Table.UNNAT, 310, match(where, eth_type=ARP, arp_op=REPLY, eth_dst=MULTICAST), told,
                       next_table(Table.UNNAT))
