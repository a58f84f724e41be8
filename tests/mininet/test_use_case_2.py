"""Use case 2: the provider shares a public network; customers plug in, kept apart where the network says so."""
from __future__ import annotations

import pytest

from tests.mininet.lab import VM, ApiRefused, Lab, eventually

TENANTS = ("alice", "bob")


class Public:
    """A shared network of the provider, with machines of two customers: alice on hv1, bob on both."""

    def __init__(self, lab: Lab, name: str, cidr: str, isolated: bool) -> None:
        operator = lab.operator
        self.network = operator.post("networks", {"name": name, "shared": True, "isolated": isolated})
        self.subnet = operator.post("subnets", {"network_id": self.network["id"], "ip_version": 4, "cidr": cidr})
        for tenant in TENANTS:
            lab.tenant(tenant).admit(cidr)
        first, second = lab.hypervisors
        self.alice, self.bob_near, self.bob_far = (
            self._run(lab, tenant, host, name, number) for number, (tenant, host) in
            enumerate((("alice", first), ("bob", first), ("bob", second))))

    def _run(self, lab: Lab, tenant: str, host: object, name: str, number: int) -> VM:
        api = lab.tenant(tenant)
        [network] = [network for network in api.get("networks", shared=True) if network["name"] == name]
        port = api.post("ports", {"network_id": network["id"]})
        hypervisor = next(hypervisor for hypervisor in lab.hypervisors if hypervisor is host)
        return lab.vm(f"{name[0]}{tenant[0]}{number}", port, hypervisor)


@pytest.fixture(scope="module")
def open_net(lab: Lab) -> Public:
    return Public(lab, "open", "198.51.100.0/25", isolated=False)


@pytest.fixture(scope="module")
def isolated_net(lab: Lab) -> Public:
    return Public(lab, "isolated", "198.51.100.128/25", isolated=True)


def test_customers_meet_on_an_open_network(open_net: Public) -> None:
    assert open_net.alice.reaches(open_net.bob_near.ip)
    assert open_net.alice.reaches(open_net.bob_far.ip)


def test_ports_of_an_isolated_network_do_not_reach_each_other(isolated_net: Public) -> None:
    """Not on one hypervisor, not across two, by unicast or broadcast; the gateway they all reach."""
    alice, near, far = isolated_net.alice, isolated_net.bob_near, isolated_net.bob_far
    gateway = isolated_net.subnet["gateway_ip"]
    for machine in (alice, near, far):
        assert machine.reaches(gateway)
    with near.capture("not ether src " + near.mac) as heard_near, far.capture("not ether src " + far.mac) as heard_far:
        for target in (near, far):
            alice.inside("ip", "neigh", "replace", target.ip, "lladdr", target.mac, "dev", "eth0")
            assert alice.hears_nothing_from(target.ip)
        alice.ping(gateway, 1)
        alice.ping("198.51.100.255", 2, 0.05, "-b")
        near.ping(gateway, 1)
        far.ping(gateway, 1)
    for heard in (heard_near, heard_far):
        assert heard.matching("ICMP echo reply")
        assert not heard.matching(alice.mac)


def test_isolation_can_be_changed(lab: Lab, isolated_net: Public) -> None:
    alice, far = isolated_net.alice, isolated_net.bob_far
    network = f"networks/{isolated_net.network['id']}"
    lab.operator.update(network, {"isolated": False})
    alice.inside("ip", "neigh", "flush", "dev", "eth0")
    assert alice.reaches(far.ip)
    lab.operator.update(network, {"isolated": True})
    eventually(lambda: alice.ping(far.ip, 1).received == 0, "isolated again")
    assert alice.hears_nothing_from(far.ip)


def test_a_plug_that_names_only_the_network_makes_the_port(lab: Lab, open_net: Public) -> None:
    machine, port = lab.vm_on("plain", open_net.network, lab.hypervisors[1])
    assert port["network_id"] == open_net.network["id"]
    assert machine.reaches(open_net.alice.ip)
    assert lab.is_active(port)


def test_a_customer_cannot_change_the_provider_s_network(lab: Lab, open_net: Public) -> None:
    for api in (lab.tenant("alice"), lab.tenant("bob")):
        with pytest.raises(ApiRefused) as refused:
            api.delete(f"networks/{open_net.network['id']}")
        assert refused.value.status in (403, 404)
        with pytest.raises(ApiRefused) as refused:
            api.update(f"networks/{open_net.network['id']}", {"isolated": True})
        assert refused.value.status in (403, 404)
        with pytest.raises(ApiRefused) as refused:
            api.post("networks", {"name": "mine", "shared": True})
        assert refused.value.status == 403
    assert open_net.alice.reaches(open_net.bob_far.ip)
