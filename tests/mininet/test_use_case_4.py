"""Use case 4: statistics of a network, port or VIF that match what was sent."""
from __future__ import annotations

import pytest

from tests.mininet.lab import VM, Api, Lab, eventually

TENANTS = ("alice", "bob")
PINGS, SIZE = 50, 1000
FRAME = SIZE + 8 + 20 + 14
"""ICMP, IPv4 and Ethernet headers around SIZE bytes."""


class Pair:
    """Two machines of one network, on two hypervisors, that know each other's MAC: no ARP in the counters."""

    def __init__(self, lab: Lab) -> None:
        self.api: Api = lab.tenant("alice")
        self.network = self.api.post("networks", {"name": "counted"})
        self.api.post("subnets", {"network_id": self.network["id"], "ip_version": 4, "cidr": "10.4.0.0/24"})
        self.ports = [self.api.post("ports", {"network_id": self.network["id"]}) for _ in range(2)]
        self.machines: list[VM] = [lab.vm(f"m{number}", port, hypervisor) for number, (port, hypervisor)
                                   in enumerate(zip(self.ports, lab.hypervisors, strict=True))]
        a, b = self.machines
        for one, other in ((a, b), (b, a)):
            one.inside("ip", "neigh", "replace", other.ip, "lladdr", other.mac, "dev", "eth0", "nud", "permanent")
            # A kernel speaks of itself (IPv6 discovery, reports); here every frame is the test's.
            one.inside("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
        assert a.reaches(b.ip)

    def read(self, path: str) -> dict[str, int]:
        statistics = self.api.get(f"{path}/statistics")
        return {name: statistics[name] for name in ("bytes_in", "bytes_out", "packets_in", "packets_out")}

    def settled(self, path: str) -> dict[str, int]:
        """The counters once two readings, more than the reading interval apart, agree."""
        readings = [self.read(path)]

        def still() -> bool:
            readings.append(self.read(path))
            return len(readings) > 4 and len({tuple(reading.items()) for reading in readings[-4:]}) == 1

        eventually(still, f"{path} has settled", pause=0.6)
        return readings[-1]


@pytest.fixture(scope="module")
def pair(lab: Lab) -> Pair:
    return Pair(lab)


def growth(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {name: after[name] - before[name] for name in after}


def test_counters_match_what_was_sent(lab: Lab, pair: Pair) -> None:
    vif = next(vif for vif in lab.operator.get("vifs") if vif["port_id"] == pair.ports[0]["id"])
    paths = [f"ports/{pair.ports[0]['id']}", f"ports/{pair.ports[1]['id']}", f"vifs/{vif['id']}",
             f"networks/{pair.network['id']}"]
    before = {path: pair.settled(path) for path in paths}

    pings = pair.machines[0].ping(pair.machines[1].ip, PINGS, 0.02, "-s", str(SIZE))
    assert pings.lost == 0
    eventually(lambda: growth(pair.read(paths[0]), before[paths[0]])["packets_in"] >= PINGS, "the counters are read")
    after = {path: pair.settled(path) for path in paths}

    one = {"bytes_in": PINGS * FRAME, "bytes_out": PINGS * FRAME, "packets_in": PINGS, "packets_out": PINGS}
    assert growth(after[paths[0]], before[paths[0]]) == one
    assert growth(after[paths[1]], before[paths[1]]) == one
    assert growth(after[paths[2]], before[paths[2]]) == one
    assert growth(after[paths[3]], before[paths[3]]) == {name: 2 * value for name, value in one.items()}


def test_what_the_network_refuses_is_not_counted(pair: Pair) -> None:
    """Frames to a MAC that nobody has are dropped before the counters: one ping after them counts for one."""
    sender, receiver = (f"ports/{port['id']}" for port in pair.ports)
    before = pair.settled(sender), pair.settled(receiver)
    machine = pair.machines[0]
    machine.inside("ip", "neigh", "replace", "10.4.0.200", "lladdr", "fa:16:3e:00:00:99", "dev", "eth0")
    assert machine.ping("10.4.0.200", 10, 0.05).received == 0
    machine.ping(pair.machines[1].ip, 1)
    eventually(lambda: pair.read(sender)["packets_in"] > before[0]["packets_in"], "the counters are read")
    for path, old in ((sender, before[0]), (receiver, before[1])):
        grown = growth(pair.settled(path), old)
        assert (grown["packets_out"], grown["packets_in"]) == (1, 1)


def test_counters_survive_a_restart_of_the_controller(lab: Lab, pair: Pair) -> None:
    path = f"ports/{pair.ports[0]['id']}"
    before = pair.settled(path)
    lab.controller.kill()
    pair.machines[0].ping(pair.machines[1].ip, PINGS, 0.02, "-s", str(SIZE))
    lab.controller.start()
    eventually(lambda: growth(pair.read(path), before)["packets_out"] >= PINGS, "counters are read again")
    assert growth(pair.settled(path), before) == {"bytes_in": PINGS * FRAME, "bytes_out": PINGS * FRAME,
                                                 "packets_in": PINGS, "packets_out": PINGS}


def test_others_read_nothing(lab: Lab, pair: Pair) -> None:
    for path in (f"ports/{pair.ports[0]['id']}", f"networks/{pair.network['id']}"):
        with pytest.raises(Exception, match="404"):
            lab.tenant("bob").get(f"{path}/statistics")
