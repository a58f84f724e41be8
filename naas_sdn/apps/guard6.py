"""GUARD for IPv6: sources and neighbour discovery are the port's own, and no machine is a router or a DHCPv6 server.

What a neighbour solicitation or advertisement says inside is looked at first; one that is right gets the flag ND and
comes to the table again, where its source is looked at as that of any packet. Packets from `::` are of machines that
have no address yet: they ask whether theirs is free (RFC 4862 section 5.4), for routers, or for groups (RFC 3590).
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv6Network

from naas_sdn.model.ip import link_local
from naas_sdn.model.values import AddressPair, Port
from naas_sdn.pipeline.flow import Flow, Resubmit, SetField, Value, drop, match, within
from naas_sdn.pipeline.tables import FLAGS, IN, Flag, Reason, Table

IPV6 = 0x86DD
ICMPV6, UDP = 58, 17
ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT, SOLICITATION, ADVERTISEMENT, REDIRECT = range(133, 138)
LISTENER_REPORTS = (131, 143)
"""RFC 2710, RFC 3810."""
DHCPV6_CLIENT, DHCPV6_SERVER = 546, 547

_ND = {FLAGS: (0, Flag.ND)}
"""What it says inside has not been looked at."""


def sources(port: Port, pairs: Iterable[AddressPair]) -> list[tuple[int, IPv6Network]]:
    """The (MAC, addresses) that the port may send from; with the first comes what is link-local of the MACs.

    Empty for a port that has no IPv6 at all.
    """
    held = [(port.mac, IPv6Network(address.ip)) for address in port.addresses if address.ip.version == 6]
    held += [(pair.mac, pair.cidr) for pair in pairs if isinstance(pair.cidr, IPv6Network)]
    macs = dict.fromkeys((port.mac, *(mac for mac, _ in held))) if held else ()
    return list(dict.fromkeys((*held, *((mac, IPv6Network(link_local(mac))) for mac in macs))))


def rogues(own: dict[str, Value]) -> Iterator[Flow]:
    """What only the cloud's routers and servers send."""
    table = Table.GUARD
    for kind in (ROUTER_ADVERTISEMENT, REDIRECT):
        yield drop(table, 300, _icmp(own, kind), Reason.ROGUE_RA)
    yield drop(table, 300, match(own, eth_type=IPV6, nw_proto=UDP, udp_src=DHCPV6_SERVER, udp_dst=DHCPV6_CLIENT),
               Reason.ROGUE_DHCP)


def addressed(port: Port, pairs: Iterable[AddressPair]) -> Iterator[Flow]:
    """Of a port that has addresses; `pairs`: those of its pairs that count."""
    by_mac: dict[int, list[IPv6Network]] = {}
    for mac, cidr in sources(port, pairs):
        by_mac.setdefault(mac, []).append(cidr)
    for mac, cidrs in by_mac.items():
        own: dict[str, Value] = {IN: port.key, "eth_src": mac}
        yield from rogues(own)
        yield from _unconfigured(own, cidrs)
        yield from _discovery(own, mac, cidrs)
        for cidr in cidrs:
            yield Flow(Table.GUARD, 190, match({**own, **within("ipv6_src", cidr)}, eth_type=IPV6), goto=Table.SERVICES)


def unaddressed(port: Port, macs: Iterable[int]) -> Iterator[Flow]:
    """Of a port on a network without subnets: addresses are the guests' affair, the MACs inside are not."""
    for mac in macs:
        own: dict[str, Value] = {IN: port.key, "eth_src": mac}
        yield from rogues(own)
        for kind, field in ((SOLICITATION, "nd_sll"), (ADVERTISEMENT, "nd_tll")):
            for told in (mac, 0):
                yield Flow(Table.GUARD, 210, _icmp({**own, field: told}, kind), goto=Table.SERVICES)
            yield _malformed(own, kind)
            yield drop(Table.GUARD, 200, _icmp(own, kind), Reason.SPOOFED)


def _unconfigured(own: dict[str, Value], cidrs: Iterable[IPv6Network]) -> Iterator[Flow]:
    from_none: dict[str, Value] = {**own, "ipv6_src": 0}
    for cidr in cidrs:
        yield Flow(Table.GUARD, 270, _icmp({**from_none, **within("nd_target", cidr), "nd_sll": 0}, SOLICITATION),
                   goto=Table.SERVICES)
    for kind in (ROUTER_SOLICITATION, *LISTENER_REPORTS):
        yield Flow(Table.GUARD, 270, _icmp(from_none, kind), goto=Table.SERVICES)
    yield drop(Table.GUARD, 260, match(from_none, eth_type=IPV6), Reason.SPOOFED)


def _discovery(own: dict[str, Value], mac: int, cidrs: Iterable[IPv6Network]) -> Iterator[Flow]:
    """A link-layer address is 0 where the option is not there."""
    seen = (SetField(FLAGS, Flag.ND, Flag.ND), Resubmit(Table.GUARD))
    for told in (mac, 0):
        yield Flow(Table.GUARD, 250, _icmp({**own, **_ND, "nd_sll": told}, SOLICITATION), seen)
        for cidr in cidrs:
            yield Flow(Table.GUARD, 250, _icmp({**own, **_ND, **within("nd_target", cidr), "nd_tll": told},
                                               ADVERTISEMENT), seen)
    for kind in (SOLICITATION, ADVERTISEMENT):
        yield _malformed(own, kind)
        yield drop(Table.GUARD, 240, _icmp({**own, **_ND}, kind), Reason.SPOOFED)


def _malformed(own: dict[str, Value], kind: int) -> Flow:
    """Open vSwitch reads zeros from options that it takes for wrong, two of a kind for one; machines may read more."""
    return drop(Table.GUARD, 255, _icmp({**own, "nd_target": 0}, kind), Reason.SPOOFED)


def _icmp(where: dict[str, Value], kind: int) -> tuple[tuple[str, int, int | None], ...]:
    return match(where, eth_type=IPV6, nw_proto=ICMPV6, icmpv6_type=kind)
