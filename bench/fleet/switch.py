"""One simulated switch: an OpenFlow 1.3 client that connects, keeps its tables, and tells when it has committed."""
from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Iterable, Mapping

from bench.fleet import openflow as of
from bench.fleet.table import Table

Committed = Callable[["Switch", int], None]


class Switch(asyncio.Protocol):
    """Hypervisor `name` with these interfaces by OpenFlow port; `committed` hears of every bundle and its size."""

    def __init__(self, datapath_id: int, name: str, vtep: str, interfaces: Iterable[str], committed: Committed) -> None:
        self.name = name
        self.table = Table()
        self.mods = 0
        self.interfaces = {interface: number for number, interface in enumerate(interfaces, 1)}
        self.sent: list[tuple[int, str, str]] = []
        """Packet-outs: their in-port, actions and frame."""
        self.away_until = 0.0
        """It does not connect before this moment (time.monotonic)."""
        self.lies = 0
        """Bundles to acknowledge and not apply."""
        self.named: set[tuple[int, int]] = set()
        """Table and cookie of every flow-mod since whoever asks has cleared it."""
        self._datapath_id = datapath_id
        self._description = f"{name};vtep={vtep}".encode()
        self._committed = committed
        self._buffer = bytearray()
        self._bundles: dict[int, list[bytes]] = {}
        self._monitored = False
        self._transport: asyncio.Transport | None = None

    @property
    def is_connected(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    # What happens to it

    def drop(self, seconds: float) -> None:
        """Lose the connection, and stay away for so long."""
        self.away_until = time.monotonic() + seconds
        if self._transport is not None:
            self._transport.abort()

    def add_port(self, interface: str, number: int | None = None) -> int:
        """Its number, the first that is free unless given."""
        number = number or max(self.interfaces.values(), default=0) + 1
        self.interfaces[interface] = number
        self._say(of.PORT_STATUS, 0, struct.pack("!B7x", of.PORT_ADDED) + self._port(interface))
        return number

    def remove_port(self, interface: str) -> None:
        status = struct.pack("!B7x", of.PORT_DELETED) + self._port(interface)
        del self.interfaces[interface]
        self._say(of.PORT_STATUS, 0, status)

    def rename(self, number: int, name: str) -> str:
        """Give a port another name; the one that it had."""
        before = next(interface for interface, port in self.interfaces.items() if port == number)
        self.interfaces = {name if port == number else interface: port for interface, port in self.interfaces.items()}
        self._say(of.PORT_STATUS, 0, struct.pack("!B7x", of.PORT_CHANGED) + self._port(name))
        return before

    def tell(self, event: int, names: Iterable[tuple[int, int]]) -> None:
        """By the flow monitor, that somebody added (0), deleted (1) or changed (2) these flows."""
        updates = b"".join(struct.pack("!HHHHHHHBxQ", 24, event, 0, 0, 0, 0, 4, table, cookie)
                           for table, cookie in names)
        self._parts(0, of.EXPERIMENTAL, [struct.pack("!II", of.ONF, of.MONITOR) + updates])

    def punt(self, registers: Mapping[int, int], metadata: int, frame: bytes) -> None:
        """A packet-in as an action makes one, whole, with these registers by number."""
        match = struct.pack("!II", 0x80000004, 1) + struct.pack("!IQ", 0x80000408, metadata)
        match += b"".join(struct.pack("!II", 0x00010004 | number << 9, value) for number, value in registers.items())
        size = 4 + len(match)
        head = struct.pack("!IHBBQHH", of.NO_BUFFER, len(frame), 1, 0, 0, 1, size)
        self._say(of.PACKET_IN, 0, head + match + bytes(-size % 8 + 2) + frame)

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer.clear()
        self._bundles.clear()
        self._monitored = False
        self._say(of.HELLO, 0, struct.pack("!HHI", 1, 8, 0x10))

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

    def _say(self, kind: int, xid: int, body: bytes = b"") -> None:
        if self.is_connected and self._transport is not None:
            self._transport.write(_message(kind, xid, body))

    def _hear(self, kind: int, xid: int, body: bytes) -> None:
        match kind:
            case of.HELLO | of.SET_CONFIG | of.ECHO_REPLY | of.ERROR:
                pass
            case of.ECHO_REQUEST:
                self._say(of.ECHO_REPLY, xid, body)
            case of.FEATURES_REQUEST:
                self._say(of.FEATURES_REPLY, xid, struct.pack("!QIBBxxII", self._datapath_id, 0, 254, 0, 0x4F, 0))
            case of.BARRIER_REQUEST:
                self._say(of.BARRIER_REPLY, xid)
            case of.ROLE_REQUEST:
                self._say(of.ROLE_REPLY, xid, body)
            case of.MULTIPART_REQUEST:
                self._report(xid, body)
            case of.METER_MOD:
                self._complain(self.table.meter_mod(body), kind, xid, body)
                self._committed(self, 0)
            case of.FLOW_MOD:
                self._apply([_message(kind, xid, body)])
            case of.PACKET_OUT:
                _, port, size = struct.unpack_from("!IIH", body)
                self.sent.append((port, body[16:16 + size].hex(), body[16 + size:].hex()))
            case of.EXPERIMENTER if struct.unpack_from("!II", body) == (of.ONF, of.BUNDLE_ADD):
                self._collect(xid, body)
            case of.EXPERIMENTER if struct.unpack_from("!II", body) == (of.ONF, of.BUNDLE_CONTROL):
                self._control(xid, body)
            case of.EXPERIMENTER if body[:8] == struct.pack("!II", of.NICIRA, of.CT_FLUSH_ZONE):
                pass    # there are no connections
            case _:
                self._complain(of.BAD_TYPE, kind, xid, body)

    def _complain(self, error: bytes | None, kind: int, xid: int, body: bytes) -> None:
        if error is not None:
            self._say(of.ERROR, xid, error + _message(kind, xid, body)[:64])

    def _collect(self, xid: int, body: bytes) -> None:
        """A message for a bundle; what is refused here does not stop the commit of the others."""
        (bundle,) = struct.unpack_from("!I", body, 8)
        message = body[16:]
        error = self.table.flow_mod_error(message[8:]) if message[1] == of.FLOW_MOD else of.BUNDLE_UNSUPPORTED
        # Open vSwitch looks for meters when it commits.
        if error in (None, of.NO_SUCH_METER):
            self._bundles.setdefault(bundle, []).append(message)
        else:
            self._complain(error, message[1], xid, message[8:])

    def _control(self, xid: int, body: bytes) -> None:
        bundle, what, flags = struct.unpack_from("!IHH", body, 8)
        if (what == of.OPEN) == (bundle in self._bundles):
            self._bundles.pop(bundle, None)
            self._complain(of.BUNDLE_BAD_ID, of.EXPERIMENTER, xid, body)
            return
        if what == of.OPEN:
            self._bundles[bundle] = []
        elif what == of.DISCARD:
            del self._bundles[bundle]
        elif what == of.COMMIT and not self._commit(self._bundles.pop(bundle)):
            self._complain(of.BUNDLE_FAILED, of.EXPERIMENTER, xid, body)
            return
        self._say(of.EXPERIMENTER, xid, struct.pack("!IIIHH", of.ONF, of.BUNDLE_CONTROL, bundle, what + 1, flags))

    def _commit(self, messages: list[bytes]) -> bool:
        """All or nothing; the first that is refused is told."""
        for message in messages:
            error = self.table.flow_mod_error(message[8:])
            if error is not None:
                self._complain(error, message[1], int.from_bytes(message[4:8]), message[8:])
                return False
        self._apply(messages)
        return True

    def _apply(self, messages: list[bytes]) -> None:
        """The controller's own changes come back by the flow monitor, as transaction IDs only."""
        seen = []
        lying, self.lies = self.lies > 0, max(0, self.lies - 1)
        for message in messages:
            self.named.add((message[24], int.from_bytes(message[8:16])))
            error = None if lying else self.table.flow_mod(message[8:])
            xid = int.from_bytes(message[4:8])
            self._complain(error, message[1], xid, message[8:])
            if error is None:
                seen.append(struct.pack("!HHI", 8, 3, xid))
        for start in range(0, len(seen) if self._monitored else 0, 5000):
            self._parts(0, of.EXPERIMENTAL, [struct.pack("!II", of.ONF, of.MONITOR)
                                             + b"".join(seen[start:start + 5000])])
        self.mods += len(messages)
        self._committed(self, len(messages))

    def _report(self, xid: int, body: bytes) -> None:
        (kind,) = struct.unpack_from("!H", body)
        if kind == of.DESC:
            self._parts(xid, kind, [bytes(800) + self._description.ljust(256, b"\0")])
        elif kind == of.FLOWS:
            self._parts(xid, kind, self.table.entries(body[8], *struct.unpack_from("!QQ", body, 24)))
        elif kind == of.TABLES:
            self._parts(xid, kind, [b"".join(struct.pack("!B3xIQQ", table, count, 0, 0)
                                             for table, count in self.table.counts().items())])
        elif kind == of.PORTS:
            self._parts(xid, kind, _joined(map(self._port, self.interfaces)))
        elif kind == of.PORT_STATS:
            self._parts(xid, kind, _joined(struct.pack("!I4x12QII", number, *(12 * [0]), 1, 0)
                                           for number in self.interfaces.values()))
        elif kind == of.METERS:
            self._parts(xid, kind, _joined(self.table.meters.values()))
        elif kind == of.METER_STATS:
            self._parts(xid, kind, _joined(struct.pack("!IH6xIQQIIQQ", number, 56, 1, 0, 0, 1, 0, 0, 0)
                                           for number in self.table.meters))
        elif kind == of.EXPERIMENTAL:
            self._monitored = True
            self._parts(xid, kind, [struct.pack("!II", of.ONF, of.MONITOR)])
        else:
            self._complain(of.error(1, 2), of.MULTIPART_REQUEST, xid, body)

    def _parts(self, xid: int, kind: int, bodies: Iterable[bytes]) -> None:
        bodies = list(bodies)
        for number, body in enumerate(bodies, 1):
            self._say(of.MULTIPART_REPLY, xid, struct.pack("!HH4x", kind, int(number < len(bodies))) + body)

    def _port(self, interface: str) -> bytes:
        number = self.interfaces[interface]
        mac = struct.pack("!HI", 0x0600, (self._datapath_id & 0xFFFF) << 16 | number)
        return struct.pack("!I4x6s2x16s8I", number, mac, interface.encode(), *(8 * [0]))


def _message(kind: int, xid: int, body: bytes) -> bytes:
    return struct.pack("!BBHI", 4, kind, 8 + len(body), xid) + body


def _joined(entries: Iterable[bytes]) -> Iterable[bytes]:
    """Entries in parts that fit into a message."""
    part = bytearray()
    for entry in entries:
        if len(part) + len(entry) > of.LARGEST:
            yield bytes(part)
            part.clear()
        part += entry
    yield bytes(part)
