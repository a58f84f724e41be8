"""Security groups: what a tenant's rules let through between real machines, on one hypervisor and on two."""
from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from naas_sdn.pipeline.tables import Reason, Table
from tests.mininet.lab import VM, Lab, eventually

TENANTS = ("alice",)
CIDR = "10.14.0.0/24"


class Office:
    """A server on hv1, a client beside it and one on hv2, each in a group of its own; all may send to all."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.api = lab.tenant("alice")
        self.network = self.api.post("networks", {"name": "office"})
        self.api.post("subnets", {"network_id": self.network["id"], "ip_version": 4, "cidr": CIDR})
        self.groups = {name: self.api.post("security_groups", {"name": name})["id"] for name in ("web", "near", "far")}
        self.ports: dict[str, dict[str, Any]] = {}
        self.web, self.near, self.far = (self.machine(name, number, self.groups[name])
                                         for name, number in (("web", 0), ("near", 0), ("far", 1)))

    def machine(self, name: str, hypervisor: int, *groups: str, **attributes: Any) -> VM:
        port = self.api.post("ports", {"network_id": self.network["id"], "security_groups": list(groups), **attributes})
        self.ports[name] = port
        return self.lab.vm(name, port, self.lab.hypervisors[hypervisor])

    def allow(self, group: str, **rule: Any) -> str:
        """The id of a new rule about what comes in."""
        return str(self.api.post("security_group_rules", {"security_group_id": self.groups[group],
                                                          "direction": "ingress", **rule})["id"])

    @contextmanager
    def allowed(self, group: str, **rule: Any) -> Iterator[None]:
        made = self.allow(group, **rule)
        yield
        self.api.delete(f"security_group_rules/{made}")


@pytest.fixture(scope="module")
def office(lab: Lab) -> Office:
    return Office(lab)


def silent(one: VM, other: VM) -> bool:
    return one.ping(other.ip, 1).received == 0


@pytest.mark.parametrize("client", ["near", "far"])
def test_nothing_comes_in_but_what_a_rule_allows_and_what_is_answered(office: Office, client: str) -> None:
    web, machine = office.web, office.near if client == "near" else office.far
    assert machine.hears_nothing_from(web.ip)
    assert web.hears_nothing_from(machine.ip)
    with office.allowed("web", protocol="icmp", remote_ip_prefix=CIDR):
        assert machine.reaches(web.ip)
        assert machine.ping(web.ip, 20, 0.02).lost == 0
        assert web.hears_nothing_from(machine.ip), "the other direction is another matter"
    eventually(lambda: silent(machine, web), "the rule is gone")
    with office.allowed("web", protocol="tcp", port_range_min=5000, port_range_max=5300):
        eventually(lambda: machine.iperf(web, seconds=1) > 1, "TCP passes")
        assert machine.hears_nothing_from(web.ip)


def test_a_rule_that_goes_ends_what_it_had_allowed_within_a_second(office: Office) -> None:
    web, far = office.web, office.far
    rule = office.allow("web", protocol="icmp")
    assert far.reaches(web.ip)
    with far.capture("icmp[icmptype] == icmp-echoreply") as heard, far.pinging(web.ip, 0.02):
        eventually(lambda: len(heard.so_far("echo reply")) > 20, "a stream of pings")
        office.api.delete(f"security_group_rules/{rule}")
        time.sleep(1)
        seen = len(heard.so_far("echo reply"))
        time.sleep(1)
        assert len(heard.so_far("echo reply")) == seen


@pytest.mark.parametrize("client", ["near", "far"])
def test_members_of_a_remote_group_come_and_go(office: Office, client: str) -> None:
    machine, port = (office.near if client == "near" else office.far), office.ports[client]
    peers = office.api.post("security_groups", {"name": "peers"})["id"]
    with office.allowed("web", remote_group_id=peers):
        assert machine.hears_nothing_from(office.web.ip)
        office.api.update(f"ports/{port['id']}", {"security_groups": [office.groups[client], peers]})
        assert machine.reaches(office.web.ip)
        office.api.update(f"ports/{port['id']}", {"security_groups": [office.groups[client]]})
        eventually(lambda: silent(machine, office.web), "no member any more")


def test_a_remote_address_group_is_followed(office: Office) -> None:
    listed = office.api.post("address_groups", {"addresses": [f"{office.near.ip}/32"]})
    with office.allowed("web", remote_address_group_id=listed["id"], protocol="icmp"):
        assert office.near.reaches(office.web.ip)
        assert office.far.hears_nothing_from(office.web.ip)
        office.api.act(f"address_groups/{listed['id']}/add_addresses",
                       {"addresses": [f"{office.far.ip}/32"]})
        assert office.far.reaches(office.web.ip)


def test_without_groups_there_is_dhcp_and_nothing_else(office: Office) -> None:
    alone = office.machine("alone", 1)
    assert alone.dhcp("udhcpc").ip == alone.ip
    with office.allowed("web", remote_ip_prefix="0.0.0.0/0"):
        assert office.far.reaches(office.web.ip)
        assert alone.hears_nothing_from(office.web.ip)
        assert office.web.hears_nothing_from(alone.ip)


def test_a_drop_is_counted_under_its_reason(office: Office) -> None:
    hypervisor = office.lab.hypervisors[0]

    def dropped() -> int:
        flows = hypervisor.ovs.ofctl("dump-flows", "br-int", f"table={int(Table.TO_COMMIT)}").splitlines()
        return sum(int(flow.split("n_packets=")[1].split(",")[0]) for flow in flows
                   if f"set_field:{Reason.NO_INGRESS_RULE:#x}->reg6" in flow)

    before = dropped()
    office.far.ping(office.web.ip, 5, 0.05)
    eventually(lambda: dropped() >= before + 5, "five drops are counted")


def test_a_port_that_follows_another_inherits_none_of_its_connections(office: Office) -> None:
    """Its zone is flushed: what its predecessor had begun is not answered to it."""
    first = office.machine("first", 0, office.groups["near"])
    address = first.ip
    with office.allowed("far", protocol="udp"):
        first.inside("python3", "-c", _SEND, office.far.ip, "7000", "7001")
        assert _zones(office) > 0
        office.api.delete(f"ports/{office.ports['first']['id']}")
        second = office.machine("second", 0, office.groups["near"], fixed_ips=[{"ip_address": address}])
        assert second.ip == address
        with second.capture("udp port 7000") as heard:
            office.far.inside("python3", "-c", _SEND, address, "7001", "7000")
            second.ping(office.far.ip, 2)
        assert heard.lines == []


_SEND = ("import socket,sys;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.bind(('',int(sys.argv[2])));"
         "s.sendto(b'x',(sys.argv[1],int(sys.argv[3])))")


def _zones(office: Office) -> int:
    """Connections to port 7001 on the first hypervisor."""
    text = office.lab.hypervisors[0].ovs.appctl("dpctl/dump-conntrack")
    return sum("dport=7001" in line for line in text.splitlines())


def test_a_restart_changes_nothing_and_a_connection_goes_on(lab: Lab, office: Office) -> None:
    with office.allowed("web", protocol="icmp"):
        assert office.far.reaches(office.web.ip)
        with office.far.pinging(office.web.ip, 0.02) as results, lab.hypervisors[0].openflow_messages() as heard:
            lab.controller.kill()
            lab.controller.start()
            eventually(heard.is_compared, "the switch is compared", seconds=30)
            assert heard.changes() == []
        assert results[0].lost == 0
