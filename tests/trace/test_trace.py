"""The compiled flows in a real Open vSwitch: (from, packet) -> delivered to, or dropped for a reason.

A packet that leaves by the tunnel is put into the peer's bridge, with the tunnel ID and source that it left with.
"""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from naas_sdn.engine.replica import Replica
from naas_sdn.model.values import Subnet
from naas_sdn.pipeline.tables import RETURNS, Reason, Table
from tests.support import topologies
from tests.support.compiled import ReadableCompiler
from tests.support.ovs import DummySwitch
from tests.support.topologies import Key, ip, mac

BROADCAST = "ff:ff:ff:ff:ff:ff"


@dataclass
class Outcome:
    """Where a packet went, and reasons of drops.

    `delivered` has names of ports, with the VLAN that was put on (eth1.100), "controller:REASON" for punts, "answered".
    """

    delivered: list[str] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)


class Cloud:
    """One private switch a hypervisor, holding what the topology compiles to."""

    def __init__(self, topology: str) -> None:
        self.compiler = ReadableCompiler(topologies.apps())
        self.compiler.apply(topologies.ALL[topology]())
        self.switches = {host: DummySwitch(number, host) for number, host in enumerate(
            sorted(self.compiler.store.elements(Key("hypervisors", ""))), 1)}
        for host, ovs in self.switches.items():
            ovs.start()
            for name in self.compiler.store.elements(Key("interfaces of host", host)):
                link = self.compiler.store.fact(Key("link", (host, name)))
                kind = {"type": "vxlan", "remote_ip": "flow", "key": "flow"} if name == "vxlan0" else {}
                ovs.add_port(name, link.number, **kind)
            flows, meters = Replica(self.compiler, host).desired()
            for meter in meters.values():
                kind = "pktps" if meter.packets else "kbps"
                number = {meter.SLOWPATH: "slowpath", meter.CONTROLLER: "controller"}.get(meter.number, meter.number)
                ovs.ofctl("add-meter", f"meter={number},{kind},burst,stats,band=type=drop,"
                                       f"rate={meter.rate},burst_size={meter.burst}")
            ovs.load([str(self.compiler.flow(sent)) for sent in flows.values()])

    def stop(self) -> None:
        for ovs in self.switches.values():
            ovs.stop()

    def send(self, number: int, packet: str, *, large: bool = False) -> Outcome:
        """From port N; `large`: more than fits into a tunnel."""
        attachment = self.compiler.store.fact(Key("vif", f"port{number}"))
        outcome = Outcome()
        self._trace(attachment.host, f"in_port={attachment.interface},{packet}", outcome, large)
        return outcome

    def trace(self, number: int, packet: str) -> str:
        """As Open vSwitch tells it."""
        attachment = self.compiler.store.fact(Key("vif", f"port{number}"))
        return self.switches[attachment.host].appctl("ofproto/trace", "--names", "br-int",
                                                     f"in_port={attachment.interface},{packet}")

    def from_tunnel(self, host: str, source: str, tunnel: int, packet: str) -> Outcome:
        outcome = Outcome()
        self._trace(host, f"in_port=vxlan0,tun_src={source},tun_dst=10.200.0.{host[2:]},tun_id={tunnel},{packet}",
                    outcome)
        return outcome

    def from_wire(self, host: str, packet: str, vlan: int | None = None) -> Outcome:
        """From the uplink, with this tag if any."""
        outcome = Outcome()
        self._trace(host, f"in_port=eth1,{packet}" + (f",vlan_tci={0x1000 | vlan:#x}" if vlan is not None else ""),
                    outcome)
        return outcome

    def _trace(self, host: str, flow: str, outcome: Outcome, large: bool = False) -> None:
        text = _way(self.switches[host].appctl("ofproto/trace", "--names", "br-int", flow), large)
        for found in re.finditer(r"set_field:(0x[0-9a-f]+)->reg6\n.*", text):
            if found:
                reason = Reason(int(found[1], 16))
                if not found[0].endswith((f"goto_table:{int(Table.PUNT)}", f"resubmit(,{int(Table.PUNT)})")):
                    outcome.dropped.add(reason.name)
                else:
                    outcome.delivered.append(f"controller:{reason.name}")
        # A trace ends where the datapath looks at the packet anew; test_answers.py and test_sizes.py go on.
        if re.search(r"is larger.*push_mpls", text, re.S):
            outcome.dropped.add(Reason.TOO_LARGE.name)
        if re.search(rf"^ *{int(Table.ANEW)}\. .*priority 100$", text, re.M):
            outcome.delivered.append("answered")
        tunnel: dict[str, int] = {}
        tag = ""
        for found in re.finditer(r"-> output:(\d+)|^\s+output:\"?([\w-]+)\"?$|set_field:(\S+)->tun_dst"
                                 r"|set_field:(\d+)->vlan_vid|-> output to (?:native|kernel) tunnel", text, re.M):
            if found[3]:
                tunnel["peer"] = int(found[3].rsplit(".", 1)[1])
            elif found[2] and found[2] == "vxlan0":
                tunnelled = _tunnelled(flow, text)
                self._arrive(host, tunnel["peer"], tunnelled, outcome)
            elif found[4]:
                tag = f".{int(found[4]) & 0xFFF}"
            elif found[2]:
                outcome.delivered.append(found[2] + tag)

    def _arrive(self, host: str, peer: int, packet: str, outcome: Outcome) -> None:
        self._trace(f"hv{peer}", f"in_port=vxlan0,tun_src=10.200.0.{host[2:]},tun_dst=10.200.0.{peer},{packet}",
                    outcome)


def _way(text: str, large: bool) -> str:
    """One of the two ways that a trace tells after each check of the size: first that of a frame that is larger."""
    lines = text.splitlines()
    while (at := next((at for at, line in enumerate(lines) if "check_pkt_larger" in line), None)) is not None:
        other = lines.index(lines[at + 1], at + 2)
        lines = [*lines[:at], "is larger", *lines[at + 1:other]] if large else lines[:at] + lines[other:]
    return "\n".join(lines)


def _tunnelled(flow: str, text: str) -> str:
    """The packet as it left: fields of the traced flow, with what the trace set on its way."""
    fields = dict(item.partition("=")[::2] for item in flow.split(",")
                  if not item.startswith(("in_port", "tun_")))
    network = re.findall(r"set_field:(0x[0-9a-f]+)->metadata", text)[-1]
    for value, name in re.findall(r"set_field:(\S+)->(eth_src|eth_dst)", text):
        fields[{"eth_src": "dl_src", "eth_dst": "dl_dst"}[name]] = value
    if "dec_ttl" in text and "nw_ttl" in fields:
        fields["nw_ttl"] = str(int(fields["nw_ttl"]) - 1)
    return f"tun_id={int(network, 16)}," + ",".join(f"{k}={v}" if v else k for k, v in fields.items())


def text_mac(number: int) -> str:
    return ":".join(f"{byte:02x}" for byte in mac(number).to_bytes(6))


def icmp(source: int, target: int, subnet: int = 1, to_subnet: int | None = None, **changes: str) -> str:
    fields = {"dl_src": text_mac(source), "dl_dst": text_mac(target), "nw_src": str(ip(subnet, source)),
              "nw_dst": str(ip(subnet if to_subnet is None else to_subnet, target)), "nw_ttl": "64",
              "icmp_type": "8", "icmp_code": "0"}
    fields.update(changes)
    return "icmp," + ",".join(f"{name}={value}" for name, value in fields.items())


def arp(source: int, target: str, **changes: str) -> str:
    fields = {"dl_src": text_mac(source), "dl_dst": BROADCAST, "arp_op": "1", "arp_sha": text_mac(source),
              "arp_spa": str(ip(1, source)), "arp_tpa": target, "arp_tha": "00:00:00:00:00:00"}
    fields.update(changes)
    return "arp," + ",".join(f"{name}={value}" for name, value in fields.items())


def gateway_mac(cloud: Cloud, subnet: int) -> str:
    fact = cloud.compiler.store.fact(Key("subnet", f"sub{subnet}"))
    assert isinstance(fact, Subnet)
    return ":".join(f"{byte:02x}" for byte in fact.gateway_mac.to_bytes(6))


@pytest.fixture(scope="module")
def clouds() -> Iterator[dict[str, Cloud]]:
    made: dict[str, Cloud] = {}

    class Lazy(dict[str, Cloud]):
        def __missing__(self, name: str) -> Cloud:
            made[name] = self[name] = Cloud(name)
            return self[name]

    yield Lazy()
    for cloud in made.values():
        cloud.stop()


def test_unicast_reaches_its_port_on_this_and_on_the_other_hypervisor(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["one_network"]
    assert cloud.send(11, icmp(11, 12)).delivered == ["tap12"]
    assert cloud.send(11, icmp(11, 13)).delivered == ["tap13"]
    assert cloud.send(13, icmp(13, 11)).delivered == ["tap11"]


def test_broadcast_reaches_all_others_once_and_never_comes_back(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["one_network"]
    packet = icmp(11, 12, dl_dst=BROADCAST)
    assert sorted(cloud.send(11, packet).delivered) == ["tap12", "tap13"]
    assert sorted(cloud.send(13, icmp(13, 12, dl_dst="01:00:5e:00:00:01")).delivered) == ["tap11", "tap12"]


def test_what_is_larger_than_a_tunnel_takes_reaches_local_ports_only(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["one_network"]
    for target, delivered, dropped in ((12, ["tap12"], set()), (13, [], {"TOO_LARGE"})):
        outcome = cloud.send(11, icmp(11, target), large=True)
        assert (outcome.delivered, outcome.dropped) == (delivered, dropped)
    outcome = cloud.send(11, icmp(11, 12, dl_dst=BROADCAST), large=True)
    assert (outcome.delivered, outcome.dropped) == (["tap12"], {"ECHO", "TOO_LARGE"})


def test_the_same_addresses_in_another_network_hear_nothing(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["two_tenants"]
    assert cloud.send(11, icmp(11, 13)).delivered == ["tap13"]
    assert sorted(cloud.send(11, icmp(11, 13, dl_dst=BROADCAST)).delivered) == ["tap12", "tap13"]
    outcome = cloud.send(11, icmp(11, 22))
    assert (outcome.delivered, outcome.dropped) == ([], {"UNKNOWN_UNICAST"})


@pytest.mark.parametrize(("packet", "reason"), [
    (icmp(11, 12, dl_src=text_mac(12)), "SPOOFED"),
    (icmp(11, 12, dl_src="01:00:00:00:00:01"), "SPOOFED"),
    (icmp(11, 12, nw_src="10.1.0.12"), "SPOOFED"),
    (icmp(11, 12, nw_src="10.1.0.1"), "SPOOFED"),
    (arp(11, "10.1.0.12", arp_spa="10.1.0.12"), "SPOOFED"),
    (arp(11, "10.1.0.12", arp_spa="10.1.0.1", arp_op="2"), "SPOOFED"),
    (arp(11, "10.1.0.12", arp_sha=text_mac(12)), "SPOOFED"),
    (icmp(11, 12) + ",dl_vlan=5", "VLAN_TAGGED"),
    (f"dl_src={text_mac(11)},dl_dst=01:80:c2:00:00:00,dl_type=0x05ff", "LINK_LOCAL_CONTROL"),
    (f"dl_src={text_mac(11)},dl_dst={text_mac(12)},dl_type=0x86dd", "SPOOFED"),
    (f"udp,dl_src={text_mac(11)},dl_dst={BROADCAST},nw_src=10.1.0.11,nw_dst=255.255.255.255,udp_src=67,udp_dst=68",
     "ROGUE_DHCP"),
])
def test_what_is_not_the_ports_own_is_dropped(clouds: dict[str, Cloud], packet: str, reason: str) -> None:
    outcome = clouds["one_network"].send(11, packet)
    assert (outcome.delivered, outcome.dropped) == ([], {reason})


def test_arp_is_answered_for_others_but_not_for_oneself(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["one_network"]
    for known in ("10.1.0.13", "10.1.0.1"):
        assert cloud.send(11, arp(11, known)).delivered == ["answered"]
    probe = cloud.send(11, arp(11, "10.1.0.11", arp_spa="0.0.0.0"))
    assert sorted(probe.delivered) == ["tap12", "tap13"]
    assert sorted(cloud.send(11, arp(11, "10.1.0.99")).delivered) == ["tap12", "tap13"]


@pytest.mark.parametrize(("source", "tunnel"), [("10.200.0.9", 101), ("10.200.0.1", 101), ("10.200.0.2", 999)])
def test_a_tunnel_speaks_only_from_known_peers_for_their_networks(clouds: dict[str, Cloud], source: str,
                                                                  tunnel: int) -> None:
    outcome = clouds["one_network"].from_tunnel("hv1", source, tunnel, icmp(13, 11))
    assert (outcome.delivered, outcome.dropped) == ([], {"TUNNEL_NOT_MEMBER"})


def test_a_tunnel_never_leads_into_a_tunnel(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["one_network"]
    outcome = cloud.from_tunnel("hv1", "10.200.0.2", 101, icmp(12, 13))
    assert (outcome.delivered, outcome.dropped) == ([], {"SPLIT_HORIZON"})
    broadcast = cloud.from_tunnel("hv1", "10.200.0.2", 101, icmp(13, 11, dl_dst=BROADCAST))
    assert sorted(broadcast.delivered) == ["tap11", "tap12"]


@pytest.mark.parametrize(("source", "target", "works"), [
    (1, 2, True), (2, 1, True), (2, 3, True), (1, 3, False), (3, 1, False), (3, 4, True), (4, 3, True),
    (2, 4, False), (1, 4, False),
])
def test_routes_are_pairwise(clouds: dict[str, Cloud], source: int, target: int, works: bool) -> None:
    cloud = clouds["routed"]
    gateway = text_mac(0xF000 + 16 + source) if source > 2 else gateway_mac(cloud, source)
    packet = icmp(10 * source + 1, 10 * target + 1, source, target, dl_dst=gateway)
    outcome = cloud.send(10 * source + 1, packet)
    if works:
        assert outcome.delivered == [f"tap{10 * target + 1}"]
    else:
        assert (outcome.delivered, outcome.dropped) == ([], {"NO_ROUTE"})


def test_a_gateway_answers_ping_and_nothing_else_and_reports_expired_packets(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["routed"]
    gateway = gateway_mac(cloud, 1)
    assert cloud.send(11, icmp(11, 1, dl_dst=gateway)).delivered == ["answered"]
    assert cloud.send(11, icmp(11, 1, 1, 2, dl_dst=gateway)).delivered == ["answered"]
    outcome = cloud.send(11, icmp(11, 1, dl_dst=gateway).replace("icmp,", "tcp,").split(",icmp_type")[0])
    assert (outcome.delivered, outcome.dropped) == ([], {"GATEWAY_NO_SERVICE"})
    expired = cloud.send(11, icmp(11, 21, 1, 2, dl_dst=gateway, nw_ttl="1"))
    assert expired.delivered == ["controller:TTL_EXCEEDED"]


def test_a_routed_packet_larger_than_the_other_network_takes_goes_to_the_controller(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["routed"]
    packet = icmp(21, 31, 2, 3, dl_dst=gateway_mac(cloud, 2))
    assert cloud.send(21, packet, large=True).delivered == ["controller:TOO_BIG"]
    assert cloud.send(21, packet).delivered == ["tap31"]


def test_a_routed_packet_to_nobody_is_dropped(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["routed"]
    outcome = cloud.send(11, icmp(11, 99, 1, 2, dl_dst=gateway_mac(cloud, 1)))
    assert (outcome.delivered, outcome.dropped) == ([], {"NO_NEIGHBOUR"})


def test_isolated_ports_reach_the_gateway_but_not_each_other(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["isolated"]
    for target in (12, 13):
        outcome = cloud.send(11, icmp(11, target))
        assert (outcome.delivered, outcome.dropped) == ([], {"ISOLATED"})
    assert cloud.send(11, icmp(11, 12, dl_dst=BROADCAST)).dropped == {"ISOLATED"}
    assert cloud.send(11, icmp(11, 1, dl_dst=gateway_mac(cloud, 1))).delivered == ["answered"]
    assert cloud.send(11, arp(11, "10.1.0.12")).dropped == {"ISOLATED"}


def test_limits_meter_only_the_limited_port(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["limited"]
    assert cloud.send(11, icmp(11, 12)).delivered == ["tap12"]
    assert cloud.send(12, icmp(12, 11)).delivered == ["tap11"]
    assert sorted(cloud.send(12, icmp(12, 11, dl_dst=BROADCAST)).delivered) == ["tap11", "tap13"]


def test_marks_and_limits_of_packets_are_the_port_s_own(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["marked"]
    for source, mark, meters in ((11, 46, [45, 131094, 131099]), (12, 10, [131099]), (13, None, [131098, 46, 131095])):
        target = 11 if source == 13 else 13
        outcome = cloud.send(source, icmp(source, target, nw_tos="0"))
        assert outcome.delivered == [f"tap{target}"]
        text = cloud.trace(source, icmp(source, target, nw_tos="1"))
        assert re.findall(r"^ *meter:(\d+)$", text, re.M) == list(map(str, meters))
        # The two bits below the mark are ECN's.
        marked = re.findall(r"set_field:(\d+)->nw_tos_shifted|set_field:(\d+)->ip_dscp", text)
        assert [int(a or b) for a, b in marked] == ([] if mark is None else [mark])
    for packet in (icmp(11, 12, dl_dst=BROADCAST), arp(11, "10.1.0.99")):
        assert sorted(cloud.send(11, packet).delivered) == ["tap12", "tap13"]


def test_without_port_security_a_port_may_send_what_it_likes_but_no_tags(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["limited"]
    assert cloud.send(13, icmp(13, 12, dl_src=text_mac(77), nw_src="192.0.2.7")).delivered == ["tap12"]
    assert cloud.send(13, icmp(13, 12) + ",dl_vlan=5").dropped == {"VLAN_TAGGED"}


def test_pure_layer_2_carries_any_address_but_not_anothers_mac(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["layer2"]
    assert cloud.send(11, icmp(11, 12, nw_src="192.0.2.1")).delivered == ["tap12"]
    assert cloud.send(11, icmp(11, 12, dl_src=text_mac(12))).dropped == {"SPOOFED"}
    assert cloud.send(11, arp(11, "192.0.2.9", arp_spa="192.0.2.1", arp_sha=text_mac(12))).dropped == {"SPOOFED"}


@pytest.mark.parametrize("packet", [
    icmp(11, 12), icmp(11, 12, nw_src="10.1.0.200"), icmp(11, 12, nw_src="10.9.7.7"),
    icmp(11, 12, nw_src="10.1.0.201", dl_src="00:00:5e:00:01:07"),
    icmp(11, 12, nw_src="192.0.2.1", dl_src=text_mac(99)),
    arp(11, "10.1.0.99", arp_spa="10.1.0.200"), arp(11, "10.1.0.99", arp_spa="10.9.255.1"),
    arp(11, "10.1.0.99", arp_spa="10.1.0.201", arp_sha="00:00:5e:00:01:07", dl_src="00:00:5e:00:01:07"),
])
def test_what_a_pair_allows_is_sent(clouds: dict[str, Cloud], packet: str) -> None:
    outcome = clouds["paired"].send(11, packet)
    assert (outcome.delivered, outcome.dropped - {"ECHO"}) == (["tap12"], set())


@pytest.mark.parametrize(("packet", "reason"), [
    (icmp(11, 12, nw_src="10.1.0.201"), "SPOOFED"),
    (icmp(11, 12, nw_src="10.1.0.200", dl_src="00:00:5e:00:01:07"), "SPOOFED"),
    (icmp(11, 12, nw_src="10.10.0.1"), "SPOOFED"),
    (arp(11, "10.1.0.99", arp_spa="10.1.0.200", arp_sha="00:00:5e:00:01:07"), "SPOOFED"),
    (arp(11, "10.1.0.99", arp_spa="10.1.0.201"), "SPOOFED"),
    (f"udp,dl_src={text_mac(99)},dl_dst={BROADCAST},nw_src=10.1.0.11,nw_dst=255.255.255.255,udp_src=67,udp_dst=68",
     "ROGUE_DHCP"),
])
def test_what_no_pair_allows_is_dropped(clouds: dict[str, Cloud], packet: str, reason: str) -> None:
    outcome = clouds["paired"].send(11, packet)
    assert (outcome.delivered, outcome.dropped) == ([], {reason})
    # What one port is allowed, no other is.
    assert clouds["paired"].send(12, icmp(12, 11, nw_src="10.1.0.200")).dropped == {"SPOOFED"}


def test_pairs_of_pure_layer_2_are_macs(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["paired"]
    assert cloud.send(21, icmp(21, 22, 2, dl_src="00:00:5e:00:01:08", nw_src="192.0.2.1")).delivered == ["tap22"]
    assert cloud.send(21, icmp(21, 22, 2, dl_src="00:00:5e:00:01:07")).dropped == {"SPOOFED"}


@pytest.mark.parametrize(("source", "address", "delivered"), [
    (11, "10.50.1.1", "tap21"), (11, "10.50.7.7", "tap12"), (11, "192.0.2.1", "tap21"), (21, "10.1.0.11", "tap11"),
    (21, "10.50.7.7", "tap12"),
])
def test_a_router_s_own_routes_lead_to_machines(clouds: dict[str, Cloud], source: int, address: str,
                                               delivered: str) -> None:
    subnet = source // 10
    packet = icmp(source, 99, subnet, nw_dst=address, dl_dst=text_mac(0xF010 + subnet))
    assert clouds["behind"].send(source, packet).delivered == [delivered]


@pytest.mark.parametrize(("source", "sender", "works"), [
    (21, "10.50.1.1", True), (21, "192.0.2.1", True), (12, "10.50.7.7", True),
    (12, "10.50.1.1", False), (12, "192.0.2.1", False),
])
def test_what_is_behind_a_machine_comes_by_it_alone(clouds: dict[str, Cloud], source: int, sender: str,
                                                   works: bool) -> None:
    subnet = source // 10
    packet = icmp(source, 11, subnet, 1, nw_src=sender, dl_dst=text_mac(0xF010 + subnet))
    outcome = clouds["behind"].send(source, packet)
    assert (outcome.delivered, outcome.dropped) == ((["tap11"], set()) if works else ([], {"NO_ROUTE"}))


def test_a_route_to_nobody_is_dropped(clouds: dict[str, Cloud]) -> None:
    outcome = clouds["behind"].send(11, icmp(11, 99, nw_dst="10.60.0.1", dl_dst=text_mac(0xF011)))
    assert (outcome.delivered, outcome.dropped) == ([], {"NO_NEIGHBOUR"})


def test_every_table_says_what_it_drops_for() -> None:
    compiler = ReadableCompiler([])
    replica = Replica(compiler, "hv1")
    flows, _ = replica.desired()
    misses = {flow.table: flow for flow in map(compiler.flow, flows.values()) if flow.priority == 0}
    assert set(misses) == set(Table)
    assert all(flow.goto is not None or "reg6" in str(flow) or table in RETURNS for table, flow in misses.items())
