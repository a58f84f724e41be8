"""Documents for agents, read by cloud-init, netplan and ifupdown themselves."""
from __future__ import annotations

import json
import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from naas_sdn.guests.documents import as_json, as_yaml, meta_data, network_config, network_data
from naas_sdn.guests.values import METRIC, By, Hop, Interface, Machine, Told
from tests.support.guests import FIRST, MACHINE, SECOND, THIRD, cloud_init_renders, netplan_generates, run

NAMES = {FIRST.mac: "eth0", SECOND.mac: "eth1", THIRD.mac: "eth2"}
ANY4 = IPv4Network("0.0.0.0/0")


def sections(text: str, name: str) -> list[dict[str, str]]:
    """The sections of this name in a file of networkd."""
    found = re.findall(r"^\[(\w+)\]$(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    return [dict(line.split("=", 1) for line in body.split("\n") if line) for title, body in found if title == name]


def routes(text: str) -> set[tuple[str, str, str]]:
    """(destination, next hop, metric) of a file of networkd."""
    by_gateway = [("", line.removeprefix("Gateway="), "") for line in text.partition("[Network]")[2].partition("[")[0]
                  .split("\n") if line.startswith("Gateway=")]
    listed = [(route.get("Destination", ""), route["Gateway"], route.get("Metric", ""))
              for route in sections(text, "Route")]
    return {("" if to in ("0.0.0.0/0", "::/0") else to, via, metric) for to, via, metric in (*by_gateway, *listed)}


@pytest.fixture(params=["yaml", "network_data.json"])
def document(request: pytest.FixtureRequest) -> tuple[str, bytes]:
    """As cloud-init calls its kind, and the document."""
    return request.param, (as_yaml(network_config(MACHINE)) if request.param == "yaml" else
                           as_json(network_data(MACHINE)))


def test_cloud_init_makes_the_same_of_both_for_networkd(document: tuple[str, bytes], tmp_path: Path) -> None:
    made = cloud_init_renders(*document, "networkd", tmp_path / "made", NAMES)
    first, second, third = (made[f"etc/systemd/network/10-cloud-init-eth{number}.network"] for number in range(3))
    assert [one["Address"] for one in sections(first, "Address")] == ["10.0.0.5/24", "10.9.0.5/16", "2001:db8::5/64"]
    assert routes(first) == {("192.168.7.0/24", "10.0.0.9", ""), ("", "10.0.0.1", ""), ("", "2001:db8::1", "")}
    assert sections(first, "Match") == [{"MACAddress": FIRST.mac, "Name": "eth0"}]
    assert sections(first, "Link") == [{"MTUBytes": "1450"}]
    assert sections(first, "Network")[0]["DNS"] == "192.0.2.53 2001:db8:53::1"
    assert sections(second, "Address") == [{"Address": "10.1.0.5/24"}]
    assert sections(third, "Network")[0]["DHCP"] == "ipv4"
    assert sections(third, "Address") == sections(third, "Route") == []


def test_cloud_init_writes_for_ifupdown_what_ifupdown_reads(document: tuple[str, bytes], tmp_path: Path) -> None:
    made = cloud_init_renders(*document, "eni", tmp_path / "made", NAMES)
    path = tmp_path / "interfaces"
    path.write_text(made["etc/network/interfaces.d/50-cloud-init"])
    read = run("ifquery", "-i", str(path), "eth0")
    assert re.findall("^(?:address|netmask): (.*)$", read, re.MULTILINE) == [
        "10.0.0.5", "255.255.255.0", "10.9.0.5", "255.255.0.0", "2001:db8::5", "64"]
    assert "route add -net 192.168.7.0/24 gw 10.0.0.9" in read
    assert "route add default gw 10.0.0.1" in read
    assert "gateway: 2001:db8::1" in read or "route add -A inet6 default gw 2001:db8::1" in read
    assert "mtu: 1450" in read
    assert run("ifquery", "-i", str(path), "-l").split() == ["lo", "eth0", "eth1", "eth2"]


def test_cloud_init_writes_for_netplan_what_netplan_reads(document: tuple[str, bytes], tmp_path: Path) -> None:
    made = cloud_init_renders(*document, "netplan", tmp_path / "made", NAMES)
    files = netplan_generates(made["etc/netplan/50-cloud-init.yaml"].encode(), tmp_path / "netplan")
    first = files["10-netplan-eth0.network"]
    assert re.findall("^Address=(.*)$", first, re.MULTILINE) == ["10.0.0.5/24", "10.9.0.5/16", "2001:db8::5/64"]
    assert routes(first) == {("192.168.7.0/24", "10.0.0.9", ""), ("", "10.0.0.1", ""), ("", "2001:db8::1", "")}
    assert {"IPv6AcceptRA=no", "MTUBytes=1450", "DNS=192.0.2.53"} <= set(first.split("\n"))
    assert "PermanentMACAddress=fa:16:3e:00:00:01" in first
    # Of "ipv6_slaac" cloud-init makes DHCP of both families for netplan.
    [how] = re.findall("^DHCP=(.*)$", files["10-netplan-eth2.network"], re.MULTILINE)
    assert how == ("ipv4" if document[0] == "yaml" else "yes")


def test_netplan_reads_network_config_itself(tmp_path: Path) -> None:
    files = netplan_generates(as_yaml({"network": network_config(MACHINE)}), tmp_path)
    assert routes(files["10-netplan-eth1.network"]) == {("", "10.1.0.1", str(METRIC))}
    third = files["10-netplan-eth2.network"].split("\n")
    assert {"DHCP=ipv4", "IPv6AcceptRA=yes"} <= set(third)


@pytest.mark.parametrize(("way", "kind", "lines"), [
    (By.DHCP, "ipv6_dhcpv6-stateful", {"DHCP=ipv6", "IPv6AcceptRA=yes"}),
    (By.ADVERTISED, "ipv6_slaac", {"IPv6AcceptRA=yes"}),
    (By.ADVERTISED_AND_DHCP, "ipv6_dhcpv6-stateless", {"DHCP=ipv6", "IPv6AcceptRA=yes"}),
])
def test_how_a_machine_gets_ipv6(way: By, kind: str, lines: set[str], tmp_path: Path) -> None:
    [six] = [told for told in THIRD.addresses if told.ip.version == 6]
    machine = replace(MACHINE, interfaces=(replace(THIRD, addresses=(replace(six, by=way),)),))
    assert [network["type"] for network in network_data(machine)["networks"]] == [kind]
    text = netplan_generates(as_yaml({"network": network_config(machine)}), tmp_path)["10-netplan-eth0.network"]
    assert lines <= set(text.split("\n"))
    assert ("DHCP=ipv6" in text) == ("DHCP=ipv6" in lines)


def test_of_several_default_routes_the_first_goes_before(tmp_path: Path) -> None:
    """Also where the first is learnt by DHCP."""
    assert MACHINE.routes(FIRST, 4)[-1] == Hop(ANY4, IPv4Address("10.0.0.1"))
    assert MACHINE.routes(SECOND, 4) == (Hop(ANY4, IPv4Address("10.1.0.1"), METRIC),)
    turned = replace(MACHINE, interfaces=(THIRD, SECOND, FIRST))
    assert turned.routes(THIRD, 4) == ()
    assert turned.routes(SECOND, 4) == (Hop(ANY4, IPv4Address("10.1.0.1"), METRIC),)
    assert turned.routes(FIRST, 4)[-1] == Hop(ANY4, IPv4Address("10.0.0.1"), 2 * METRIC)
    files = netplan_generates(as_yaml({"network": network_config(turned)}), tmp_path)
    assert routes(files["10-netplan-eth2.network"]) >= {("", "10.0.0.1", str(2 * METRIC))}


def test_two_addresses_of_a_subnet_share_its_routes() -> None:
    told = FIRST.addresses[0]
    both = replace(FIRST, addresses=(told, replace(told, ip=IPv4Interface("10.0.0.6/24"))))
    machine = replace(MACHINE, interfaces=(both,))
    assert machine.routes(both, 4) == (Hop(IPv4Network("192.168.7.0/24"), IPv4Address("10.0.0.9")),
                                       Hop(ANY4, IPv4Address("10.0.0.1")))


def test_a_default_route_of_the_subnet_stands_for_the_gateway() -> None:
    own = Told(IPv4Interface("10.0.0.5/24"), gateway=IPv4Address("10.0.0.1"),
               routes=((ANY4, IPv4Address("10.0.0.254")),))
    interface = replace(FIRST, addresses=(own,))
    assert replace(MACHINE, interfaces=(interface,)).routes(interface, 4) == (Hop(ANY4, IPv4Address("10.0.0.254")),)


def test_a_next_hop_outside_the_range_is_on_the_link(tmp_path: Path) -> None:
    own = Told(IPv4Interface("10.0.0.5/32"), gateway=IPv4Address("10.0.0.1"))
    machine = replace(MACHINE, interfaces=(replace(FIRST, addresses=(own,)),))
    text = netplan_generates(as_yaml({"network": network_config(machine)}), tmp_path)["10-netplan-eth0.network"]
    assert sections(text, "Route") == [{"Destination": "0.0.0.0/0", "Gateway": "10.0.0.1", "GatewayOnLink": "true"}]


def test_a_machine_without_addresses_is_told_of_its_interfaces() -> None:
    machine = Machine("99999999-1111-4111-8111-111111111111", "alice", (Interface(
        FIRST.port_id, FIRST.network_id, FIRST.mac, 1450),))
    assert meta_data(machine) == {"uuid": machine.id, "project_id": "alice"}
    assert network_data(machine)["networks"] == []
    assert json.loads(as_json(network_data(machine)))["links"] == [
        {"id": "tapaaaaaaaa-11", "type": "ovs", "vif_id": FIRST.port_id, "mtu": 1450,
         "ethernet_mac_address": FIRST.mac}]
    assert network_config(machine)["ethernets"]["eth0"]["dhcp4"] is False
