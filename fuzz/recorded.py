"""What a real Open vSwitch sent in a session (record.py), with the lists that are in it."""
from __future__ import annotations

import struct
from pathlib import Path

from fuzz.mutation import Elements, Seed
from naas_sdn.southbound import constants as of

FRAMES = Path(__file__).parent / "openflow.hex"

_FLOWS = Elements(16, 0, 2, 0)
_METERS = Elements(16, 0, 2, 0)
_METER_COUNTERS = Elements(16, 4, 2, 0)
_UPDATES = Elements(24, 0, 2, 0)
_LISTS: dict[int, tuple[Elements, ...]] = {
    of.MP_FLOW: (_FLOWS,), of.MP_METER_CONFIG: (_METERS,), of.MP_METER: (_METER_COUNTERS,),
    of.MP_EXPERIMENTER: (_UPDATES,),
}


def seeds() -> list[Seed]:
    frames = [bytes.fromhex(line) for line in FRAMES.read_text(encoding="ascii").splitlines()]
    echo = struct.pack("!BBHI", of.VERSION, of.ECHO_REQUEST, 12, 0) + b"who?"
    return [Seed(frame, _lists(frame)) for frame in (*frames, echo)]


def _lists(frame: bytes) -> tuple[Elements, ...]:
    if frame[1] == of.HELLO:
        return (Elements(8, 2, 2, 0),)
    if frame[1] == of.PACKET_IN:
        return (Elements(28, 3, 1, 4),)
    return _LISTS.get(int.from_bytes(frame[8:10]), ()) if frame[1] == of.MULTIPART_REPLY else ()
