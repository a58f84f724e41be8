"""Provider networks in a real Open vSwitch: to and from the physical network, and who does not meet whom."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.trace.test_trace import BROADCAST, Cloud, Outcome, arp, icmp, text_mac

ROUTER = text_mac(0xAAAA)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    made = Cloud("public")
    yield made
    made.stop()


def outcome(found: Outcome) -> tuple[list[str], set[str]]:
    return sorted(found.delivered), found.dropped


@pytest.mark.parametrize(("source", "wire"), [(11, "eth1"), (21, "eth1.100"), (31, "eth1.101")])
@pytest.mark.parametrize("target", [ROUTER, BROADCAST])
def test_what_no_machine_here_has_goes_out_by_the_uplink_with_the_network_s_tag(
        cloud: Cloud, source: int, wire: str, target: str) -> None:
    subnet = min(source // 10, 2)
    found = cloud.send(source, icmp(source, 1, subnet, dl_dst=target))
    assert wire in found.delivered
    assert {name for name in found.delivered if name.startswith("eth1")} == {wire}
    assert found.delivered[-1] == wire


def test_machines_of_one_network_meet_here_and_there_by_the_uplink_only(cloud: Cloud) -> None:
    assert outcome(cloud.send(21, icmp(21, 22, 2))) == (["tap22"], set())
    assert outcome(cloud.send(21, icmp(21, 23, 2))) == (["eth1.100"], set())
    assert sorted(cloud.send(21, icmp(21, 22, 2, dl_dst=BROADCAST)).delivered) == ["eth1.100", "tap22"]
    assert cloud.send(21, arp(21, "10.2.0.22", arp_spa="10.2.0.21")).delivered == ["tap22", "eth1.100"]


@pytest.mark.parametrize(("host", "tag", "target", "delivered"), [
    ("hv1", None, 11, ["tap11"]), ("hv1", 0, 12, ["tap12"]), ("hv2", None, 13, ["tap13"]),
    ("hv1", 100, 21, ["tap21"]), ("hv2", 100, 23, ["tap23"]), ("hv2", 101, 32, ["tap32"]),
    ("hv1", None, None, ["tap11", "tap12"]), ("hv1", 100, None, ["tap21", "tap22"]), ("hv2", 101, None,
                                                                                    ["tap31", "tap32"]),
])
def test_what_comes_in_reaches_the_machines_of_its_vlan_without_the_tag(
        cloud: Cloud, host: str, tag: int | None, target: int | None, delivered: list[str]) -> None:
    packet = icmp(254, 1, nw_src="10.1.0.254", nw_dst="10.1.0.9", dl_src=ROUTER,
                  dl_dst=BROADCAST if target is None else text_mac(target))
    assert outcome(cloud.from_wire(host, packet, tag)) == (delivered, set())


@pytest.mark.parametrize(("host", "tag", "fields", "reason"), [
    ("hv1", 102, {"dl_dst": text_mac(11)}, "UNKNOWN_VLAN"),
    ("hv1", 101, {"dl_dst": text_mac(31)}, "UNKNOWN_VLAN"),
    ("hv1", 100, {"dl_dst": text_mac(11)}, "UNKNOWN_UNICAST"),
    ("hv1", None, {"dl_dst": text_mac(21)}, "UNKNOWN_UNICAST"),
    ("hv2", 100, {"dl_dst": text_mac(21)}, "UNKNOWN_UNICAST"),
    ("hv1", 100, {"dl_dst": text_mac(0xBBBB)}, "UNKNOWN_UNICAST"),
    ("hv1", 100, {"dl_src": text_mac(21), "dl_dst": BROADCAST}, "HAIRPIN"),
    ("hv1", None, {"dl_src": text_mac(11), "dl_dst": text_mac(12)}, "HAIRPIN"),
    ("hv2", None, {"dl_src": text_mac(11), "dl_dst": text_mac(13)}, "ISOLATED"),
    ("hv2", None, {"dl_src": text_mac(11), "dl_dst": BROADCAST}, "ISOLATED"),
    ("hv2", None, {"dl_dst": text_mac(11)}, "ISOLATED"),
    ("hv1", None, {"dl_dst": "01:80:c2:00:00:0e"}, "LINK_LOCAL_CONTROL"),
])
def test_what_comes_in_and_is_for_nobody_here_ends_here(
        cloud: Cloud, host: str, tag: int | None, fields: dict[str, str], reason: str) -> None:
    packet = icmp(254, 1, **({"nw_src": "10.1.0.254", "nw_dst": "10.1.0.9", "dl_src": ROUTER} | fields))
    assert outcome(cloud.from_wire(host, packet, tag)) == ([], {reason})


def test_a_machine_of_another_hypervisor_that_moved_its_way_is_heard_on_a_network_that_is_not_isolated(
        cloud: Cloud) -> None:
    packet = icmp(23, 21, 2)
    assert outcome(cloud.from_wire("hv1", packet, 100)) == (["tap21"], set())


@pytest.mark.parametrize("target", [12, 13])
def test_isolated_machines_reach_the_physical_network_and_not_each_other(cloud: Cloud, target: int) -> None:
    assert outcome(cloud.send(11, icmp(11, target))) == ([], {"ISOLATED"})
    assert outcome(cloud.send(11, icmp(11, target, dl_dst=BROADCAST))) == (["eth1"], set())
    assert outcome(cloud.send(11, arp(11, f"10.1.0.{target}"))) == (["eth1"], set())
    assert outcome(cloud.send(11, arp(11, "10.1.0.1"))) == (["eth1"], set())


def test_a_machine_without_port_security_keeps_its_mac_on_an_isolated_network(cloud: Cloud) -> None:
    packet = icmp(31, 1, nw_src="192.0.2.1", dl_dst=ROUTER)
    assert outcome(cloud.send(31, packet)) == (["eth1.101"], set())
    assert outcome(cloud.send(31, packet.replace(text_mac(31), text_mac(77)))) == ([], {"SPOOFED"})


def test_a_hypervisor_without_the_uplink_says_so(cloud: Cloud) -> None:
    assert outcome(cloud.send(24, icmp(24, 21, 2))) == ([], {"NO_UPLINK"})


def test_tunnels_carry_nothing_of_a_provider_network(cloud: Cloud) -> None:
    found = cloud.from_tunnel("hv1", "10.200.0.2", 102, icmp(23, 21, 2))
    assert outcome(found) == ([], {"TUNNEL_NOT_MEMBER"})
