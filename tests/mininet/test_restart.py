"""A controller killed under traffic and started again: no packet lost, not one flow-mod sent."""
from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

from tests.mininet.lab import VM, Lab, eventually

TENANTS = ("alice",)


class Cloud:
    """Two subnets with a route between them and a rate limit: flows of every kind, and meters."""

    def __init__(self, lab: Lab) -> None:
        api = lab.tenant("alice")
        policy = lab.operator.post("qos/policies", {"name": "fast", "shared": True})
        lab.operator.post(f"qos/policies/{policy['id']}/bandwidth_limit_rules",
                          {"max_kbps": 1_000_000, "direction": "ingress"})
        self.ports = []
        self.machines: list[VM] = []
        subnets = []
        self.network = api.post("networks", {"name": "kept"})
        for number, hypervisor in enumerate(lab.hypervisors):
            subnet = api.post("subnets", {"network_id": self.network["id"], "ip_version": 4,
                                          "cidr": f"10.8.{number}.0/24"})
            port = api.post("ports", {"network_id": self.network["id"], "fixed_ips": [{"subnet_id": subnet["id"]}],
                                      "qos_policy_id": policy["id"]})
            subnets.append(subnet)
            self.ports.append(port)
            self.machines.append(lab.vm(f"m{number}", port, hypervisor))
        api.post("routes", {"source_subnet_id": subnets[0]["id"], "destination_subnet_id": subnets[1]["id"]})
        assert self.machines[0].reaches(self.machines[1].ip)


@pytest.fixture(scope="module")
def cloud(lab: Lab) -> Cloud:
    return Cloud(lab)


def test_a_kill_and_a_start_change_nothing(lab: Lab, cloud: Cloud) -> None:
    before = {hypervisor.name: set(hypervisor.flows()) for hypervisor in lab.hypervisors}
    one, other = cloud.machines
    with ExitStack() as stack:
        messages = [stack.enter_context(hypervisor.openflow_messages()) for hypervisor in lab.hypervisors]
        results = stack.enter_context(one.pinging(other.ip))
        lab.controller.kill()
        lab.controller.start()
        eventually(lambda: all(heard.is_compared() for heard in messages), "all hypervisors are compared", seconds=30)
        for port in cloud.ports:
            lab.wait_status(port, "ACTIVE")
        stack.pop_all().close()
    assert results[0].sent > 50
    assert results[0].lost == 0
    for hypervisor, heard in zip(lab.hypervisors, messages, strict=True):
        assert heard.changes() == []
        assert set(hypervisor.flows()) == before[hypervisor.name]


def test_a_changed_name_changes_no_flow(lab: Lab, cloud: Cloud) -> None:
    api = lab.tenant("alice")
    port = f"ports/{cloud.ports[0]['id']}"
    with ExitStack() as stack:
        messages = [stack.enter_context(hypervisor.openflow_messages()) for hypervisor in lab.hypervisors]
        api.update(port, {"name": "renamed", "description": "still the same"})
        # Many times what a change takes to arrive.
        time.sleep(1.0)
        assert [heard.changes() for heard in messages] == [[], []]
        api.update(port, {"qos_policy_id": None})
        eventually(lambda: any(heard.changes() for heard in messages), "a change of another kind is heard")


def test_what_changed_while_it_was_away_is_made_good(lab: Lab, cloud: Cloud) -> None:
    """Flows that somebody deleted or added meanwhile; machines that came and went."""
    first = lab.hypervisors[0]
    wanted = set(first.flows())
    lab.controller.kill()
    first.ovs.ofctl("del-flows", "br-int", "table=60")
    first.ovs.ofctl("add-flow", "br-int", "table=60,priority=900,ip,actions=drop")
    assert cloud.machines[0].ping(cloud.machines[1].ip, 1).received == 0
    lab.controller.start()
    assert cloud.machines[0].reaches(cloud.machines[1].ip)
    eventually(lambda: set(first.flows()) == wanted, "the flows are the old ones")


def test_a_switch_that_lost_everything_gets_it_back(lab: Lab, cloud: Cloud) -> None:
    first = lab.hypervisors[0]
    wanted = set(first.flows())
    first.ovs.stop_vswitchd()
    eventually(lambda: not lab.is_active(cloud.ports[0]), "the port of a dead hypervisor is DOWN", seconds=30)
    first.ovs.start_vswitchd()
    lab.wait_status(cloud.ports[0], "ACTIVE")
    eventually(lambda: len(first.flows()) == len(wanted), "all flows are back")
