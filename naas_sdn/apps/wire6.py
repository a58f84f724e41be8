"""IPv6 as bytes: reading what a guest sent, writing what it is answered.

Readers return None for anything that a conforming sender does not make, and raise nothing; writers trust their caller.
Addresses and MACs are integers. RFC 8200, RFC 4443, RFC 4861.
"""
from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from naas_sdn.apps.wire import ETHERNET, UDP, Station, Udp, checksum

ICMPV6 = 58
_IPV6 = 0x86DD
_HEADERS = Struct("!HIHIHIHBB16s16s")
_UDP = Struct("!HHHH")
_HEADER = 40
_HOP_LIMIT = 64
_EXTENSIONS = frozenset((0, 43, 60))
"""Hop-by-hop options, routing, destination options (RFC 8200 section 4): length in units of 8 octets but the first."""
_FRAGMENT = 44
_SOLICITATION = 135
_ROUTER_SOLICITATION, _SOURCE_LINK_LAYER = 133, 1

NEIGHBOURLY = 255
"""The hop limit of what comes from the link itself, and of nothing that was forwarded (RFC 4861 section 3.1)."""


class Ipv6(NamedTuple):
    """An IPv6 packet and the Ethernet addresses around it.

    `packet` starts with the IP header; it ends where the payload length says, or earlier if the frame does (`complete`
    is False then). `protocol` and `payload` are those behind the extension headers; `protocol` is None where these are
    wrong or go beyond the packet, or it is no first fragment.
    """

    eth_dst: int
    eth_src: int
    src: int
    dst: int
    hop_limit: int
    protocol: int | None
    complete: bool
    packet: bytes
    payload: bytes


def parse_ipv6(frame: bytes) -> Ipv6 | None:
    """The IPv6 packet in an untagged frame; None if there is none."""
    if len(frame) < ETHERNET + _HEADER:
        return None
    (dst_high, dst_low, src_high, src_low, ethertype, first, length, following, hops, src,
     dst) = _HEADERS.unpack_from(frame)
    if ethertype != _IPV6 or first >> 28 != 6:
        return None
    packet = frame[ETHERNET:ETHERNET + _HEADER + length]
    protocol, payload = _upper(following, packet[_HEADER:])
    return Ipv6(dst_high << 32 | dst_low, src_high << 32 | src_low, int.from_bytes(src), int.from_bytes(dst), hops,
                protocol, len(packet) == _HEADER + length, packet, payload)


def _upper(following: int, rest: bytes) -> tuple[int | None, bytes]:
    """The protocol and payload behind the extension headers."""
    while following in _EXTENSIONS or following == _FRAGMENT:
        if len(rest) < 8 or (following == _FRAGMENT and int.from_bytes(rest[2:4]) >> 3):
            return None, b""
        size = 8 if following == _FRAGMENT else 8 + 8 * rest[1]
        if len(rest) < size:
            return None, b""
        following, rest = rest[0], rest[size:]
    return following, rest


def solicited(frame: bytes) -> int | None:
    """The address that a neighbour solicitation asks for (RFC 4861 section 4.3)."""
    packet = parse_ipv6(frame)
    if packet is None or packet.protocol != ICMPV6 or len(packet.payload) < 24 or packet.payload[0] != _SOLICITATION:
        return None
    return int.from_bytes(packet.payload[8:24])


def router_solicitation(frame: bytes) -> Station | None:
    """Who asks for routers; address 0 of one that has none yet. None for what RFC 4861 section 6.1.1 refuses."""
    packet = parse_ipv6(frame)
    if (packet is None or not packet.complete or packet.protocol != ICMPV6 or packet.hop_limit != NEIGHBOURLY
            or len(packet.payload) < 8 or packet.payload[:2] != bytes((_ROUTER_SOLICITATION, 0))
            or _checksum(packet.src, packet.dst, ICMPV6, packet.payload)):
        return None
    at, message = 8, packet.payload
    while at < len(message):
        size = 8 * message[at + 1] if at + 1 < len(message) else 0
        if not size or at + size > len(message) or (message[at] == _SOURCE_LINK_LAYER and not packet.src):
            return None
        at += size
    return Station(packet.eth_src, packet.src)


def parse_udp(frame: bytes) -> Udp | None:
    """The UDP datagram in a frame; None if there is none, it is a fragment, cut short, or corrupted (RFC 8200)."""
    ip = parse_ipv6(frame)
    if ip is None or ip.protocol != UDP or not ip.complete or len(ip.payload) < _UDP.size:
        return None
    src_port, dst_port, length, check = _UDP.unpack_from(ip.payload)
    if not _UDP.size <= length <= len(ip.payload):
        return None
    datagram = ip.payload[:length]
    # A guest that leaves checksums to its card writes the pseudo-header's sum alone.
    pseudo = _pseudo(ip.src, ip.dst, UDP, length)
    if checksum(pseudo + datagram) and (checksum(pseudo) + check) % 0xFFFF:
        return None
    return Udp(ip.eth_dst, ip.eth_src, ip.src, ip.dst, src_port, dst_port, datagram[_UDP.size:])


def _pseudo(source: int, target: int, protocol: int, length: int) -> bytes:
    """The pseudo-header (RFC 8200 section 8.1)."""
    return source.to_bytes(16) + target.to_bytes(16) + length.to_bytes(4) + protocol.to_bytes(4)


def _checksum(source: int, target: int, protocol: int, message: bytes) -> int:
    return checksum(_pseudo(source, target, protocol, len(message)) + message)


def build_udp(source: Station, target: Station, src_port: int, dst_port: int, payload: bytes) -> bytes:
    """A frame with one UDP datagram."""
    datagram = _UDP.pack(src_port, dst_port, _UDP.size + len(payload), 0) + payload
    # 0 would say that there is none (RFC 8200 section 8.1).
    check = _checksum(source.ip, target.ip, UDP, datagram) or 0xFFFF
    return _head(source, target, UDP, len(datagram), _HOP_LIMIT) + datagram[:6] + check.to_bytes(2) + payload


def _head(source: Station, target: Station, protocol: int, length: int, hop_limit: int) -> bytes:
    return _HEADERS.pack(target.mac >> 32, target.mac & 0xFFFFFFFF, source.mac >> 32, source.mac & 0xFFFFFFFF, _IPV6,
                         6 << 28, length, protocol, hop_limit, source.ip.to_bytes(16), target.ip.to_bytes(16))


def build_icmpv6(source: Station, target: Station, message: bytes, hop_limit: int = _HOP_LIMIT) -> bytes:
    """A frame with an ICMPv6 message, whose checksum field is 0 and is filled in (RFC 4443 section 2.3)."""
    check = _checksum(source.ip, target.ip, ICMPV6, message)
    return (_head(source, target, ICMPV6, len(message), hop_limit) + message[:2] + check.to_bytes(2)
            + message[4:])
