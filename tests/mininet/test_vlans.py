"""Ports on VLANs of one interface: a VLAN-aware machine with a trunk, and a rack behind a card of a hypervisor.

What tags and untags inside the machine is a switch that knows VLANs, as in one that runs virtual machines of its own.
"""
from __future__ import annotations

from typing import Any

import pytest

from tests.mininet.lab import Lab, eventually

TENANTS = ("alice",)


class Office:
    """Networks one and two, and on each a machine on hv2."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.api = lab.tenant("alice")
        self.networks = [self.api.post("networks", {"name": name}) for name in ("one", "two")]
        for number, network in enumerate(self.networks, 1):
            self.api.post("subnets", {"network_id": network["id"], "ip_version": 4, "cidr": f"10.77.{number}.0/24"})
        self.one, self.two = (lab.vm(f"peer{number}", self.port(number), lab.hypervisors[1]) for number in (0, 1))

    def port(self, network: int) -> dict[str, Any]:
        return self.api.post("ports", {"network_id": self.networks[network]["id"]})

    def wait_status(self, trunk: dict[str, Any], status: str) -> None:
        eventually(lambda: self.api.get(f"trunks/{trunk['id']}")["status"] == status, f"the trunk is {status}")


@pytest.fixture(scope="module")
def office(lab: Lab) -> Office:
    return Office(lab)


def ip_of(port: dict[str, Any]) -> str:
    return str(port["fixed_ips"][0]["ip_address"])


def test_a_vlan_aware_machine_is_on_two_networks_by_one_interface(lab: Lab, office: Office) -> None:
    parent, inner = office.port(0), office.port(1)
    trunk = office.api.post("trunks", {"port_id": parent["id"]})
    inside = lab.add_physical_network("inside", "tap-trunk")
    itself = lab.add_physical_host(inside, "itself", ip_of(parent), parent["mac_address"])
    nested = lab.add_physical_host(inside, "nested", "192.0.2.9", inner["mac_address"], 20)
    lab.hypervisors[0].attach("tap-trunk")
    lab.operator.post("vifs", {"port_id": parent["id"], "host": lab.hypervisors[0].name, "interface": "tap-trunk"})
    office.wait_status(trunk, "ACTIVE")
    office.api.act(f"trunks/{trunk['id']}/add_subports", {"sub_ports": [
        {"port_id": inner["id"], "segmentation_type": "vlan", "segmentation_id": 20}]})
    office.wait_status(trunk, "ACTIVE")
    assert itself.reaches(office.one.ip)
    assert nested.dhcp().ip == ip_of(inner)
    with office.two.capture("arp or icmp") as heard:
        assert nested.reaches(office.two.ip)
    assert heard.matching("echo request") and not heard.matching("vlan")
    assert office.two.reaches(ip_of(inner)) and office.one.reaches(ip_of(parent))
    assert nested.ping(office.two.ip, 20, 0.02).lost == 0
    office.api.act(f"trunks/{trunk['id']}/remove_subports", {"sub_ports": [{"port_id": inner["id"]}]})
    eventually(lambda: office.two.ping(ip_of(inner), 1).received == 0, "the subport is gone")
    assert itself.reaches(office.one.ip), "the parent is as it was"


def test_a_rack_behind_a_card_of_a_hypervisor_is_on_a_network_for_each_vlan(lab: Lab, office: Office) -> None:
    ports = {100: office.port(0), 200: office.port(1)}
    rack, host = lab.add_physical_network("rack", "enp1s0"), lab.hypervisors[1]
    servers = {vlan: lab.add_physical_host(rack, f"server{vlan}", ip_of(port), port["mac_address"], vlan)
               for vlan, port in ports.items()}
    host.attach("enp1s0")
    for vlan, port in ports.items():
        lab.operator.post("vifs", {"port_id": port["id"], "host": host.name, "interface": "enp1s0", "vlan": vlan})
        lab.wait_status(port, "ACTIVE")
    assert servers[100].reaches(office.one.ip) and servers[200].reaches(office.two.ip)
    assert office.one.reaches(ip_of(ports[100])) and office.two.reaches(ip_of(ports[200]))
    stranger = lab.add_physical_host(rack, "stranger", "10.77.1.99", ports[100]["mac_address"], 300)
    assert stranger.hears_nothing_from(office.one.ip), "a VLAN that nobody has plugged"
