"""Routers' gateways onto a physical network: floating addresses, source NAT, and a hypervisor that fails.

The physical network is a VLAN, with a router on it, behind which the world begins; the third hypervisor has no uplink.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address

import pytest

from naas_sdn.apps import wire
from tests.mininet.lab import VM, Hypervisor, Lab, eventually

ROUTER, ROUTER_MAC = "203.0.113.1", "02:aa:aa:aa:aa:01"
WORLD = "198.51.100.9"
OPTIONS = {"OS_NETWORK__NETWORK_VLAN_RANGES": "public:100:109", "OS_OPENFLOW__WIDE_NETWORK": "6",
           "OS_OPENFLOW__WIDE_IDLE": "1"}
UPLINK = "phys0"
REFUSED = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect(('{}', 9))
s.send(b'x')
try:
    s.recv(1)
except ConnectionRefusedError:
    print('refused')
"""
WIDE = 6
"""Ports above which a network is wide here."""


class Place:
    """alice's network behind her router, with a machine on each hypervisor."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.switch = lab.add_physical_network("wire", UPLINK)
        for hypervisor in lab.hypervisors[:2]:
            hypervisor.uplinks = {"public": UPLINK}
            assert hypervisor.prepare()
            lab.controller.command("hypervisor", "uplinks", hypervisor.name, "--physical-network", f"public:{UPLINK}")
        self.router = lab.add_physical_host(self.switch, "router", ROUTER, ROUTER_MAC, 109)
        self.router.inside("ip", "addr", "add", f"{WORLD}/32", "dev", "lo")
        self.router.inside("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.api = lab.tenant("alice")
        self.outside = lab.operator.post("networks", {
            "provider:network_type": "vlan", "provider:physical_network": "public", "provider:segmentation_id": 109,
            "router:external": True})
        lab.operator.post("subnets", {
            "network_id": self.outside["id"], "ip_version": 4, "cidr": "203.0.113.0/24", "gateway_ip": ROUTER,
            "enable_dhcp": False, "allocation_pools": [{"start": "203.0.113.10", "end": "203.0.113.99"}]})
        self.inside = self.api.post("networks", {})
        subnet = self.api.post("subnets", {"network_id": self.inside["id"], "ip_version": 4, "cidr": "10.7.0.0/24"})
        self.gateway = self.api.post("routers", {"external_gateway_info": {"network_id": self.outside["id"]}})
        self.api.act(f"routers/{self.gateway['id']}/add_router_interface", {"subnet_id": subnet["id"]})
        for cidr in ("203.0.113.0/24", f"{WORLD}/32"):
            self.api.admit(cidr)
        self.ports = [self.api.post("ports", {"network_id": self.inside["id"]}) for _ in lab.hypervisors]
        self.machines = [lab.vm(f"vm{number}", port, hypervisor) for number, (port, hypervisor) in enumerate(
            zip(self.ports, lab.hypervisors, strict=True))]

    @property
    def address(self) -> str:
        """Of alice's router, outside."""
        found: str = self.gateway["external_gateway_info"]["external_fixed_ips"][0]["ip_address"]
        return found

    def floating(self, number: int) -> dict[str, str]:
        """For the machine of that hypervisor, once it is ACTIVE."""
        made = self.api.post("floatingips", {"floating_network_id": self.outside["id"],
                                             "port_id": self.ports[number]["id"]})
        eventually(lambda: self.api.get(f"floatingips/{made['id']}")["status"] == "ACTIVE", "the address is ACTIVE")
        return made

    def seen(self, machine: VM) -> str:
        """The address that a machine has for the world."""
        with self.router.capture(f"icmp[icmptype] == icmp-echo and dst {WORLD}") as heard:
            assert machine.reaches(WORLD)
        return heard.lines[-1].split(" > ")[-2].split()[-1]

    def exit(self) -> Hypervisor:
        """That has the gateway: the one that the switch of the physical network hears its MAC from."""
        [port] = self.lab.operator.get("ports", device_id=self.gateway["id"], device_owner="network:router_gateway")
        [line] = [line for line in self.switch.ovs.appctl("fdb/show", "switch").splitlines()
                  if port["mac_address"] in line]
        interface = self.switch.ovs.vsctl("--bare", "--columns=name", "find", "interface",
                                          f"ofport={line.split()[0]}").strip()
        return next(hypervisor for hypervisor in self.lab.hypervisors if interface.endswith(hypervisor.name))


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with Lab(hypervisors=3, tenants=("alice",), options=OPTIONS) as lab:
        try:
            yield Place(lab)
            assert lab.controller.complaints() == []
            assert lab.controller.stop() == 0
        except BaseException:
            print(f"--- controller\n{lab.controller.tail(60)}")
            raise


def test_machines_leave_by_the_router_s_address_and_nobody_comes_in_by_it(place: Place) -> None:
    for machine in place.machines:
        assert machine.reaches(WORLD)
        assert place.seen(machine) == place.address
        assert machine.reaches(ROUTER)
    assert place.router.reaches(place.address), "it answers itself"
    place.router.inside("ip", "route", "add", "10.7.0.0/24", "via", place.address)
    assert place.router.hears_nothing_from(place.machines[0].ip)
    place.router.inside("ip", "route", "del", "10.7.0.0/24")


def test_streams_and_errors_pass_source_nat(place: Place) -> None:
    assert place.machines[2].iperf(place.router, seconds=1) > 1
    # A port that is closed tells so by ICMP, which must find its way back.
    assert place.machines[2].inside("python3", "-c", REFUSED.format(WORLD)).strip() == "refused"


def test_floating_addresses_are_reached_from_outside_and_from_each_other(place: Place) -> None:
    made = [place.floating(number) for number in range(3)]
    for machine, floating in zip(place.machines, made, strict=True):
        assert place.router.reaches(floating["floating_ip_address"])
        assert place.seen(machine) == floating["floating_ip_address"]
    for source in place.machines:
        for floating in made:
            assert source.reaches(floating["floating_ip_address"]), "among each other"
    for floating in made:
        place.api.delete(f"floatingips/{floating['id']}")
    eventually(lambda: place.router.ping(made[0]["floating_ip_address"], 1).received == 0, "it is gone")
    assert place.seen(place.machines[0]) == place.address


def test_a_floating_address_moves_with_its_machine(place: Place) -> None:
    floating, lab = place.floating(0), place.lab
    address = floating["floating_ip_address"]
    assert place.router.reaches(address)
    assert place.machines[0].iperf(place.router, seconds=1) > 1
    # Errors are about what the other end has sent, either way.
    assert place.machines[0].inside("python3", "-c", REFUSED.format(WORLD)).strip() == "refused"
    assert place.router.inside("python3", "-c", REFUSED.format(address)).strip() == "refused"
    lab.remove_machine(place.machines[0])
    lab.operator.act(f"ports/{place.ports[0]['id']}/unplug", {})
    place.machines[0] = lab.vm("moved", place.ports[0], lab.hypervisors[1])
    assert place.router.reaches(address)
    assert place.seen(place.machines[0]) == address
    place.api.delete(f"floatingips/{floating['id']}")


def test_a_restarted_controller_disturbs_nothing(place: Place) -> None:
    """It knows who answered out there, and forgets no connection."""
    lab = place.lab
    with ExitStack() as stack:
        messages = [stack.enter_context(hypervisor.openflow_messages()) for hypervisor in lab.hypervisors]
        with place.machines[2].pinging(WORLD) as pings:
            lab.controller.kill()
            lab.controller.start()
            eventually(lambda: all(heard.is_compared() for heard in messages), "all switches compared")
        assert [heard.changes() for heard in messages] == [[], [], []]
    assert pings[0].lost == 0


def test_machines_of_a_wide_network_are_found_by_what_comes_in(place: Place) -> None:
    """The exit does not hold all of their ports then: the first packet of each fetches it."""
    for number in range(WIDE):
        port = place.api.post("ports", {"network_id": place.inside["id"]})
        place.lab.operator.post("vifs", {"port_id": port["id"], "host": place.lab.hypervisors[0].name,
                                         "interface": f"none{number}"})
    floating, last = place.floating(2), place.machines[2]
    eventually(lambda: not any(flow.find("table=60,") >= 0 and last.mac in flow for flow in place.exit().flows()),
               "what is idle is not held any more")
    assert place.router.reaches(floating["floating_ip_address"])
    place.api.delete(f"floatingips/{floating['id']}")
    for machine in place.machines:
        assert place.seen(machine) == place.address


def test_without_translation_the_inner_addresses_are_seen(place: Place) -> None:
    place.lab.operator.update(f"routers/{place.gateway['id']}", {"external_gateway_info": {
        "network_id": place.outside["id"], "enable_snat": False}})
    place.router.inside("ip", "route", "add", "10.7.0.0/24", "via", place.address)
    for machine in place.machines:
        assert place.router.reaches(machine.ip)
        assert place.seen(machine) == machine.ip
    place.router.inside("ip", "route", "del", "10.7.0.0/24")
    place.lab.operator.update(f"routers/{place.gateway['id']}", {"external_gateway_info": {
        "network_id": place.outside["id"], "enable_snat": True}})
    eventually(lambda: place.seen(place.machines[0]) == place.address, "translated again")


def test_a_gateway_that_moves_out_there_is_followed(place: Place) -> None:
    assert place.machines[2].reaches(WORLD)
    place.router.configure("02:aa:aa:aa:aa:77", 1500)
    place.router.static(ROUTER, 24)
    station = wire.Station(0x02AAAAAAAA77, int(IPv4Address(ROUTER)))

    def told() -> bool:
        place.router.send([wire.arp_request(station, station.ip)])
        return place.machines[2].ping(WORLD, 1).received == 1

    eventually(told, "its new MAC is used")


def test_another_hypervisor_takes_over_when_one_loses_its_uplink_and_gives_it_back(place: Place) -> None:
    first = place.exit()
    first.ovs.vsctl("del-port", "br-int", UPLINK)
    assert place.machines[2].reaches(WORLD)
    eventually(lambda: place.exit() is not first, "the gateway is elsewhere")
    assert first.prepare()
    eventually(lambda: place.exit() is first, "and back")
    assert place.machines[2].reaches(WORLD)


def test_another_hypervisor_takes_over_when_one_fails(place: Place) -> None:
    first = place.exit()
    survivor = place.machines[2]
    first.ovs.stop()
    assert survivor.reaches(WORLD, 20)
    assert place.exit() is not first
