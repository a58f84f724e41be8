"""Router advertisements by os-ken's parser, and which solicitations get one."""
from __future__ import annotations

import struct
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from os_ken.lib.packet import icmpv6, ipv6, packet

from naas_sdn.apps import wire, wire6
from naas_sdn.apps.contract import PacketIn, Scope
from naas_sdn.apps.router_advertisements import Advised, RouterAdvertisements
from naas_sdn.errors import ConfigurationError
from naas_sdn.model.ip import Ip, Prefix, link_local
from naas_sdn.model.store import Key, Store, View
from naas_sdn.model.values import Network, Subnet
from naas_sdn.pipeline.program import Announcement
from naas_sdn.pipeline.tables import Reason, Table
from tests.support import topologies
from tests.support.topologies import ip6, mac

APP = RouterAdvertisements(Advised("cloud.internal"))
SILENT = RouterAdvertisements(Advised())
MACHINE = wire.Station(mac(11), int(link_local(mac(11))))
ALL_ROUTERS = wire.Station(0x333300000002, int(IPv6Address("ff02::2")))
SLLA = bytes((1, 1)) + MACHINE.mac.to_bytes(6)


def store(**changes: Any) -> Store:
    """dual_stack, its subnet 61 changed."""
    made = Store()
    for key, fact in topologies.dual_stack():
        made.put(key, replace(fact, **changes) if isinstance(fact, Subnet) and fact.id == "sub61" else fact)
    return made


def solicit(body: bytes = struct.pack("!BBHI", 133, 0, 0, 0) + SLLA, *, source: int = MACHINE.ip,
            hops: int = 255) -> bytes:
    return wire6.build_icmpv6(wire.Station(MACHINE.mac, source), ALL_ROUTERS, body, hops)


def answers(made: Store, frame: bytes, app: RouterAdvertisements = APP, number: int = 11) -> list[bytes]:
    return app.packet_in(View(made), PacketIn("hv1", f"port{number}", Reason.ROUTER_SOLICITATION, frame))


def announced(made: Store, net: int = 1, app: RouterAdvertisements = APP) -> dict[str, Announcement]:
    return {announcement.name: announcement
            for announcement in app.compile(View(made), Scope("network", f"net{net}")).announcements}


def read(frame: bytes) -> tuple[Any, Any]:
    """IPv6 header and advertisement; its checksum is right."""
    parsed = packet.Packet(frame)
    header, message = parsed.get_protocol(ipv6.ipv6), parsed.get_protocol(icmpv6.icmpv6)
    assert wire.checksum(frame[22:54] + len(frame[54:]).to_bytes(4) + (58).to_bytes(4) + frame[54:]) == 0
    return header, message.data


def options(frame: bytes) -> dict[int, bytes]:
    """By type, as they stand: os-ken does not know most of them."""
    found, at = {}, 70
    while at < len(frame):
        size = 8 * frame[at + 1]
        found[frame[at]] = frame[at:at + size]
        at += size
    return found


def prefix(frame: bytes) -> str:
    return str(IPv6Address(options(frame)[3][16:32]))


def test_a_machine_that_asks_is_answered_alone_by_each_subnet_of_its_gateway() -> None:
    frames = answers(store(), solicit())
    assert len(frames) == 2
    for frame in frames:
        header, advertisement = read(frame)
        router = int.from_bytes(frame[6:12])
        assert int.from_bytes(frame[:6]) == MACHINE.mac and router == mac(0xE000 + 16 + 1)
        assert (header.src, header.dst, header.hop_limit) == (
            str(link_local(router)), str(IPv6Address(MACHINE.ip)), 255)
        assert (advertisement.ch_l, advertisement.res, advertisement.rou_l) == (64, 0, 1800)
        assert (advertisement.rea_t, advertisement.ret_t) == (0, 0)
        told = options(frame)
        assert told[1] == b"\1\1" + router.to_bytes(6)
        assert struct.unpack("!BBBBII", told[3][:12]) == (3, 4, 64, 0xC0, 86400, 14400)
        assert struct.unpack("!BBHI", told[5]) == (5, 1, 0, 1450)
    assert {prefix(frame) for frame in frames} == {"2001:db8:1::", "2001:db8:91::"}


def test_one_without_an_address_is_answered_as_all() -> None:
    for frame in answers(store(), solicit(struct.pack("!BBHI", 133, 0, 0, 0), source=0)):
        header, _ = read(frame)
        assert header.dst == "ff02::1" and frame[:6] == bytes.fromhex("333300000001")


@pytest.mark.parametrize(("mode", "flags", "itself"), [
    ("slaac", 0, True), ("dhcpv6-stateless", 0x40, True), ("dhcpv6-stateful", 0x80, False)])
def test_a_mode_is_its_flags(mode: str, flags: int, itself: bool) -> None:
    frames = answers(store(ra_mode=mode), solicit())
    assert {frame[59] for frame in frames} == {flags}, "an interface's flags are the same whatever the prefix"
    [frame] = [frame for frame in frames if prefix(frame) == "2001:db8:1::"]
    assert options(frame)[3][3] == 0x80 | (0x40 if itself else 0)


def test_a_subnet_without_a_mode_is_not_advertised() -> None:
    assert len(answers(store(ra_mode=None), solicit())) == 1
    assert not any("2001:db8:1::" in name for name in announced(store(ra_mode=None)))


def test_a_prefix_that_no_address_is_made_of_is_on_the_link_only() -> None:
    made = store(cidr=IPv6Network("2001:db8:1::/80"), ra_mode="slaac")
    assert {options(frame)[3][2:4] for frame in answers(made, solicit())} == {b"\x50\x80", b"\x40\xc0"}


def test_servers_domain_and_routes_by_the_gateway_are_told() -> None:
    routes: tuple[tuple[Prefix, Ip], ...] = (
        (IPv6Network("2001:db8:77::/48"), ip6(1, 1)), (IPv6Network("2001:db8:78::/80"), ip6(1, 12)),
        (IPv6Network("2001:db8:79::1/128"), link_local(mac(0xE000 + 16 + 1))))
    made = store(nameservers=(IPv6Address("2001:db8::53"), IPv6Address("2001:db8::54")), host_routes=routes[:2])
    [told] = [options(frame) for frame in answers(made, solicit()) if prefix(frame) == "2001:db8:1::"]
    assert told[25] == bytes.fromhex("1905000000000708" "20010db8000000000000000000000053"
                                     "20010db8000000000000000000000054")
    assert told[31] == bytes.fromhex("1f03000000000708") + b"\5cloud\x08internal\0"
    assert told[24] == bytes.fromhex("1802300000000708" "20010db800770000")
    quiet = map(options, answers(store(host_routes=routes[2:]), solicit(), SILENT))
    [told] = [found for found in quiet if 24 in found]
    assert told[24] == bytes.fromhex("1803800000000708" "20010db8007900000000000000000001")
    assert 31 not in told and 25 not in told


def test_a_gateway_that_leads_nowhere_is_no_default_router() -> None:
    made = store()
    assert {frame[60:62] for frame in answers(made, solicit(), number=31)} == {(1800).to_bytes(2)}, "a NaaS route"
    made.put(Key("route", "route1"), None)
    assert {frame[60:62] for frame in answers(made, solicit(), number=31)} == {b"\0\0"}


def test_a_farewell_ends_the_router_and_what_it_had_told() -> None:
    made = store(nameservers=(IPv6Address("2001:db8::53"),), host_routes=((IPv6Network("::/0"), ip6(1, 1)),))
    [farewell] = [announcement.farewell for name, announcement in announced(made).items() if "2001:db8:1::" in name]
    told = options(farewell)
    assert farewell[60:62] == b"\0\0"
    assert told[3][4:12] == (7200).to_bytes(4) + bytes(4)
    assert {told[kind][4:8] for kind in (24, 25, 31)} == {bytes(4)}


def test_where_nobody_advertises_solicitations_go_on() -> None:
    made = store()
    [flow] = APP.compile(View(made), Scope("network", "net1")).flows
    assert flow.table == Table.ROUTERS
    for number in (61, 91):
        fact = made.fact(Key("subnet", f"sub{number}"))
        assert isinstance(fact, Subnet)
        made.put(Key("subnet", fact.id), replace(fact, ra_mode=None))
    assert not APP.compile(View(made), Scope("network", "net1")).flows
    network = made.fact(Key("network", "net2"))
    assert isinstance(network, Network)
    made.put(Key("network", "net2"), replace(network, admin_up=False))
    assert not APP.compile(View(made), Scope("network", "net2")).flows


def test_a_small_mtu_is_not_told() -> None:
    made = store()
    network = made.fact(Key("network", "net1"))
    assert isinstance(network, Network)
    made.put(Key("network", "net1"), replace(network, mtu=1279))
    assert all(5 not in options(frame) for frame in answers(made, solicit()))


@pytest.mark.parametrize("frame", [
    solicit(hops=254), solicit(struct.pack("!BBHI", 133, 1, 0, 0)), solicit(struct.pack("!BBH", 133, 0, 0)),
    solicit(source=0), solicit(struct.pack("!BBHI", 133, 0, 0, 0) + bytes((1, 0)) + bytes(6)),
    solicit(struct.pack("!BBHI", 133, 0, 0, 0) + bytes((1, 2)) + bytes(6)),
    solicit(struct.pack("!BBHI", 133, 0, 0, 0) + b"\1"), solicit(struct.pack("!BBHI", 134, 0, 0, 0)),
    solicit()[:-1], solicit()[:-1] + b"\xff", b"", solicit()[:50],
])
def test_what_is_no_solicitation_has_no_answer(frame: bytes) -> None:
    """RFC 4861 section 6.1.1."""
    assert answers(store(), frame) == []


DUAL = store()


@given(st.binary(max_size=200), st.sampled_from([b"", solicit()]), st.integers(0, 80))
def test_no_bytes_are_too_strange(data: bytes, before: bytes, cut: int) -> None:
    answers(DUAL, before[:cut] + data)


def test_a_domain_is_a_domain() -> None:
    with pytest.raises(ConfigurationError, match="not a domain name"):
        Advised("no domain")
