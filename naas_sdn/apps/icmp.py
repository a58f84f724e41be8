"""ICMP errors that a gateway sends (RFC 792; when it may, RFC 1812 section 4.3.2.7)."""
from __future__ import annotations

from naas_sdn.apps import wire

_TIME_EXCEEDED = bytes((11, 0, 0, 0, 0, 0, 0, 0))
_FRAGMENTATION_NEEDED = bytes((3, 4, 0, 0, 0, 0))
_QUOTE = 576 - 20 - len(_TIME_EXCEEDED)
"""Bytes quoted of the packet at most: the whole error is no longer than 576 (RFC 1812 section 4.3.2.3)."""

_QUERIES = frozenset((0, 8, 9, 10, 13, 14, 15, 16, 17, 18, 42, 43))
"""The ICMP types that are no errors; an unknown type could be one."""

_INTERNETWORK_CONTROL = 0xC0
"""The precedence of errors (RFC 1812 section 4.3.2.5), as a type-of-service byte."""


def time_exceeded(frame: bytes, source: wire.Station) -> bytes | None:
    """The error (type 11, code 0) from `source` to the sender of `frame`; None where none may be sent.

    `frame` may be cut short by the switch if what is left covers the quote.
    """
    return _error(frame, source, _TIME_EXCEEDED)


def too_big(frame: bytes, source: wire.Station, mtu: int) -> bytes | None:
    """The error (type 3, code 4; RFC 1191 section 4) with the largest size that passes; likewise.

    To who allows fragments too, for nobody makes any here: he makes them himself then.
    """
    return _error(frame, source, _FRAGMENTATION_NEEDED + mtu.to_bytes(2))


def _error(frame: bytes, source: wire.Station, head: bytes) -> bytes | None:
    ip = wire.parse_ipv4(frame)
    if ip is None or not (ip.complete or len(ip.packet) >= _QUOTE):
        return None
    if ip.offset or not (_is_host(ip.src) and _is_host(ip.dst)) or (ip.eth_src | ip.eth_dst) & wire.GROUP_BIT:
        return None
    if ip.protocol == wire.ICMP and (not ip.payload or ip.payload[0] not in _QUERIES):
        return None
    quote = ip.packet[:_QUOTE]
    check = wire.checksum(head + quote)
    error = head[:2] + check.to_bytes(2) + head[4:] + quote
    return wire.build_ipv4(source, wire.Station(ip.eth_src, ip.src), wire.ICMP, error, tos=_INTERNETWORK_CONTROL)


def _is_host(address: int) -> bool:
    """Whether an address can be one machine's: not 0/8, loopback, multicast, reserved or broadcast."""
    return 1 <= address >> 24 <= 223 and address >> 24 != 127
