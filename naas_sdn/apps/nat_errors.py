"""ICMP errors about packets of floating addresses: what they quote has to be rewritten as they themselves are.

The tables rewrite the header that they see; the packet that an error quotes (RFC 792) is beyond them, and its sender
would not know it for his own (RFC 5508 section 4.2).
"""
from __future__ import annotations

from ipaddress import IPv4Address

from naas_sdn.apps import wire
from naas_sdn.model.store import View
from naas_sdn.pipeline.tables import Table

ERRORS = (3, 11, 12)
"""Destination unreachable, time exceeded, parameter problem."""
_HEAD, _SHORTEST = 8, 20
_SOURCE, _TARGET = 12, 16


def corrected(view: View, network_key: int, frame: bytes) -> tuple[bytes, Table] | None:
    """The frame with the quote as its receiver knows it, and the table where it goes on; None for any other frame.

    `frame` is from the external network with this key and to the machine's own address, or to that network and from
    the floating address already.
    """
    error, network = wire.parse_ipv4(frame), view.network_of_key(network_key)
    if (error is None or network is None or error.protocol != wire.ICMP or error.fragmented or not error.complete
            or len(error.payload) < _HEAD + _SHORTEST or error.payload[0] not in ERRORS):
        return None
    quote = error.payload[_HEAD:]
    sender, receiver = (int.from_bytes(quote[at:at + 4]) for at in (_SOURCE, _TARGET))
    inward = view.floating_ip_at(network.id, IPv4Address(sender))
    if inward is not None and int(inward.fixed) == error.dst:
        return _with(frame, error, _replaced(quote, _SOURCE, error.dst)), Table.EDGE
    outward = view.floating_ip_at(network.id, IPv4Address(error.src))
    if outward is not None and int(outward.fixed) == receiver:
        return _with(frame, error, _replaced(quote, _TARGET, error.src)), Table.NEXT_HOP
    return None


def _replaced(quote: bytes, at: int, address: int) -> bytes:
    """The checksum of the header is made anew; that of what it carries is not, for a part of it is not there."""
    size = (quote[0] & 0xF) * 4
    new = quote[:at] + address.to_bytes(4) + quote[at + 4:]
    if not _SHORTEST <= size <= len(new):
        return new
    return new[:10] + wire.checksum(new[:10] + bytes(2) + new[12:size]).to_bytes(2) + new[12:]


def _with(frame: bytes, error: wire.Ipv4, quote: bytes) -> bytes:
    start = wire.ETHERNET + len(error.packet) - len(error.payload)
    head = error.payload[:2] + bytes(2) + error.payload[4:_HEAD]
    return frame[:start] + head[:2] + wire.checksum(head + quote).to_bytes(2) + head[4:] + quote
