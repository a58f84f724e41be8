"""Routers' gateways: which way packets leave and come, and, by the real conntrack, with which addresses."""
from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from naas_sdn.apps import wire
from naas_sdn.engine.replica import Replica
from naas_sdn.model.values import Absent, ExternalGateway, Router
from naas_sdn.pipeline.tables import REASON, Reason
from tests.support.topologies import Key, ip, mac
from tests.trace.test_trace import BROADCAST, Cloud, Outcome, arp, icmp, text_mac

WORLD = "198.51.100.9"
TRANSLATING, PLAIN = 0xD000 + 12, 0xD000 + 13
"""MACs of the routers' gateways: the first router's exit is hv1, the other's hv2."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    made = Cloud("gatewayed")
    yield made
    made.stop()


def outcome(found: Outcome) -> tuple[list[str], set[str]]:
    return found.delivered, found.dropped


def out(source: int, net: int, target: str = WORLD, **changes: str) -> str:
    """To the world, by the router of the machine's network."""
    return icmp(source, 1, net, **({"dl_dst": text_mac(0xF000 + 16 * (11 + net) + net), "nw_dst": target} | changes))


def incoming(target: int, to: str, **changes: str) -> str:
    return icmp(254, 1, **({"dl_src": "00:00:00:00:aa:aa", "dl_dst": text_mac(target), "nw_src": WORLD, "nw_dst": to}
                           | changes))


@pytest.mark.parametrize(("source", "net", "host"), [(11, 1, "hv1"), (22, 2, "hv2"), (23, 2, "hv2"), (21, 2, "hv1")])
def test_what_leaves_goes_out_by_an_uplink_once_with_the_tag(cloud: Cloud, source: int, net: int, host: str) -> None:
    """With a floating address, or without translation, from the own uplink if there is one."""
    assert outcome(cloud.send(source, out(source, net))) == (["eth1.109"], set())
    text = cloud.switches[host].appctl("ofproto/trace", "--names", "br-int", f"in_port=tap{source},{out(source, net)}"
                                       ) if source != 23 else ""
    if source == 11:
        assert f"set_field:{text_mac(0xC000 + 11)}->eth_src" in text
        assert "set_field:10.9.0.11->ip_src" in text
    if source == 21:
        assert "set_field:fa:16:3f:00:00:01->eth_src" in text, "not from the exit: by a MAC of its own"


def test_a_floating_address_leads_to_its_machine_from_the_wire_and_from_here(cloud: Cloud) -> None:
    assert outcome(cloud.from_wire("hv1", incoming(0xC000 + 11, "10.9.0.11"), 109)) == (["tap11"], set())
    assert outcome(cloud.from_wire("hv2", incoming(0xC000 + 22, "10.9.0.22"), 109)) == (["tap22"], set())
    assert outcome(cloud.from_wire("hv1", incoming(0xC000 + 13, "10.9.0.13"), 109)) == (["tap13"], set()), "no uplink"
    assert outcome(cloud.send(91, icmp(91, 11, 9, dl_dst=text_mac(0xC000 + 11)))) == (["tap11"], set())
    assert outcome(cloud.send(13, out(13, 1, "10.9.0.11"))) == (["tap11"], set()), "from one to the other"
    assert outcome(cloud.send(11, out(11, 1, "10.9.0.22"))) == (["eth1.109"], set()), "of another hypervisor"


@pytest.mark.parametrize(("host", "target", "address", "reason"), [
    ("hv2", 0xC000 + 11, "10.9.0.11", "UNKNOWN_UNICAST"), ("hv1", 0xC000 + 22, "10.9.0.22", "UNKNOWN_UNICAST"),
    ("hv1", 0xC000 + 11, "10.9.0.99", "UNKNOWN_UNICAST"), ("hv1", TRANSLATING, "10.1.0.11", "NO_CONNECTION"),
    ("hv2", PLAIN, "10.5.0.1", "UNKNOWN_UNICAST"),
])
def test_nothing_else_comes_in(cloud: Cloud, host: str, target: int, address: str, reason: str) -> None:
    assert outcome(cloud.from_wire(host, incoming(target, address), 109)) == ([], {reason})


def test_without_translation_inner_addresses_are_reached_by_the_exit(cloud: Cloud) -> None:
    assert outcome(cloud.from_wire("hv2", incoming(PLAIN, "10.2.0.21"), 109)) == (["tap21"], set())
    assert outcome(cloud.from_wire("hv2", incoming(PLAIN, "10.2.0.23"), 109)) == (["tap23"], set())
    packet = incoming(PLAIN, "10.9.0.213").replace("icmp_type=8", "icmp_type=13")
    assert outcome(cloud.from_wire("hv2", packet, 109)) == ([], {"GATEWAY_NO_SERVICE"})


@pytest.mark.parametrize(("host", "target", "to", "net"), [
    ("hv1", 0xC000 + 11, "10.9.0.11", 1), ("hv2", 0xC000 + 22, "10.9.0.22", 2), ("hv2", PLAIN, "10.2.0.21", 2)])
def test_nobody_outside_has_an_address_of_inside(cloud: Cloud, host: str, target: int, to: str, net: int) -> None:
    assert outcome(cloud.from_wire(host, incoming(target, to, nw_src=f"10.{net}.0.12"), 109)) == ([], {"SPOOFED"})
    assert cloud.from_wire(host, incoming(target, to, nw_src=f"10.{3 - net}.0.12"), 109).dropped == set()


@pytest.mark.parametrize("ttl", ["0", "1"])
def test_what_has_no_hop_left_ends_at_the_edge(cloud: Cloud, ttl: str) -> None:
    for target, address in ((0xC000 + 11, "10.9.0.11"), (TRANSLATING, "10.9.0.212")):
        found = cloud.from_wire("hv1", incoming(target, address, nw_ttl=ttl), 109)
        assert outcome(found) == ([], {"EXPIRED"})


@pytest.mark.parametrize(("host", "address", "answered"), [
    ("hv1", "10.9.0.212", True), ("hv2", "10.9.0.212", False), ("hv2", "10.9.0.213", True), ("hv1", "10.9.0.11", True),
    ("hv2", "10.9.0.11", False), ("hv1", "10.9.0.13", True), ("hv2", "10.9.0.22", True), ("hv1", "10.9.0.22", False),
])
def test_one_hypervisor_answers_for_each_address(cloud: Cloud, host: str, address: str, *, answered: bool) -> None:
    asked = arp(254, address, arp_spa="10.9.0.1", arp_sha="00:00:00:00:aa:aa", dl_src="00:00:00:00:aa:aa")
    assert cloud.from_wire(host, asked, 109).delivered == (
        ["answered"] if answered else ["tap91"] if host == "hv1" else [])


def test_the_gateway_out_there_is_heard_where_it_matters(cloud: Cloud) -> None:
    told = arp(254, "10.9.0.212", arp_op="2", arp_spa="10.9.0.1", arp_sha="00:00:00:00:aa:aa",
               dl_src="00:00:00:00:aa:aa", dl_dst=text_mac(TRANSLATING), arp_tha=text_mac(TRANSLATING))
    assert outcome(cloud.from_wire("hv1", told, 109)) == (["controller:OUTSIDE"], set())
    moved = arp(254, "10.9.0.1", arp_spa="10.9.0.1", dl_src="00:00:00:00:aa:aa", arp_sha="00:00:00:00:aa:aa")
    assert outcome(cloud.from_wire("hv1", moved, 109)) == (["controller:OUTSIDE", "tap91"], set())
    other = arp(254, "10.9.0.9", arp_op="2", arp_spa="10.9.0.9", arp_sha="00:00:00:00:aa:ab", dl_dst=BROADCAST)
    assert outcome(cloud.from_wire("hv1", other, 109)) == (["tap91"], set()), "of no interest"


def tcp(source: wire.Station, target: wire.Station, sport: int, dport: int, flags: int) -> bytes:
    body = struct.pack("!HHIIBBHHH", sport, dport, 1, 1 if flags & 0x10 else 0, 0x50, flags, 1000, 0, 0)
    frame = wire.build_ipv4(source, target, 6, body)
    at = 34 + 16
    return frame[:at] + wire.checksum(frame[26:34] + struct.pack("!BBH", 0, 6, len(body)) + body).to_bytes(2) \
        + frame[at + 2:]


class Wire:
    """hv1 of its own, and what comes out of it."""

    def __init__(self, directory: Path) -> None:
        self.cloud = Cloud("gatewayed")
        self.ovs = self.cloud.switches["hv1"]
        self._directory = directory
        for name in ("eth1", "tap15"):
            self.ovs.vsctl("set", "interface", name, f"options:tx_pcap={directory / name}")

    def receive(self, interface: str, frame: bytes) -> None:
        self.ovs.appctl("netdev-dummy/receive", interface, frame.hex())

    def sent(self, interface: str, count: int = 1) -> list[bytes]:
        """All frames by this interface, once there are so many; pcap-savefile(5)."""
        frames: list[bytes] = []
        deadline = time.monotonic() + 10
        while len(frames) < count and time.monotonic() < deadline:
            data, at, frames = (self._directory / interface).read_bytes(), 24, []
            while at < len(data):
                size = int.from_bytes(data[at + 8:at + 12], "little")
                frames.append(data[at + 16:at + 16 + size])
                at += 16 + size
        return frames

    def dropped(self, reason: Reason) -> int:
        self.ovs.appctl("revalidator/purge")
        flows = self.ovs.ofctl("dump-flows")
        return sum(int(line.split("n_packets=")[1].split(",")[0]) for line in flows.splitlines()
                   if line.endswith(f"set_field:{reason:#x}->{REASON}"))


@pytest.fixture
def hv1(tmp_path: Path) -> Iterator[Wire]:
    made = Wire(tmp_path)
    yield made
    made.cloud.stop()


INNER = wire.Station(mac(15), int(ip(1, 15)))
ROUTER = wire.Station(mac(0xF000 + 16 * 12 + 1), int.from_bytes(bytes(map(int, WORLD.split(".")))))
OUTER = wire.Station(0xAAAA, ROUTER.ip)
ADDRESS = wire.Station(mac(TRANSLATING), int(ip(9, 212)))


def tagged(frame: bytes) -> bytes:
    return frame[:12] + bytes.fromhex("8100006d") + frame[12:]


def test_a_connection_goes_out_with_the_router_s_address_and_its_answers_come_back(hv1: Wire) -> None:
    hv1.receive("tap15", tcp(INNER, ROUTER, 40000, 80, 0x02))
    [sent] = hv1.sent("eth1")
    assert sent[:18] == (0xAAAA).to_bytes(6) + ADDRESS.mac.to_bytes(6) + bytes.fromhex("8100006d0800")[:6]
    assert sent[30:38] == ADDRESS.ip.to_bytes(4) + ROUTER.ip.to_bytes(4)
    port = int.from_bytes(sent[38:40])
    assert port >= 1024
    hv1.receive("eth1", tagged(tcp(OUTER, ADDRESS, 80, port, 0x12)))
    [back] = hv1.sent("tap15")
    assert back[:12] == INNER.mac.to_bytes(6) + ROUTER.mac.to_bytes(6)
    assert (back[26:34], back[34:38]) == (ROUTER.ip.to_bytes(4) + INNER.ip.to_bytes(4), bytes.fromhex("00509c40"))
    assert back[22] == 63
    hv1.receive("eth1", tagged(tcp(OUTER, ADDRESS, 81, port, 0x12)))
    hv1.receive("eth1", tagged(tcp(OUTER, ADDRESS, 80, 22, 0x02)))
    assert hv1.dropped(Reason.NO_CONNECTION) == 2, "an answer to nothing, and a connection from outside"
    assert len(hv1.sent("tap15")) == 1


def test_an_error_about_a_connection_comes_back_with_it(hv1: Wire) -> None:
    hv1.receive("tap15", wire.build_udp(INNER, ROUTER, 5000, 53, b"question"))
    [sent] = hv1.sent("eth1")
    body = bytes((3, 3, 0, 0, 0, 0, 0, 0)) + sent[18:18 + 28]
    body = body[:2] + wire.checksum(body).to_bytes(2) + body[4:]
    hv1.receive("eth1", tagged(wire.build_ipv4(OUTER, ADDRESS, 1, body)))
    [back] = hv1.sent("tap15")
    assert back[34:36] == bytes((3, 3))
    quoted = back[42:]
    assert (quoted[12:16], quoted[20:22]) == (INNER.ip.to_bytes(4), (5000).to_bytes(2))


def test_ports_that_run_out_are_counted_and_no_inner_address_leaves(hv1: Wire) -> None:
    """64512 ports of the router's address with one server: more need another server."""
    flow = next(line for line in hv1.ovs.ofctl("dump-flows", "table=52").splitlines() if "nat(src=10.9.0.212" in line)
    match = flow.split("priority=100,")[1]
    hv1.ovs.ofctl("add-flow", f"table=52,priority=300,{match.replace(':1024-65535', ':2000-2001').replace(' ', ' ')}")
    for port in (40000, 40001, 40002):
        hv1.receive("tap15", tcp(INNER, ROUTER, port, 80, 0x02))
    assert {int.from_bytes(sent[38:40]) for sent in hv1.sent("eth1", 2)} == {2000, 2001}
    assert hv1.dropped(Reason.NAT_EXHAUSTED) == 1


def test_an_exit_that_fails_is_taken_over_and_one_without_nat_translates_nothing() -> None:
    cloud = Cloud("gatewayed")
    try:
        compiler = cloud.compiler
        compiler.apply([(Key("absent", "hv1"), Absent("hv1"))])
        router = compiler.store.fact(Key("router", "router12"))
        assert isinstance(router, Router)
        assert compiler.store.fact(Key("exit", "router12")) is not None
        plain = replace(router, gateway=ExternalGateway("gw12", "net9", 12, snat=False))
        for wanted, text in ((router, "nat(src=10.9.0.212"), (plain, "dec_ttl")):
            compiler.apply([(Key("router", "router12"), wanted)])
            assert not compiler.faults
            flows, _ = Replica(compiler, "hv2").desired()
            [leaving] = [flow for flow in map(str, map(compiler.flow, flows.values()))
                         if flow.startswith(f"table=52,priority=100,eth_type=0x0800,reg5={router.key:#x} ")]
            assert text in leaving
    finally:
        cloud.stop()
