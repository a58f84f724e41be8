"""DHCPv6 answered by the controller: from a port's reservations, with no state of its own (RFC 8415).

A subnet with `address_mode` "dhcpv6-stateful" has its ports' addresses given, one with "dhcpv6-stateless" tells what
else there is to know. Whoever asks from a port gets the port's own addresses, whatever he calls himself; so nothing is
allocated, remembered or expired.
"""
from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address

from naas_sdn.apps import wire, wire6
from naas_sdn.apps.contract import PacketIn
from naas_sdn.apps.dhcp6_wire import (
    ALL_SERVERS,
    CLIENT_PORT,
    SERVER_PORT,
    Association,
    Message,
    Option,
    Status,
    Type,
    build,
    encoded,
    granted,
    parse,
    refused,
    status,
)
from naas_sdn.apps.dhcp_options import Terms
from naas_sdn.model.dhcp import domain_name
from naas_sdn.model.ip import LINK_LOCAL, link_local
from naas_sdn.model.store import View
from naas_sdn.model.values import Network, Port, Subnet
from naas_sdn.pipeline.flow import Flow, SetField, match
from naas_sdn.pipeline.tables import NET, REASON, Reason, Table

LOG = logging.getLogger(__name__)

STATEFUL, STATELESS = "dhcpv6-stateful", "dhcpv6-stateless"
_DUIDS = uuid.UUID("6f0a3f0e-6f0f-5c0e-8d1b-2d3f3f1f7c66")
_DUID_UUID = b"\0\4"
"""RFC 6355."""
_NO_UPDATES = b"\4"
"""Of an FQDN option: who serves updates no DNS (RFC 4704 section 4.1)."""
SHORTEST_REFRESH = 600
"""Seconds (RFC 8415 section 21.23)."""
_ROOM = 1280 - 40 - 8
"""Octets of a message at most, for every link takes a packet of 1280."""


@dataclass(frozen=True, slots=True)
class _Client:
    """Who asks, what he says, and what his network has for him."""

    station: wire.Station
    network: Network
    port: Port
    message: Message
    subnets: tuple[Subnet, ...]
    """Those that DHCPv6 serves."""

    @property
    def addresses(self) -> tuple[int, ...]:
        given = {subnet.id for subnet in self.subnets if subnet.address_mode == STATEFUL}
        return tuple(int(address.ip) for address in self.port.addresses if address.subnet_id in given)


def flows(view: View, network: Network) -> Iterator[Flow]:
    """Requests to all servers go to PUNT, where there is one."""
    if served(view, network):
        yield Flow(Table.SERVICES, 100,
                   match({NET: network.key}, eth_type=0x86DD, nw_proto=wire.UDP, ipv6_dst=ALL_SERVERS,
                         udp_src=CLIENT_PORT, udp_dst=SERVER_PORT),
                   (SetField(REASON, Reason.DHCPV6),), Table.PUNT)


def served(view: View, network: Network) -> tuple[Subnet, ...]:
    subnets = map(view.subnet, view.subnets_of(network.id))
    return tuple(subnet for subnet in subnets if subnet is not None and subnet.cidr.version == 6 and subnet.dhcp
                 and subnet.address_mode in (STATEFUL, STATELESS))


def answer(view: View, network: Network, packet: PacketIn, terms: Terms, counts: Counter[str]) -> bytes | None:
    """The answer to one request, which is counted by its type, or as "refused"."""
    datagram = wire6.parse_udp(packet.data)
    port, subnets = view.port(packet.port_id), served(view, network)
    message = parse(datagram.payload) if datagram is not None else None
    if (datagram is None or message is None or port is None or not subnets or datagram.dst != ALL_SERVERS
            or (datagram.src_port, datagram.dst_port) != (CLIENT_PORT, SERVER_PORT)
            or IPv6Address(datagram.src) not in LINK_LOCAL or not _is_for_us(message, identifier(network))):
        counts["refused"] += 1
        return None
    counts[f"v6 {message.type.name.lower()}"] += 1
    client = _Client(wire.Station(datagram.eth_src, datagram.src), network, port, message, subnets)
    said = _said(client, terms)
    if said is None:
        return None
    kind, options = said
    mac = subnets[0].gateway_mac
    identity = [encoded(Option.SERVER_ID, identifier(network))]
    if message.client:
        identity.append(encoded(Option.CLIENT_ID, message.client))
    return wire6.build_udp(wire.Station(mac, int(link_local(mac))), client.station, SERVER_PORT, CLIENT_PORT,
                           build(kind, message.transaction, _fitted([*identity, *options])))


def identifier(network: Network) -> bytes:
    """The server's, for a network: the same on every hypervisor and after every restart."""
    return _DUID_UUID + uuid.uuid5(_DUIDS, network.id).bytes


def _is_for_us(message: Message, own: bytes) -> bool:
    """RFC 8415 section 16."""
    match message.type:
        case Type.REQUEST | Type.RENEW | Type.RELEASE | Type.DECLINE:
            return bool(message.client) and message.server == own
        case Type.SOLICIT | Type.CONFIRM | Type.REBIND:
            return bool(message.client) and not message.server
        case _:
            return message.server in (b"", own) and not message.associations


def _said(client: _Client, terms: Terms) -> tuple[Type, list[bytes]] | None:
    """RFC 8415 section 18.3."""
    message = client.message
    match message.type:
        case Type.SOLICIT:
            if message.rapid:
                rapid = encoded(Option.RAPID_COMMIT, b"")
                return Type.REPLY, [*_associated(client, terms), rapid, *_told(client, terms)]
            return Type.ADVERTISE, [*_associated(client, terms), *_told(client, terms)]
        case Type.REQUEST | Type.RENEW | Type.REBIND:
            return Type.REPLY, [*_associated(client, terms), *_told(client, terms)]
        case Type.CONFIRM:
            claimed = [address for association in message.associations for address in association.addresses]
            if not claimed:
                return None
            fits = all(address in client.addresses for address in claimed)
            return Type.REPLY, [status(Status.SUCCESS if fits else Status.NOT_ON_LINK)]
        case Type.RELEASE | Type.DECLINE:
            if message.type == Type.DECLINE:
                LOG.debug("Port %s declined its addresses: another machine in its network uses them.", client.port.id)
            # They stay reserved for the port.
            return Type.REPLY, [status(Status.SUCCESS), *(
                refused(association, Status.NO_BINDING) for association in message.associations
                if not set(association.addresses) <= set(client.addresses))]
        case _:
            return Type.REPLY, _told(client, terms)


def _associated(client: _Client, terms: Terms) -> Iterator[bytes]:
    """The first association of addresses gets all that the port has; what else a client thinks it has ends."""
    free = client.addresses
    for association in client.message.associations:
        if association.code == Option.IA_PD:
            yield refused(association, Status.NO_PREFIX)
        elif association.code == Option.IA_TA or not free:
            yield refused(association, Status.NO_ADDRESS)
        elif client.message.type == Type.REQUEST and not _on_link(client, association):
            yield refused(association, Status.NOT_ON_LINK)
        else:
            others = dict.fromkeys((address for address in association.addresses if address not in free), 0)
            if client.message.type == Type.SOLICIT:
                others = {}
            yield granted(association.number, {**dict.fromkeys(free, terms.lease), **others})
            free = ()


def _on_link(client: _Client, association: Association) -> bool:
    return all(any(IPv6Address(address) in subnet.cidr for subnet in client.subnets)
               for address in association.addresses)


def _told(client: _Client, terms: Terms) -> list[bytes]:
    """What the client asks to know, or all that there is; the port's own options whether he asks or not."""
    servers = dict.fromkeys(server.packed for subnet in client.subnets for server in subnet.nameservers)
    known: dict[int, bytes] = {}
    if servers:
        known[Option.NAME_SERVERS] = b"".join(servers)
    if terms.domain:
        known[Option.DOMAIN_LIST] = domain_name(terms.domain)
    asked = client.message.requested
    if client.message.type == Type.INFORMATION_REQUEST:
        known[Option.REFRESH_TIME] = max(terms.lease, SHORTEST_REFRESH).to_bytes(4)
    if client.port.hostname and asked is not None and Option.FQDN in asked:
        known[Option.FQDN] = _NO_UPDATES + domain_name(".".join(filter(None, (client.port.hostname, terms.domain))))
    own = dict(client.port.dhcp6_options)
    wanted = {code: value for code, value in known.items() if asked is None or code in asked}
    return [encoded(code, value) for code, value in {**wanted, **own}.items()]


def _fitted(options: list[bytes]) -> Iterator[bytes]:
    room = _ROOM - 4
    for option in options:
        if len(option) <= room:
            room -= len(option)
            yield option
