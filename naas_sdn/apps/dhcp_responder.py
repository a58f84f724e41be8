"""DHCP answered by the controller: from a port's reservation, with no state of its own (RFC 2131).

A machine's lease is its port's address: nothing is allocated, remembered or expired here, so a restart or a
lost packet changes no answer. What there is to say in DHCPv6 is `dhcp6_responder`'s.
"""
from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address

from naas_sdn.apps import dhcp6_responder, wire
from naas_sdn.apps.contract import Group, PacketIn, Scope
from naas_sdn.apps.dhcp_options import Service, Terms, answer_options, identity, next_server
from naas_sdn.apps.dhcp_wire import CLIENT_PORT, SERVER_PORT, Message, Op, Option, Type, build, parse
from naas_sdn.apps.servers import server_address
from naas_sdn.model.ip import Ip
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Fact, Network, Port
from naas_sdn.pipeline.flow import Flow, SetField, match
from naas_sdn.pipeline.program import Program
from naas_sdn.pipeline.tables import NET, REASON, Reason, Table

LOG = logging.getLogger(__name__)

_PRIORITY = 100


class DhcpResponder:
    """The app that punts DHCP requests and answers them.

    `counts` tells how many messages of each type ("discover", "v6 solicit", ...) were valid, and how many "refused".
    """

    name = "dhcp"
    tables = frozenset({Table.SERVICES})
    kinds = frozenset({"network"})
    reasons = frozenset({Reason.DHCP, Reason.DHCPV6})

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self.counts: Counter[str] = Counter()

    def place(self, key: Key, fact: Fact) -> Iterator[tuple[Group, Scope]]:
        if isinstance(fact, Network):
            yield Group("network", fact.id), Scope("network", fact.id)

    def compile(self, view: View, scope: Scope) -> Program:
        """Requests to everybody and to each server address of the network go to PUNT."""
        network = view.network(scope.id)
        if network is None:
            return Program()
        servers = {int(service.server) for service in _services(view, network, None)}
        return Program((*dhcp6_responder.flows(view, network), *(
            Flow(Table.SERVICES, _PRIORITY,
                 match({NET: network.key}, eth_type=0x0800, nw_proto=wire.UDP, ip_dst=address,
                       udp_src=CLIENT_PORT, udp_dst=SERVER_PORT),
                 (SetField(REASON, Reason.DHCP),), goto=Table.PUNT)
            for address in (*sorted(servers), *([wire.BROADCAST_IP] if servers else ()))
        )))

    def packet_in(self, view: View, packet: PacketIn) -> list[bytes]:
        """The answer to one request: a frame for the asking port, or none."""
        port = view.port(packet.port_id)
        network = None if port is None else view.network(port.network_id)
        if port is None or network is None:
            return []
        if packet.reason == Reason.DHCPV6:
            told = dhcp6_responder.answer(view, network, packet, self._terms, self.counts)
            return [] if told is None else [told]
        if packet.reason != Reason.DHCP:
            return []
        services = _services(view, network, port)
        request = _request(packet.data, port, services)
        if request is None:
            self.counts["refused"] += 1
            return []
        self.counts[request.type.name.lower()] += 1
        if request.type == Type.DECLINE:
            self._declined(port, request)
        elif request.type == Type.RELEASE:
            LOG.debug("Port %s released its address; it stays reserved for the port.", port.id)
        answer = self._answer(view, network, port, services, request)
        return [] if answer is None else [answer]

    def _answer(self, view: View, network: Network, port: Port, services: list[Service],
                request: Message) -> bytes | None:
        match request.type:
            case Type.DISCOVER:
                offered = _offered(services, request)
                return None if offered is None else self._grant(Type.OFFER, network, port, offered, request)
            case Type.REQUEST:
                asked, granted, judge = _judged(services, request)
                if granted is not None:
                    return self._grant(Type.ACK, network, port, granted, request)
                if judge is not None and not _unserved(view, network, asked):
                    return _refusal(judge, request)
            case Type.INFORM:
                for service in services:
                    if IPv4Address(request.ciaddr) in service.subnet.cidr:
                        return self._grant(Type.ACK, network, port, service, request)
        return None

    def _grant(self, kind: Type, network: Network, port: Port, service: Service, request: Message) -> bytes:
        """An OFFER or ACK, sent as RFC 2131 section 4.1 says."""
        inform = request.type == Type.INFORM
        yours = 0 if inform or service.reserved is None else int(service.reserved)
        configured = request.ciaddr if kind == Type.ACK and (inform or request.ciaddr == yours) else 0
        options = answer_options(self._terms, network, port, service, request)
        reply = Message(Op.REPLY, kind, request.xid, request.mac, request.broadcast,
                        ciaddr=configured, yiaddr=yours, options=options, siaddr=next_server(port))
        if configured:
            return _frame(service, request.mac, configured, reply)
        if request.broadcast:
            return _frame(service, wire.BROADCAST_MAC, wire.BROADCAST_IP, reply)
        return _frame(service, request.mac, yours, reply)

    def _declined(self, port: Port, request: Message) -> None:
        """Somebody else uses a reserved address. It stays reserved: another would not be the port's own."""
        count = self.counts["decline"]
        if count & (count - 1) == 0:  # rarer the more there are, for a guest decides how many come
            LOG.warning("Port %s declined %s: another machine in its network uses it (decline %d of all).",
                        port.id, IPv4Address(request.number(Option.REQUESTED_ADDRESS) or 0), count)


def _services(view: View, network: Network, port: Port | None) -> list[Service]:
    """The network's DHCP services, those where `port` has an address first, in the order of its addresses."""
    reserved: dict[str, list[Ip]] = {}
    for address in port.addresses if port is not None else ():
        reserved.setdefault(address.subnet_id, []).append(address.ip)
    found = []
    for subnet_id in (*reserved, *(other for other in view.subnets_of(network.id) if other not in reserved)):
        subnet = view.subnet(subnet_id)
        server = server_address(view, subnet) if subnet is not None and subnet.dhcp else None
        if subnet is not None and server is not None:
            found += [Service(subnet, *server, own) for own in reserved.get(subnet_id, [None])]
    return found


def _request(frame: bytes, port: Port, services: list[Service]) -> Message | None:
    """The client's message; None if it is malformed, relayed, or not from the port's machine to a server."""
    datagram = wire.parse_udp(frame)
    if datagram is None or (datagram.src_port, datagram.dst_port) != (CLIENT_PORT, SERVER_PORT):
        return None
    if datagram.dst not in (wire.BROADCAST_IP, *(int(service.server) for service in services)):
        return None
    message = parse(datagram.payload)
    if message is None or message.op != Op.REQUEST or message.mac != port.mac:
        return None
    # A guest is no relay agent (RFC 3046 section 2.1).
    if message.giaddr or Option.RELAY_AGENT in message.options:
        return None
    return message


def _offered(services: list[Service], request: Message) -> Service | None:
    """The service with the address that the client would like, else the first that has one for it."""
    mine = [service for service in services if service.reserved is not None]
    wish = request.number(Option.REQUESTED_ADDRESS)
    wished = [service for service in mine if service.reserved is not None and int(service.reserved) == wish]
    return next(iter(wished or mine), None)


def _judged(services: list[Service], request: Message) -> tuple[int, Service | None, Service | None]:
    """A REQUEST by RFC 2131 section 4.3.2: the address, the service that grants it, the one that may refuse.

    No service refuses a message without an address, or one for another server's offer.
    """
    asked = request.number(Option.REQUESTED_ADDRESS) or 0
    chosen = request.number(Option.SERVER_IDENTIFIER)
    if chosen is not None:  # SELECTING
        services = [service for service in services if int(service.server) == chosen]
    elif request.ciaddr:  # RENEWING, REBINDING; else INIT-REBOOT
        asked = request.ciaddr
    if not asked or not services:
        return asked, None, None
    for service in services:
        if service.reserved is not None and int(service.reserved) == asked:
            return asked, service, service
    return asked, None, services[0]


def _unserved(view: View, network: Network, asked: int) -> bool:
    """Whether an address is of a subnet that DHCP does not serve: not ours to refuse."""
    subnets = [view.subnet(subnet_id) for subnet_id in view.subnets_of(network.id)]
    address = IPv4Address(asked)
    return any(subnet is not None and not subnet.dhcp and address in subnet.cidr for subnet in subnets)


def _refusal(service: Service, request: Message) -> bytes:
    """A NAK, always broadcast where no relay is between (RFC 2131 section 4.1)."""
    reply = Message(Op.REPLY, Type.NAK, request.xid, request.mac, request.broadcast,
                    options=identity(service.server, request))
    return _frame(service, wire.BROADCAST_MAC, wire.BROADCAST_IP, reply)


def _frame(service: Service, mac: int, address: int, reply: Message) -> bytes:
    return wire.build_udp(wire.Station(service.mac, int(service.server)), wire.Station(mac, address),
                          SERVER_PORT, CLIENT_PORT, build(reply))
