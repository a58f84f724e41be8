"""Router advertisements: what gateways of IPv6 subnets tell machines, when asked and by the engine's clock.

A subnet whose `ra_mode` is None is not advertised: its routers are not ours, or its machines are told by hand.
RFC 4861 (the messages, and when to send them), RFC 4191 (routes), RFC 8106 (DNS).
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Network
from struct import Struct
from typing import NamedTuple

from naas_sdn.apps import wire, wire6
from naas_sdn.apps.contract import Group, PacketIn, Scope
from naas_sdn.apps.gateways import Gateway, gateways_of, routes_of
from naas_sdn.model.dhcp import domain_name, require_domain
from naas_sdn.model.ip import EUI64_LENGTH, link_local
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Fact, Network, Subnet
from naas_sdn.pipeline.flow import Flow, SetField, match
from naas_sdn.pipeline.program import Announcement, Program
from naas_sdn.pipeline.tables import NET, REASON, Reason, Table

IPV6, ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT = 0x86DD, 133, 134
ALL_NODES = wire.Station(0x333300000001, 0xFF02 << 112 | 1)
HOP_LIMIT = 64
"""That machines are to send with."""

LIFETIME = 1800
"""Seconds that a gateway, a route and a DNS server stay known without a further word (RFC 4861 section 6.2.1)."""
VALID, PREFERRED = 86400, 14400
"""Seconds of an address, as radvd(8) has them."""
WITHDRAWN = 7200
"""Seconds that an address remains valid at most when its prefix is withdrawn (RFC 4862 section 5.5.3)."""

MANAGED, OTHER = 0x80, 0x40
ON_LINK, AUTONOMOUS = 0x80, 0x40
SOURCE_LINK_LAYER, PREFIX, MTU, ROUTE, RDNSS, DNSSL = 1, 3, 5, 24, 25, 31
SMALLEST_MTU = 1280

_HEAD = Struct("!BBHBBHII")
_PREFIX = Struct("!BBBBII4x16s")
_MTU = Struct("!BBHI")
_ROUTE = Struct("!BBBBI")
_DNS = Struct("!BBHI")


@dataclass(frozen=True, slots=True)
class Advised:
    """What every advertisement says: the domain to search ("" for none). `interval`: most seconds between two."""

    domain: str = ""
    interval: float = 200.0

    def __post_init__(self) -> None:
        """Raises ConfigurationError for a domain that is none."""
        require_domain(self.domain)


class Advertiser(NamedTuple):
    """A gateway, one of the subnets that it is on, and the flags of all of these (RFC 4861 section 4.2)."""

    gateway: Gateway
    flags: int
    lifetime: int
    """Seconds as a default router; 0 for one that leads nowhere."""


class RouterAdvertisements:
    """Table ROUTERS, and what is announced."""

    name = "router advertisements"
    tables = frozenset((Table.ROUTERS,))
    kinds = frozenset(("network",))
    reasons = frozenset((Reason.ROUTER_SOLICITATION,))

    def __init__(self, advised: Advised) -> None:
        self._advised = advised

    def place(self, key: Key, fact: Fact) -> Iterator[tuple[Group, Scope]]:
        if isinstance(fact, Network):
            yield Group("network", fact.id), Scope("network", fact.id)

    def compile(self, view: View, scope: Scope) -> Program:
        """Solicitations go to PUNT where somebody answers; elsewhere, to the machines that may be routers."""
        network = view.network(scope.id)
        advertisers = _advertisers(view, network) if network is not None and network.admin_up else []
        if network is None or not advertisers:
            return Program()
        asked = match({NET: network.key}, eth_type=IPV6, nw_proto=wire6.ICMPV6, icmpv6_type=ROUTER_SOLICITATION,
                      icmpv6_code=0)
        return Program(
            (Flow(Table.ROUTERS, 100, asked, (SetField(REASON, Reason.ROUTER_SOLICITATION),), Table.PUNT),),
            announcements=tuple(self._announcement(network, advertiser) for advertiser in advertisers))

    def packet_in(self, view: View, packet: PacketIn) -> list[bytes]:
        """An advertisement of each gateway and subnet, to the machine alone where it has an address."""
        port = view.port(packet.port_id)
        network = view.network(port.network_id) if port is not None else None
        source = wire6.router_solicitation(packet.data)
        if network is None or source is None:
            return []
        to = wire.Station(*source) if source.ip else ALL_NODES
        return [_frame(advertiser, to, self._message(network, advertiser))
                for advertiser in _advertisers(view, network)]

    def _announcement(self, network: Network, advertiser: Advertiser) -> Announcement:
        gateway = advertiser.gateway
        return Announcement(
            network.id, f"{gateway.mac:x} {gateway.subnet.cidr}", self._advised.interval,
            _frame(advertiser, ALL_NODES, self._message(network, advertiser)),
            _frame(advertiser, ALL_NODES, self._message(network, advertiser, farewell=True)))

    def _message(self, network: Network, advertiser: Advertiser, *, farewell: bool = False) -> bytes:
        """ICMPv6, its checksum 0. A farewell ends the gateway and what it had told (RFC 4861 section 6.2.5)."""
        gateway, flags, lifetime = advertiser
        subnet = gateway.subnet
        lasting = 0 if farewell else LIFETIME
        parts = [_HEAD.pack(ROUTER_ADVERTISEMENT, 0, 0, HOP_LIMIT, flags, 0 if farewell else lifetime, 0, 0),
                 bytes((SOURCE_LINK_LAYER, 1)) + gateway.mac.to_bytes(6),
                 _prefix(subnet, *((WITHDRAWN, 0) if farewell else (VALID, PREFERRED)))]
        if network.mtu >= SMALLEST_MTU:
            parts.append(_MTU.pack(MTU, 1, 0, network.mtu))
        parts += [_route(cidr, lasting) for cidr, hop in subnet.host_routes
                  if isinstance(cidr, IPv6Network) and hop in (gateway.ip, link_local(gateway.mac))]
        servers = b"".join(server.packed for server in subnet.nameservers)
        if servers:
            parts.append(_DNS.pack(RDNSS, 1 + len(servers) // 8, 0, lasting) + servers)
        if self._advised.domain:
            names = domain_name(self._advised.domain)
            names = names.ljust(-(-len(names) // 8) * 8, b"\0")
            parts.append(_DNS.pack(DNSSL, 1 + len(names) // 8, 0, lasting) + names)
        return b"".join(parts)


def _advertisers(view: View, network: Network) -> list[Advertiser]:
    """Of a network: each gateway of each advertised subnet, those with the same MAC with the same flags."""
    found: list[tuple[Gateway, bool]] = []
    flags: dict[int, int] = {}
    leading: dict[int, bool] = {}
    for subnet in map(view.subnet, view.subnets_of(network.id)):
        if subnet is None or subnet.cidr.version != 6 or subnet.ra_mode is None:
            continue
        led = bool(routes_of(view, subnet))
        for gateway in gateways_of(view, subnet):
            leads = gateway.router is not None or (led and gateway.ip == subnet.gateway)
            found.append((gateway, leads))
            flags[gateway.mac] = flags.get(gateway.mac, 0) | _FLAGS.get(subnet.ra_mode, 0)
            leading[gateway.mac] = leading.get(gateway.mac, False) or leads
    return [Advertiser(gateway, flags[gateway.mac], LIFETIME if leading[gateway.mac] else 0) for gateway, _ in found]


_FLAGS = {"dhcpv6-stateful": MANAGED, "dhcpv6-stateless": OTHER}


def _prefix(subnet: Subnet, valid: int, preferred: int) -> bytes:
    """RFC 4861 section 4.6.2. Machines make addresses of /64 only, and where DHCPv6 does not give them."""
    itself = subnet.ra_mode != "dhcpv6-stateful" and subnet.cidr.prefixlen == EUI64_LENGTH
    return _PREFIX.pack(PREFIX, 4, subnet.cidr.prefixlen, ON_LINK | (AUTONOMOUS if itself else 0), valid, preferred,
                        subnet.cidr.network_address.packed)


def _route(cidr: IPv6Network, lifetime: int) -> bytes:
    """RFC 4191 section 2.3, of middle preference: as many octets of the prefix as it has, in eights."""
    octets = -(-cidr.prefixlen // 64) * 8
    return _ROUTE.pack(ROUTE, 1 + octets // 8, cidr.prefixlen, 0, lifetime) + cidr.network_address.packed[:octets]


def _frame(advertiser: Advertiser, to: wire.Station, message: bytes) -> bytes:
    mac = advertiser.gateway.mac
    return wire6.build_icmpv6(wire.Station(mac, int(link_local(mac))), to, message, wire6.NEIGHBOURLY)
