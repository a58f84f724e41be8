"""A machine that sends one frame for ever, as fast as it can: `python -m bench.flooding CARD FRAME AT SIZE`.

FRAME is hexadecimal; SIZE bytes of it, from AT on, are others each time.
"""
from __future__ import annotations

import os
import signal
import socket
import sys
from dataclasses import dataclass
from types import FrameType

from naas_sdn.apps import wire
from naas_sdn.apps.dhcp_wire import CLIENT_PORT, SERVER_PORT, Message, Op, Type, build

VARIANTS = 1024

_UDP_CHECKSUM, _CHADDR = 40, 70
"""Where they are in a frame with a DHCP message."""


@dataclass(frozen=True, slots=True)
class Flood:
    """A frame, and the place and number of the bytes that are others each time."""

    frame: bytes
    at: int = 0
    size: int = 0


def starving(mac: int) -> Flood:
    """DISCOVERs of clients that there are not. Without a checksum, their contents may change."""
    frame = wire.build_udp(wire.Station(mac, 0), wire.Station(wire.BROADCAST_MAC, wire.BROADCAST_IP), CLIENT_PORT,
                           SERVER_PORT, build(Message(Op.REQUEST, Type.DISCOVER, 1, mac)))
    return Flood(frame[:_UDP_CHECKSUM] + b"\0\0" + frame[_UDP_CHECKSUM + 2:], _CHADDR, 6)


def probing(mac: int, target: int) -> Flood:
    """ARP for an address, without one's own (RFC 5227)."""
    own = mac.to_bytes(6)
    return Flood(b"\xff" * 6 + own + bytes.fromhex("08060001080006040001") + own + bytes(10) + target.to_bytes(4))


def main() -> None:
    """Print how many were sent when told to end."""
    name, frame, at, size = sys.argv[1], bytes.fromhex(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    ending = False

    def end(signal_number: int, stack: FrameType | None) -> None:
        nonlocal ending
        ending = True

    signal.signal(signal.SIGTERM, end)
    card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    card.bind((name, 0))
    frames = [frame[:at] + os.urandom(size) + frame[at + size:] for _ in range(VARIANTS)]
    print("flooding", flush=True)
    sent = 0
    while not ending:
        for variant in frames:
            card.send(variant)
        sent += VARIANTS
    print(sent)


if __name__ == "__main__":
    main()
