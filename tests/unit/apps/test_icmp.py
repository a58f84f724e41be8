"""Time exceeded and too big: what they say, and to what it is never said (RFC 1812 section 4.3.2.7)."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from os_ken.lib.packet import icmp as oracle
from os_ken.lib.packet import ipv4, packet

from naas_sdn.apps import wire
from naas_sdn.apps.icmp import time_exceeded, too_big

VM = wire.Station(0x02AABBCCDDEE, 0x0A000007)
FAR = wire.Station(0xFA163E0000FE, 0xC0000201)
GATEWAY = 0x0A000001
PROBE = wire.build_udp(VM, FAR, 40000, 33434, bytes(range(40)))


def answered(frame: bytes) -> bytes | None:
    return time_exceeded(frame, wire.Station(FAR.mac, GATEWAY))


def with_fragment(frame: bytes, value: int) -> bytes:
    head = bytearray(frame[14:34])
    head[6:8] = value.to_bytes(2)
    head[10:12] = bytes(2)
    head[10:12] = wire.checksum(bytes(head)).to_bytes(2)
    return frame[:14] + bytes(head) + frame[34:]


def icmp_of(kind: int) -> bytes:
    return wire.build_ipv4(VM, FAR, wire.ICMP, bytes((kind, 0, 0, 0)) + bytes(8))


def test_the_error_quotes_the_packet_to_its_sender():
    answer = answered(PROBE)
    assert answer is not None
    parsed = packet.Packet(answer)
    header, error = parsed.get_protocol(ipv4.ipv4), parsed.get_protocol(oracle.icmp)
    assert (header.src, header.dst, header.tos) == ("10.0.0.1", "10.0.0.7", 0xC0)
    assert (error.type, error.code) == (11, 0)
    assert wire.checksum(answer[34:]) == 0
    assert answer[:12] == VM.mac.to_bytes(6) + FAR.mac.to_bytes(6)
    assert answer[42:] == PROBE[14:]


def test_what_is_too_big_is_told_the_size_that_passes() -> None:
    answer = too_big(PROBE, wire.Station(FAR.mac, GATEWAY), 1450)
    assert answer is not None
    error = packet.Packet(answer).get_protocol(oracle.icmp)
    assert (error.type, error.code, error.data.mtu) == (3, 4, 1450)
    assert wire.checksum(answer[34:]) == 0
    assert answer[42:] == PROBE[14:]


def test_padding_is_not_quoted():
    assert answered(PROBE + bytes(30)) == answered(PROBE)


@pytest.mark.parametrize("size", [1, 519, 520, 521, 1400])
def test_an_error_is_never_longer_than_576_bytes(size):
    probe = wire.build_udp(VM, FAR, 1, 2, bytes(size))
    answer = answered(probe)
    assert answer is not None
    assert len(answer) - 14 == min(28 + len(probe) - 14, 576)
    assert wire.checksum(answer[34:]) == 0


def test_a_frame_cut_by_the_switch_is_answered_when_the_quote_is_whole():
    probe = wire.build_udp(VM, FAR, 1, 2, bytes(3000))
    assert answered(probe[:14 + 548]) == answered(probe)
    assert answered(probe[:14 + 547]) is None


@pytest.mark.parametrize("kind", [0, 8, 13, 17])
def test_icmp_queries_are_answered(kind):
    assert answered(icmp_of(kind)) is not None


@pytest.mark.parametrize("kind", [3, 4, 5, 11, 12, 1, 99, 255])
def test_icmp_errors_and_unknown_types_are_not(kind):
    assert answered(icmp_of(kind)) is None


def station(mac: int = VM.mac, ip: int = VM.ip) -> wire.Station:
    return wire.Station(mac, ip)


@pytest.mark.parametrize(("what", "frame"), [
    ("later fragment", with_fragment(PROBE, 0x2001)),
    ("last fragment", with_fragment(PROBE, 0x0001)),
    ("from nobody", wire.build_udp(station(ip=0), FAR, 1, 2, b"")),
    ("from this network", wire.build_udp(station(ip=0x00000005), FAR, 1, 2, b"")),
    ("from loopback", wire.build_udp(station(ip=0x7F000001), FAR, 1, 2, b"")),
    ("from multicast", wire.build_udp(station(ip=0xE0000001), FAR, 1, 2, b"")),
    ("from class E", wire.build_udp(station(ip=0xF0000001), FAR, 1, 2, b"")),
    ("from broadcast", wire.build_udp(station(ip=0xFFFFFFFF), FAR, 1, 2, b"")),
    ("to multicast", wire.build_udp(VM, station(FAR.mac, 0xE0000001), 1, 2, b"")),
    ("to broadcast", wire.build_udp(VM, station(FAR.mac, 0xFFFFFFFF), 1, 2, b"")),
    ("to a broadcast frame", wire.build_udp(VM, station(wire.BROADCAST_MAC, FAR.ip), 1, 2, b"")),
    ("to a multicast frame", wire.build_udp(VM, station(0x01005E000001, FAR.ip), 1, 2, b"")),
    ("from a multicast frame", wire.build_udp(station(mac=0x010000000001), FAR, 1, 2, b"")),
    ("ICMP without a type", wire.build_ipv4(VM, FAR, wire.ICMP, b"")),
    ("no IP", b"\0" * 60),
])
def test_never_answered(what, frame):
    assert answered(frame) is None, what


def test_a_first_fragment_is_answered():
    assert answered(with_fragment(PROBE, 0x2000)) is not None


@given(st.binary(max_size=100), st.integers(0, len(PROBE) - 1), st.integers(0, 255))
def test_noise_raises_nothing_and_errors_are_never_answered(data, at, value):
    answered(data)
    answer = answered(PROBE[:at] + bytes((value,)) + PROBE[at + 1:])
    assert answer is None or answered(answer) is None
