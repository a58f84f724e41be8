"""Programs: what one scope compiles to; Deltas: what a switch must add and remove."""
from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from naas_sdn.pipeline.flow import Flow


class Police(IntEnum):
    """What a port's meters are for."""

    PUNT = 0    # what it may send to the controller
    FROM = 1    # what it may send
    TO = 2      # what it may receive


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

    SLOWPATH: ClassVar[int] = 0xFFFFFFFD
    CONTROLLER: ClassVar[int] = 0xFFFFFFFE

    @staticmethod
    def numbered(slot: int, use: Police) -> int:
        """Slots are below 65536, and so numbers below the 262144 that Open vSwitch's userspace datapath takes."""
        return slot * 4 + use


@dataclass(frozen=True, slots=True)
class Program:
    """The flows and meters of one scope."""

    flows: tuple[Flow, ...] = ()
    meters: tuple[Meter, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """In the order of application: `meters` (add or modify), `add`, `remove`, `drop_meters`.

    `remove` names flows as (table, cookie), `drop_meters` meters by number. An `add` replaces the flow that has
    its table, priority and match, whatever its cookie.
    """

    add: tuple[Flow, ...] = ()
    remove: tuple[tuple[int, int], ...] = ()
    meters: tuple[Meter, ...] = ()
    drop_meters: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.add or self.remove or self.meters or self.drop_meters)
