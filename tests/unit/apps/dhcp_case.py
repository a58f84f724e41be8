"""A network with one DHCP subnet and its machine, and the machine's messages."""
from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from naas_sdn.apps import wire
from naas_sdn.apps.contract import PacketIn
from naas_sdn.apps.dhcp_options import Terms
from naas_sdn.apps.dhcp_responder import DhcpResponder
from naas_sdn.apps.dhcp_wire import Message, Op, Option, Type, build, parse
from naas_sdn.model.store import Key, Store, View
from naas_sdn.model.values import Address, Network, Port, Subnet
from naas_sdn.pipeline.tables import Reason

MAC = 0xFA163E000007
GATEWAY_MAC = 0xFA163E0000FE
ROUTE = (IPv4Network("172.16.4.0/22"), IPv4Address("10.0.0.9"))

NETWORK = Network("net", 77, 1450)
SUBNET = Subnet("sub", "net", 5, IPv4Network("10.0.0.0/24"), IPv4Address("10.0.0.1"), GATEWAY_MAC,
                nameservers=(IPv4Address("9.9.9.9"), IPv4Address("1.1.1.1")), host_routes=(ROUTE,))
PORT = Port("port", "net", 9, MAC, (Address("sub", IPv4Address("10.0.0.7")),), hostname="vm-7")

SERVER = int(IPv4Address("10.0.0.1"))
OWN = int(IPv4Address("10.0.0.7"))


def ip(text: str) -> int:
    return int(IPv4Address(text))


def store(*facts: Network | Subnet | Port) -> Store:
    """The case's facts, and `facts` besides or in their place."""
    found = Store()
    for fact in (NETWORK, SUBNET, PORT, *facts):
        found.put(Key(type(fact).__name__.lower(), fact.id), fact)
    return found


def request(kind: Type, *, src: int = 0, dst: int = wire.BROADCAST_IP,
            options: dict[int, bytes] | None = None, **fields: int) -> bytes:
    """The frame of a client's message."""
    message = Message(Op.REQUEST, kind, 0xDECAFBAD, MAC, options=options or {})
    return client_frame(build(replace(message, **fields)), src=src, dst=dst)


def client_frame(payload: bytes, *, src: int = 0, dst: int = wire.BROADCAST_IP,
                 ports: tuple[int, int] = (68, 67)) -> bytes:
    target = wire.Station(wire.BROADCAST_MAC if dst == wire.BROADCAST_IP else GATEWAY_MAC, dst)
    return wire.build_udp(wire.Station(MAC, src), target, *ports, payload)


def word(value: int) -> bytes:
    return value.to_bytes(4)


class Case:
    """A responder over facts; `ask` gives the answer as (datagram, message), or None."""

    def __init__(self, *facts: Network | Subnet | Port, terms: Terms | None = None) -> None:
        self.view = View(store(*facts))
        self.app = DhcpResponder(terms or Terms(3600, "cloud.internal"))

    def frames(self, frame: bytes, reason: Reason = Reason.DHCP) -> list[bytes]:
        return self.app.packet_in(self.view, PacketIn("hv1", "port", reason, frame))

    def ask(self, frame: bytes) -> tuple[wire.Udp, Message] | None:
        answers = self.frames(frame)
        if not answers:
            return None
        (answer,) = answers
        datagram = wire.parse_udp(answer)
        assert datagram is not None
        message = parse(datagram.payload)
        assert message is not None
        return datagram, message

    def verdict(self, frame: bytes) -> str:
        answer = self.ask(frame)
        return "silence" if answer is None else answer[1].type.name


__all__ = ["GATEWAY_MAC", "MAC", "NETWORK", "OWN", "PORT", "ROUTE", "SERVER", "SUBNET", "Case", "Option",
           "client_frame", "ip", "request", "store", "word"]
