"""Provider networks on a physical network: a switch that learns and knows VLANs, with hosts, and two hypervisors at it.

The public network of use case 2 is untagged, shared and isolated; VLAN networks stand beside it on the same cables.
"""
from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.mininet.lab import VM, Lab, eventually

ROUTER, ROUTER_MAC = "203.0.113.1", "02:aa:aa:aa:aa:01"
OPTIONS = {"OS_NETWORK__FLAT_NETWORKS": "public", "OS_NETWORK__NETWORK_VLAN_RANGES": "public:100:109"}
UPLINK = "phys0"


class Physical:
    """What is there before any network: the cables, a router, and the controller that knows of them."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.switch = lab.add_physical_network("wire", UPLINK)
        for hypervisor in lab.hypervisors:
            hypervisor.uplinks = {"public": UPLINK}
            assert hypervisor.prepare()
            assert not hypervisor.prepare()
            lab.controller.command("hypervisor", "uplinks", hypervisor.name, "--physical-network", f"public:{UPLINK}")
        self.router = lab.add_physical_host(self.switch, "router", ROUTER, ROUTER_MAC)
        self.in_100, self.in_101 = (
            lab.add_physical_host(self.switch, f"host{vlan}", f"10.{vlan}.0.2", f"02:aa:aa:aa:{vlan - 100:02}:02", vlan)
            for vlan in (100, 101))


class Public:
    """The provider's shared network, with machines of two customers: alice on hv1, bob on both."""

    def __init__(self, physical: Physical) -> None:
        lab = physical.lab
        self.network = lab.operator.post("networks", {
            "name": "public", "shared": True, "isolated": True, "provider:network_type": "flat",
            "provider:physical_network": "public"})
        self.subnet = lab.operator.post("subnets", {
            "network_id": self.network["id"], "ip_version": 4, "cidr": "203.0.113.0/24", "gateway_ip": ROUTER,
            "allocation_pools": [{"start": "203.0.113.10", "end": "203.0.113.99"}]})
        for tenant in TENANTS:
            lab.tenant(tenant).admit("203.0.113.0/24")
        first, second = lab.hypervisors
        self.alice, self.near, self.far = (
            lab.vm(name, lab.tenant(tenant).post("ports", {"network_id": self.network["id"]}), hypervisor)
            for name, tenant, hypervisor in (("pa", "alice", first), ("pb", "bob", first), ("pc", "bob", second)))
        self.all = (self.alice, self.near, self.far)


class Vlan:
    """A network on a VLAN, with a machine on each hypervisor."""

    def __init__(self, lab: Lab, wanted: int | None, vlan: int) -> None:
        number = {"provider:physical_network": "public", "provider:segmentation_id": wanted} if wanted else {}
        self.network = lab.operator.post("networks", {"provider:network_type": "vlan", **number})
        assert self.network["provider:segmentation_id"] == vlan
        lab.operator.post("subnets", {"network_id": self.network["id"], "ip_version": 4, "cidr": f"10.{vlan}.0.0/24",
                                       "allocation_pools": [{"start": f"10.{vlan}.0.10", "end": f"10.{vlan}.0.99"}]})
        lab.operator.admit(f"10.{vlan}.0.0/24")
        self.first, self.second = (lab.vm_on(f"v{vlan}{number}", self.network, hypervisor)[0]
                                   for number, hypervisor in enumerate(lab.hypervisors))


TENANTS = ("alice", "bob")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(hypervisors=2, tenants=TENANTS, options=OPTIONS) as made:
        try:
            yield made
            assert made.controller.complaints() == []
            assert made.controller.stop() == 0
        except BaseException:
            print(f"--- controller\n{made.controller.tail(60)}")
            raise


@pytest.fixture(scope="module")
def physical(lab: Lab) -> Physical:
    return Physical(lab)


@pytest.fixture(scope="module")
def public(physical: Physical) -> Public:
    return Public(physical)


@pytest.fixture(scope="module")
def vlan(physical: Physical) -> Vlan:
    return Vlan(physical.lab, 100, 100)


@pytest.fixture(scope="module")
def other(physical: Physical, vlan: Vlan) -> Vlan:
    """On the first VLAN that is free."""
    return Vlan(physical.lab, None, 101)


def test_machines_and_the_physical_network_reach_each_other(physical: Physical, public: Public) -> None:
    for machine in public.all:
        assert machine.reaches(ROUTER)
        assert machine.neighbour(ROUTER) == ROUTER_MAC
        assert physical.router.reaches(machine.ip)
        assert physical.router.neighbour(machine.ip) == machine.mac


def test_customers_on_the_public_network_do_not_meet(physical: Physical, public: Public) -> None:
    """By unicast and by broadcast, on one hypervisor and on two, though the switch between them would let them."""
    alice, near, far = public.all
    with near.capture("not ether src " + near.mac) as heard_near, far.capture("not ether src " + far.mac) as heard_far:
        for target in (near, far):
            alice.inside("ip", "neigh", "replace", target.ip, "lladdr", target.mac, "dev", "eth0")
            assert alice.hears_nothing_from(target.ip)
            alice.inside("ip", "neigh", "del", target.ip, "dev", "eth0")
            assert alice.hears_nothing_from(target.ip)
        alice.ping("203.0.113.255", 3, 0.05, "-b")
        assert near.ping(ROUTER, 1).received == far.ping(ROUTER, 1).received == 1
    for heard in (heard_near, heard_far):
        assert heard.matching("ICMP echo reply")
        assert not heard.matching(alice.mac)


def test_a_customer_is_told_the_physical_router_by_dhcp(public: Public) -> None:
    lease = public.far.dhcp("udhcpc")
    assert (lease.ip, lease.options["router"]) == (public.far.ip, ROUTER)
    assert public.far.mtu() == 1500
    assert public.far.reaches(ROUTER)


def test_a_vlan_reaches_over_the_wire_with_its_tag(physical: Physical, vlan: Vlan) -> None:
    with physical.router.capture("") as heard:
        assert vlan.first.reaches(vlan.second.ip)
        assert vlan.first.reaches(physical.in_100.ip)
        assert physical.in_100.reaches(vlan.second.ip)
    assert heard.matching(rf"{vlan.first.mac} > ff:ff:ff:ff:ff:ff.*vlan 100\b.*ARP")
    assert not [line for line in heard.lines if vlan.first.mac in line and not re.search(r"vlan 100\b", line)]


def test_vlans_do_not_mix(physical: Physical, public: Public, vlan: Vlan, other: Vlan) -> None:
    assert other.first.reaches(other.second.ip)
    assert other.first.reaches(physical.in_101.ip)
    watched = (vlan.second, public.far)
    with watched[0].capture("arp or icmp") as one, watched[1].capture("arp or icmp") as two:
        other.first.inside("ip", "addr", "add", "10.100.0.77/24", "dev", "eth0")
        assert other.first.hears_nothing_from(vlan.second.ip)
        other.first.ping("10.101.0.255", 2, 0.05, "-b")
        other.first.inside("ip", "addr", "del", "10.100.0.77/24", "dev", "eth0")
    assert not one.matching(other.first.mac)
    assert not two.matching(other.first.mac)


def test_a_machine_of_the_physical_network_that_moves_is_followed(physical: Physical, public: Public) -> None:
    """Another machine on another socket takes the router's address and MAC over."""
    standby = physical.lab.add_physical_host(physical.switch, "standby", "203.0.113.2", "02:aa:aa:aa:aa:02")
    assert public.far.reaches(ROUTER)
    physical.router.inside("ip", "link", "set", "eth0", "down")
    assert public.far.hears_nothing_from(ROUTER)
    standby.configure(ROUTER_MAC, 1500)
    standby.static(ROUTER, 24)
    assert standby.reaches(public.far.ip)
    assert public.alice.reaches(ROUTER)
    assert public.far.reaches(ROUTER)


def test_an_uplink_that_is_taken_away_carries_nothing_until_it_is_given_back(physical: Physical, vlan: Vlan) -> None:
    command = ("hypervisor", "uplinks", physical.lab.hypervisors[0].name)
    physical.lab.controller.command(*command)
    eventually(lambda: vlan.first.ping(vlan.second.ip, 1).received == 0, "the uplink is not used")
    assert physical.lab.is_active(physical.lab.operator.get("ports", network_id=vlan.network["id"],
                                                            mac_address=vlan.first.mac)[0])
    physical.lab.controller.command(*command, "--physical-network", f"public:{UPLINK}")
    assert vlan.first.reaches(vlan.second.ip)


def test_a_machine_moves_to_another_hypervisor(physical: Physical, vlan: Vlan) -> None:
    lab = physical.lab
    [port] = lab.operator.get("ports", network_id=vlan.network["id"], mac_address=vlan.first.mac)
    address, mac = vlan.first.ip, vlan.first.mac
    assert vlan.second.reaches(address)
    lab.remove_machine(vlan.first)
    lab.operator.act(f"ports/{port['id']}/unplug", {})
    moved: VM = lab.vm("moved", port, lab.hypervisors[1])
    assert (moved.ip, moved.mac) == (address, mac)
    assert vlan.second.reaches(address)
    assert moved.reaches(physical.in_100.ip)
