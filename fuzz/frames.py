"""What machines send, as far as a switch may hand it to the controller: every reason, every app, the whole packet-in.

MLD meets no parser of its own yet: it must be dropped like any other frame that is not what the reason says. A message
is a byte for the reason, one for the sending port, and the frame.
"""
from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from random import Random

from fuzz.cloud import Obedient, running
from fuzz.kind import Kind, Take
from fuzz.mutation import Elements, Seed, mutate
from naas_sdn import runtime
from naas_sdn.apps import wire
from naas_sdn.apps.dhcp_wire import CLIENT_PORT, SERVER_PORT, Message, Op, Option, Type, build
from naas_sdn.engine.contract import Punt
from naas_sdn.model.ip import link_local
from naas_sdn.pipeline.tables import IN, NET, REASON, Reason
from tests.support.topologies import ip, mac

PORTS = (1011, 1012, 1021, 1031, 1041, 0, 0xFFFFFFFF)
"""Keys: of machines of hv1 and hv2 (fuzz/cloud.py), and of nobody."""

NETWORKS = (101, 102, 104, 0, (1 << 64) - 1)
REASONS = (*(int(reason) for reason in Reason), 0, 0xFFFFFFFF)
DRAIN = 256

SENDER = wire.Station(mac(11), int(ip(1, 11)))
GATEWAY = wire.Station(0xFA163F000029, int(ip(1, 1)))
EVERYBODY = wire.Station(wire.BROADCAST_MAC, wire.BROADCAST_IP)
HEAD6 = wire.ETHERNET + 40
DHCP_HEAD = wire.ETHERNET + 20 + 8
OPTIONS = Elements(DHCP_HEAD + 240, 1, 1, 2)
V6_OPTIONS = Elements(wire.ETHERNET + 40 + 8 + 4, 2, 2, 4)
LINK_LOCAL, ALL_NODES, ALL_SERVERS = link_local(mac(11)), IPv6Address("ff02::1"), IPv6Address("ff02::1:2")


def _ethernet(kind: int, payload: bytes, target: int = wire.BROADCAST_MAC) -> bytes:
    return target.to_bytes(6) + SENDER.mac.to_bytes(6) + kind.to_bytes(2) + payload


def _dhcp(kind: Type, options: dict[int, bytes], ciaddr: int = 0) -> Seed:
    message = build(Message(Op.REQUEST, kind, 77, SENDER.mac, ciaddr=ciaddr, options=options))
    return Seed(wire.build_udp(wire.Station(SENDER.mac, ciaddr), EVERYBODY, CLIENT_PORT, SERVER_PORT, message),
                (OPTIONS,))


def dhcp() -> list[Seed]:
    usual: dict[int, bytes] = {Option.PARAMETERS: bytes((1, 3, 6, 12, 15, 26, 121)),
             Option.CLIENT_IDENTIFIER: b"\1" + SENDER.mac.to_bytes(6), Option.MAX_SIZE: (1500).to_bytes(2),
             Option.HOST_NAME: b"vm-11"}
    wish: dict[int, bytes] = {Option.REQUESTED_ADDRESS: SENDER.ip.to_bytes(4)}
    server: dict[int, bytes] = {Option.SERVER_IDENTIFIER: GATEWAY.ip.to_bytes(4)}
    relayed: dict[int, bytes] = {Option.RELAY_AGENT: b"\1\4eth0\2\6switch"}
    return [_dhcp(Type.DISCOVER, usual), _dhcp(Type.DISCOVER, {**usual, **relayed}),
            _dhcp(Type.REQUEST, {**usual, **wish, **server}), _dhcp(Type.REQUEST, usual, SENDER.ip),
            _dhcp(Type.DECLINE, {**wish, **server}), _dhcp(Type.RELEASE, server, SENDER.ip),
            _dhcp(Type.INFORM, usual, SENDER.ip), _dhcp(Type.DISCOVER, {**usual, Option.OVERLOAD: b"\3"}),
            _dhcp(Type.DISCOVER, {**usual, 43: b"x" * 600})]


def arp() -> list[Seed]:
    def packet(operation: int, sender: int, target_mac: int, target: IPv4Address) -> Seed:
        return Seed(_ethernet(0x0806, struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, SENDER.mac.to_bytes(6),
                                                  sender.to_bytes(4), target_mac.to_bytes(6), target.packed)))

    return [packet(1, SENDER.ip, 0, ip(1, 13)), packet(1, SENDER.ip, 0, ip(1, 1)), packet(1, 0, 0, ip(1, 11)),
            packet(2, SENDER.ip, GATEWAY.mac, ip(1, 1))]


def ipv4() -> list[Seed]:
    """Packets that expire or miss, and IGMP (RFC 3376)."""
    other = wire.Station(mac(13), int(ip(1, 13)))
    far = wire.Station(GATEWAY.mac, int(ip(2, 21)))
    report = wire.Station(0x01005E000016, int(IPv4Address("224.0.0.22")))
    join = struct.pack("!BBHHHBBH4s", 0x22, 0, 0, 0, 1, 4, 0, 0, IPv4Address("239.1.2.3").packed)
    return [Seed(wire.build_ipv4(SENDER, other, wire.ICMP, b"\x08\0\0\0" + bytes(60))),
            Seed(wire.build_ipv4(SENDER, far, wire.ICMP, b"\x08\0\0\0" + bytes(600))),
            Seed(wire.build_udp(SENDER, far, 5000, 33434, bytes(32))),
            Seed(wire.build_ipv4(SENDER, far, 6, struct.pack("!HHIIHHHH", 1, 2, 3, 4, 0x5002, 5, 6, 7))),
            Seed(wire.build_ipv4(SENDER, report, 2, join), (Elements(wire.ETHERNET + 20 + 8, 3, 1, 8),)),
            Seed(wire.build_ipv4(SENDER, report, 2, struct.pack("!BBH4s", 0x16, 0, 0, bytes(4))))]


def ipv6() -> list[Seed]:
    """ND (RFC 4861), MLD (RFC 3810) and DHCPv6 (RFC 8415)."""
    option = b"\1\1" + SENDER.mac.to_bytes(6)
    nd = Elements(wire.ETHERNET + 40 + 24, 1, 1, 0)
    record = struct.pack("!BBH16s", 4, 0, 0, IPv6Address("ff05::1:3").packed)
    solicit = b"\1\0\0\7" + b"".join(struct.pack("!HH", code, len(value)) + value for code, value in (
        (1, b"\0\3\0\1" + SENDER.mac.to_bytes(6)), (3, bytes(12)), (6, b"\0\x17\0\x18"), (8, b"\0\0")))
    datagram = struct.pack("!HHHH", 546, 547, 8 + len(solicit), 0) + solicit
    renew = b"\6\0\0\7" + b"".join(struct.pack("!HH", code, len(value)) + value for code, value in (
        (1, b"\0\3\0\1" + SENDER.mac.to_bytes(6)), (3, bytes(12) + struct.pack("!HH16s8x", 5, 24, LINK_LOCAL.packed))))
    renewal = struct.pack("!HHHH", 546, 547, 8 + len(renew), 0) + renew
    return [_icmpv6(struct.pack("!BBHI16s", 135, 0, 0, 0, LINK_LOCAL.packed) + option, nd),
            _icmpv6(struct.pack("!BBHI16s", 136, 0, 0, 0x60000000, LINK_LOCAL.packed) + b"\2" + option[1:], nd),
            _icmpv6(struct.pack("!BBHI", 133, 0, 0, 0) + option), _icmpv6(struct.pack(
                "!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + option),
            _icmpv6(struct.pack("!BBHI16s16s", 137, 0, 0, 0, LINK_LOCAL.packed, ALL_NODES.packed) + option),
            _icmpv6(struct.pack("!BBHHH", 143, 0, 0, 0, 1) + record), _icmpv6(struct.pack(
                "!BBHHH16s", 130, 0, 0, 1000, 0, bytes(16))),
            Seed(_ipv6(17, datagram, ALL_SERVERS), (V6_OPTIONS,)), Seed(_ipv6(17, renewal, ALL_SERVERS), (V6_OPTIONS,)),
            Seed(_ipv6(0, struct.pack("!BBHI", 58, 0, 0x0502, 0) + record))]


def _icmpv6(body: bytes, *lists: Elements) -> Seed:
    return Seed(_ipv6(58, body), lists)


def _ipv6(protocol: int, body: bytes, target: IPv6Address = ALL_NODES) -> bytes:
    head = struct.pack("!IHBB16s16s", 6 << 28, len(body), protocol, 255, LINK_LOCAL.packed, target.packed)
    return _ethernet(0x86DD, head + body, 0x333300000001)


def _mended(chance: Random, frame: bytes) -> bytes:
    """Mostly with the lengths and checksums of one that gets past them."""
    if frame[12:14] == b"\x86\xdd" and len(frame) >= HEAD6 + 4 and chance.random() >= 0.1:
        return _mended6(frame)
    if frame[12:14] != b"\x08\0" or len(frame) < wire.ETHERNET + 20 or chance.random() < 0.1:
        return frame
    packet = bytearray(frame[wire.ETHERNET:])
    header = (packet[0] & 0xF) * 4
    packet[2:4] = min(len(packet), 0xFFFF).to_bytes(2)
    packet[10:12] = b"\0\0"
    if 20 <= header <= len(packet):
        packet[10:12] = wire.checksum(bytes(packet[:header])).to_bytes(2)
        if packet[9] == wire.UDP and len(packet) >= header + 8:
            packet[header + 4:header + 8] = (len(packet) - header & 0xFFFF).to_bytes(2) + b"\0\0"
    return frame[:wire.ETHERNET] + bytes(packet)


def _mended6(frame: bytes) -> bytes:
    body = bytearray(frame[HEAD6:])
    size = len(body).to_bytes(4)
    at = {58: 2, wire.UDP: 6}.get(frame[wire.ETHERNET + 6])
    if at is not None and len(body) >= at + 2:
        body[at:at + 2] = b"\0\0"
        pseudo = frame[HEAD6 - 32:HEAD6] + size + frame[wire.ETHERNET + 6].to_bytes(4)
        body[at:at + 2] = wire.checksum(pseudo + bytes(body)).to_bytes(2)
    return frame[:wire.ETHERNET + 4] + size[2:] + frame[wire.ETHERNET + 6:HEAD6] + bytes(body)


def maker(known: list[Seed], reasons: tuple[int, ...]) -> Callable[[Random], bytes]:
    """Mostly with the reasons that a switch gives for such frames."""
    usual = [REASONS.index(reason) for reason in reasons]

    def make(chance: Random) -> bytes:
        reason = chance.choice(usual) if chance.random() < 0.8 else chance.randrange(len(REASONS))
        port = 0 if chance.random() < 0.7 else chance.randrange(len(PORTS))
        return bytes((reason, port)) + _mended(chance, mutate(chance, chance.choice(known), known))

    return make


@contextmanager
def engine() -> Iterator[Take]:
    switch = Obedient("hv1")
    taken = 0
    with running() as cloud:
        def take(data: bytes) -> None:
            nonlocal taken
            taken += 1
            if len(data) < 2:
                return
            fields = {REASON: REASONS[data[0] % len(REASONS)], IN: PORTS[data[1] % len(PORTS)],
                      NET: NETWORKS[data[1] // len(PORTS) % len(NETWORKS)]}
            cloud.packet_in(switch, Punt(fields, data[2:], taken % 2 == 0))
            if taken % DRAIN == 0:
                runtime.sleep()

        yield take


MISSES = (Reason.UNKNOWN_MAC, Reason.UNKNOWN_ARP, Reason.UNKNOWN_HOP)
KINDS = (Kind("DHCPv4", maker(dhcp(), (Reason.DHCP,)), engine, 2000, guided=True),
         Kind("ARP", maker(arp(), (Reason.UNKNOWN_ARP,)), engine, 500),
         Kind("IPv4, IGMP", maker(ipv4(), (Reason.TTL_EXCEEDED, *MISSES)), engine, 1000, guided=True),
         Kind("ND, MLD, DHCPv6", maker(ipv6(), (Reason.ROUTER_SOLICITATION, Reason.DHCPV6, Reason.TTL_EXCEEDED,
                                                *MISSES)), engine, 1000, guided=True))
