"""What the tables answer, frame by frame, through the datapath of a real Open vSwitch whose clock stands still."""
from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from naas_sdn.apps import wire, wire6
from naas_sdn.pipeline.program import Meter, Police
from tests.support.topologies import ip, ip6, mac
from tests.trace.test_trace import Cloud, gateway_mac

RATE = 250
"""Of tests/support/topologies.py."""

SHARED = 500
"""What all ports together may have in these tests."""


class Answering:
    """The ports of a topology on one hypervisor, and what comes out of them."""

    def __init__(self, topology: str, directory: Path) -> None:
        self.cloud = Cloud(topology)
        self.ovs = self.cloud.switches["hv1"]
        self._directory = directory
        for number in (11, 12):
            self.ovs.vsctl("set", "interface", f"tap{number}", f"options:tx_pcap={directory}/{number}.pcap")
        self.ovs.ofctl("mod-meter", f"meter=slowpath,pktps,burst,stats,band=type=drop,rate={SHARED},"
                                    f"burst_size={SHARED}")
        self.ovs.appctl("time/stop")

    def put(self, number: int, frames: list[bytes]) -> list[bytes]:
        """Frames into port N, and all that have left it since it was made."""
        # Few enough for its queue, and for one command line.
        for at in range(0, len(frames), 50):
            self.ovs.appctl("netdev-dummy/receive", f"tap{number}", *(frame.hex() for frame in frames[at:at + 50]))
            self.ovs.appctl("time/warp", "1")
        return _frames((self._directory / f"{number}.pcap").read_bytes())

    def dropped(self, number: int) -> int:
        stats = self.ovs.ofctl("meter-stats", f"meter={number}")
        found = re.search(r"0: packet_count:(\d+)", stats)
        assert found is not None, stats
        return int(found[1])


def _frames(pcap: bytes) -> list[bytes]:
    found, at = [], 24
    while at < len(pcap):
        (size,) = struct.unpack_from("=8xI4x", pcap, at)
        found.append(pcap[at + 16:at + 16 + size])
        at += 16 + size
    return found


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Answering]:
    made = Answering("one_network", tmp_path)
    yield made
    made.cloud.stop()


def arp(source: int, target: str, operation: int = 1) -> bytes:
    asked = bytes(map(int, target.split(".")))
    return (b"\xff" * 6 + mac(source).to_bytes(6) + bytes.fromhex("08060001080006040001") + mac(source).to_bytes(6)
            + ip(1, source).packed + bytes(6) + asked).ljust(60, b"\0")


def echo(source: int, gateway: int) -> bytes:
    message = struct.pack("!BBHHH", 8, 0, 0, 7, 1) + b"payload!"
    message = message[:2] + wire.checksum(message).to_bytes(2) + message[4:]
    return wire.build_ipv4(wire.Station(mac(source), int(ip(1, source))), wire.Station(gateway, int(ip(1, 1))),
                           wire.ICMP, message)


def gateway(cloud: Cloud) -> int:
    return int(gateway_mac(cloud, 1).replace(":", ""), 16)


def test_an_arp_request_becomes_the_reply(answering: Answering) -> None:
    [reply] = answering.put(11, [arp(11, "10.1.0.13")])
    assert reply[:42] == (mac(11).to_bytes(6) + mac(13).to_bytes(6) + bytes.fromhex("08060001080006040002")
                          + mac(13).to_bytes(6) + ip(1, 13).packed + mac(11).to_bytes(6) + ip(1, 11).packed)


def test_an_echo_request_becomes_the_reply(answering: Answering) -> None:
    asked = gateway(answering.cloud)
    [reply] = answering.put(11, [echo(11, asked)])
    packet = wire.parse_ipv4(reply)
    assert packet is not None
    assert (packet.eth_dst, packet.eth_src, packet.src, packet.dst) == (mac(11), asked, int(ip(1, 1)), int(ip(1, 11)))
    assert packet.payload[:2] == b"\0\0" and packet.payload[4:] == echo(11, asked)[38:]
    assert wire.checksum(packet.payload) == 0


@pytest.mark.parametrize("kind", ["arp", "echo"])
def test_a_flood_ends_at_the_port_s_own_meter(answering: Answering, kind: str) -> None:
    """It takes nothing of what all ports share: another port's requests are all answered."""
    frame = arp(11, "10.1.0.1") if kind == "arp" else echo(11, gateway(answering.cloud))
    flood = 4 * SHARED
    # The clock goes on by a millisecond after fifty of them, which lets some more pass.
    assert RATE <= len(answering.put(11, [frame] * flood)) <= RATE + flood // 50
    assert answering.dropped(Meter.numbered(11, Police.ANSWER)) > SHARED
    assert len(answering.put(12, [arp(12, "10.1.0.1")] * 20)) == 20


@pytest.fixture
def answering6(tmp_path: Path) -> Iterator[Answering]:
    made = Answering("dual_stack", tmp_path)
    yield made
    made.cloud.stop()


@pytest.mark.parametrize(("target", "owner", "flags"), [
    (int(ip6(1, 13)), mac(13), 0x60000000), (int(ip6(1, 1)), mac(0xE011), 0xE0000000)])
def test_a_neighbour_solicitation_becomes_the_advertisement(answering6: Answering, target: int, owner: int,
                                                            flags: int) -> None:
    asker = wire.Station(mac(11), int(ip6(1, 11)))
    group = 0xFF0200000000000000000001FF000000 | target & 0xFFFFFF
    message = bytes((135, 0, 0, 0, 0, 0, 0, 0)) + target.to_bytes(16) + b"\1\1" + mac(11).to_bytes(6)
    asked = wire6.build_icmpv6(asker, wire.Station(0x333300000000 | group & 0xFFFFFFFF, group), message)
    [reply] = answering6.put(11, [asked[:21] + b"\xff" + asked[22:]])
    told = bytes((136, 0, 0, 0)) + flags.to_bytes(4) + target.to_bytes(16) + b"\2\1" + owner.to_bytes(6)
    right = wire6.build_icmpv6(wire.Station(owner, target), asker, told)
    assert reply == right[:21] + b"\xff" + right[22:]


def test_an_echo_request_of_ipv6_becomes_the_reply(answering6: Answering) -> None:
    asker, gateway6 = wire.Station(mac(11), int(ip6(1, 11))), wire.Station(mac(0xE011), int(ip6(1, 1)))
    asked, told = (bytes((kind, 0, 0, 0, 0, 7, 0, 1)) + b"payload!" for kind in (128, 129))
    assert answering6.put(11, [wire6.build_icmpv6(asker, gateway6, asked)]) == [
        wire6.build_icmpv6(gateway6, asker, told)]
