"""The simulated switches of the benches, held against a real Open vSwitch: the same messages, the same outcome."""
from __future__ import annotations

import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from bench.fleet.process import Fleet
from naas_sdn.pipeline.flow import Flow, Output, SetField, match
from naas_sdn.pipeline.program import Meter
from naas_sdn.pipeline.tables import Table
from naas_sdn.southbound import codec
from naas_sdn.southbound import constants as of
from tests.support.ovs import DummySwitch

LOOSE = struct.Struct("!BBHIQQBBHHHIIIHxx")


@dataclass
class Peer:
    """The controller's end of one connection, bare."""

    socket: socket.socket
    xid: int = 0
    errors: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    """Transaction ID, and type, code and, of an experimenter's, its number."""
    told: list[bytes] = field(default_factory=list)
    """Packet-ins and port status."""
    _parts: list[bytes] = field(default_factory=list)

    def greet(self) -> None:
        self.socket.sendall(struct.pack("!BBHI", of.VERSION, of.HELLO, 8, 0))
        self.until(of.HELLO)
        self.ask(struct.pack("!BBHI", of.VERSION, 5, 8, 0), of.FEATURES_REPLY)

    def say(self, *messages: bytes) -> None:
        for message in messages:
            self.xid += 1
            self.socket.sendall(codec.with_xid(message, self.xid))

    def bundle(self, *messages: bytes, end: int = of.BUNDLE_COMMIT) -> None:
        self.say(codec.bundle_control(1, of.BUNDLE_OPEN))
        for message in messages:
            self.xid += 1
            self.socket.sendall(codec.bundle_add(1, message, self.xid))
        self.say(codec.bundle_control(1, end))

    def ask(self, message: bytes, kind: int = of.MULTIPART_REPLY) -> bytes:
        """The bodies of the answer's parts."""
        self.say(message)
        return self.until(kind)

    def until(self, kind: int) -> bytes:
        """Read up to an answer of this kind."""
        while True:
            head = self._read(8)
            _, got, size, xid = struct.unpack("!BBHI", head)
            body = self._read(size - 8)
            if got == of.ERROR:
                what = struct.unpack_from("!HHI", body)
                self.errors.append((xid, what if what[0] == 0xFFFF else what[:2]))
            elif got in (of.PACKET_IN, of.PORT_STATUS):
                self.told.append(head + body)
            elif got == of.ECHO_REQUEST:
                self.socket.sendall(struct.pack("!BBHI", of.VERSION, of.ECHO_REPLY, size, xid) + body)
            if got == kind and kind == of.MULTIPART_REPLY:
                self._parts.append(body[8:])
                if not body[3] & of.MP_MORE:
                    parts, self._parts = b"".join(self._parts), []
                    return parts
            elif got == kind:
                return body

    def barrier(self) -> None:
        self.ask(codec.barrier(), of.BARRIER_REPLY)

    def flows(self) -> Counter[tuple[int, int]]:
        return Counter((count.table, count.cookie) for count in codec.flow_stats(self.ask(codec.flow_stats_request())))

    def meters(self) -> dict[int, Meter]:
        found = codec.meter_config(self.ask(codec.meter_config_request()))
        return {meter.number: meter for meter in found if meter.number < Meter.SLOWPATH}

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = self.socket.recv(size - len(data))
            assert chunk, "the switch closed the connection"
            data += chunk
        return data


Both = tuple[Peer, Peer, Fleet, DummySwitch]


@pytest.fixture(scope="module")
def pair() -> Iterator[Both]:
    """A connection to a simulated switch and one to a real one."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        fleet = stack.enter_context(Fleet(listeners[0].getsockname()[1], 1, 3))
        ovs = stack.enter_context(DummySwitch(1, "hv1;vtep=10.200.0.1"))
        ovs.set_controller(f"tcp:127.0.0.1:{listeners[1].getsockname()[1]}")
        peers = [stack.enter_context(accepted(listener)) for listener in listeners]
        yield peers[0], peers[1], fleet, ovs


@pytest.fixture
def both(pair: Both) -> Both:
    """They hold nothing."""
    for peer in pair[:2]:
        peer.say(flow_mod(codec.delete_flow(0xFF, 0), of.DELETE), codec.meter_delete(of.METER_ALL))
        peer.barrier()
        peer.errors.clear()
        peer.told.clear()
        peer.xid = 0
    return pair


@contextmanager
def accepted(listener: socket.socket) -> Iterator[Peer]:
    listener.settimeout(10)
    with listener.accept()[0] as connection:
        connection.settimeout(10)
        peer = Peer(connection)
        peer.greet()
        yield peer


def flow(number: int, table: int = Table.L2, *, priority: int = 5, cookie: int | None = None, value: int = 1,
         meter: int | None = None, goto: int = Table.OUTPUT) -> bytes:
    """An add with a cookie that may be chosen."""
    made = codec.add_flow(Flow(Table(table), priority, match(metadata=number), (SetField("reg5", value),),
                               Table(goto), meter=meter))
    return made if cookie is None else made[:8] + cookie.to_bytes(8) + made[16:]


def flow_mod(message: bytes, command: int, cookie: int = 0, mask: int = 0) -> bytes:
    """The same flow-mod with another command."""
    return message[:8] + struct.pack("!QQBB", cookie, mask, message[24], command) + message[26:]


def backwards(message: bytes) -> bytes:
    """A match of two fields in the other order: (metadata, reg5)."""
    fields = [struct.pack("!IQ", 0x80000408, 7), struct.pack("!II", 0x00010A04, 3)]
    size = 4 + sum(map(len, fields))
    body = struct.pack("!HH", 1, size) + b"".join(reversed(fields)) + bytes(-size % 8)
    return message[:2] + struct.pack("!H", LOOSE.size + len(body)) + message[4:LOOSE.size] + body


def forwards() -> bytes:
    return codec.add_flow(Flow(Table.L2, 5, match(metadata=7, reg5=3)))


METER = Meter(4, 100, 10, packets=True)
STORIES: dict[str, Callable[[Peer], None]] = {
    "adds": lambda peer: peer.say(flow(1), flow(2), flow(1, priority=6), flow(1, Table.SERVICES)),
    "an add replaces": lambda peer: peer.say(flow(1, cookie=10), flow(1, cookie=11, value=2)),
    "a match means the same in any order": lambda peer: peer.say(forwards(), backwards(forwards())),
    "two with one cookie": lambda peer: peer.say(flow(1, cookie=10), flow(2, cookie=10)),
    "deletes by cookie": lambda peer: peer.say(
        flow(1, cookie=10), flow(2, cookie=10), flow(3, cookie=11), flow(4, Table.SERVICES, cookie=10),
        codec.delete_flow(Table.L2, 10)),
    "deletes by masked cookie": lambda peer: peer.say(
        flow(1, cookie=0x110), flow(2, cookie=0x120), flow(3, cookie=0x210),
        flow_mod(codec.delete_flow(0xFF, 0), of.DELETE, 0x100, 0xF00)),
    "deletes by match": lambda peer: peer.say(
        flow(1, cookie=10), flow(1, priority=6, cookie=11), flow(2, cookie=12), flow_mod(flow(1), of.DELETE)),
    "deletes strictly": lambda peer: peer.say(
        flow(1, cookie=10), flow(1, priority=6, cookie=11), flow_mod(flow(1), 4),
        flow_mod(flow(1, priority=6), 4, 12, 0xFF)),
    "modifies": lambda peer: peer.say(
        flow(1, cookie=10), flow(2, cookie=11), flow_mod(flow(1, value=9), 1, 99), flow_mod(flow(3), 2, 98)),
    "an unknown command": lambda peer: peer.say(flow(1), flow_mod(flow(2), 9)),
    "an unknown meter": lambda peer: peer.say(flow(1), flow(2, meter=4)),
    "a goto backwards": lambda peer: peer.say(flow(1, goto=Table.SERVICES), flow(2)),
    "a meter's life": lambda peer: peer.say(
        codec.meter_mod(of.METER_ADD, METER), codec.meter_mod(of.METER_ADD, METER), flow(1, meter=4), flow(2),
        codec.meter_mod(of.METER_MODIFY, Meter(4, 7, 7)), codec.meter_mod(of.METER_MODIFY, Meter(8, 7, 7)),
        codec.meter_delete(12)),
    "a meter takes its flows along": lambda peer: peer.say(
        codec.meter_mod(of.METER_ADD, METER), flow(1, meter=4), flow(2), codec.meter_delete(4)),
    "a bundle": lambda peer: peer.bundle(flow(1, cookie=10), flow(2, cookie=11), codec.delete_flow(Table.L2, 10)),
    "a bundle with an unknown meter": lambda peer: peer.bundle(flow(1), flow(2, meter=4)),
    "a bundle with a goto backwards": lambda peer: peer.bundle(flow(1), flow(2, goto=Table.SERVICES)),
    "a bundle with an unknown command": lambda peer: peer.bundle(flow(1), flow_mod(flow(2), 9)),
    "a bundle with what has no place in one": lambda peer: peer.bundle(
        codec.meter_mod(of.METER_ADD, METER), flow(1)),
    "a bundle that is discarded": lambda peer: peer.bundle(flow(1), end=of.BUNDLE_DISCARD),
    "a bundle that was not opened": lambda peer: peer.say(codec.bundle_control(7, of.BUNDLE_COMMIT)),
    "a bundle that was opened twice": lambda peer: peer.say(
        codec.bundle_control(7, of.BUNDLE_OPEN), codec.bundle_control(7, of.BUNDLE_OPEN)),
    "an unknown message": lambda peer: peer.say(struct.pack("!BBHI", of.VERSION, 77, 8, 0), flow(1)),
}


@pytest.mark.parametrize("story", STORIES)
def test_the_same_messages_leave_the_same_state(both: Both, story: str) -> None:
    states = []
    for peer in both[:2]:
        STORIES[story](peer)
        peer.barrier()
        states.append((peer.flows(), peer.meters(), peer.errors))
    assert states[0] == states[1]
    assert any(states[0]) or "discarded" in story, "nothing came of it"


def test_a_large_dump_comes_in_parts(both: Both) -> None:
    for peer in both[:2]:
        peer.bundle(*(flow(number) for number in range(3000)))
        peer.barrier()
    assert both[0].flows() == both[1].flows()


def test_a_packet_in_reads_as_a_real_one(both: Both) -> None:
    simulated, real, fleet, ovs = both
    frame = bytes.fromhex("ffffffffffff020000000001080a") + bytes(46)
    fleet.ask(f"punt hv1 3 7 9 {frame.hex()}")
    ovs.add_port("p1", 1)
    ovs.load(["table=0,in_port=1 actions=set_field:7->reg1,set_field:3->reg6,set_field:9->metadata,controller"])
    ovs.appctl("netdev-dummy/receive", "p1", frame.hex())
    told = []
    for peer in (simulated, real):
        while not any(message[1] == of.PACKET_IN for message in peer.told):
            peer.barrier()
        told.append(codec.packet_in(next(message for message in peer.told if message[1] == of.PACKET_IN)))
    assert told[0] == told[1]
    assert told[0].complete


def test_ports_come_and_go_as_on_a_real_one(both: Both) -> None:
    simulated, real, fleet, ovs = both
    assert fleet.ask("plug hv1 tap1 77") == 77
    assert fleet.ask("unplug hv1 tap1") is True
    ovs.add_port("tap1", 77)
    ovs.vsctl("del-port", "tap1")
    told = []
    for peer in (simulated, real):
        def changes(peer: Peer = peer) -> list[tuple[int, int, bytes]]:
            found = [(message[8], int.from_bytes(message[16:20]), message[32:48].rstrip(b"\0"))
                     for message in peer.told if message[1] == of.PORT_STATUS]
            return [item for item in found if item[0] in (0, 1)]

        while len(changes()) < 2:
            peer.barrier()
        told.append(changes())
    assert told[0] == told[1] == [(0, 77, b"tap1"), (1, 77, b"tap1")]


def test_a_packet_out_is_collected(both: Both) -> None:
    both[0].say(codec.packet_out((Output(3),), b"frame"))
    both[0].barrier()
    [(port, actions, frame)] = both[2].ask("sent hv1")
    assert (port, bytes.fromhex(frame)) == (of.PORT_CONTROLLER, b"frame")
    assert bytes.fromhex(actions)[4:8] == (3).to_bytes(4)
    assert both[2].ask("sent hv1") == []


def test_a_dropped_connection_stays_away_as_long_as_it_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, Fleet(listener.getsockname()[1], 1, 3) as fleet:
        with accepted(listener) as peer:
            peer.say(flow(1, cookie=10))
            peer.barrier()
            started = time.monotonic()
            assert fleet.ask("drop hv1 0.3") is True
            assert fleet.ask("drop hv1 0.3") is False
            assert fleet.ask("connected") == []
        with accepted(listener):
            assert time.monotonic() - started >= 0.3
            assert fleet.ask("flows hv1") == [[Table.L2, 10]], "what it holds outlives the connection"
