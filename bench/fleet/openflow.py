"""OpenFlow 1.3.5, ONF and Nicira numbers that simulated switches speak with, and matches by their meaning.

On purpose not the controller's own (naas_sdn/southbound): two that agree by accident would hide each other's mistakes.
"""
from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache

(HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, EXPERIMENTER, FEATURES_REQUEST, FEATURES_REPLY) = range(7)
SET_CONFIG, PACKET_IN, PORT_STATUS, PACKET_OUT, FLOW_MOD = 9, 10, 12, 13, 14
MULTIPART_REQUEST, MULTIPART_REPLY, BARRIER_REQUEST, BARRIER_REPLY = 18, 19, 20, 21
ROLE_REQUEST, ROLE_REPLY, METER_MOD = 24, 25, 29

DESC, FLOWS, TABLES, PORT_STATS, METER_STATS, METERS, PORTS, EXPERIMENTAL = 0, 1, 3, 4, 9, 10, 13, 0xFFFF
ADD, MODIFY, MODIFY_STRICT, DELETE, DELETE_STRICT = range(5)
METER_ADD, METER_MODIFY, METER_DELETE = range(3)
GOTO, APPLY, METER = 1, 4, 6
PORT_ADDED, PORT_DELETED, PORT_CHANGED = 0, 1, 2
ALL_TABLES = 0xFF
ALL_METERS = NO_BUFFER = 0xFFFFFFFF
EXACT = 0xFFFFFFFFFFFFFFFF

ONF = 0x4F4E4600
NICIRA, CT_FLUSH_ZONE = 0x00002320, 29
BUNDLE_CONTROL, BUNDLE_ADD, MONITOR = 2300, 2301, 1870
OPEN, CLOSE, COMMIT, DISCARD = 0, 2, 4, 6

LARGEST = 60_000
"""Bytes of a part of a multipart reply."""


def error(kind: int, code: int) -> bytes:
    """The start of an error's body; what was wrong follows."""
    return struct.pack("!HH", kind, code)


def bundle_error(code: int) -> bytes:
    """ONF extension 230 for OpenFlow 1.3."""
    return struct.pack("!HHI", 0xFFFF, code, ONF)


BAD_TYPE = error(1, 1)
BAD_GOTO = error(3, 2)
UNKNOWN_COMMAND = error(5, 6)
METER_EXISTS, NO_SUCH_METER, METER_UNKNOWN = error(12, 1), error(12, 2), error(12, 3)
BUNDLE_BAD_ID, BUNDLE_UNSUPPORTED, BUNDLE_FAILED = bundle_error(2302), bundle_error(2310), bundle_error(2313)


def fields(match: bytes) -> Iterator[tuple[int, int, int]]:
    """Header without the mask's bit and length, value and mask of each field (section 7.2.3); `match` is without
    its own header and padding."""
    offset = 0
    while offset < len(match):
        (header,) = struct.unpack_from("!I", match, offset)
        size = header & 0xFF
        body = match[offset + 4:offset + 4 + size]
        width = size // 2 if header & 0x100 else size
        everything = (1 << 8 * width) - 1
        mask = int.from_bytes(body[width:]) if header & 0x100 else everything
        yield header >> 9, int.from_bytes(body[:width]) & mask, mask
        offset += 4 + size


@lru_cache(1 << 16)
def meaning(match: bytes) -> tuple[tuple[int, int, int], ...]:
    """The same for matches that match the same packets, but for fields that OpenFlow and Nicira number differently."""
    return tuple(sorted(field for field in fields(match) if field[2]))


def covers(pattern: tuple[tuple[int, int, int], ...], match: tuple[tuple[int, int, int], ...]) -> bool:
    """Whether a non-strict command for `pattern` takes in a flow with `match` (section 6.4)."""
    held = {name: (value, mask) for name, value, mask in match}
    return all(name in held and held[name][1] & mask == mask and held[name][0] & mask == value
               for name, value, mask in pattern)
