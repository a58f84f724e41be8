"""IPv6 in a real Open vSwitch: what a machine may send, and where it arrives."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from naas_sdn.model.ip import link_local
from tests.support.topologies import ip6, mac
from tests.trace.test_trace import Cloud, text_mac

ALL_NODES, ALL_NODES_MAC = "ff02::1", "33:33:00:00:00:01"
VIRTUAL_MAC = "00:00:5e:00:02:07"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    made = Cloud("dual_stack")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def plain() -> Iterator[Cloud]:
    made = Cloud("layer2")
    yield made
    made.stop()


def text(kind: str, **fields: str) -> str:
    return f"{kind}," + ",".join(f"{name}={value}" for name, value in fields.items())


def echo(source: int, target: int, net: int = 1, **changes: str) -> str:
    return text("icmp6", **{
        "dl_src": text_mac(source), "dl_dst": text_mac(target), "ipv6_src": str(ip6(net, source)),
        "ipv6_dst": str(ip6(net, target)), "nw_ttl": "64", "icmpv6_type": "128", "icmpv6_code": "0", **changes})


def solicitation(source: int, target: str, net: int = 1, **changes: str) -> str:
    return text("icmp6", **{
        "dl_src": text_mac(source), "dl_dst": "33:33:ff:00:00:01", "ipv6_src": str(ip6(net, source)),
        "ipv6_dst": "ff02::1:ff00:1", "nw_ttl": "255", "icmpv6_type": "135", "icmpv6_code": "0", "nd_target": target,
        "nd_sll": text_mac(source), **changes})


def probe(source: int, target: str) -> str:
    """Duplicate address detection (RFC 4862 section 5.4.2)."""
    return solicitation(source, target, ipv6_src="::", nd_sll="00:00:00:00:00:00")


def advertisement(source: int, target: str, net: int = 1, **changes: str) -> str:
    return text("icmp6", **{
        "dl_src": text_mac(source), "dl_dst": ALL_NODES_MAC, "ipv6_src": str(ip6(net, source)),
        "ipv6_dst": ALL_NODES, "nw_ttl": "255", "icmpv6_type": "136", "icmpv6_code": "0", "nd_target": target,
        "nd_tll": text_mac(source), **changes})


def icmp6(source: int, kind: int, **changes: str) -> str:
    return text("icmp6", **{
        "dl_src": text_mac(source), "dl_dst": "33:33:00:00:00:02", "ipv6_src": str(link_local(mac(source))),
        "ipv6_dst": "ff02::2", "nw_ttl": "255", "icmpv6_type": str(kind), "icmpv6_code": "0", **changes})


def test_machines_of_a_network_reach_each_other_on_this_and_the_other_hypervisor(cloud: Cloud) -> None:
    assert cloud.send(11, echo(11, 12)).delivered == ["tap12"]
    assert cloud.send(11, echo(11, 13)).delivered == ["tap13"]
    assert cloud.send(13, echo(13, 11)).delivered == ["tap11"]
    near = echo(11, 12, ipv6_src=str(link_local(mac(11))), ipv6_dst=str(link_local(mac(12))))
    assert cloud.send(11, near).delivered == ["tap12"]
    assert cloud.send(11, echo(11, 21, ipv6_dst=str(ip6(2, 21)))).dropped == {"UNKNOWN_UNICAST"}


@pytest.mark.parametrize("packet", [
    solicitation(11, "2001:db8:1::99"),
    solicitation(11, "2001:db8:1::99", ipv6_src=str(link_local(mac(11)))),
    probe(11, str(ip6(1, 11))), probe(11, str(link_local(mac(11)))),
    advertisement(11, str(ip6(1, 11))), advertisement(11, str(ip6(1, 11)), nd_tll="00:00:00:00:00:00"),
    advertisement(11, str(ip6(1, 11)), ipv6_src=str(link_local(mac(11)))),
    icmp6(11, 143, ipv6_dst="ff02::16", dl_dst="33:33:00:00:00:16"), icmp6(11, 143, ipv6_src="::"),
    echo(11, 12, ipv6_dst=ALL_NODES, dl_dst=ALL_NODES_MAC),
])
def test_what_is_a_machine_s_own_reaches_all_others_once(cloud: Cloud, packet: str) -> None:
    outcome = cloud.send(11, packet)
    assert (sorted(outcome.delivered), outcome.dropped - {"ECHO"}) == (["tap12", "tap13"], set())


@pytest.mark.parametrize("source", [str(link_local(mac(11))), "::"])
def test_who_asks_for_routers_asks_the_controller_where_one_advertises(
        cloud: Cloud, plain: Cloud, source: str) -> None:
    packet = icmp6(11, 133, ipv6_src=source)
    assert cloud.send(11, packet).delivered == ["controller:ROUTER_SOLICITATION"]
    assert sorted(plain.send(11, packet).delivered) == ["tap12", "tap13"]


def test_who_asks_for_dhcpv6_asks_the_controller_where_it_serves(cloud: Cloud) -> None:
    def request(source: int) -> str:
        return text("udp6", dl_src=text_mac(source), dl_dst="33:33:00:01:00:02", ipv6_src=str(link_local(mac(source))),
                    ipv6_dst="ff02::1:2", nw_ttl="1", udp_src="546", udp_dst="547")

    assert cloud.send(31, request(31)).delivered == ["controller:DHCPV6"]
    assert sorted(cloud.send(11, request(11)).delivered) == ["tap12", "tap13"]


@pytest.mark.parametrize(("packet", "reason"), [
    (echo(11, 12, dl_src=text_mac(12)), "SPOOFED"),
    (echo(11, 12, ipv6_src=str(ip6(1, 12))), "SPOOFED"),
    (echo(11, 12, ipv6_src=str(ip6(1, 1))), "SPOOFED"),
    (echo(11, 12, ipv6_src=str(link_local(mac(12)))), "SPOOFED"),
    (echo(11, 12, ipv6_src="fe80::1"), "SPOOFED"),
    (echo(11, 12, ipv6_src="::"), "SPOOFED"),
    (echo(11, 12, ipv6_src="2001:db8:1::207"), "SPOOFED"),
    (solicitation(11, "2001:db8:1::12", nd_sll=text_mac(12)), "SPOOFED"),
    (solicitation(11, "2001:db8:1::12", ipv6_src=str(ip6(1, 12))), "SPOOFED"),
    (advertisement(11, "2001:db8:1::1"), "SPOOFED"),
    (advertisement(11, "2001:db8:1::12"), "SPOOFED"),
    (advertisement(11, "2001:db8:1::12", ipv6_src=str(ip6(1, 12))), "SPOOFED"),
    (advertisement(11, "2001:db8:1::11", ipv6_src=str(ip6(1, 12))), "SPOOFED"),
    (advertisement(11, "2001:db8:1::11", nd_tll=text_mac(12)), "SPOOFED"),
    (solicitation(11, "::", nd_sll="00:00:00:00:00:00"), "SPOOFED"),
    (probe(11, "2001:db8:1::12"), "SPOOFED"),
    (probe(11, "2001:db8:1::11").replace("nd_sll=00:00:00:00:00:00", f"nd_sll={text_mac(11)}"), "SPOOFED"),
    (icmp6(11, 134), "ROGUE_RA"), (icmp6(11, 137), "ROGUE_RA"), (icmp6(11, 134, ipv6_src="::"), "ROGUE_RA"),
    (text("udp6", dl_src=text_mac(11), dl_dst=ALL_NODES_MAC, ipv6_src=str(link_local(mac(11))), ipv6_dst=ALL_NODES,
          udp_src="547", udp_dst="546"), "ROGUE_DHCP"),
])
def test_what_is_not_a_machine_s_own_is_dropped(cloud: Cloud, packet: str, reason: str) -> None:
    outcome = cloud.send(11, packet)
    assert (outcome.delivered, outcome.dropped) == ([], {reason})


@pytest.mark.parametrize("packet", [
    echo(12, 11, ipv6_src="2001:db8:1:0:1::7"),
    echo(12, 11, ipv6_src="2001:db8:1::207", dl_src=VIRTUAL_MAC),
    echo(12, 11, ipv6_src=str(link_local(0x00005E000207)), dl_src=VIRTUAL_MAC),
])
def test_what_a_pair_allows_is_sent(cloud: Cloud, packet: str) -> None:
    assert cloud.send(12, packet).delivered == ["tap11"]


@pytest.mark.parametrize("packet", [
    echo(12, 11, ipv6_src="2001:db8:1:0:2::7"), echo(12, 11, ipv6_src="2001:db8:1::207"),
    echo(12, 11, ipv6_src="2001:db8:1:0:1::7", dl_src=VIRTUAL_MAC),
    advertisement(12, "2001:db8:1::207"),
    advertisement(12, "2001:db8:1:0:1::7", ipv6_src="2001:db8:1::207", dl_src=VIRTUAL_MAC, nd_tll=VIRTUAL_MAC),
])
def test_what_no_pair_allows_is_dropped(cloud: Cloud, packet: str) -> None:
    assert cloud.send(12, packet).dropped == {"SPOOFED"}


def test_a_virtual_router_s_address_is_advertised_by_who_may(cloud: Cloud) -> None:
    packet = advertisement(12, "2001:db8:1::207", ipv6_src="2001:db8:1::207", dl_src=VIRTUAL_MAC, nd_tll=VIRTUAL_MAC)
    assert sorted(cloud.send(12, packet).delivered) == ["tap11", "tap13"]


def test_pure_layer_2_carries_any_address_but_not_anothers_mac_nor_routers(plain: Cloud) -> None:
    assert plain.send(11, echo(11, 12, ipv6_src="2001:db8:7::1")).delivered == ["tap12"]
    assert sorted(plain.send(11, advertisement(11, "2001:db8:7::1")).delivered) == ["tap12", "tap13"]
    assert plain.send(11, advertisement(11, "2001:db8:7::1", nd_tll=text_mac(12))).dropped == {"SPOOFED"}
    assert plain.send(11, solicitation(11, "2001:db8:7::1", nd_sll=text_mac(12))).dropped == {"SPOOFED"}
    assert plain.send(11, icmp6(11, 134)).dropped == {"ROGUE_RA"}


def leg(net: int) -> str:
    """The MAC of the router's interface."""
    return text_mac(0xE010 + net)


def routed(source: int, target: int, nets: tuple[int, int] = (1, 2), **changes: str) -> str:
    return echo(source, target, nets[0], **{"dl_dst": leg(nets[0]), "ipv6_dst": str(ip6(nets[1], target)), **changes})


def test_a_router_routes_between_networks_and_hypervisors(cloud: Cloud) -> None:
    assert cloud.send(11, routed(11, 21)).delivered == ["tap21"]
    assert cloud.send(21, routed(21, 11, (2, 1))).delivered == ["tap11"]
    assert cloud.send(21, routed(21, 13, (2, 1))).delivered == ["tap13"]
    text = cloud.trace(11, routed(11, 21))
    assert leg(2) in text and "dec_ttl" in text
    outcome = cloud.send(11, routed(11, 99))
    assert (outcome.delivered, outcome.dropped) == ([], {"NO_NEIGHBOUR"})
    near = cloud.send(11, routed(11, 21, ipv6_src=str(link_local(mac(11)))))
    assert (near.delivered, near.dropped) == ([], {"NO_ROUTE"})


def test_a_router_s_own_routes_lead_to_machines(cloud: Cloud) -> None:
    assert cloud.send(11, routed(11, 99, ipv6_dst="2001:db8:50::7")).delivered == ["tap21"]
    assert cloud.send(21, routed(21, 99, (2, 1), ipv6_dst="2001:db8:ffff::7")).delivered == ["tap12"]


def test_naas_routes_are_pairwise(cloud: Cloud) -> None:
    own = {net: ":".join(f"{byte:02x}" for byte in (0xFA163F000000 | 100 + net).to_bytes(6)) for net in (2, 3)}
    assert cloud.send(31, routed(31, 21, (3, 2), dl_dst=own[3])).delivered == ["tap21"]
    assert cloud.send(21, routed(21, 31, (2, 3))).delivered == ["tap31"]
    assert cloud.send(31, routed(31, 11, (3, 1), dl_dst=own[3])).dropped == {"NO_ROUTE"}


@pytest.mark.parametrize("address", [str(ip6(1, 1)), str(ip6(91, 1)), str(link_local(0x02000000E011)), str(ip6(2, 1))])
def test_gateways_answer_ping_and_nothing_else(cloud: Cloud, address: str) -> None:
    ping = routed(11, 1, ipv6_dst=address)
    assert cloud.send(11, ping).delivered == ["answered"]
    outcome = cloud.send(11, ping.replace("icmpv6_type=128", "icmpv6_type=129"))
    assert (outcome.delivered, outcome.dropped) == ([], {"GATEWAY_NO_SERVICE"})


@pytest.mark.parametrize("limit", ["0", "1"])
def test_expired_packets_are_reported(cloud: Cloud, limit: str) -> None:
    assert cloud.send(11, routed(11, 21, nw_ttl=limit)).delivered == ["controller:TTL_EXCEEDED"]


@pytest.mark.parametrize("target", [
    str(ip6(1, 12)), str(ip6(1, 13)), str(ip6(1, 1)), str(ip6(91, 1)), str(link_local(0x02000000E011))])
def test_solicitations_for_others_and_gateways_are_answered(cloud: Cloud, target: str) -> None:
    assert cloud.send(11, solicitation(11, target)).delivered == ["answered"]
    # There is nowhere for the answer's option.
    without = cloud.send(11, solicitation(11, target, nd_sll="00:00:00:00:00:00"))
    assert sorted(without.delivered) == ["tap12", "tap13"]


def test_what_is_one_s_own_or_unknown_is_not_answered(cloud: Cloud) -> None:
    for packet in (probe(11, str(ip6(1, 11))), solicitation(11, str(ip6(1, 11))), solicitation(11, str(ip6(2, 21)))):
        assert sorted(cloud.send(11, packet).delivered) == ["tap12", "tap13"]
