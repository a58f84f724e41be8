"""ICMPv6 errors that a gateway sends (RFC 4443; when it may, section 2.4)."""
from __future__ import annotations

from naas_sdn.apps import wire, wire6

_TIME_EXCEEDED = bytes((3, 0, 0, 0, 0, 0, 0, 0))
_PACKET_TOO_BIG = bytes((2, 0, 0, 0))
_QUOTE = 1280 - 40 - len(_TIME_EXCEEDED)
"""Bytes quoted of the packet at most: the error is no longer than every link takes (RFC 4443 section 2.4 (c))."""

_INFORMATIONAL = 128
"""The ICMPv6 types that are no errors begin here."""
_REDIRECT = 137


def time_exceeded(frame: bytes, source: wire.Station) -> bytes | None:
    """The error (type 3, code 0) from `source` to the sender of `frame`; None where none may be sent.

    `frame` may be cut short by the switch if what is left covers the quote.
    """
    return _error(frame, source, _TIME_EXCEEDED)


def too_big(frame: bytes, source: wire.Station, mtu: int) -> bytes | None:
    """The error (type 2, code 0) with the largest size that passes; likewise."""
    return _error(frame, source, _PACKET_TOO_BIG + mtu.to_bytes(4))


def _error(frame: bytes, source: wire.Station, head: bytes) -> bytes | None:
    ip = wire6.parse_ipv6(frame)
    if ip is None or not (ip.complete or len(ip.packet) >= _QUOTE):
        return None
    if not (_is_unicast(ip.src) and _is_unicast(ip.dst)) or (ip.eth_src | ip.eth_dst) & wire.GROUP_BIT:
        return None
    if ip.protocol is None or (ip.protocol == wire6.ICMPV6 and (
            not ip.payload or ip.payload[0] < _INFORMATIONAL or ip.payload[0] == _REDIRECT)):
        return None
    return wire6.build_icmpv6(source, wire.Station(ip.eth_src, ip.src), head + ip.packet[:_QUOTE])


def _is_unicast(address: int) -> bool:
    """Not unspecified, loopback or multicast."""
    return address > 1 and address >> 120 != 0xFF
