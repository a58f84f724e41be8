"""Use case 1: a tenant makes a private network, configures ports, and runs machines on two hypervisors."""
from __future__ import annotations

import re

import pytest

from naas_sdn.pipeline.tables import Table
from tests.mininet.lab import VM, Lab, eventually

TENANTS = ("alice", "mallory")
CIDR = "10.0.0.0/24"


def make_network(lab: Lab, tenant: str) -> dict[str, VM]:
    """A network of `tenant` with a machine on each hypervisor; addresses are the same for every tenant."""
    api = lab.tenant(tenant)
    network = api.post("networks", {"name": "private"})
    api.post("subnets", {"network_id": network["id"], "ip_version": 4, "cidr": CIDR})
    machines = {}
    for number, hypervisor in enumerate(lab.hypervisors, 1):
        port = api.post("ports", {"network_id": network["id"], "fixed_ips": [{"ip_address": f"10.0.0.{10 + number}"}]})
        assert port["status"] == "DOWN"
        machines[hypervisor.name] = lab.vm(f"{tenant[0]}{number}", port, hypervisor, by_api=number == 1)
    return machines


@pytest.fixture(scope="module")
def alice(lab: Lab) -> dict[str, VM]:
    return make_network(lab, "alice")


@pytest.fixture(scope="module")
def mallory(lab: Lab) -> dict[str, VM]:
    return make_network(lab, "mallory")


def test_machines_on_two_hypervisors_ping(alice: dict[str, VM]) -> None:
    assert alice["hv1"].reaches(alice["hv2"].ip)
    pings = alice["hv1"].ping(alice["hv2"].ip, 20)
    assert (pings.sent, pings.lost) == (20, 0)


def test_packets_as_large_as_the_mtu_pass(alice: dict[str, VM]) -> None:
    size = alice["hv1"].mtu() - 28
    assert alice["hv1"].ping(alice["hv2"].ip, 3, 0.05, "-M", "do", "-s", str(size)).lost == 0


def test_another_tenant_with_the_same_addresses_hears_nothing(alice: dict[str, VM], mallory: dict[str, VM]) -> None:
    """Neither unicast nor broadcast; that the ears work is shown by his own traffic."""
    assert mallory["hv1"].reaches(mallory["hv2"].ip)
    with mallory["hv1"].capture() as near, mallory["hv2"].capture() as far:
        alice["hv1"].inside("ip", "neigh", "flush", "dev", "eth0")
        assert alice["hv1"].ping(alice["hv2"].ip, 5).lost == 0
        alice["hv1"].ping("10.0.0.255", 3, 0.05, "-b")
        mallory["hv1"].ping(mallory["hv2"].ip, 1)
    for heard in (near, far):
        assert len(heard.matching("ICMP echo request")) == 1
        assert not heard.matching(f"{alice['hv1'].mac}|{alice['hv2'].mac}")


def test_a_port_without_a_machine_is_silent_and_down(lab: Lab, alice: dict[str, VM]) -> None:
    api = lab.tenant("alice")
    [network] = api.get("networks", name="private", project_id="alice")
    port = api.post("ports", {"network_id": network["id"]})
    assert not alice["hv1"].ping(port["fixed_ips"][0]["ip_address"], 3, 0.05).received
    assert api.get(f"ports/{port['id']}")["status"] == "DOWN"
    api.delete(f"ports/{port['id']}")


def test_number_and_vif_are_shown(lab: Lab, alice: dict[str, VM]) -> None:
    ports = lab.tenant("alice").get("ports", device_owner="")
    mine = {port["mac_address"]: port for port in ports}
    vifs = {vif["port_id"]: vif for vif in lab.operator.get("vifs")}
    for name, machine in alice.items():
        port = mine[machine.mac]
        assert port["status"] == "ACTIVE"
        assert vifs[port["id"]]["host"] == name
        assert vifs[port["id"]]["interface"] == machine.interface
    numbers = [port["number"] for port in ports]
    assert len(set(numbers)) == len(numbers)


def test_what_is_too_large_for_the_tunnel_is_dropped_and_counted(lab: Lab, alice: dict[str, VM]) -> None:
    sender, switch = alice["hv1"], lab.hypervisors[0].ovs

    def dropped() -> int:
        flows = switch.ofctl("dump-flows", "br-int", f"table={int(Table.TOO_LARGE)}")
        return sum(map(int, re.findall(r"n_packets=(\d+)", flows)))

    before = dropped()
    # As from a machine that minds no option of DHCP.
    sender.inside("ip", "link", "set", "eth0", "mtu", "1500")
    try:
        assert sender.ping(alice["hv2"].ip, 3, 0.05, "-s", "1422").received == 3
        assert sender.ping(alice["hv2"].ip, 3, 0.05, "-s", "1423").received == 0
    finally:
        sender.inside("ip", "link", "set", "eth0", "mtu", "1450")
    eventually(lambda: dropped() == before + 3, "three drops are counted")


def test_deleting_a_port_ends_its_traffic(lab: Lab, alice: dict[str, VM]) -> None:
    api = lab.tenant("alice")
    [port] = api.get("ports", mac_address=alice["hv2"].mac)
    assert alice["hv1"].reaches(alice["hv2"].ip)
    api.delete(f"ports/{port['id']}")
    eventually(lambda: alice["hv1"].ping(alice["hv2"].ip, 1).received == 0, "the deleted port is out of reach")
    assert alice["hv1"].hears_nothing_from(alice["hv2"].ip)
