"""Port security: what a port sends must carry its own MAC, IP address and ARP sender, or an allowed pair (GUARD)."""
from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from naas_sdn.apps import guard6
from naas_sdn.apps.contract import Group, PacketIn, Scope
from naas_sdn.apps.l2switch import local_port
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Attachment, Fact
from naas_sdn.pipeline.flow import Flow, drop, match, within
from naas_sdn.pipeline.program import Program
from naas_sdn.pipeline.tables import IN, Reason, Table

ARP, IPV4 = 0x0806, 0x0800
UDP = 17
VLAN_PRESENT = (0x1000, 0x1000)
UNSPECIFIED = IPv4Network("0.0.0.0/32")
"""The sender of probes, which all may send."""
LINK_LOCAL_CONTROL = (0x0180C2000000, 0xFFFFFFFFFFF0)
"""Addresses that bridges never forward (IEEE 802.1Q-2018 table 8-1)."""


class Security:
    """Table GUARD."""

    name = "security"
    tables = frozenset((Table.GUARD,))
    kinds = frozenset(("port",))
    reasons: frozenset[Reason] = frozenset()

    def place(self, key: Key, fact: Fact) -> Iterator[tuple[Group, Scope]]:
        if isinstance(fact, Attachment):
            yield Group("host", fact.host), Scope("port", fact.port_id, fact.host)

    def compile(self, view: View, scope: Scope) -> Program:
        return Program(tuple(_guard(view, scope.id)))

    def packet_in(self, view: View, packet: PacketIn) -> list[bytes]:
        return []


def _guard(view: View, port_id: str) -> Iterator[Flow]:
    here = local_port(view, port_id)
    if here is None:
        return
    port = here[0]
    table, own = Table.GUARD, {IN: port.key}
    yield drop(table, 400, match(own, vlan_vid=VLAN_PRESENT), Reason.VLAN_TAGGED)
    yield drop(table, 390, match(own, eth_dst=LINK_LOCAL_CONTROL), Reason.LINK_LOCAL_CONTROL)
    # The hypervisors tell an isolated network's machines by their own MACs.
    strict = here[1].isolated and here[1].is_provider
    if not port.port_security and strict:
        yield Flow(table, 100, match(own, eth_src=port.mac), goto=Table.SERVICES)
        yield drop(table, 1, match(own), Reason.SPOOFED)
        return
    if not port.port_security:
        yield Flow(table, 100, match(own), goto=Table.SERVICES)
        return
    yield drop(table, 1, match(own), Reason.SPOOFED)
    pairs = [pair for pair in port.pairs if not strict or pair.mac == port.mac]
    macs = dict.fromkeys((port.mac, *(pair.mac for pair in pairs)))
    for mac in macs:
        own["eth_src"] = mac
        yield drop(table, 300, match(own, eth_type=IPV4, nw_proto=UDP, udp_src=67, udp_dst=68), Reason.ROGUE_DHCP)
    if not port.addresses and not view.subnets_of(port.network_id):
        # Pure layer 2: addresses are the guests' own affair, the MAC in ARP is not.
        for mac in macs:
            own["eth_src"] = mac
            yield Flow(table, 210, match(own, eth_type=ARP, arp_sha=mac), goto=Table.SERVICES)
            yield drop(table, 200, match(own, eth_type=ARP), Reason.SPOOFED)
            yield Flow(table, 100, match(own), goto=Table.SERVICES)
        yield from guard6.unaddressed(port, macs)
        return
    yield from guard6.addressed(port, pairs)
    own["eth_src"] = port.mac
    yield Flow(table, 200, match(own, eth_type=IPV4, nw_proto=UDP, ip_src=0, udp_src=68, udp_dst=67),
               goto=Table.SERVICES)
    # An RFC 5227 probe has no sender address yet.
    for mac in macs:
        yield Flow(table, 200, match({**own, "eth_src": mac}, eth_type=ARP, arp_sha=mac, arp_spa=0),
                   goto=Table.SERVICES)
    held = [(port.mac, IPv4Network(address.ip)) for address in port.addresses if address.ip.version == 4]
    held += [(pair.mac, pair.cidr) for pair in pairs if isinstance(pair.cidr, IPv4Network)]
    for mac, cidr in dict.fromkeys(held):
        own["eth_src"] = mac
        if cidr != UNSPECIFIED:
            yield Flow(table, 200, match({**own, **within("arp_spa", cidr)}, eth_type=ARP, arp_sha=mac),
                       goto=Table.SERVICES)
        yield Flow(table, 190, match({**own, **within("ip_src", cidr)}, eth_type=IPV4), goto=Table.SERVICES)

