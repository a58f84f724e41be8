"""A network wider than a hypervisor holds whole: pairs are fetched on demand, and no packet is lost for it."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.mininet.lab import VM, Hypervisor, Lab, eventually

OPTIONS = {"OS_OPENFLOW__WIDE_NETWORK": "2", "OS_OPENFLOW__WIDE_IDLE": "3"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Wide is what has more than two plugged ports; idle is what was not used for three seconds."""
    with Lab(hypervisors=2, tenants=("alice",), options=OPTIONS) as made:
        yield made
        assert made.controller.complaints() == []


@pytest.fixture(scope="module")
def crowd(lab: Lab) -> dict[str, VM]:
    """Networks a and b with three machines each, routed; a1 and b1 on hv1, the others on hv2."""
    api = lab.tenant("alice")
    machines, subnets = {}, []
    for number, name in enumerate("ab"):
        network = api.post("networks", {"name": name})
        subnets.append(api.post("subnets", {"network_id": network["id"], "ip_version": 4,
                                            "cidr": f"10.12.{number}.0/24"}))
        for place in (1, 2, 3):
            port = api.post("ports", {"network_id": network["id"]})
            machines[f"{name}{place}"] = lab.vm(f"{name}{place}", port, lab.hypervisors[place > 1])
    api.post("routes", {"source_subnet_id": subnets[0]["id"], "destination_subnet_id": subnets[1]["id"]})
    return machines


def holds(hypervisor: Hypervisor, machine: VM) -> bool:
    """It knows where to send the machine's frames, though that is elsewhere."""
    return any("table=60" in flow and f"dl_dst={machine.mac}" in flow and "priority=100" in flow
               for flow in hypervisor.flows())


def test_the_first_packet_of_a_pair_is_not_lost(lab: Lab, crowd: dict[str, VM]) -> None:
    """By ARP and MAC within a network, by next hop between two."""
    first, second = lab.hypervisors
    eventually(lambda: not holds(first, crowd["a3"]) and not holds(second, crowd["a1"]), "nobody has asked", seconds=20)
    assert crowd["a1"].ping(crowd["a3"].ip, 1, 1).received == 1
    assert holds(first, crowd["a3"])
    assert holds(second, crowd["a1"]), "the answer's way is fetched with it"
    eventually(lambda: not holds(first, crowd["b3"]), "nobody has asked", seconds=20)
    assert crowd["a1"].ping(crowd["b3"].ip, 1, 1).received == 1


def test_a_known_neighbour_is_found_without_arp(lab: Lab, crowd: dict[str, VM]) -> None:
    a1, a2 = crowd["a1"], crowd["a2"]
    a1.inside("ip", "neigh", "replace", a2.ip, "lladdr", a2.mac, "dev", "eth0", "nud", "permanent")
    eventually(lambda: not holds(lab.hypervisors[0], a2), "nobody has asked", seconds=20)
    assert a1.ping(a2.ip, 5, 0.2).lost == 0


def test_what_is_not_used_is_forgotten_and_fetched_again(lab: Lab, crowd: dict[str, VM]) -> None:
    a1, a3 = crowd["a1"], crowd["a3"]
    assert a1.ping(a3.ip, 1, 1).received == 1
    eventually(lambda: not holds(lab.hypervisors[0], a3), "it is forgotten", seconds=20)
    assert a1.ping(a3.ip, 1, 1).received == 1


def test_nobody_is_answered_for_nobody(crowd: dict[str, VM]) -> None:
    assert crowd["a1"].ping("10.12.0.200", 2, 0.1).received == 0
    assert crowd["a1"].neighbour("10.12.0.200") == ""


def test_a_restart_changes_nothing(lab: Lab, crowd: dict[str, VM]) -> None:
    """What was fetched is read back from the switches."""
    a1, a3 = crowd["a1"], crowd["a3"]
    with ExitStack() as stack:
        results = stack.enter_context(a1.pinging(a3.ip, 0.02))
        eventually(lambda: holds(lab.hypervisors[0], a3), "the pair is known")
        messages = [stack.enter_context(hypervisor.openflow_messages()) for hypervisor in lab.hypervisors]
        lab.controller.kill()
        lab.controller.start()
        eventually(lambda: all(heard.is_compared() for heard in messages), "all hypervisors are compared", seconds=30)
        assert holds(lab.hypervisors[0], a3)
    assert results[0].lost == 0
    added = [name for heard in messages for name in heard.changes()]
    assert len(added) < 40, "only what was idle is dropped"
