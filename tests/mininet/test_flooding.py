"""A machine that floods with what the network answers meets limits of its own; others are served as before."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from naas_sdn.apps import wire
from naas_sdn.apps.dhcp_wire import CLIENT_PORT, SERVER_PORT, Message, Op, Type, build
from tests.mininet.lab import VM, Lab, eventually

TENANTS = ("alice",)

FLOOD = """
import os, socket, sys
card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
card.bind(("eth0", 0))
frame, at, size = bytes.fromhex(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
print("flooding", flush=True)
while True:
    card.send(frame[:at] + os.urandom(size) + frame[at + size:])
"""
"""One frame for ever, each time with other bytes at one place."""

UDP_CHECKSUM, CHADDR = 40, 70
"""Where they are in a frame with a DHCP message."""


class Neighbours:
    """Two machines of one network on one hypervisor."""

    def __init__(self, lab: Lab) -> None:
        self.api = lab.tenant("alice")
        network = self.api.post("networks", {"name": "segment"})
        self.gateway = self.api.post("subnets", {"network_id": network["id"], "ip_version": 4,
                                                 "cidr": "10.9.0.0/24"})["gateway_ip"]
        self.port = self.api.post("ports", {"network_id": network["id"]})
        self.thief = lab.vm("thief", self.port, lab.hypervisors[0])
        self.victim = lab.vm("victim", self.api.post("ports", {"network_id": network["id"]}), lab.hypervisors[0])
        assert self.thief.reaches(self.gateway) and self.victim.reaches(self.gateway)

    def dropped(self, limit: str) -> int:
        """Of the thief's packets."""
        return int(self.api.get(f"ports/{self.port['id']}/statistics")["dropped_packets"][limit])


@pytest.fixture(scope="module")
def neighbours(lab: Lab) -> Neighbours:
    return Neighbours(lab)


@contextmanager
def flooding(machine: VM, frame: bytes, at: int = 0, size: int = 0) -> Iterator[None]:
    process = machine.spawn(sys.executable, "-c", FLOOD, frame.hex(), str(at), str(size))
    assert process.stdout is not None and process.stdout.readline()
    try:
        yield
    finally:
        machine.finish(process)


def station(machine: VM, ip: str) -> wire.Station:
    return wire.Station(int(machine.mac.replace(":", ""), 16), int.from_bytes(map(int, ip.split("."))))


def discover(machine: VM) -> bytes:
    """Without a checksum, so that its contents may change."""
    sender = station(machine, "0.0.0.0")
    frame = wire.build_udp(sender, wire.Station(wire.BROADCAST_MAC, wire.BROADCAST_IP), CLIENT_PORT, SERVER_PORT,
                           build(Message(Op.REQUEST, Type.DISCOVER, 1, sender.mac)))
    return frame[:UDP_CHECKSUM] + b"\0\0" + frame[UDP_CHECKSUM + 2:]


def arp_request(machine: VM, target: str) -> bytes:
    sender = station(machine, machine.ip)
    return (b"\xff" * 6 + sender.mac.to_bytes(6) + bytes.fromhex("08060001080006040001") + sender.mac.to_bytes(6)
            + sender.ip.to_bytes(4) + bytes(6) + station(machine, target).ip.to_bytes(4))


def echo_request(machine: VM, target: str) -> bytes:
    gateway = wire.Station(int(machine.neighbour(target).replace(":", ""), 16), station(machine, target).ip)
    return wire.build_ipv4(station(machine, machine.ip), gateway, wire.ICMP, bytes.fromhex("0800f7fe00000001"))


@pytest.mark.parametrize("client", ["udhcpc", "dhclient"])
def test_starving_dhcp_starves_nobody_else(neighbours: Neighbours, client: str) -> None:
    """DISCOVERs for clients that do not exist, as many as the thief can send."""
    thief, victim = neighbours.thief, neighbours.victim
    address, before = victim.ip, neighbours.dropped("punt_limit")
    with flooding(thief, discover(thief), CHADDR, 6):
        eventually(lambda: neighbours.dropped("punt_limit") > before + 1000, "the thief's punts are cut off")
        seen = neighbours.dropped("punt_limit")
        assert victim.dhcp(client).ip == address
        eventually(lambda: neighbours.dropped("punt_limit") > seen, "the flood went on meanwhile")


@pytest.mark.parametrize("kind", ["arp", "echo"])
def test_flooding_the_switch_s_answers_takes_none_from_others(neighbours: Neighbours, kind: str) -> None:
    thief, victim, gateway = neighbours.thief, neighbours.victim, neighbours.gateway
    frame = arp_request(thief, gateway) if kind == "arp" else echo_request(thief, gateway)
    before = neighbours.dropped("answer_limit")
    with flooding(thief, frame):
        # More than all ports of the switch together may have.
        eventually(lambda: neighbours.dropped("answer_limit") > before + 10_000, "the thief's requests are cut off")
        victim.inside("ip", "neigh", "flush", "dev", "eth0")
        pings = victim.ping(gateway, 50, 0.02)
        assert pings.lost <= 2
        assert victim.dhcp("udhcpc").ip == victim.ip
