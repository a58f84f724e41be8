"""What one simulated switch holds, by OpenFlow's rules (1.3.5 section 6.4) as Open vSwitch keeps them.

Not simulated: what fields a match needs beside others, actions that a switch does not know, groups, timeouts, counters.
"""
from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from bench.fleet import openflow as of

_FLOW_MOD = struct.Struct("!QQBBHHHIIIH")
_ENTRY = struct.Struct("!HBxIIHHHH4xQQQ")
_MATCH = 40
"""Where the match begins, in a flow-mod's body."""

Place = tuple[int, int, tuple[tuple[int, int, int], ...]]
"""Table, priority and match: no two flows have the same."""


@dataclass(frozen=True, slots=True)
class Held:
    """A flow; `body` is its match and instructions as they came."""

    cookie: int
    flags: int
    meter: int | None
    body: bytes


class Table:
    """Flows by their place, meters by number."""

    def __init__(self) -> None:
        self.flows: dict[Place, Held] = {}
        self.meters: dict[int, bytes] = {}
        self._named: dict[tuple[int, int], set[Place]] = {}
        self._metered: dict[int, set[Place]] = {}

    def flow_mod_error(self, body: bytes) -> bytes | None:
        """The start of the error that a flow-mod would be refused with, by its bytes after the header."""
        _, _, table, command, *_ = _FLOW_MOD.unpack_from(body)
        if command > of.DELETE_STRICT:
            return of.UNKNOWN_COMMAND
        for kind, value in _instructions(body[_MATCH:]) if command < of.DELETE else ():
            if kind == of.METER and value not in self.meters:
                return of.NO_SUCH_METER
            if kind == of.GOTO and value >> 24 <= table:
                return of.BAD_GOTO
        return None

    def flow_mod(self, body: bytes) -> bytes | None:
        """Apply one, by its bytes after the header; the start of the error when it is refused."""
        refused = self.flow_mod_error(body)
        if refused is not None:
            return refused
        cookie, mask, table, command, _, _, priority, _, _, _, flags = _FLOW_MOD.unpack_from(body)
        body = body[_MATCH:]
        place = (table, priority, of.meaning(_fields(body)))
        if command == of.ADD:
            self._put(place, cookie, flags, body)
            return None
        strict = command in (of.MODIFY_STRICT, of.DELETE_STRICT)
        for found in self._strictly(place, cookie, mask) if strict else self._loosely(place, cookie, mask):
            held = self.flows[found]
            if command in (of.DELETE, of.DELETE_STRICT):
                self.forget(found)
            else:
                self._put(found, held.cookie, held.flags, held.body[:_end(held.body)] + body[_end(body):])
        return None

    def meter_mod(self, body: bytes) -> bytes | None:
        """As `flow_mod`. A meter that goes takes the flows that use it along."""
        command, flags, number = struct.unpack_from("!HHI", body)
        if command == of.METER_DELETE:
            gone = list(self.meters) if number == of.ALL_METERS else [number]
            for meter in gone:
                self.meters.pop(meter, None)
                for place in list(self._metered.get(meter, ())):
                    self.forget(place)
            return None
        if command == of.METER_ADD and number in self.meters:
            return of.METER_EXISTS
        if command == of.METER_MODIFY and number not in self.meters:
            return of.METER_UNKNOWN
        self.meters[number] = struct.pack("!HHI", len(body), flags, number) + body[8:]
        return None

    def entries(self, table: int, cookie: int = 0, mask: int = 0) -> Iterator[bytes]:
        """The bodies of flow statistics replies, of one table or of all."""
        part: list[bytes] = []
        size = 0
        for (of_table, priority, _), held in self.flows.items():
            if table not in (of_table, of.ALL_TABLES) or held.cookie & mask != cookie & mask:
                continue
            length = _ENTRY.size + len(held.body)
            if size + length > of.LARGEST:
                yield b"".join(part)
                part, size = [], 0
            part += (_ENTRY.pack(length, of_table, 1, 0, priority, 0, 0, held.flags, held.cookie, 0, 0), held.body)
            size += length
        yield b"".join(part)

    def counts(self) -> Counter[int]:
        """How many flows each table has."""
        return Counter(table for table, _, _ in self.flows)

    def forget(self, place: Place) -> None:
        """A flow is gone."""
        held = self.flows.pop(place)
        _discard(self._named, (place[0], held.cookie), place)
        if held.meter is not None:
            _discard(self._metered, held.meter, place)

    def change(self, place: Place) -> None:
        """A flow that somebody changes: what it does is another thing, its cookie the same."""
        held = self.flows[place]
        self.flows[place] = replace(held, body=held.body[:-1] + bytes((held.body[-1] ^ 1,)))

    def _strictly(self, place: Place, cookie: int, mask: int) -> Collection[Place]:
        held = self.flows.get(place)
        return (place,) if held is not None and held.cookie & mask == cookie & mask else ()

    def _loosely(self, place: Place, cookie: int, mask: int) -> Collection[Place]:
        table, _, pattern = place
        if mask == of.EXACT and not pattern and table != of.ALL_TABLES:
            return list(self._named.get((table, cookie), ()))
        return [found for found, held in self.flows.items()
                if table in (found[0], of.ALL_TABLES) and held.cookie & mask == cookie & mask
                and of.covers(pattern, found[2])]

    def _put(self, place: Place, cookie: int, flags: int, body: bytes) -> None:
        if place in self.flows:
            self.forget(place)
        meter = next((value for kind, value in _instructions(body) if kind == of.METER), None)
        self.flows[place] = Held(cookie, flags, meter, body)
        self._named.setdefault((place[0], cookie), set()).add(place)
        if meter is not None:
            self._metered.setdefault(meter, set()).add(place)


K = TypeVar("K")


def _discard(index: dict[K, set[Place]], key: K, place: Place) -> None:
    index[key].discard(place)
    if not index[key]:
        del index[key]


def _end(body: bytes) -> int:
    """Where the instructions begin in a match that is followed by them."""
    (length,) = struct.unpack_from("!H", body, 2)
    return int((length + 7) // 8 * 8)


def _fields(body: bytes) -> bytes:
    (length,) = struct.unpack_from("!H", body, 2)
    return body[4:length]


def _instructions(body: bytes) -> Iterator[tuple[int, int]]:
    """Of a match that is followed by them: the type of each, and the four bytes after its length as a number."""
    offset = _end(body)
    while offset + 8 <= len(body):
        kind, size, value = struct.unpack_from("!HHI", body, offset)
        yield kind, value
        offset += max(8, size)
