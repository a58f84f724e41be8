"""What a switch may say, checked before anything parses it.

Only two kinds of message reach os-ken's parsers, both of fixed shape once they are through here: HELLO (stripped to its
header) and the features reply. The rest is decoded in codec.py, whose loops advance by lengths that are checked as they
are read.
"""
from __future__ import annotations

import struct

from naas_sdn.southbound import constants as of

HEADER = 8
PORT, TABLE = 64, 24
"""Bytes of a port description, and of a table's counters (OpenFlow 1.3.5 sections 7.2.1, 7.3.5.4)."""

HANDSHAKE_TYPES = frozenset((of.HELLO, of.ERROR, of.ECHO_REQUEST, of.ECHO_REPLY, of.FEATURES_REPLY,
                             of.MULTIPART_REPLY, of.PORT_STATUS))
"""Before the switch is admitted."""

TYPES = HANDSHAKE_TYPES - {of.HELLO, of.FEATURES_REPLY} | {of.EXPERIMENTER, of.PACKET_IN, of.FLOW_REMOVED,
                                                           of.BARRIER_REPLY, of.ROLE_REPLY}
MULTIPARTS = frozenset((of.MP_DESC, of.MP_FLOW, of.MP_TABLE, of.MP_PORT_STATS, of.MP_METER, of.MP_METER_CONFIG,
                        of.MP_PORT_DESC, of.MP_EXPERIMENTER))
"""Those that we ask for."""

SMALLEST = {of.HELLO: 8, of.ERROR: 12, of.ECHO_REQUEST: 8, of.ECHO_REPLY: 8, of.FEATURES_REPLY: 32,
            of.EXPERIMENTER: 16, of.PACKET_IN: 34, of.FLOW_REMOVED: 56, of.PORT_STATUS: 80,
            of.MULTIPART_REPLY: 16, of.BARRIER_REPLY: 8, of.ROLE_REPLY: 24}
EXACT = frozenset((of.FEATURES_REPLY, of.PORT_STATUS, of.BARRIER_REPLY, of.ROLE_REPLY))


class Malformed(Exception):
    """What is wrong with the frame. The connection that it came from is closed."""


def length(header: bytes | bytearray) -> int:
    """The length of the message that begins with these 8 bytes. Raises Malformed."""
    version, kind, size = struct.unpack_from("!BBH", header)
    if version != of.VERSION:
        raise Malformed(f"version {version}, not {of.VERSION} (OpenFlow 1.3)")
    if size < HEADER:
        raise Malformed(f"length {size} of message type {kind} is shorter than a header")
    return int(size)


def check(frame: bytes, *, admitted: bool) -> None:
    """Raise Malformed unless a switch may say this now."""
    size, kind = len(frame), frame[1]
    if kind not in (TYPES if admitted else HANDSHAKE_TYPES):
        raise Malformed(f"message type {kind} has no place {'here' if admitted else 'in a handshake'}")
    smallest = SMALLEST[kind]
    if size < smallest or (kind in EXACT and size != smallest):
        raise Malformed(f"message type {kind} with {size} bytes instead of {smallest}")
    if kind == of.HELLO:
        _elements(frame)
    elif kind == of.MULTIPART_REPLY:
        (part,) = struct.unpack_from("!H", frame, HEADER)
        if part not in MULTIPARTS:
            raise Malformed(f"multipart type {part} was not asked for")
        if part == of.MP_PORT_DESC and (size - 16) % PORT:
            raise Malformed(f"port descriptions with {size - 16} bytes")
        if part == of.MP_TABLE and (size - 16) % TABLE:
            raise Malformed(f"table counters with {size - 16} bytes")


def _elements(frame: bytes) -> None:
    """HELLO elements (section 7.5.1): each at least 4 bytes, padded to 8."""
    offset = HEADER
    while offset < len(frame):
        if len(frame) - offset < 4:
            raise Malformed("half a HELLO element")
        _, size = struct.unpack_from("!HH", frame, offset)
        if size < 4 or offset + size > len(frame):
            raise Malformed(f"HELLO element of {size} bytes")
        offset += (size + 7) // 8 * 8
