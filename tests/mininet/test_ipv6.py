"""IPv6: machines configure themselves by what they are told, reach each other, and hear when a router goes."""
from __future__ import annotations

from functools import partial
from ipaddress import IPv6Address
from typing import Any

import pytest

from naas_sdn.apps import wire, wire6
from tests.mininet.lab import VM, Lab, eventually
from tests.support.openvswitch import CommandFailed

TENANTS = ("alice",)
DNS = "2001:db8:53::53"


class DualStack:
    """Two networks behind a router, each with IPv4 and IPv6 (SLAAC); a (hv1) and b (hv2) are on one."""

    def __init__(self, lab: Lab) -> None:
        self.api = lab.tenant("alice")
        self.router = self.api.post("routers", {"name": "out"})
        self.subnets: list[dict[str, Any]] = []
        networks = [self.api.post("networks", {"name": name}) for name in ("one", "two")]
        for number, network in enumerate(networks, 1):
            fourth = self.api.post("subnets", {
                "network_id": network["id"], "ip_version": 4, "cidr": f"10.66.{number}.0/24"})
            self.subnets.append(self.api.post("subnets", {
                "network_id": network["id"], "ip_version": 6, "cidr": f"2001:db8:66:{number}::/64",
                "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac", "dns_nameservers": [DNS]}))
            for subnet in (fourth, self.subnets[-1]):
                self.api.act(f"routers/{self.router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
        self.ports = [self.api.post("ports", {"network_id": networks[net]["id"]}) for net in (0, 0, 1)]
        self.machines = [lab.vm(name, port, lab.hypervisors[host])
                         for name, port, host in zip("abc", self.ports, (0, 1, 1), strict=True)]

    def address(self, number: int) -> str:
        """What the API says."""
        return next(str(ip["ip_address"]) for ip in self.ports[number]["fixed_ips"] if ":" in ip["ip_address"])


@pytest.fixture(scope="module")
def dual(lab: Lab) -> DualStack:
    made = DualStack(lab)
    for machine in made.machines:
        machine.start_ipv6()
    for number, machine in enumerate(made.machines):
        eventually(partial(is_configured, machine, made.address(number)), "an address and a default route")
    return made


def is_configured(machine: VM, address: str) -> bool:
    return machine.addresses6() == {f"{address}/64": {"dynamic", "mngtmpaddr"}} and "default" in machine.routes6()


def test_the_kernel_makes_the_address_that_the_api_shows(dual: DualStack) -> None:
    """Duplicate address detection has found nobody who has it: it is neither tentative nor failed."""
    for number, machine in enumerate(dual.machines):
        assert is_configured(machine, dual.address(number))
        assert machine.routes6()["default"].startswith("fe80::")
        assert machine.inside("sysctl", "-n", "net.ipv6.conf.eth0.mtu").strip() == str(machine.mtu())


def test_machines_reach_each_other_bridged_and_routed(dual: DualStack) -> None:
    a, b, c = dual.machines
    for machine, number in ((a, 1), (a, 2), (c, 0), (b, 2)):
        assert machine.reaches(dual.address(number))
        assert machine.ping(dual.address(number), 20, 0.02).lost == 0
    assert a.reaches(dual.subnets[0]["gateway_ip"])
    with c.capture("icmp6[icmp6type] == icmp6-echo") as heard:
        a.ping(dual.address(2), 1, 1, "-t", "9")
    assert heard.lines


@pytest.mark.parametrize("version", [4, 6])
def test_one_octet_too_many_for_the_other_network_is_answered_with_the_size_that_passes(
        dual: DualStack, version: int) -> None:
    """From a machine that believes in larger frames, to one on the other hypervisor and back."""
    a, c = dual.machines[0], dual.machines[2]
    mtu, headers = c.mtu(), 28 if version == 4 else 48
    target = dual.address(2) if version == 6 else c.ip
    a.inside("ip", "link", "set", "eth0", "mtu", str(mtu + 50))
    try:
        assert a.ping(target, 1, 1, "-M", "do", "-s", str(mtu - headers)).received
        with a.capture("icmp6[0] == 2" if version == 6 else "icmp[0] == 3 and icmp[1] == 4") as heard:
            assert not a.ping(target, 1, 1, "-M", "do", "-s", str(mtu - headers + 1)).received
        assert heard.matching(f"mtu {mtu}")
        assert f"mtu {mtu}" in a.inside("ip", f"-{version}", "route", "get", target), "the kernel has believed it"
        assert a.ping(target, 1, 1, "-s", "1500").received, "and cuts what may be cut"
    finally:
        a.inside("ip", "link", "set", "eth0", "mtu", str(mtu))


def test_nobody_disturbs_another_s_duplicate_address_detection(dual: DualStack) -> None:
    """Who probes for an address while its owner does would make him give it up (RFC 4862 section 5.4.3)."""
    a, b = dual.machines[:2]
    target = IPv6Address(dual.address(1))
    last = int(target) & 0xFFFFFF
    group = wire.Station(0x3333FF000000 | last, int(IPv6Address("ff02::1:ff00:0")) | last)
    probe = wire6.build_icmpv6(wire.Station(int(a.mac.replace(":", ""), 16), 0), group,
                               bytes((135, 0)) + bytes(6) + target.packed, 255)
    b.inside("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
    b.start_ipv6()

    def configured() -> bool:
        a.send([probe] * 5)
        return is_configured(b, dual.address(1))

    eventually(configured, "the machine has its address again", pause=0.1)


def test_a_router_that_goes_is_withdrawn_at_once_and_one_that_comes_is_told_of(dual: DualStack) -> None:
    a = dual.machines[0]
    name = f"{dual.address(0)}/64"
    router, subnet = f"routers/{dual.router['id']}", {"subnet_id": dual.subnets[0]["id"]}
    dual.api.act(f"{router}/remove_router_interface", subnet)
    eventually(lambda: "default" not in a.routes6(), "no default router", 3)
    with pytest.raises(CommandFailed, match="unreachable"):
        a.ping(dual.address(2))
    assert a.reaches(dual.address(1)), "the network is as it was"
    dual.api.act(f"{router}/add_router_interface", subnet)
    eventually(lambda: "default" in a.routes6(), "a default router", 3)
    eventually(lambda: "deprecated" not in a.addresses6()[name], "and an address to be used", 3)
    assert a.reaches(dual.address(2))


def test_a_changed_name_server_is_told_within_a_moment(dual: DualStack) -> None:
    a = dual.machines[0]
    with a.capture("icmp6[icmp6type] == icmp6-routeradvert") as heard:
        dual.api.update(f"subnets/{dual.subnets[0]['id']}", {"dns_nameservers": ["2001:db8:53::54"]})
        eventually(lambda: heard.so_far("router advertisement"), "an advertisement", 3)


class Served:
    """A machine on hv1, alone on a network with one IPv6 subnet of this mode, behind the others' router."""

    def __init__(self, lab: Lab, dual: DualStack, mode: str, number: int) -> None:
        network = dual.api.post("networks", {"name": mode})
        self.subnet = dual.api.post("subnets", {
            "network_id": network["id"], "ip_version": 6, "cidr": f"2001:db8:66:{number}::/64", "ipv6_ra_mode": mode,
            "ipv6_address_mode": mode, "dns_nameservers": [DNS]})
        dual.api.act(f"routers/{dual.router['id']}/add_router_interface", {"subnet_id": self.subnet["id"]})
        self.port = dual.api.post("ports", {"network_id": network["id"], "extra_dhcp_opts": [
            {"opt_name": "bootfile-url", "opt_value": "tftp://[2001:db8::1]/boot", "ip_version": 6}]})
        self.address = str(self.port["fixed_ips"][0]["ip_address"])
        self.machine = lab.vm(f"v{number}", self.port, lab.hypervisors[0], static=False)
        self.machine.start_ipv6()


def test_dhclient_gets_the_address_that_the_api_shows_and_renews_it(lab: Lab, dual: DualStack) -> None:
    served = Served(lab, dual, "dhcpv6-stateful", 3)
    machine = served.machine
    eventually(lambda: "default" in machine.routes6(), "a default router, by advertisement")
    assert machine.addresses6() == {}, "no address is made of what is advertised"
    lease = machine.dhcp6()
    assert lease.ip == served.address
    assert lease.options["dhcp6_name_servers"] == DNS
    assert lease.options["dhcp6_domain_search"] == "cloud.internal."
    eventually(lambda: machine.addresses6() == {f"{served.address}/128": {"dynamic"}}, "an address to be used")
    assert machine.reaches(dual.address(0)) and machine.reaches(dual.address(2))
    assert machine.dhcp6().ip == served.address, "again, by a client that knows nothing of the first"


def test_dhclient_is_told_what_else_there_is_to_know_where_addresses_are_made(lab: Lab, dual: DualStack) -> None:
    served = Served(lab, dual, "dhcpv6-stateless", 4)
    machine = served.machine
    eventually(lambda: is_configured(machine, served.address), "an address and a default route")
    lease = machine.dhcp6("-S")
    assert (lease.ip, lease.options["dhcp6_name_servers"]) == ("", DNS)
