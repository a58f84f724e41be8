"""DHCPv4 messages as bytes (RFC 2131 section 2, RFC 2132; long options by RFC 3396).

`parse` returns None for anything malformed and raises nothing. Option values stay bytes: what a guest writes
is never taken for text.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct

SERVER_PORT = 67
CLIENT_PORT = 68

_HEADER = Struct("!BBBBIHHIIIIHI10x64s128sI")
_COOKIE = 0x63825363
_BROADCAST = 0x8000
_ETHERNET = 1
_BOOTP = 300
"""The shortest message that every BOOTP client and relay takes (RFC 1542 section 2.1)."""


class Op(IntEnum):
    REQUEST = 1
    REPLY = 2


class Type(IntEnum):
    """Values of option 53."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


class Option(IntEnum):
    """The options that we read or write (RFC 2132, RFC 3046, RFC 3442)."""

    PAD = 0
    SUBNET_MASK = 1
    ROUTERS = 3
    NAME_SERVERS = 6
    HOST_NAME = 12
    DOMAIN_NAME = 15
    MTU = 26
    REQUESTED_ADDRESS = 50
    LEASE_TIME = 51
    OVERLOAD = 52
    MESSAGE_TYPE = 53
    SERVER_IDENTIFIER = 54
    PARAMETERS = 55
    MAX_SIZE = 57
    RENEWAL_TIME = 58
    REBINDING_TIME = 59
    CLIENT_IDENTIFIER = 61
    RELAY_AGENT = 82
    CLASSLESS_ROUTES = 121
    END = 255


BARE = _HEADER.size + 4
"""Bytes of a message that has no options but its type and the end mark."""

_LENGTHS: dict[int, tuple[int, int]] = {
    Option.REQUESTED_ADDRESS: (4, 4), Option.OVERLOAD: (1, 1), Option.MESSAGE_TYPE: (1, 1),
    Option.SERVER_IDENTIFIER: (4, 4), Option.PARAMETERS: (1, 255), Option.MAX_SIZE: (2, 2),
    Option.CLIENT_IDENTIFIER: (2, 255),
}
"""The least and most bytes of the options that we read."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; addresses and the MAC are integers, 0 where there is none.

    `options` maps codes to whole values, in the order of the bytes; the message's type is not among them.
    """

    op: Op
    type: Type
    xid: int
    mac: int
    broadcast: bool = False
    ciaddr: int = 0
    yiaddr: int = 0
    giaddr: int = 0
    options: Mapping[int, bytes] = field(default_factory=dict)
    siaddr: int = 0

    def number(self, option: Option) -> int | None:
        """The value of an option that holds a number or one address."""
        value = self.options.get(option)
        return None if value is None else int.from_bytes(value)


def _collect(area: bytes, options: dict[int, bytes]) -> bool:
    """Add one area's options, joining the parts of split ones; False if no end mark follows them in it."""
    at, size = 0, len(area)
    while at < size:
        code = area[at]
        if code == 255:
            return True
        if code == 0:
            at += 1
            continue
        if at + 1 == size:
            return False
        start = at + 2
        at = start + area[at + 1]
        value = area[start:at]
        options[code] = options[code] + value if code in options else value
    return False


def parse(data: bytes) -> Message | None:
    """The message in a UDP payload; None unless it is well-formed DHCP for Ethernet."""
    if len(data) < _HEADER.size:
        return None
    (op, htype, hlen, _hops, xid, _secs, flags, ciaddr, yiaddr, siaddr, giaddr, mac_high, mac_low,
     sname, file, cookie) = _HEADER.unpack_from(data)
    if op not in (1, 2) or htype != _ETHERNET or hlen != 6 or cookie != _COOKIE:
        return None
    options: dict[int, bytes] = {}
    if not _collect(data[_HEADER.size:], options):
        return None
    overload = options.get(Option.OVERLOAD)
    if overload is not None:
        if overload not in (b"\1", b"\2", b"\3"):
            return None
        areas = [area for bit, area in ((1, file), (2, sname)) if overload[0] & bit]
        if not all(_collect(area, options) for area in areas):
            return None
    for code, (least, most) in _LENGTHS.items():
        if code in options and not least <= len(options[code]) <= most:
            return None
    kind = options.pop(Option.MESSAGE_TYPE, None)
    if kind is None or not 1 <= kind[0] <= 8:
        return None
    return Message(Op(op), Type(kind[0]), xid, mac_high << 32 | mac_low, flags & _BROADCAST != 0,
                   ciaddr, yiaddr, giaddr, options, siaddr)


def encoded(code: int, value: bytes) -> bytes:
    """One option; a value of more than 255 bytes as several parts."""
    if len(value) <= 255:
        return bytes((code, len(value))) + value
    return b"".join(encoded(code, value[at:at + 255]) for at in range(0, len(value), 255))


def build(message: Message) -> bytes:
    """The UDP payload of a message."""
    head = _HEADER.pack(message.op, _ETHERNET, 6, 0, message.xid, 0, _BROADCAST if message.broadcast else 0,
                        message.ciaddr, message.yiaddr, message.siaddr, message.giaddr, message.mac >> 32,
                        message.mac & 0xFFFFFFFF, b"", b"", _COOKIE)
    tail = b"".join([encoded(code, value) for code, value in message.options.items()])
    kind = bytes((Option.MESSAGE_TYPE, 1, message.type))
    return b"".join((head, kind, tail, b"\xff")).ljust(_BOOTP, b"\0")
