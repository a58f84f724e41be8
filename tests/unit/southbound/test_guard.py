"""Whatever a peer sends, the guard and the decoders return or raise Malformed, and what they pass hangs nothing."""
from __future__ import annotations

import random
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from os_ken.ofproto import ofproto_parser, ofproto_v1_3, ofproto_v1_3_parser

from naas_sdn.engine.contract import Dump
from naas_sdn.southbound import codec, guard
from naas_sdn.southbound import constants as of

PATIENCE = 2.0


class Datapath:
    """As much of os-ken's as its parsers look at."""

    ofproto = ofproto_v1_3
    ofproto_parser = ofproto_v1_3_parser


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    def ring(number: int, stack: FrameType | None) -> None:
        raise AssertionError(f"still busy after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("!BBHI", 4, kind, 8 + len(body), 9) + body


PORT = struct.pack("!I4x6s2x16sIIIIIIII", 3, b"\2" * 6, b"tap1", 0, 0, 0, 0, 0, 0, 0, 0)
ENTRY = struct.pack("!HBxIIHHHH4xQQQ", 64, 60, 1, 2, 100, 0, 0, 0, 77, 5, 500) + codec._EMPTY_MATCH + bytes(8)
REAL = {
    "hello": message(of.HELLO, struct.pack("!HHI", 1, 8, 0x10)),
    "features": message(of.FEATURES_REPLY, struct.pack("!QIBBxxII", 1, 0, 254, 0, 0x4F, 0)),
    "ports": message(of.MULTIPART_REPLY, struct.pack("!HH4x", of.MP_PORT_DESC, 0) + PORT * 2),
    "flows": message(of.MULTIPART_REPLY, struct.pack("!HH4x", of.MP_FLOW, 0) + ENTRY * 3),
    "meters": message(of.MULTIPART_REPLY, struct.pack("!HH4x", of.MP_METER_CONFIG, 0)
                      + struct.pack("!HHIHHII4x", 24, 13, 7, 1, 16, 1000, 300)),
    "meter counters": message(of.MULTIPART_REPLY, struct.pack("!HH4x", of.MP_METER, 0)
                              + struct.pack("!IH6xIQQIIQQ", 7, 56, 1, 9, 900, 0, 0, 3, 300) * 2),
    "port counters": message(of.MULTIPART_REPLY, struct.pack("!HH4x", of.MP_PORT_STATS, 0)
                             + struct.pack("!I4x12QII", 3, 0, 0, 0, 0, 5, (1 << 64) - 1, *[0] * 6, 0, 0)),
    "tables": message(of.MULTIPART_REPLY, struct.pack("!HH4x", of.MP_TABLE, 0)
                      + struct.pack("!B3xIQQ", 60, 3, 9, 8) + struct.pack("!B3xIQQ", 61, 0, 9, 8)),
    "updates": message(of.MULTIPART_REPLY, struct.pack("!HH4xII", of.MP_EXPERIMENTER, 0, of.ONF, of.FLOW_MONITOR)
                       + struct.pack("!HHI", 8, 3, 5) + struct.pack("!HHHHHHHBxQ", 24, 0, 0, 5, 0, 0, 4, 60, 77)),
    "packet-in": message(of.PACKET_IN, struct.pack("!IHBBQ", 0xFFFFFFFF, 60, 1, 95, 77)
                         + struct.pack("!HHII", 1, 12, 0x00010204, 7) + bytes(6) + b"\xff" * 60),
    "port-status": message(of.PORT_STATUS, struct.pack("!B7x", 0) + PORT),
    "error": message(of.ERROR, struct.pack("!HH", 5, 1) + bytes(20)),
    "echo": message(of.ECHO_REQUEST, b"who is there"),
}
DECODERS: tuple[Callable[[bytes], Any], ...] = (
    lambda frame: list(codec.flow_stats(frame[16:])), lambda frame: codec.read_flows(frame[16:], Dump()),
    lambda frame: list(codec.table_counts(frame[16:])), lambda frame: list(codec.meter_config(frame[16:])),
    lambda frame: list(codec.foreign_changes(frame[16:])), lambda frame: codec.description(frame[16:]),
    lambda frame: list(codec.meter_drops(frame[16:])), lambda frame: list(codec.port_drops(frame[16:])),
)


def take(frame: bytes) -> None:
    """As Connection does with a frame: check, decode, and hand what os-ken is to read to its parsers."""
    if len(frame) < guard.HEADER:
        return
    try:
        if guard.length(frame[:8]) != len(frame):
            return
        guard.check(frame, admitted=True)
    except guard.Malformed:
        return
    kind = frame[1]
    if kind == of.MULTIPART_REPLY and int.from_bytes(frame[8:10]) != of.MP_PORT_DESC:
        for decode in DECODERS:
            _or_malformed(decode, frame)
    elif kind == of.PACKET_IN:
        _or_malformed(codec.packet_in, frame)
    elif kind == of.ERROR:
        codec.error_text(frame)
    elif kind in (of.HELLO, of.FEATURES_REPLY, of.PORT_STATUS, of.MULTIPART_REPLY, of.ECHO_REQUEST):
        if kind == of.HELLO:
            frame = frame[:2] + (8).to_bytes(2) + frame[4:8]
        assert ofproto_parser.msg(Datapath, 4, frame[1], len(frame), 9, bytearray(frame)) is not None


def _or_malformed(decode: Callable[[bytes], Any], frame: bytes) -> None:
    with suppress(guard.Malformed):
        decode(frame)


@pytest.mark.parametrize("name", REAL)
def test_what_is_right_passes(name: str) -> None:
    frame = REAL[name]
    assert guard.length(frame[:8]) == len(frame)
    guard.check(frame, admitted=name not in ("hello", "features"))
    take(frame)


def test_decoders_read_what_is_there() -> None:
    [count, *rest] = codec.flow_stats(REAL["flows"][16:])
    assert (count.table, count.cookie, count.packets, count.octets) == (60, 77, 5, 500)
    assert len(rest) == 2
    dump = Dump()
    codec.read_flows(REAL["flows"][16:], dump)
    assert (list(dump.flows), dump.doubled) == ([(60, 77)], {(60, 77)})
    assert list(codec.table_counts(REAL["tables"][16:])) == [(60, 3)]
    [meter] = codec.meter_config(REAL["meters"][16:])
    assert (meter.number, meter.rate, meter.burst, meter.packets) == (7, 1000, 300, False)
    assert list(codec.foreign_changes(REAL["updates"][16:])) == [(60, 77)]
    assert list(codec.meter_drops(REAL["meter counters"][16:])) == [(7, 3, 300)] * 2
    assert list(codec.port_drops(REAL["port counters"][16:])) == [(3, 5, 0)]
    punt = codec.packet_in(REAL["packet-in"])
    assert punt.fields == {"reg1": 7}
    assert punt.complete
    assert punt.data == b"\xff" * 60


@settings(max_examples=300, deadline=None, database=None)
@given(st.binary(max_size=200))
@example(b"")
def test_noise(data: bytes) -> None:
    with no_longer_than(PATIENCE):
        take(data)


@settings(max_examples=300, deadline=None, database=None)
@given(st.sampled_from(sorted(of_kind for of_kind in guard.TYPES | guard.HANDSHAKE_TYPES)), st.binary(max_size=200))
def test_noise_behind_a_right_header(kind: int, body: bytes) -> None:
    with no_longer_than(PATIENCE):
        take(message(kind, body))


@pytest.mark.parametrize("name", REAL)
def test_mutations_of_real_frames(name: str) -> None:
    """Bytes flipped, zeroed, removed and doubled, in the lengths above all; the header then says the right length."""
    chance = random.Random(name)
    with no_longer_than(20):
        for _ in range(3000):
            frame = bytearray(REAL[name])
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(8, len(frame)) if len(frame) > 8 else 0
                match chance.randrange(5):
                    case 0:
                        frame[at:at + 1] = bytes((chance.randrange(256),))
                    case 1:
                        frame[at:at + 2] = bytes(2)
                    case 2:
                        del frame[at:at + chance.randint(1, 9)]
                    case 3:
                        frame[at:at] = frame[at:at + chance.randint(1, 16)]
                    case _:
                        frame[at:at + 2] = b"\xff\xff"
            frame[2:4] = len(frame).to_bytes(2)
            take(bytes(frame))
