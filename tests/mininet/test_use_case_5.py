"""Use case 5: a bit rate that a port may send and receive, measured with iperf3."""
from __future__ import annotations

import pytest

from tests.mininet.lab import VM, Api, Lab, eventually

TENANTS = ("alice",)
LIMIT = 10_000
"""kbit/s, both ways."""


class Limited:
    """Two machines on two hypervisors; the first one's port gets the policy."""

    def __init__(self, lab: Lab) -> None:
        self.api: Api = lab.tenant("alice")
        network = self.api.post("networks", {"name": "limited"})
        self.api.post("subnets", {"network_id": network["id"], "ip_version": 4, "cidr": "10.5.0.0/24"})
        self.port, other = (self.api.post("ports", {"network_id": network["id"]}) for _ in range(2))
        self.policy = lab.operator.post("qos/policies", {"name": "ten", "shared": True})
        for direction in ("egress", "ingress"):
            lab.operator.post(f"qos/policies/{self.policy['id']}/bandwidth_limit_rules",
                              {"max_kbps": LIMIT, "max_burst_kbps": LIMIT // 2, "direction": direction})
        self.machine: VM = lab.vm("limited", self.port, lab.hypervisors[0])
        self.peer: VM = lab.vm("peer", other, lab.hypervisors[1])
        assert self.machine.reaches(self.peer.ip)

    def drops(self) -> dict[str, int]:
        shown: dict[str, int] = self.api.get(f"ports/{self.port['id']}/statistics")["dropped_packets"]
        return shown

    def set_policy(self, policy_id: str | None) -> None:
        self.api.update(f"ports/{self.port['id']}", {"qos_policy_id": policy_id})


@pytest.fixture(scope="module")
def limited(lab: Lab) -> Limited:
    made = Limited(lab)
    assert made.machine.iperf(made.peer, seconds=1) > 3 * LIMIT / 1000
    made.set_policy(made.policy["id"])
    eventually(lambda: made.machine.iperf(made.peer, rate="50M", seconds=2) < 2 * LIMIT / 1000, "the limit is set")
    return made


@pytest.mark.parametrize("reverse", [False, True], ids=["sends", "receives"])
def test_udp_is_cut_to_the_rate(limited: Limited, reverse: bool) -> None:
    measured = limited.machine.iperf(limited.peer, rate="40M", seconds=5, reverse=reverse)
    # The burst (half a second's worth) comes on top once; iperf3 counts payload, the meter frames.
    assert 8 <= measured <= 12
    # Some 30 Mbit/s for 5 s were cut off, in datagrams of less than 1,500 bytes, and the owner can see it.
    name = "rate_limit_in" if reverse else "rate_limit_out"
    eventually(lambda: limited.drops()[name] > 10_000, "the drops are shown")


@pytest.mark.parametrize("reverse", [False, True], ids=["sends", "receives"])
def test_tcp_settles_below_the_rate(limited: Limited, reverse: bool) -> None:
    measured = limited.machine.iperf(limited.peer, seconds=5, reverse=reverse)
    assert 4 <= measured <= 12


def test_a_changed_rule_changes_the_rate(lab: Lab, limited: Limited) -> None:
    path = f"qos/policies/{limited.policy['id']}/bandwidth_limit_rules"
    rule = next(rule for rule in lab.operator.get(path) if rule["direction"] == "egress")
    lab.operator.update(f"{path}/{rule['id']}", {"max_kbps": 2 * LIMIT, "max_burst_kbps": LIMIT})
    eventually(lambda: limited.machine.iperf(limited.peer, rate="40M", seconds=2) > 1.5 * LIMIT / 1000, "doubled")
    assert 16 <= limited.machine.iperf(limited.peer, rate="60M", seconds=5) <= 24


def test_taking_the_policy_away_takes_the_limit_away(limited: Limited) -> None:
    limited.set_policy(None)
    eventually(lambda: limited.machine.iperf(limited.peer, rate="60M", seconds=1) > 4 * LIMIT / 1000, "no limit")
    assert limited.machine.iperf(limited.peer, seconds=2) > 3 * LIMIT / 1000
