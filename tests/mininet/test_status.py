"""ACTIVE means forwarding: a port's status follows its interface, its hypervisor and its administrator."""
from __future__ import annotations

import pytest

from tests.mininet.lab import VM, ApiRefused, Lab, eventually

TENANTS = ("alice",)


class Pair:
    def __init__(self, lab: Lab) -> None:
        self.api = lab.tenant("alice")
        network = self.api.post("networks", {"name": "pair"})
        self.api.post("subnets", {"network_id": network["id"], "ip_version": 4, "cidr": "10.11.0.0/24"})
        self.ports = [self.api.post("ports", {"network_id": network["id"]}) for _ in lab.hypervisors]
        self.machines: list[VM] = [lab.vm(f"m{number}", port, hypervisor, by_api=False) for number, (port, hypervisor)
                                   in enumerate(zip(self.ports, lab.hypervisors, strict=True))]
        assert self.machines[0].reaches(self.machines[1].ip)

    def talk(self) -> bool:
        return self.machines[0].reaches(self.machines[1].ip)


@pytest.fixture(scope="module")
def pair(lab: Lab) -> Pair:
    return Pair(lab)


def test_the_interface_s_end_is_the_port_s(lab: Lab, pair: Pair) -> None:
    machine, port = pair.machines[1], pair.ports[1]
    assert machine.hypervisor is not None
    machine.hypervisor.detach(machine.interface)
    lab.wait_status(port, "DOWN")
    machine.hypervisor.attach(machine.interface)
    lab.wait_status(port, "ACTIVE")
    assert pair.talk()


def test_an_administrator_s_down(lab: Lab, pair: Pair) -> None:
    first, second = pair.machines
    pair.api.update(f"ports/{pair.ports[1]['id']}", {"admin_state_up": False})
    lab.wait_status(pair.ports[1], "DOWN")
    eventually(lambda: first.ping(second.ip, 1).received == 0, "the port is cut off")
    pair.api.update(f"ports/{pair.ports[1]['id']}", {"admin_state_up": True})
    lab.wait_status(pair.ports[1], "ACTIVE")
    assert pair.talk()


def test_an_unplugged_port_stays_unplugged(lab: Lab, pair: Pair) -> None:
    """Its interface is there with the name that plugged it; the order stands until the API plugs it again."""
    port, machine = pair.ports[1], pair.machines[1]
    lab.operator.act(f"ports/{port['id']}/unplug", {})
    first, second = pair.machines
    eventually(lambda: first.ping(second.ip, 1).received == 0, "the port is cut off")
    lab.controller.kill()
    lab.controller.start()
    eventually(lambda: all(hypervisor.in_touch() for hypervisor in lab.hypervisors), "all hypervisors are back")
    assert first.hears_nothing_from(second.ip)
    assert not lab.is_active(port)
    assert machine.hypervisor is not None
    lab.operator.act(f"ports/{port['id']}/plug", {"host": machine.hypervisor.name, "interface": machine.interface})
    lab.wait_status(port, "ACTIVE")
    assert pair.talk()


def test_a_second_claim_is_refused_and_shown(lab: Lab, pair: Pair) -> None:
    """An interface of the port's name on another hypervisor takes nothing away."""
    port, machine = pair.ports[0], pair.machines[0]
    _, other = lab.hypervisors
    other.ovs.vsctl("add-port", "br-int", machine.interface, "--", "set", "interface", machine.interface,
                    "type=internal")
    vif = eventually(lambda: [vif for vif in lab.operator.get("vifs", port_id=port["id"]) if vif["refusal"]],
                     "the refusal is shown")[0]
    assert other.name in vif["refusal"]
    assert vif["host"] == lab.hypervisors[0].name
    assert pair.talk()
    other.detach(machine.interface)


def test_an_interface_holds_one_port(lab: Lab, pair: Pair) -> None:
    machine = pair.machines[0]
    extra = pair.api.post("ports", {"network_id": pair.ports[0]["network_id"]})
    with pytest.raises(ApiRefused) as refused:
        lab.operator.post("vifs", {"port_id": extra["id"], "host": "hv1", "interface": machine.interface})
    assert refused.value.status == 409
    with pytest.raises(ApiRefused) as refused:
        pair.api.post("vifs", {"port_id": extra["id"], "host": "hv1", "interface": "other"})
    assert refused.value.status == 403
    pair.api.delete(f"ports/{extra['id']}")


def test_a_dead_hypervisor_s_ports_are_down(lab: Lab, pair: Pair) -> None:
    second = lab.hypervisors[1]
    second.ovs.stop_vswitchd()
    lab.wait_status(pair.ports[1], "DOWN")
    assert lab.is_active(pair.ports[0])
    assert [hypervisor["alive"] for hypervisor in lab.operator.get("hypervisors", name=second.name)] == [False]
    second.ovs.start_vswitchd()
    lab.wait_status(pair.ports[1], "ACTIVE")
