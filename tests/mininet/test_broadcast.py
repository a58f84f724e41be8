"""Broadcast and multicast: one copy for every other machine of the network, wherever it is; none comes back."""
from __future__ import annotations

from functools import partial

import pytest

from tests.mininet.lab import VM, Capture, Lab, eventually

TENANTS = ("alice", "bob")
GROUP = "239.1.2.3"


class Crowd:
    """Two machines of a network on each hypervisor, and one of another network."""

    def __init__(self, lab: Lab) -> None:
        self.machines: list[VM] = []
        api = lab.tenant("alice")
        network = api.post("networks", {"name": "crowd"})
        api.post("subnets", {"network_id": network["id"], "ip_version": 4, "cidr": "10.10.0.0/24"})
        for number, hypervisor in enumerate((*lab.hypervisors, *lab.hypervisors)):
            port = api.post("ports", {"network_id": network["id"]})
            self.machines.append(lab.vm(f"c{number}", port, hypervisor))
        other = lab.tenant("bob").post("networks", {"name": "else"})
        lab.tenant("bob").post("subnets", {"network_id": other["id"], "ip_version": 4, "cidr": "10.10.0.0/24"})
        self.outsider = lab.vm("out", lab.tenant("bob").post("ports", {"network_id": other["id"]}), lab.hypervisors[0])
        for machine in self.machines:
            # The kernel may ignore, not answer: one packet each way is what is counted.
            machine.inside("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_broadcasts=1")
            machine.inside("ip", "route", "add", "224.0.0.0/4", "dev", "eth0")
        for machine in self.machines[1:]:
            assert self.machines[0].reaches(machine.ip)


@pytest.fixture(scope="module")
def crowd(lab: Lab) -> Crowd:
    return Crowd(lab)


def heard_five(capture: Capture, pattern: str) -> bool:
    return len(capture.so_far(pattern)) >= 5


@pytest.mark.parametrize(("target", "options"), [("10.10.0.255", ("-b",)), ("255.255.255.255", ("-b",)), (GROUP, ())])
@pytest.mark.parametrize("sender", [0, 1])
def test_every_other_machine_hears_it_once(crowd: Crowd, sender: int, target: str, options: tuple[str, ...]) -> None:
    source = crowd.machines[sender]
    wanted = f"{source.ip} > {target}: ICMP echo request"
    with (crowd.machines[0].capture("icmp") as a, crowd.machines[1].capture("icmp") as b,
          crowd.machines[2].capture("icmp") as c, crowd.machines[3].capture("icmp") as d,
          crowd.outsider.capture("icmp") as outside):
        source.ping(target, 5, 0.05, *options)
        captures = [a, b, c, d]
        for capture in captures:
            eventually(partial(heard_five, capture, wanted), "five pings are heard")
    # The sender's own capture has what it sent, and nothing that came back.
    assert [len(capture.matching(wanted)) for capture in captures] == [5, 5, 5, 5]
    assert outside.lines == []
