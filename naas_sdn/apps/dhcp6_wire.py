"""DHCPv6 messages as bytes (RFC 8415 sections 8 and 21).

`parse` returns None for anything malformed, its associations included, and raises nothing.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

SERVER_PORT, CLIENT_PORT = 547, 546
ALL_SERVERS = 0xFF02 << 112 | 0x10002
"""ff02::1:2, all relay agents and servers of a link."""

_OPTION = Struct("!HH")
_ASSOCIATION = Struct("!III")
_ADDRESS = Struct("!16sII")
_LONGEST_DUID = 130
"""Octets of an identifier, its type included (RFC 8415 section 11.1)."""


class Type(IntEnum):
    SOLICIT = 1
    ADVERTISE = 2
    REQUEST = 3
    CONFIRM = 4
    RENEW = 5
    REBIND = 6
    REPLY = 7
    RELEASE = 8
    DECLINE = 9
    INFORMATION_REQUEST = 11


class Option(IntEnum):
    """The options that we read or write."""

    CLIENT_ID = 1
    SERVER_ID = 2
    IA_NA = 3
    IA_TA = 4
    ADDRESS = 5
    REQUESTED = 6
    STATUS = 13
    RAPID_COMMIT = 14
    NAME_SERVERS = 23
    DOMAIN_LIST = 24
    IA_PD = 25
    REFRESH_TIME = 32
    FQDN = 39


class Status(IntEnum):
    """RFC 8415 section 21.13."""

    SUCCESS = 0
    NO_ADDRESS = 2
    NO_BINDING = 3
    NOT_ON_LINK = 4
    NO_PREFIX = 6


class Association(NamedTuple):
    """An identity association: its option's code, its number, and the addresses that the client names in it."""

    code: int
    number: bytes
    addresses: tuple[int, ...]


class Message(NamedTuple):
    """What a client says. Its identifiers are b"" where there are none; `requested` are codes of options."""

    type: Type
    transaction: bytes
    client: bytes
    server: bytes
    associations: tuple[Association, ...]
    requested: tuple[int, ...] | None
    rapid: bool


def _options(data: bytes) -> list[tuple[int, bytes]] | None:
    found, at = [], 0
    while at < len(data):
        if at + 4 > len(data):
            return None
        code, size = _OPTION.unpack_from(data, at)
        at += 4
        if at + size > len(data):
            return None
        found.append((code, data[at:at + size]))
        at += size
    return found


_CLIENTS = frozenset(set(Type) - {Type.ADVERTISE, Type.REPLY})
_ASSOCIATIONS = frozenset((Option.IA_NA, Option.IA_TA, Option.IA_PD))
_LENGTHS: dict[int, tuple[int, int]] = {
    Option.CLIENT_ID: (3, _LONGEST_DUID), Option.SERVER_ID: (3, _LONGEST_DUID), Option.REQUESTED: (0, 1024),
    Option.RAPID_COMMIT: (0, 0),
}
"""The least and most octets of the other options that we read, none of which is there twice."""


def parse(data: bytes) -> Message | None:
    """A client's message in a UDP payload."""
    if len(data) < 4 or data[0] not in _CLIENTS:
        return None
    options = _options(data[4:])
    if options is None:
        return None
    single: dict[int, bytes] = {}
    associations = []
    for code, value in options:
        if code in _ASSOCIATIONS:
            association = _association(code, value)
            if association is None:
                return None
            associations.append(association)
        elif code in _LENGTHS:
            least, most = _LENGTHS[code]
            if code in single or not least <= len(value) <= most:
                return None
            single[code] = value
    asked = single.get(Option.REQUESTED)
    if asked is not None and len(asked) % 2:
        return None
    requested = None if asked is None else tuple(int.from_bytes(asked[at:at + 2]) for at in range(0, len(asked), 2))
    return Message(Type(data[0]), data[1:4], single.get(Option.CLIENT_ID, b""), single.get(Option.SERVER_ID, b""),
                   tuple(associations), requested, Option.RAPID_COMMIT in single)


def _association(code: int, value: bytes) -> Association | None:
    head = 4 if code == Option.IA_TA else _ASSOCIATION.size
    inner = _options(value[head:])
    if len(value) < head or inner is None:
        return None
    addresses = [option for kind, option in inner if kind == Option.ADDRESS]
    if any(len(option) < _ADDRESS.size for option in addresses):
        return None
    return Association(code, value[:4], tuple(int.from_bytes(option[:16]) for option in addresses))


def encoded(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + value


def status(code: Status) -> bytes:
    return encoded(Option.STATUS, code.to_bytes(2))


def granted(number: bytes, lifetimes: Mapping[int, int]) -> bytes:
    """An IA_NA with these addresses, for so many seconds each; to be renewed at the half of the longest."""
    longest = max(lifetimes.values(), default=0)
    return encoded(Option.IA_NA, number + (longest // 2).to_bytes(4) + (longest * 4 // 5).to_bytes(4) + b"".join(
        encoded(Option.ADDRESS, _ADDRESS.pack(address.to_bytes(16), seconds, seconds))
        for address, seconds in lifetimes.items()))


def refused(association: Association, why: Status) -> bytes:
    """An association of any kind, with the status instead of what it asked for."""
    times = b"" if association.code == Option.IA_TA else bytes(8)
    return encoded(association.code, association.number + times + status(why))


def build(kind: Type, transaction: bytes, options: Iterable[bytes]) -> bytes:
    return bytes((kind,)) + transaction + b"".join(options)
