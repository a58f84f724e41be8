"""What one simulated switch holds, by OpenFlow's rules (1.3.5 section 6.4) as Open vSwitch keeps them."""
from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Collection, Iterator

ADD, DELETE = 0, 3
METER_ADD, METER_DELETE = 0, 2
METER_INSTRUCTION = 6
BAD_METER = struct.pack("!HH", 12, 5)

_FLOW_MOD = struct.Struct("!QQBBHHHIIIH")
_ENTRY = struct.Struct("!HBxIIHHHH4xQQQ")
LARGEST = 60_000


class Table:
    """Flows by (table, priority, match), meters by number."""

    def __init__(self) -> None:
        self.flows: dict[bytes, tuple[int, int, bytes]] = {}
        """-> table, cookie, and the entry of a statistics reply."""
        self.meters: dict[int, bytes] = {}
        self._named: dict[tuple[int, int], set[bytes]] = {}

    def flow_mod(self, body: bytes) -> bytes | None:
        """Apply one, by its bytes after the header; the error's type and code when it is refused."""
        cookie, mask, table, command, _, _, priority, *_ = _FLOW_MOD.unpack_from(body)
        (length,) = struct.unpack_from("!H", body, 42)
        end = 40 + (length + 7) // 8 * 8
        place = struct.pack("!BH", table, priority) + body[40:end]
        if command == DELETE:
            for gone in self._matching(table, cookie, mask):
                self._forget(gone)
            return None
        kind, _, meter = struct.unpack_from("!HHI", body, end) if len(body) >= end + 8 else (0, 0, 0)
        if kind == METER_INSTRUCTION and meter not in self.meters:
            return BAD_METER
        if place in self.flows:
            self._forget(place)
        entry = _ENTRY.pack(48 + len(body) - 40, table, 1, 0, priority, 0, 0, 0, cookie, 0, 0) + body[40:]
        self.flows[place] = (table, cookie, entry)
        self._named.setdefault((table, cookie), set()).add(place)
        return None

    def meter_mod(self, body: bytes) -> None:
        command, flags, number = struct.unpack_from("!HHI", body)
        if command == METER_DELETE:
            self.meters.pop(number, None)
        else:
            self.meters[number] = struct.pack("!HHI", len(body), flags, number) + body[8:]

    def counts(self) -> Counter[int]:
        """How many flows each table has."""
        return Counter(table for table, _, _ in self.flows.values())

    def forget(self, place: bytes) -> None:
        """A flow that somebody deletes."""
        self._forget(place)

    def change(self, place: bytes) -> None:
        """A flow that somebody changes: what it does is another thing, its cookie the same."""
        table, cookie, entry = self.flows[place]
        self.flows[place] = (table, cookie, entry[:-1] + bytes((entry[-1] ^ 1,)))

    def entries(self, table: int) -> Iterator[bytes]:
        """The bodies of flow statistics replies, of one table or of all (255)."""
        part: list[bytes] = []
        size = 0
        for of, _, entry in self.flows.values():
            if table not in (of, 255):
                continue
            if size + len(entry) > LARGEST:
                yield b"".join(part)
                part, size = [], 0
            part.append(entry)
            size += len(entry)
        yield b"".join(part)

    def _matching(self, table: int, cookie: int, mask: int) -> Collection[bytes]:
        if mask == (1 << 64) - 1:
            return list(self._named.get((table, cookie), ()))
        return [place for place, (of, named, _) in self.flows.items()
                if table in (of, 255) and named & mask == cookie & mask]

    def _forget(self, place: bytes) -> None:
        table, cookie, _ = self.flows.pop(place)
        named = self._named[table, cookie]
        named.discard(place)
        if not named:
            del self._named[table, cookie]
