"""Frames read and written, with os-ken's packet library as the judge of what is written."""
from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from os_ken.lib.packet import ipv4, packet, udp

from naas_sdn.apps import wire

SOURCE = wire.Station(0x02AABBCCDDEE, 0x0A000001)
TARGET = wire.Station(0x02AABBCCDD01, 0x0A000002)
FRAME = wire.build_udp(SOURCE, TARGET, 1067, 1068, b"odd")

macs = st.integers(0, (1 << 48) - 1)
words = st.integers(0, (1 << 32) - 1)
stations = st.builds(wire.Station, macs, words)
ports = st.integers(0, 0xFFFF)


def with_ip(frame: bytes, offset: int, value: bytes) -> bytes:
    """`frame` with bytes of its IP header replaced and the header's checksum right."""
    header = bytearray(frame[14:])
    header[offset:offset + len(value)] = value
    length = (header[0] & 0xF) * 4
    header[10:12] = bytes(2)
    header[10:12] = wire.checksum(bytes(header[:length])).to_bytes(2)
    return frame[:14] + bytes(header)


@given(stations, stations, ports, ports, st.binary(max_size=600))
def test_written_datagrams_are_read_alike_by_us_and_by_os_ken(source, target, src_port, dst_port, payload):
    frame = wire.build_udp(source, target, src_port, dst_port, payload)
    assert wire.parse_udp(frame) == wire.Udp(target.mac, source.mac, source.ip, target.ip, src_port, dst_port,
                                             payload)
    header, _, rest = ipv4.ipv4.parser(frame[14:])
    assert header.total_length == len(frame) - 14
    assert ipv4.ipv4(**{**vars(header), "csum": 0}).serialize(bytearray(rest), None)[10:12] == frame[24:26]
    ours, _, _ = udp.udp.parser(rest)
    theirs = udp.udp(ours.src_port, ours.dst_port, 0).serialize(bytearray(payload), header)
    # Both forms of zero are right sums; on the wire 0 would mean that there is none (RFC 768).
    assert ours.csum in (struct.unpack("!6xH", theirs)[0], 0xFFFF)
    assert ours.csum


def test_os_ken_sees_the_addresses_that_were_meant():
    parsed = packet.Packet(FRAME)
    assert parsed.get_protocol(udp.udp).dst_port == 1068
    assert parsed.get_protocol(ipv4.ipv4).src == "10.0.0.1"
    assert parsed.get_protocol(ipv4.ipv4).dst == "10.0.0.2"
    assert parsed.protocols[0].src == "02:aa:bb:cc:dd:ee"
    assert parsed.protocols[0].dst == "02:aa:bb:cc:dd:01"


def test_a_sum_of_zero_is_written_as_all_ones():
    zeros = wire.build_udp(SOURCE, TARGET, 1, 2, b"\0\0")
    frame = wire.build_udp(SOURCE, TARGET, 1, 2, zeros[40:42])
    assert frame[40:42] == b"\xff\xff"
    assert wire.parse_udp(frame) is not None


def test_what_follows_the_packet_is_no_part_of_it():
    assert wire.parse_udp(FRAME + bytes(20)) == wire.parse_udp(FRAME)


def test_ip_options_are_skipped():
    options = b"\x94\x04\0\0"
    packet_bytes = FRAME[14:34] + options + FRAME[34:]
    frame = with_ip(FRAME[:14] + packet_bytes, 0, struct.pack("!BBH", 0x46, 0, len(packet_bytes)))
    datagram = wire.parse_udp(frame)
    assert datagram is not None and datagram.payload == b"odd"


@pytest.mark.parametrize("check", ["none", "left to the card"])
def test_datagrams_whose_sum_nobody_wrote_are_read(check):
    length = len(FRAME) - 34
    pseudo = SOURCE.ip + TARGET.ip + wire.UDP + length
    value = 0 if check == "none" else pseudo % 0xFFFF
    frame = FRAME[:40] + value.to_bytes(2) + FRAME[42:]
    assert wire.parse_udp(frame) == wire.parse_udp(FRAME)


@pytest.mark.parametrize(("what", "frame"), [
    ("empty", b""),
    ("cut in the header", FRAME[:33]),
    ("cut in the payload", FRAME[:-1]),
    ("ARP", FRAME[:12] + b"\x08\x06" + FRAME[14:]),
    ("VLAN tag", FRAME[:12] + b"\x81\x00\x00\x05" + FRAME[12:]),
    ("version 6", with_ip(FRAME, 0, b"\x65")),
    ("header of 16 bytes", FRAME[:14] + b"\x44" + FRAME[15:]),
    ("header longer than the packet", with_ip(FRAME + bytes(40), 0, b"\x4f")),
    ("total length shorter than the header", with_ip(FRAME, 2, b"\0\x13")),
    ("total length longer than the frame", with_ip(FRAME, 2, b"\xff\xff")),
    ("header checksum", FRAME[:22] + b"\x01" + FRAME[23:]),
    ("first fragment", with_ip(FRAME, 6, b"\x20\x00")),
    ("last fragment", with_ip(FRAME, 6, b"\x00\x01")),
    ("TCP", with_ip(FRAME, 9, b"\x06")),
    ("UDP length longer than the packet", FRAME[:38] + b"\0\x0c\0\0" + FRAME[42:]),
    ("UDP length shorter than its header", FRAME[:38] + b"\0\x07\0\0" + FRAME[42:]),
    ("UDP checksum", FRAME[:-1] + b"!"),
])
def test_what_no_conforming_sender_makes_is_no_datagram(what, frame):
    assert wire.parse_udp(frame) is None, what


@given(st.binary(max_size=120))
def test_noise_raises_nothing(data):
    wire.parse_udp(data)
    wire.parse_ipv4(FRAME[:14] + data)
    wire.parse_udp(with_ip(FRAME[:34] + data, 2, (20 + len(data)).to_bytes(2)))
