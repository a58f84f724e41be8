"""One simulated switch: an OpenFlow 1.3 client that connects, keeps its tables, and tells when it has committed."""
from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterable

from bench.fleet.table import Table

ONF = 0x4F4E4600
BUNDLE_CONTROL, BUNDLE_ADD, MONITOR = 2300, 2301, 1870
COMMIT, DISCARD = 4, 6
(HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, EXPERIMENTER, FEATURES_REQUEST, FEATURES_REPLY, PORT_STATUS, PACKET_OUT,
 FLOW_MOD, MULTIPART_REQUEST, MULTIPART_REPLY, BARRIER_REQUEST, BARRIER_REPLY, METER_MOD) = (
    0, 1, 2, 3, 4, 5, 6, 12, 13, 14, 18, 19, 20, 21, 29)
DESC, FLOWS, TABLES, PORT_STATS, METER_STATS, METERS, PORTS = 0, 1, 3, 4, 9, 10, 13
LARGEST = 60_000

Committed = Callable[["Switch", int], None]


class Switch(asyncio.Protocol):
    """Hypervisor `name` with these interfaces by OpenFlow port; `committed` hears of every bundle and its size."""

    def __init__(self, datapath_id: int, name: str, vtep: str, interfaces: Iterable[str], committed: Committed) -> None:
        self.name = name
        self.table = Table()
        self.mods = 0
        self._datapath_id = datapath_id
        self._description = f"{name};vtep={vtep}".encode()
        self._interfaces = list(interfaces)
        self._committed = committed
        self._buffer = bytearray()
        self._bundle: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self.lies = 0
        """Bundles to acknowledge and not apply."""
        self.named: set[tuple[int, int]] = set()
        """Table and cookie of every flow-mod since whoever asks has cleared it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer.clear()
        self._say(HELLO, 0, struct.pack("!HHI", 1, 8, 0x10))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        offset = 0
        while len(self._buffer) - offset >= 8:
            _, kind, size, xid = struct.unpack_from("!BBHI", self._buffer, offset)
            if len(self._buffer) - offset < size:
                break
            self._hear(kind, xid, bytes(self._buffer[offset + 8:offset + size]))
            offset += size
        del self._buffer[:offset]

    @property
    def is_connected(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def _say(self, kind: int, xid: int, body: bytes = b"") -> None:
        if self._transport is not None:
            self._transport.write(struct.pack("!BBHI", 4, kind, 8 + len(body), xid) + body)

    def _hear(self, kind: int, xid: int, body: bytes) -> None:
        if kind == ECHO_REQUEST:
            self._say(ECHO_REPLY, xid, body)
        elif kind == FEATURES_REQUEST:
            self._say(FEATURES_REPLY, xid, struct.pack("!QIBBxxII", self._datapath_id, 0, 254, 0, 0x4F, 0))
        elif kind == BARRIER_REQUEST:
            self._say(BARRIER_REPLY, xid)
        elif kind == MULTIPART_REQUEST:
            self._report(xid, body)
        elif kind == METER_MOD:
            self.table.meter_mod(body)
            self._committed(self, 0)
        elif kind == FLOW_MOD:
            self._apply([struct.pack("!BBHI", 4, FLOW_MOD, 8 + len(body), xid) + body])
        elif kind == EXPERIMENTER and struct.unpack_from("!II", body) == (ONF, BUNDLE_ADD):
            self._bundle.append(body[16:])
        elif kind == EXPERIMENTER and struct.unpack_from("!II", body) == (ONF, BUNDLE_CONTROL):
            self._control(xid, body)

    def _control(self, xid: int, body: bytes) -> None:
        bundle, what, flags = struct.unpack_from("!IHH", body, 8)
        if what == COMMIT:
            self._apply(self._bundle)
        if what in (COMMIT, DISCARD):
            self._bundle = []
        self._say(EXPERIMENTER, xid, struct.pack("!IIIHH", ONF, BUNDLE_CONTROL, bundle, what + 1, flags))

    def _apply(self, messages: list[bytes]) -> None:
        """All at once; the controller's own changes come back by the flow monitor, as transaction IDs only."""
        seen = []
        lying, self.lies = self.lies > 0, max(0, self.lies - 1)
        for message in messages:
            self.named.add((message[24], int.from_bytes(message[8:16])))
            error = None if lying else self.table.flow_mod(message[8:])
            (xid,) = struct.unpack_from("!I", message, 4)
            if error is not None:
                self._say(ERROR, xid, error + message[:64])
            else:
                seen.append(struct.pack("!HHI", 8, 3, xid))
        for start in range(0, len(seen), 5000):
            self._parts(0, 0xFFFF, [struct.pack("!II", ONF, MONITOR) + b"".join(seen[start:start + 5000])])
        self.mods += len(messages)
        self._committed(self, len(messages))

    def tell(self, event: int, names: Iterable[tuple[int, int]]) -> None:
        """By the flow monitor, that somebody added (0), deleted (1) or changed (2) these flows."""
        updates = b"".join(struct.pack("!HHHHHHHBxQ", 24, event, 0, 0, 0, 0, 4, table, cookie)
                           for table, cookie in names)
        self._parts(0, 0xFFFF, [struct.pack("!II", ONF, MONITOR) + updates])

    def rename(self, number: int, name: str) -> str:
        """Give a port another name; the one that it had."""
        before, self._interfaces[number - 1] = self._interfaces[number - 1], name
        self._say(PORT_STATUS, 0, struct.pack("!B7x", 2) + self._port(number, name))
        return before

    def _report(self, xid: int, body: bytes) -> None:
        (kind,) = struct.unpack_from("!H", body)
        if kind == DESC:
            self._parts(xid, kind, [bytes(800) + self._description.ljust(256, b"\0")])
        elif kind == FLOWS:
            self._parts(xid, kind, self.table.entries(body[8]))
        elif kind == TABLES:
            self._parts(xid, kind, [b"".join(struct.pack("!B3xIQQ", table, count, 0, 0)
                                             for table, count in self.table.counts().items())])
        elif kind == PORTS:
            self._parts(xid, kind, _joined(self._port(number, name) for number, name in enumerate(self._interfaces, 1)))
        elif kind == PORT_STATS:
            self._parts(xid, kind, _joined(struct.pack("!I4x12QII", number, *(12 * [0]), 1, 0)
                                           for number in range(1, len(self._interfaces) + 1)))
        elif kind == METERS:
            self._parts(xid, kind, _joined(self.table.meters.values()))
        elif kind == METER_STATS:
            self._parts(xid, kind, _joined(struct.pack("!IH6xIQQIIQQ", number, 56, 1, 0, 0, 1, 0, 0, 0)
                                           for number in self.table.meters))
        elif kind == 0xFFFF:
            self._parts(xid, kind, [struct.pack("!II", ONF, MONITOR)])

    def _parts(self, xid: int, kind: int, bodies: Iterable[bytes]) -> None:
        bodies = list(bodies)
        for number, body in enumerate(bodies, 1):
            self._say(MULTIPART_REPLY, xid, struct.pack("!HH4x", kind, int(number < len(bodies))) + body)

    def _port(self, number: int, name: str) -> bytes:
        mac = struct.pack("!HI", 0x0600, (self._datapath_id & 0xFFFF) << 16 | number)
        return struct.pack("!I4x6s2x16s8I", number, mac, name.encode(), *(8 * [0]))


def _joined(entries: Iterable[bytes]) -> Iterable[bytes]:
    """Entries in parts that fit into a message."""
    part = bytearray()
    for entry in entries:
        if len(part) + len(entry) > LARGEST:
            yield bytes(part)
            part.clear()
        part += entry
    yield bytes(part)
