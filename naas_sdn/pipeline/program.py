"""Programs: what one scope compiles to, as values and as bytes; Deltas: what a switch must add and remove."""
from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, NamedTuple

from naas_sdn.pipeline.flow import Flow


class Police(IntEnum):
    """What a port's meters are for."""

    PUNT = 0            # what it may send to the controller
    FROM = 1            # the bits it may send
    TO = 2              # the bits it may receive
    ANSWER = 3          # what the tables answer it
    FROM_PACKETS = 4    # the packets it may send
    TO_PACKETS = 5      # the packets it may receive


@dataclass(frozen=True, slots=True)
class Meter:
    """A policer (OpenFlow 1.3.5 section 5.7) with one drop band.

    `rate` and `burst` are kbit/s and kbit, or packets a second and packets when `packets`. `number` follows from the
    slot that the database leases to a VIF on its hypervisor; the two virtual numbers police what the switch itself
    answers or punts.
    """

    number: int
    rate: int
    burst: int
    packets: bool = False

    WIRE_PUNT: ClassVar[int] = 3 << 16
    WIRE_ANSWER: ClassVar[int] = (3 << 16) + 1
    """What a hypervisor's uplinks may have together, of the controller and of answers: above all ports' meters."""
    SLOWPATH: ClassVar[int] = 0xFFFFFFFD
    CONTROLLER: ClassVar[int] = 0xFFFFFFFE

    @staticmethod
    def numbered(slot: int, use: Police) -> int:
        """Slots are below 32768, and so numbers below the 262144 that Open vSwitch's userspace datapath takes.

        The first four uses fill the lower half. The others came later, in the upper half: nothing was renumbered.
        """
        return slot * 4 + use if use < Police.FROM_PACKETS else (1 << 17) + slot * 2 + use - Police.FROM_PACKETS


@dataclass(frozen=True, slots=True)
class Announcement:
    """A frame for all machines of a network on each of its hypervisors: when it is new, then by the engine's clock.

    With `uplink`, it is for that physical network instead, tag and all.

    `name` tells it from others of its network, `interval` is the most seconds between two. `farewell` is sent once when
    there is no announcement of that name any more.
    """

    network_id: str
    name: str
    interval: float
    frame: bytes
    farewell: bytes = b""
    uplink: str | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """The flows and meters of one scope, the zones of conntrack that are its alone, and what is announced."""

    flows: tuple[Flow, ...] = ()
    meters: tuple[Meter, ...] = ()
    zones: tuple[int, ...] = ()
    announcements: tuple[Announcement, ...] = ()


Encode = Callable[[Flow], bytes]
"""The flow-mod that adds a flow (OpenFlow 1.3.5 section 7.3.4.1), whose cookie is a hash of all of it."""

Name = tuple[int, int]
"""The table and cookie of a flow."""

_HEAD = struct.Struct("!2xH4xQ8xB")


class FlowMod(NamedTuple):
    """A flow as it is sent, and what names it in a switch."""

    table: int
    cookie: int
    wire: bytes

    def __str__(self) -> str:
        return f"table={self.table},cookie={self.cookie:#x}"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A Program to keep: the flow-mods that add its flows, one after another, in a tenth of the room of values."""

    wire: bytes = b""
    meters: tuple[Meter, ...] = ()
    zones: tuple[int, ...] = ()
    announcements: tuple[Announcement, ...] = ()

    @classmethod
    def of(cls, program: Program, encode: Encode) -> Compiled:
        return cls(b"".join(map(encode, program.flows)), program.meters, program.zones, program.announcements)

    def flow_mods(self) -> Iterator[FlowMod]:
        offset, wire = 0, self.wire
        while offset < len(wire):
            size, cookie, table = _HEAD.unpack_from(wire, offset)
            yield FlowMod(table, cookie, wire[offset:offset + size])
            offset += size

    def fingerprints(self) -> Iterator[tuple[Name, int]]:
        """Each flow's name, and a number for its priority, match and instructions; the same in this process only."""
        offset, wire = 0, self.wire
        while offset < len(wire):
            size, cookie, table = _HEAD.unpack_from(wire, offset)
            yield (table, cookie), hash((wire[offset + 30:offset + 32], wire[offset + 48:offset + size]))
            offset += size

    def places(self) -> Iterator[int]:
        """Of each flow, a number for what no two of a switch may share: table, priority and match.

        The same in this process only; two places have the same with a chance of 2^-64.
        """
        offset, wire = 0, self.wire
        while offset < len(wire):
            size = int.from_bytes(wire[offset + 2:offset + 4])
            match = wire[offset + 48:offset + 48 + int.from_bytes(wire[offset + 50:offset + 52])]
            yield hash(wire[offset + 24:offset + 25] + wire[offset + 30:offset + 32] + match)
            offset += size

    def names(self) -> Iterator[Name]:
        """Of each flow."""
        offset, wire = 0, self.wire
        while offset < len(wire):
            size, cookie, table = _HEAD.unpack_from(wire, offset)
            yield table, cookie
            offset += size


@dataclass(frozen=True, slots=True)
class Delta:
    """In the order of application: `flush`, `meters` (add or modify), `add`, `remove`, `drop_meters`.

    `remove` names flows as (table, cookie), `drop_meters` meters by number, `flush` zones of conntrack, whose
    connections are to be forgotten. An `add` replaces the flow that has its table, priority and match, whatever its
    cookie.
    """

    add: tuple[FlowMod, ...] = ()
    remove: tuple[tuple[int, int], ...] = ()
    meters: tuple[Meter, ...] = ()
    drop_meters: tuple[int, ...] = ()
    flush: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.add or self.remove or self.meters or self.drop_meters or self.flush)
