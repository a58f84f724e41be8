"""A machine that floods with what the network answers meets limits of its own; others are served as before."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

import pytest

from bench.flooding import Flood, probing, starving
from naas_sdn.apps import wire
from tests.mininet.lab import VM, Lab, eventually

TENANTS = ("alice",)


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
def flooding(machine: VM, flood: Flood) -> Iterator[None]:
    process = machine.spawn(sys.executable, "-m", "bench.flooding", "eth0", flood.frame.hex(), str(flood.at),
                            str(flood.size))
    assert process.stdout is not None and process.stdout.readline()
    try:
        yield
    finally:
        machine.finish(process)


def number(mac: str) -> int:
    return int(mac.replace(":", ""), 16)


def pinging(machine: VM, target: str) -> Flood:
    sender = wire.Station(number(machine.mac), int(IPv4Address(machine.ip)))
    gateway = wire.Station(number(machine.neighbour(target)), int(IPv4Address(target)))
    return Flood(wire.build_ipv4(sender, gateway, wire.ICMP, bytes.fromhex("0800f7fe00000001")))


@pytest.mark.parametrize("client", ["udhcpc", "dhclient"])
def test_starving_dhcp_starves_nobody_else(neighbours: Neighbours, client: str) -> None:
    """DISCOVERs for clients that do not exist, as many as the thief can send."""
    thief, victim = neighbours.thief, neighbours.victim
    address, before = victim.ip, neighbours.dropped("punt_limit")
    with flooding(thief, starving(number(thief.mac))):
        eventually(lambda: neighbours.dropped("punt_limit") > before + 1000, "the thief's punts are cut off")
        seen = neighbours.dropped("punt_limit")
        assert victim.dhcp(client).ip == address
        eventually(lambda: neighbours.dropped("punt_limit") > seen, "the flood went on meanwhile")


@pytest.mark.parametrize("kind", ["arp", "echo"])
def test_flooding_the_switch_s_answers_takes_none_from_others(neighbours: Neighbours, kind: str) -> None:
    thief, victim, gateway = neighbours.thief, neighbours.victim, neighbours.gateway
    flood = probing(number(thief.mac), int(IPv4Address(gateway))) if kind == "arp" else pinging(thief, gateway)
    before = neighbours.dropped("answer_limit")
    with flooding(thief, flood):
        # More than all ports of the switch together may have.
        eventually(lambda: neighbours.dropped("answer_limit") > before + 10_000, "the thief's requests are cut off")
        victim.inside("ip", "neigh", "flush", "dev", "eth0")
        pings = victim.ping(gateway, 50, 0.02)
        assert pings.lost <= 2
        assert victim.dhcp("udhcpc").ip == victim.ip
