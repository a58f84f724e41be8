"""IPv6 frames, and time exceeded: what it says, and to what it is never said (RFC 4443 section 2.4)."""
from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from os_ken.lib.packet import icmpv6 as oracle
from os_ken.lib.packet import ipv6, packet

from naas_sdn.apps import wire, wire6
from naas_sdn.apps.icmp6 import time_exceeded, too_big

VM = wire.Station(0x02AABBCCDDEE, int(IPv6Address("2001:db8:1::7")))
FAR = wire.Station(0xFA163E0000FE, int(IPv6Address("2001:db8:2::1")))
GATEWAY = int(IPv6Address("2001:db8:1::1"))
UDP = 17


def frame(following: int, payload: bytes, source: int = VM.ip, target: int = FAR.ip) -> bytes:
    return (FAR.mac.to_bytes(6) + VM.mac.to_bytes(6) + b"\x86\xdd" + (6 << 28).to_bytes(4)
            + len(payload).to_bytes(2) + bytes((following, 1)) + source.to_bytes(16) + target.to_bytes(16) + payload)


PROBE = frame(UDP, bytes(range(40)))


def answered(data: bytes) -> bytes | None:
    return time_exceeded(data, wire.Station(FAR.mac, GATEWAY))


def test_the_error_quotes_the_packet_to_its_sender() -> None:
    answer = answered(PROBE)
    assert answer is not None
    parsed = packet.Packet(answer)
    header, error = parsed.get_protocol(ipv6.ipv6), parsed.get_protocol(oracle.icmpv6)
    assert (header.src, header.dst, header.nxt) == ("2001:db8:1::1", "2001:db8:1::7", 58)
    assert (error.type_, error.code) == (3, 0)
    pseudo = answer[22:54] + len(answer[54:]).to_bytes(4) + (58).to_bytes(4)
    assert wire.checksum(pseudo + answer[54:]) == 0
    assert answer[:12] == VM.mac.to_bytes(6) + FAR.mac.to_bytes(6)
    assert answer[62:] == PROBE[14:]


def test_what_is_too_big_is_told_the_size_that_passes() -> None:
    answer = too_big(PROBE, wire.Station(FAR.mac, GATEWAY), 1450)
    assert answer is not None
    assert answer[54:56] == b"\2\0" and answer[58:62] == (1450).to_bytes(4)
    assert wire.checksum(answer[22:54] + len(answer[54:]).to_bytes(4) + (58).to_bytes(4) + answer[54:]) == 0
    assert answer[62:] == PROBE[14:]


def test_it_is_no_longer_than_every_link_takes() -> None:
    answer = answered(frame(UDP, bytes(1400)))
    assert answer is not None
    assert len(answer) == wire.ETHERNET + 1280
    cut = frame(UDP, bytes(1400))[:1300]
    assert answered(cut) == answer
    assert answered(cut[:1200]) is None


@pytest.mark.parametrize("data", [
    frame(58, bytes((1, 0)) + bytes(6)), frame(58, bytes((137, 0)) + bytes(6)), frame(58, b""),
    frame(60, bytes((58, 0)) + bytes(6) + bytes((3, 0)) + bytes(6)),
    frame(44, bytes((58, 0, 0, 0)) + bytes(4) + bytes((3, 0)) + bytes(6)),
    frame(44, bytes((UDP, 0, 0, 8)) + bytes(12)), frame(0, bytes((UDP, 9)) + bytes(6)), frame(60, b"\x11"),
    frame(UDP, bytes(8), source=0), frame(UDP, bytes(8), source=1), frame(UDP, bytes(8), source=0xFF02 << 112),
    frame(UDP, bytes(8), target=0xFF02 << 112 | 1),
    b"\x33" + PROBE[1:], PROBE[:30], PROBE[:-1], PROBE[:12] + b"\x08\x00" + PROBE[14:],
    PROBE[:14] + b"\x40" + PROBE[15:],
])
def test_what_gets_no_error(data: bytes) -> None:
    assert answered(data) is None


def test_a_ping_gets_one() -> None:
    assert answered(frame(58, bytes((128, 0)) + bytes(6))) is not None


def test_what_a_solicitation_asks_for() -> None:
    message = bytes((135, 0)) + bytes(6) + FAR.ip.to_bytes(16)
    assert wire6.solicited(frame(58, message)) == FAR.ip
    assert wire6.solicited(frame(58, bytes((136, 0)) + message[2:])) is None
    assert wire6.solicited(frame(58, message[:-1])) is None
    assert wire6.solicited(frame(UDP, message)) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_not(data: bytes) -> None:
    for whole in (data, PROBE[:14] + data, PROBE[:20] + data, PROBE[:54] + data):
        wire6.parse_ipv6(whole)
        wire6.solicited(whole)
        answered(whole)
