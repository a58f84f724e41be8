"""Use case 7: routes between subnets of one network and of two, pairwise; and routers with interfaces."""
from __future__ import annotations

import pytest

from tests.mininet.lab import VM, ApiRefused, Lab, eventually

TENANTS = ("alice", "bob")


class Routed:
    """Subnets a and b on one network, c on another; a machine on each, a and c on different hypervisors."""

    def __init__(self, lab: Lab) -> None:
        self.api = lab.tenant("alice")
        self.networks = [self.api.post("networks", {"name": name}) for name in ("one", "two")]
        self.subnets = {}
        self.machines: dict[str, VM] = {}
        for number, name in enumerate("abc"):
            network = self.networks[name == "c"]
            self.subnets[name] = self.api.post("subnets", {"network_id": network["id"], "ip_version": 4,
                                                           "cidr": f"10.7.{number}.0/24"})
            port = self.api.post("ports", {"network_id": network["id"],
                                           "fixed_ips": [{"subnet_id": self.subnets[name]["id"]}]})
            self.machines[name] = lab.vm(name, port, lab.hypervisors[number % 2 if name != "c" else 1])

    def route(self, source: str, destination: str) -> dict[str, str]:
        return self.api.post("routes", {"source_subnet_id": self.subnets[source]["id"],
                                        "destination_subnet_id": self.subnets[destination]["id"]})

    def reach(self, source: str, destination: str) -> bool:
        return self.machines[source].reaches(self.machines[destination].ip)

    def apart(self, source: str, destination: str) -> bool:
        return self.machines[source].hears_nothing_from(self.machines[destination].ip)


@pytest.fixture(scope="module")
def routed(lab: Lab) -> Routed:
    return Routed(lab)


def test_subnets_are_apart_until_routed(routed: Routed) -> None:
    assert routed.apart("a", "b")
    assert routed.apart("a", "c")


def test_a_route_connects_two_subnets_and_its_end_parts_them(routed: Routed) -> None:
    made = routed.route("a", "b")
    assert made["id"]
    assert routed.reach("a", "b")
    assert routed.reach("b", "a")
    routed.api.delete(f"routes/{made['id']}")
    eventually(lambda: routed.machines["a"].ping(routed.machines["b"].ip, 1).received == 0, "a and b are apart")
    assert routed.apart("a", "b")


def test_routes_are_pairwise(routed: Routed) -> None:
    made = [routed.route("a", "b"), routed.route("b", "c")]
    assert routed.reach("a", "b")
    assert routed.reach("b", "c")
    assert routed.apart("a", "c")
    assert routed.apart("c", "a")
    for route in made:
        routed.api.delete(f"routes/{route['id']}")


def test_a_route_between_two_networks_shows_the_gateway(routed: Routed) -> None:
    made = routed.route("a", "c")
    assert routed.reach("a", "c")
    target = routed.machines["c"].ip
    assert routed.machines["a"].traceroute(target) == [routed.subnets["a"]["gateway_ip"], target]
    with routed.machines["c"].capture("icmp[icmptype] == icmp-echo") as heard:
        assert routed.machines["a"].ping(target, 1, 1, "-t", "9").received
    assert heard.lines
    routed.api.delete(f"routes/{made['id']}")


def test_an_unplugged_address_is_no_longer_routed_to(lab: Lab, routed: Routed) -> None:
    made = routed.route("a", "c")
    port = routed.api.post("ports", {"network_id": routed.networks[1]["id"]})
    machine = lab.vm("brief", port, lab.hypervisors[0])
    assert routed.machines["a"].reaches(machine.ip)
    lab.operator.act(f"ports/{port['id']}/unplug", {})
    eventually(lambda: routed.machines["a"].ping(machine.ip, 1).received == 0, "unplugged")
    routed.api.delete(f"routes/{made['id']}")
    routed.api.delete(f"ports/{port['id']}")


def test_refusals(lab: Lab, routed: Routed) -> None:
    other = lab.tenant("bob")
    network = other.post("networks", {"name": "bobs"})
    foreign = other.post("subnets", {"network_id": network["id"], "ip_version": 4, "cidr": "10.77.0.0/24"})
    mine = routed.subnets["a"]["id"]
    closed = routed.api.post("networks", {"name": "three"})
    blind = routed.api.post("subnets", {"network_id": closed["id"], "ip_version": 4, "cidr": "10.78.0.0/24",
                                        "gateway_ip": None})
    second = routed.api.post("networks", {"name": "four"})
    overlapping = routed.api.post("subnets", {"network_id": second["id"], "ip_version": 4, "cidr": "10.7.0.128/25"})
    before = routed.api.get("routes")
    for subnet, status, said in ((foreign, 404, "could not be found"), (blind, 400, "no gateway_ip"),
                                 (overlapping, 400, "overlap")):
        with pytest.raises(ApiRefused, match=said) as refused:
            routed.api.post("routes", {"source_subnet_id": mine, "destination_subnet_id": subnet["id"]})
        assert refused.value.status == status
    assert routed.api.get("routes") == before


def test_a_router_connects_all_of_its_interfaces(routed: Routed) -> None:
    router = routed.api.post("routers", {"name": "r"})
    for subnet in routed.subnets.values():
        routed.api.act(f"routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    for source, destination in ("ab", "bc", "ac", "ca"):
        assert routed.reach(source, destination)
    routed.api.act(f"routers/{router['id']}/remove_router_interface", {"subnet_id": routed.subnets["b"]["id"]})
    eventually(lambda: routed.machines["a"].ping(routed.machines["b"].ip, 1).received == 0, "b is apart")
    assert routed.reach("a", "c")
