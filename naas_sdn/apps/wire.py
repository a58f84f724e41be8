"""Ethernet II, IPv4 and UDP as bytes: reading what a guest sent, writing what it is answered.

Readers return None for anything that a conforming sender does not make, and raise nothing; writers trust
their caller. Addresses and MACs are integers. RFC 791, RFC 768, checksums by RFC 1071.
"""
from __future__ import annotations

from struct import Struct
from typing import NamedTuple

ETHERNET = 14
"""Bytes of an untagged Ethernet header."""

BROADCAST_MAC = 0xFFFFFFFFFFFF
BROADCAST_IP = 0xFFFFFFFF
GROUP_BIT = 1 << 40
"""Set in the MACs that name a group of stations."""

ICMP = 1
UDP = 17

_IPV4 = 0x0800
_ARP_TYPE = b"\x08\x06"
_ARP_END = ETHERNET + 28
_HEADERS = Struct("!HIHIHBBHHHBBHII")
_UDP = Struct("!HHHH")
_DONT_FRAGMENT = 0x4000
_FRAGMENT_OFFSET = 0x1FFF
_FRAGMENT = 0x3FFF
_TTL = 64


class Ipv4(NamedTuple):
    """An IPv4 packet and the Ethernet addresses around it.

    `packet` starts with the IP header, `payload` after it; both end where the total length says, or earlier
    if the frame does (`complete` is False then). `offset` is the fragment's, in units of 8 bytes; the first
    fragment, too, is `fragmented`.
    """

    eth_dst: int
    eth_src: int
    src: int
    dst: int
    protocol: int
    offset: int
    fragmented: bool
    complete: bool
    packet: bytes
    payload: bytes


class Station(NamedTuple):
    """One end of a frame: a MAC and an IP address."""

    mac: int
    ip: int


class Udp(NamedTuple):
    """A whole UDP datagram and what it came in."""

    eth_dst: int
    eth_src: int
    src: int
    dst: int
    src_port: int
    dst_port: int
    payload: bytes


def _words(data: bytes) -> int:
    """A number that is congruent, modulo 0xFFFF, to the sum of the 16-bit words of `data`."""
    return int.from_bytes(data if len(data) % 2 == 0 else data + b"\0")


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071); 0 over data that holds a right one. `data` is not all zeros."""
    return -_words(data) % 0xFFFF


def parse_ipv4(frame: bytes) -> Ipv4 | None:
    """The IPv4 packet in an untagged frame; None if there is none or its header is wrong."""
    if len(frame) < _HEADERS.size:
        return None
    (dst_high, dst_low, src_high, src_low, ethertype, version, _tos, total, _id, fragment, _ttl, protocol,
     _sum, src, dst) = _HEADERS.unpack_from(frame)
    header = (version & 0xF) * 4
    available = len(frame) - ETHERNET
    if ethertype != _IPV4 or version >> 4 != 4 or not 20 <= header <= min(total, available):
        return None
    packet = frame[ETHERNET:ETHERNET + total]
    if checksum(packet[:header]):
        return None
    return Ipv4(dst_high << 32 | dst_low, src_high << 32 | src_low, src, dst, protocol,
                fragment & _FRAGMENT_OFFSET, fragment & _FRAGMENT != 0, total <= available,
                packet, packet[header:])


def arp_target(frame: bytes) -> int | None:
    """The IPv4 address that an ARP packet asks for (RFC 826)."""
    if len(frame) < _ARP_END or frame[12:14] != _ARP_TYPE:
        return None
    return int.from_bytes(frame[_ARP_END - 4:_ARP_END])


def arp_sender(frame: bytes) -> Station | None:
    """Who an ARP packet says its sender is."""
    if len(frame) < _ARP_END or frame[12:22] != _ARP_TYPE + b"\0\1\x08\0\6\4" + frame[20:22]:
        return None
    return Station(int.from_bytes(frame[22:28]), int.from_bytes(frame[28:32]))


def arp_request(sender: Station, target: int, vlan: int | None = None) -> bytes:
    """A broadcast that asks who has `target`; about the sender's own address it is an announcement (RFC 5227).

    With an IEEE 802.1Q tag if `vlan` is given.
    """
    tag = b"" if vlan is None else b"\x81\0" + vlan.to_bytes(2)
    return (BROADCAST_MAC.to_bytes(6) + sender.mac.to_bytes(6) + tag + _ARP_TYPE + b"\0\1\x08\0\6\4\0\1"
            + sender.mac.to_bytes(6) + sender.ip.to_bytes(4) + bytes(6) + target.to_bytes(4))


def parse_udp(frame: bytes) -> Udp | None:
    """The UDP datagram in a frame; None if there is none, it is a fragment, cut short, or corrupted."""
    ip = parse_ipv4(frame)
    if ip is None or ip.protocol != UDP or ip.fragmented or not ip.complete or len(ip.payload) < _UDP.size:
        return None
    src_port, dst_port, length, check = _UDP.unpack_from(ip.payload)
    if not _UDP.size <= length <= len(ip.payload):
        return None
    datagram = ip.payload[:length]
    pseudo = ip.src + ip.dst + UDP + length
    # A guest that leaves checksums to its card writes the pseudo-header's sum alone.
    if check and (pseudo + _words(datagram)) % 0xFFFF and (pseudo - check) % 0xFFFF:
        return None
    return Udp(ip.eth_dst, ip.eth_src, ip.src, ip.dst, src_port, dst_port, datagram[_UDP.size:])


def tagged(frame: bytes, vlan: int | None) -> bytes:
    """The frame with an 802.1Q tag for the VLAN, if there is one."""
    return frame if vlan is None else frame[:12] + b"\x81\0" + vlan.to_bytes(2) + frame[12:]


def build_ipv4(source: Station, target: Station, protocol: int, payload: bytes, tos: int = 0) -> bytes:
    """A frame with an IPv4 packet without options, not to be fragmented."""
    total = 20 + len(payload)
    # RFC 6864: a packet that is never fragmented needs no identification.
    words = 0x4500 + tos + total + _DONT_FRAGMENT + (_TTL << 8) + protocol + source.ip + target.ip
    return _HEADERS.pack(target.mac >> 32, target.mac & 0xFFFFFFFF, source.mac >> 32, source.mac & 0xFFFFFFFF,
                         _IPV4, 0x45, tos, total, 0, _DONT_FRAGMENT, _TTL, protocol, -words % 0xFFFF,
                         source.ip, target.ip) + payload


def build_udp(source: Station, target: Station, src_port: int, dst_port: int, payload: bytes) -> bytes:
    """A frame with one UDP datagram."""
    length = _UDP.size + len(payload)
    words = source.ip + target.ip + UDP + length + src_port + dst_port + length + _words(payload)
    check = -words % 0xFFFF or 0xFFFF  # zero would say that there is none
    return build_ipv4(source, target, UDP, _UDP.pack(src_port, dst_port, length, check) + payload)
