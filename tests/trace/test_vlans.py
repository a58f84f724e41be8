"""Ports on VLANs of one interface: what comes with a tag is another port's, and goes back with it."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from naas_sdn.apps import wire
from tests.support.topologies import ip, mac
from tests.trace.test_answers import Answering
from tests.trace.test_trace import BROADCAST, Cloud, icmp, text_mac

ROUTER_MACS = {1: mac(0xF000 + 16 + 1), 2: mac(0xF000 + 16 + 2)}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    made = Cloud("trunked")
    yield made
    made.stop()


def tagged(packet: str, vlan: int) -> str:
    return f"{packet},dl_vlan={vlan},dl_vlan_pcp=0"


def test_a_tag_says_which_port_it_is(cloud: Cloud) -> None:
    assert cloud.send(11, icmp(11, 12)).delivered == ["tap12"]
    assert cloud.send(21, tagged(icmp(21, 22, 2), 20)).delivered == ["tap22"]
    assert cloud.send(21, tagged(icmp(21, 23, 2), 20)).delivered == ["tap23"]


def test_what_is_for_it_gets_the_tag(cloud: Cloud) -> None:
    assert cloud.send(22, icmp(22, 21, 2)).delivered == ["tap11.20"]
    assert cloud.send(23, icmp(23, 21, 2)).delivered == ["tap11.20"]
    assert cloud.send(12, icmp(12, 11)).delivered == ["tap11"]


def test_a_broadcast_reaches_each_as_it_takes_it(cloud: Cloud) -> None:
    outcome = cloud.send(22, icmp(22, 21, 2, dl_dst=BROADCAST))
    assert sorted(outcome.delivered) == ["tap11.20", "tap23"]


@pytest.mark.parametrize(("packet", "reason"), [
    (tagged(icmp(11, 12), 40), "VLAN_TAGGED"),
    (tagged(icmp(11, 22, 2), 20), "SPOOFED"),
    (tagged(icmp(21, 22, 2, dl_src=text_mac(11)), 20), "SPOOFED"),
    (icmp(21, 22, 2), "SPOOFED"),
    (tagged(icmp(21, 22, 2), 30), "SPOOFED"),
])
def test_a_machine_is_on_each_vlan_what_that_port_is(cloud: Cloud, packet: str, reason: str) -> None:
    outcome = cloud.send(11, packet)
    assert (outcome.delivered, outcome.dropped) == ([], {reason})


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Answering]:
    made = Answering("trunked", tmp_path)
    yield made
    made.cloud.stop()


def arp(source: int, target: int) -> bytes:
    """From a machine of network 2, on VLAN 20."""
    return wire.tagged(b"\xff" * 6 + mac(source).to_bytes(6) + bytes.fromhex("08060001080006040001")
                       + mac(source).to_bytes(6) + ip(2, source).packed + bytes(6) + ip(2, target).packed, 20)


def test_what_is_answered_comes_back_with_the_tag(answering: Answering) -> None:
    [reply] = answering.put(11, [arp(21, 22)])
    assert reply[:18] == (mac(21).to_bytes(6) + mac(22).to_bytes(6) + bytes.fromhex("810000140806"))
    assert reply[24:26] == b"\0\2"


def datagram(source: int, target: int, vlan: int | None) -> bytes:
    """To a machine of the other network, by the router."""
    there, here = target // 10, source // 10
    return wire.tagged(wire.build_udp(
        wire.Station(mac(source), int(ip(here, source))), wire.Station(ROUTER_MACS[here], int(ip(there, target))),
        1000, 2000, bytes(18)), vlan)


def test_ports_of_one_interface_reach_each_other_by_the_router(answering: Answering) -> None:
    """Where a packet goes out by the port that it came in by, which a switch does only when it is told to."""
    first = answering.put(11, [datagram(11, 21, None)])
    assert [frame[:16] for frame in first] == [
        mac(21).to_bytes(6) + ROUTER_MACS[2].to_bytes(6) + bytes.fromhex("81000014")]
    both = answering.put(11, [datagram(21, 11, 20)])
    assert both[1:] and both[1][:14] == mac(11).to_bytes(6) + ROUTER_MACS[1].to_bytes(6) + b"\x08\0"
