"""DHCPv6: what a machine is told, by which messages, and what is no request at all (RFC 8415)."""
from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from os_ken.lib.packet import ipv6, packet, udp

from naas_sdn.apps import wire, wire6
from naas_sdn.apps.contract import PacketIn, Scope
from naas_sdn.apps.dhcp6_wire import ALL_SERVERS, Option, Status, Type, encoded
from naas_sdn.apps.dhcp_options import Terms
from naas_sdn.apps.dhcp_responder import DhcpResponder
from naas_sdn.model import dhcp
from naas_sdn.model.ip import link_local
from naas_sdn.model.store import Key, Store, View
from naas_sdn.model.values import Address, Network, Port, Subnet
from naas_sdn.pipeline.flow import SetField
from naas_sdn.pipeline.tables import REASON, Reason

MAC, GATEWAY_MAC = 0xFA163E000007, 0xFA163F000005
MACHINE = wire.Station(MAC, int(link_local(MAC)))
SERVERS = wire.Station(0x333300010002, ALL_SERVERS)
DUID = b"\0\3\0\1" + MAC.to_bytes(6)
NETWORK = Network("net", 77, 1450)
STATEFUL = Subnet("sub", "net", 5, IPv6Network("2001:db8:1::/64"), IPv6Address("2001:db8:1::1"), GATEWAY_MAC,
                  nameservers=(IPv6Address("2001:db8::53"),), address_mode="dhcpv6-stateful")
OTHER = replace(STATEFUL, id="other", key=6, cidr=IPv6Network("2001:db8:2::/64"), nameservers=())
STATELESS = replace(STATEFUL, address_mode="dhcpv6-stateless")
PORT = Port("port", "net", 9, MAC, (Address("sub", IPv6Address("2001:db8:1::7")),), hostname="vm-7")
OWN, TWO, FOREIGN = (int(IPv6Address(text)) for text in ("2001:db8:1::7", "2001:db8:2::7", "2001:db8:1::99"))
LEASE = 86400


class Case:
    """A network's server, and its machine's requests."""

    def __init__(self, *facts: Network | Subnet | Port) -> None:
        self.app = DhcpResponder(Terms(LEASE, "cloud.internal"))
        self.store = Store()
        for fact in (NETWORK, STATEFUL, PORT, *facts):
            self.store.put(Key(type(fact).__name__.lower(), fact.id), fact)

    def send(self, frame: bytes) -> list[bytes]:
        return self.app.packet_in(View(self.store), PacketIn("hv1", "port", Reason.DHCPV6, frame))

    def ask(self, kind: Type, *options: bytes) -> tuple[Type, dict[int, list[bytes]]] | None:
        """Type and options of the answer, which is a right frame from the server to the machine."""
        frames = self.send(datagram(bytes((kind,)) + b"abc" + b"".join(options)))
        if not frames:
            return None
        [frame] = frames
        parsed = packet.Packet(frame)
        header, ports = parsed.get_protocol(ipv6.ipv6), parsed.get_protocol(udp.udp)
        assert (header.src, header.dst) == (str(link_local(GATEWAY_MAC)), str(IPv6Address(MACHINE.ip)))
        assert (ports.src_port, ports.dst_port, frame[:6]) == (547, 546, MAC.to_bytes(6))
        read = wire6.parse_udp(frame)
        assert read is not None and read.payload[1:4] == b"abc" and len(frame) <= 14 + 1280
        found = options_of(read.payload[4:])
        if Option.CLIENT_ID in found:
            assert found[Option.CLIENT_ID] == [DUID]
        return Type(read.payload[0]), found

    @property
    def duid(self) -> bytes:
        return server(self.ask(Type.SOLICIT, CLIENT))


def datagram(payload: bytes, source: wire.Station = MACHINE, target: wire.Station = SERVERS, port: int = 547) -> bytes:
    return wire6.build_udp(source, target, 546, port, payload)


def options_of(data: bytes) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    at = 0
    while at < len(data):
        code, size = struct.unpack_from("!HH", data, at)
        found.setdefault(code, []).append(data[at + 4:at + 4 + size])
        at += 4 + size
    return found


def server(answer: tuple[Type, dict[int, list[bytes]]] | None) -> bytes:
    assert answer is not None
    return answer[1][Option.SERVER_ID][0]


def association(number: int = 1, *addresses: int) -> bytes:
    return encoded(Option.IA_NA, number.to_bytes(4) + bytes(8) + b"".join(
        encoded(Option.ADDRESS, address.to_bytes(16) + bytes(8)) for address in addresses))


def granted(value: bytes) -> tuple[int, tuple[int, int], dict[int, tuple[int, int]]]:
    """Number, the two times, and the lifetimes of each address."""
    addresses = {int.from_bytes(option[:16]): struct.unpack("!II", option[16:24])
                 for option in options_of(value[12:]).get(Option.ADDRESS, [])}
    return int.from_bytes(value[:4]), struct.unpack("!II", value[4:12]), addresses


def refused(value: bytes, head: int = 12) -> int:
    return int.from_bytes(options_of(value[head:])[Option.STATUS][0][:2])


CLIENT = encoded(Option.CLIENT_ID, DUID)
LASTING = (LEASE, LEASE)


def requested(*codes: int) -> bytes:
    return encoded(Option.REQUESTED, b"".join(code.to_bytes(2) for code in codes))


def test_a_machine_gets_its_port_s_address_by_four_messages() -> None:
    case = Case()
    found = case.ask(Type.SOLICIT, CLIENT, association(7))
    assert found is not None and found[0] == Type.ADVERTISE
    assert granted(found[1][Option.IA_NA][0]) == (7, (LEASE // 2, LEASE * 4 // 5), {OWN: LASTING})
    identity = encoded(Option.SERVER_ID, server(found))
    found = case.ask(Type.REQUEST, CLIENT, identity, association(7, OWN))
    assert found is not None and found[0] == Type.REPLY
    assert granted(found[1][Option.IA_NA][0])[2] == {OWN: LASTING}
    assert found[1][Option.NAME_SERVERS] == [IPv6Address("2001:db8::53").packed]
    assert found[1][Option.DOMAIN_LIST] == [b"\5cloud\x08internal\0"]
    for kind, options in ((Type.RENEW, (CLIENT, identity)), (Type.REBIND, (CLIENT,))):
        found = case.ask(kind, *options, association(7, OWN, FOREIGN))
        assert found is not None and found[0] == Type.REPLY
        assert granted(found[1][Option.IA_NA][0])[2] == {OWN: LASTING, FOREIGN: (0, 0)}
    assert case.app.counts == {"v6 solicit": 1, "v6 request": 1, "v6 renew": 1, "v6 rebind": 1}


def test_two_messages_suffice_who_asks_for_that() -> None:
    found = Case().ask(Type.SOLICIT, CLIENT, association(), encoded(Option.RAPID_COMMIT, b""))
    assert found is not None and found[0] == Type.REPLY
    assert found[1][Option.RAPID_COMMIT] == [b""] and granted(found[1][Option.IA_NA][0])[2] == {OWN: LASTING}


def test_all_addresses_come_in_the_first_association_and_none_in_others() -> None:
    case = Case(OTHER, replace(PORT, addresses=(*PORT.addresses, Address("other", IPv6Address(TWO)))))
    found = case.ask(Type.SOLICIT, CLIENT, association(1), association(2),
                     encoded(Option.IA_TA, bytes(4)), encoded(Option.IA_PD, bytes(12)))
    assert found is not None
    first, second = found[1][Option.IA_NA]
    assert granted(first)[2] == {OWN: LASTING, TWO: LASTING}
    assert refused(second) == Status.NO_ADDRESS
    assert refused(found[1][Option.IA_TA][0], 4) == Status.NO_ADDRESS
    assert refused(found[1][Option.IA_PD][0]) == Status.NO_PREFIX


def test_a_request_for_an_address_of_elsewhere_is_not_on_this_link() -> None:
    case = Case()
    found = case.ask(Type.REQUEST, CLIENT, encoded(Option.SERVER_ID, case.duid), association(1, TWO))
    assert found is not None and refused(found[1][Option.IA_NA][0]) == Status.NOT_ON_LINK


def test_confirm_says_whether_it_is_still_the_same_place() -> None:
    case = Case()
    for claimed, expected in ((OWN, Status.SUCCESS), (FOREIGN, Status.NOT_ON_LINK), (TWO, Status.NOT_ON_LINK)):
        found = case.ask(Type.CONFIRM, CLIENT, association(1, claimed))
        assert found is not None and found[1][Option.STATUS] == [expected.to_bytes(2)]
    assert case.ask(Type.CONFIRM, CLIENT, association(1)) is None


@pytest.mark.parametrize("kind", [Type.RELEASE, Type.DECLINE])
def test_what_is_given_back_stays_the_port_s(kind: Type) -> None:
    case = Case()
    identity = encoded(Option.SERVER_ID, case.duid)
    found = case.ask(kind, CLIENT, identity, association(1, OWN), association(2, FOREIGN))
    assert found is not None and found[1][Option.STATUS] == [bytes(2)]
    assert [refused(value) for value in found[1][Option.IA_NA]] == [Status.NO_BINDING]
    found = case.ask(Type.REBIND, CLIENT, association(1, OWN))
    assert found is not None and granted(found[1][Option.IA_NA][0])[2] == {OWN: LASTING}


def test_without_state_there_is_information_and_no_address() -> None:
    case = Case(STATELESS)
    found = case.ask(Type.INFORMATION_REQUEST, requested(23, 24, 32))
    assert found is not None and found[0] == Type.REPLY
    assert set(found[1]) == {Option.SERVER_ID, Option.NAME_SERVERS, Option.DOMAIN_LIST, Option.REFRESH_TIME}
    assert found[1][Option.REFRESH_TIME] == [LEASE.to_bytes(4)]
    found = case.ask(Type.SOLICIT, CLIENT, association())
    assert found is not None and refused(found[1][Option.IA_NA][0]) == Status.NO_ADDRESS


def test_only_what_is_asked_for_is_told_and_the_port_s_own_always() -> None:
    own = (dhcp.encoded("bootfile-url", "http://[2001:db8::1]/x", 6), dhcp.encoded("dns-server", "2001:db8::99", 6))
    case = Case(replace(PORT, dhcp6_options=own))
    found = case.ask(Type.SOLICIT, CLIENT, association(), requested(24, 39))
    assert found is not None
    assert set(found[1]) - {1, 2, 3} == {Option.DOMAIN_LIST, Option.FQDN, 59, Option.NAME_SERVERS}
    assert found[1][Option.NAME_SERVERS] == [IPv6Address("2001:db8::99").packed]
    assert found[1][Option.FQDN] == [b"\4\4vm-7\5cloud\x08internal\0"]


def test_an_answer_fits_every_link() -> None:
    long = tuple((200 + number, bytes(255)) for number in range(10))
    found = Case(replace(PORT, dhcp6_options=long)).ask(Type.SOLICIT, CLIENT, association())
    assert found is not None and 3 <= len(set(found[1]) & {code for code, _ in long}) < 10
    assert granted(found[1][Option.IA_NA][0])[2] == {OWN: LASTING}


STRANGER = encoded(Option.SERVER_ID, b"\0\4" + bytes(16))


@pytest.mark.parametrize(("kind", "options"), [
    (Type.SOLICIT, (association(),)), (Type.SOLICIT, (CLIENT, STRANGER)), (Type.REQUEST, (CLIENT, association(1, OWN))),
    (Type.REQUEST, (CLIENT, STRANGER, association(1, OWN))), (Type.REBIND, (CLIENT, STRANGER, association(1, OWN))),
    (Type.CONFIRM, (CLIENT, STRANGER, association(1, OWN))), (Type.RENEW, (CLIENT, association(1, OWN))),
    (Type.RELEASE, (CLIENT, STRANGER)), (Type.DECLINE, (CLIENT,)), (Type.INFORMATION_REQUEST, (STRANGER,)),
    (Type.INFORMATION_REQUEST, (association(),)), (Type.ADVERTISE, (CLIENT,)), (Type.REPLY, (CLIENT,)),
    (Type.SOLICIT, (CLIENT, CLIENT)), (Type.SOLICIT, (encoded(Option.CLIENT_ID, bytes(2)),)),
    (Type.SOLICIT, (encoded(Option.CLIENT_ID, bytes(131)),)), (Type.SOLICIT, (CLIENT, b"\0\3\0\x0c" + bytes(11))),
    (Type.SOLICIT, (CLIENT, encoded(Option.IA_NA, bytes(11)))),
    (Type.SOLICIT, (CLIENT, encoded(Option.REQUESTED, b"\0"))),
    (Type.SOLICIT, (CLIENT, encoded(Option.IA_NA, bytes(12) + encoded(Option.ADDRESS, bytes(23))))),
    (Type.SOLICIT, (CLIENT, encoded(Option.IA_NA, bytes(12) + b"\0\5\xff\xff"))), (Type.SOLICIT, (CLIENT, b"\0")),
])
def test_what_is_not_for_us_or_malformed_has_no_answer(kind: Type, options: tuple[bytes, ...]) -> None:
    """RFC 8415 section 16."""
    case = Case()
    assert case.ask(kind, *options) is None
    assert case.app.counts == {"refused": 1}


def test_a_relayed_or_displaced_request_has_no_answer() -> None:
    case = Case()
    solicit = bytes((Type.SOLICIT,)) + b"abc" + CLIENT + association()
    assert case.send(datagram(solicit))
    for frame in (
        datagram(b"\x0c\0" + bytes(32) + encoded(9, solicit)), datagram(solicit, wire.Station(MAC, OWN)),
        datagram(solicit, target=wire.Station(GATEWAY_MAC, int(link_local(GATEWAY_MAC)))), datagram(solicit, port=546),
        datagram(solicit)[:-1], datagram(solicit)[:-1] + b"\xff", datagram(b""), b"",
    ):
        assert case.send(frame) == []


def test_a_checksum_left_to_the_card_is_as_good() -> None:
    case = Case()
    solicit = bytes((Type.SOLICIT,)) + b"abc" + CLIENT + association()
    frame = datagram(solicit)
    pseudo = MACHINE.ip.to_bytes(16) + SERVERS.ip.to_bytes(16) + (len(frame) - 54).to_bytes(4) + (17).to_bytes(4)
    partial = ~wire.checksum(pseudo) & 0xFFFF
    assert case.send(frame[:60] + partial.to_bytes(2) + frame[62:])


@pytest.mark.parametrize("changes", [
    {"dhcp": False}, {"address_mode": None}, {"address_mode": "slaac"}])
def test_where_it_does_not_serve_it_neither_hears_nor_answers(changes: Mapping[str, Any]) -> None:
    case = Case(replace(STATEFUL, **changes))
    assert not case.app.compile(View(case.store), Scope("network", "net")).flows
    assert case.ask(Type.SOLICIT, CLIENT, association()) is None
    case = Case()
    [flow] = case.app.compile(View(case.store), Scope("network", "net")).flows
    assert SetField(REASON, Reason.DHCPV6) in flow.actions


def test_the_server_is_the_same_after_a_restart_and_another_on_another_network() -> None:
    assert Case().duid == Case(STATELESS).duid
    assert len({Case().duid, Case(replace(NETWORK, id="net2"), replace(STATEFUL, network_id="net2"),
                                  replace(PORT, network_id="net2")).duid}) == 2


USUAL = datagram(bytes((Type.SOLICIT,)) + b"abc" + CLIENT + association(1, OWN) + requested(23))


@given(st.integers(0, 15), st.binary(max_size=120), st.integers(0, 60))
def test_no_bytes_are_too_strange(kind: int, data: bytes, kept: int) -> None:
    body = bytes((kind,)) + b"abc" + (CLIENT + association(1, OWN) + requested(23))[:kept] + data
    Case().send(datagram(body))
    Case().send(USUAL[:kept] + data)


@pytest.mark.parametrize(("name", "value", "told"), [
    ("dns-server", "2001:db8::1, [2001:db8::2]", (23, b"".join(
        IPv6Address(f"2001:db8::{number}").packed for number in (1, 2)))),
    ("domain-search", "a.b,c", (24, b"\1a\1b\0\1c\0")), ("59", "tftp://x", (59, b"tftp://x")),
    ("bootfile-param", "a,bc", (60, b"\0\1a\0\2bc")), ("information-refresh-time", "600", (32, b"\0\0\2\x58")),
    ("ntp-server", "2001:db8::1", (56, b"\0\1\0\x10" + IPv6Address("2001:db8::1").packed)),
    ("300", "a:0b", (300, b"\x0a\x0b")), ("300", "2001:db8::1", (300, IPv6Address("2001:db8::1").packed)),
    ("300", "text", (300, b"text")), ("router", "x", None), ("tag:x,24", "x", None),
])
def test_a_port_s_options_as_bytes(name: str, value: str, told: tuple[int, bytes] | None) -> None:
    assert dhcp.encoded(name, value, 6) == told


@pytest.mark.parametrize(("name", "value"), [
    *((str(code), "x") for code in sorted(dhcp.RESERVED6)), ("65536", "x"), ("dns-server", "192.0.2.1"),
    ("dns-server", ""), ("domain-search", "a b"), ("information-refresh-time", "599"), ("bootfile-url", "a\nb"),
    ("information-refresh-time", "4294967296"), ("300", ""), ("ntp-server", "x"),
])
def test_a_port_s_options_that_cannot_be_told(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        dhcp.encoded(name, value, 6)
