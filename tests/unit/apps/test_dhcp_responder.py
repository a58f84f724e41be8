"""What is answered to which request (RFC 2131 sections 4.1 and 4.3), and what is never answered."""
from __future__ import annotations

import logging
import random
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from dhcp_case import (
    GATEWAY_MAC,
    MAC,
    NETWORK,
    OWN,
    PORT,
    SERVER,
    SUBNET,
    Case,
    Option,
    client_frame,
    ip,
    request,
    store,
    word,
)

from naas_sdn.apps import wire
from naas_sdn.apps.contract import Group, Scope
from naas_sdn.apps.dhcp_options import Terms
from naas_sdn.apps.dhcp_responder import DhcpResponder
from naas_sdn.apps.dhcp_wire import Message, Op, Type, build, parse
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import DHCP_SERVICE, Address, Network, Port, Subnet
from naas_sdn.pipeline.tables import Reason, Table

SECOND = Subnet("zwei", "net", 6, IPv4Network("10.1.0.0/24"), IPv4Address("10.1.0.1"), GATEWAY_MAC + 1)
STATIC = Subnet("static", "net", 8, IPv4Network("10.2.0.0/24"), IPv4Address("10.2.0.1"), 3, dhcp=False)
BOTH = replace(PORT, addresses=(*PORT.addresses, Address("zwei", IPv4Address("10.1.0.7"))))
NONE = replace(PORT, addresses=())
ASKED, CHOSEN = Option.REQUESTED_ADDRESS, Option.SERVER_IDENTIFIER


def asking(address: str, server: str | None = None, **fields: int) -> bytes:
    """A REQUEST in SELECTING (with a server) or INIT-REBOOT."""
    options = {ASKED: IPv4Address(address).packed}
    if server is not None:
        options[CHOSEN] = IPv4Address(server).packed
    return request(Type.REQUEST, options=options, **fields)


def keeping(address: str, dst: int = SERVER) -> bytes:
    """A REQUEST in RENEWING, or REBINDING when `dst` is everybody."""
    return request(Type.REQUEST, src=ip(address), dst=dst, ciaddr=ip(address))


@pytest.mark.parametrize(("what", "facts", "frame", "verdict"), [
    ("discover", (), request(Type.DISCOVER), "OFFER"),
    ("discover, wishes another's", (), request(Type.DISCOVER, options={ASKED: word(OWN + 1)}), "OFFER"),
    ("discover without an address", (NONE,), request(Type.DISCOVER), "silence"),
    ("discover in a network without DHCP", (replace(SUBNET, dhcp=False),), request(Type.DISCOVER), "silence"),
    ("discover without a server", (replace(SUBNET, gateway=None),), request(Type.DISCOVER), "silence"),
    ("selecting us", (), asking("10.0.0.7", "10.0.0.1"), "ACK"),
    ("selecting us, wrong address", (), asking("10.0.0.8", "10.0.0.1"), "NAK"),
    ("selecting us, address gone", (NONE,), asking("10.0.0.7", "10.0.0.1"), "NAK"),
    ("selecting another server", (), asking("10.0.0.7", "10.0.0.2"), "silence"),
    ("selecting us, no address", (), request(Type.REQUEST, options={CHOSEN: word(SERVER)}), "silence"),
    ("selecting the second subnet", (SECOND, BOTH), asking("10.1.0.7", "10.1.0.1"), "ACK"),
    ("selecting the address of another subnet", (SECOND, BOTH), asking("10.1.0.7", "10.0.0.1"), "NAK"),
    ("reboot", (), asking("10.0.0.7"), "ACK"),
    ("reboot, second subnet", (SECOND, BOTH), asking("10.1.0.7"), "ACK"),
    ("reboot, wrong address", (), asking("10.0.0.8"), "NAK"),
    ("reboot, wrong network", (), asking("192.168.1.7"), "NAK"),
    ("reboot, address gone", (NONE,), asking("10.0.0.7"), "NAK"),
    ("reboot, subnet without DHCP", (STATIC,), asking("10.2.0.7"), "silence"),
    ("reboot, network without DHCP", (replace(SUBNET, dhcp=False),), asking("10.0.0.7"), "silence"),
    ("renew", (), keeping("10.0.0.7"), "ACK"),
    ("renew, wrong address", (), keeping("10.0.0.8"), "NAK"),
    ("rebind", (), keeping("10.0.0.7", wire.BROADCAST_IP), "ACK"),
    ("rebind, wrong address", (), keeping("10.0.0.8", wire.BROADCAST_IP), "NAK"),
    ("neither address nor server", (), request(Type.REQUEST), "silence"),
    ("inform", (), request(Type.INFORM, src=OWN, ciaddr=OWN), "ACK"),
    ("inform, address configured by hand", (NONE,), request(Type.INFORM, ciaddr=ip("10.0.0.9")), "ACK"),
    ("inform, foreign address", (), request(Type.INFORM, ciaddr=ip("10.9.9.9")), "silence"),
    ("inform, no address", (), request(Type.INFORM), "silence"),
    ("release", (), request(Type.RELEASE, src=OWN, dst=SERVER, ciaddr=OWN), "silence"),
    ("decline", (), request(Type.DECLINE, options={ASKED: word(OWN), CHOSEN: word(SERVER)}), "silence"),
    ("a server's offer", (), request(Type.OFFER), "silence"),
    ("a server's ack", (), request(Type.ACK), "silence"),
])
def test_requests_are_answered_by_rfc_2131(what, facts, frame, verdict):
    assert Case(*facts).verdict(frame) == verdict, what


@pytest.mark.parametrize(("what", "frame"), [
    ("another machine's", request(Type.DISCOVER, mac=MAC + 1)),
    ("relayed", request(Type.DISCOVER, giaddr=ip("10.0.0.9"))),
    ("a relay's circuit", request(Type.DISCOVER, options={82: b"\1\1x"})),
    ("a reply", client_frame(build(Message(Op.REPLY, Type.DISCOVER, 1, MAC)))),
    ("to another server", request(Type.DISCOVER, dst=ip("10.0.0.2"))),
    ("from another port", client_frame(build(Message(Op.REQUEST, Type.DISCOVER, 1, MAC)), ports=(1068, 67))),
    ("to another port", client_frame(build(Message(Op.REQUEST, Type.DISCOVER, 1, MAC)), ports=(68, 1067))),
    ("BOOTP", client_frame(build(Message(Op.REQUEST, Type.DISCOVER, 1, MAC))[:240] + b"\xff")),
    ("nothing", b""),
])
def test_what_is_no_request_of_the_ports_machine_is_refused(what, frame):
    case = Case()
    assert case.frames(frame) == [], what
    assert case.app.counts == {"refused": 1}


def test_a_machine_gets_one_address_whatever_it_claims_to_be():
    case = Case(SECOND, BOTH)
    offers = set()
    for identifier in range(50):
        answer = case.ask(request(Type.DISCOVER, options={61: b"\xff" + word(identifier)}))
        assert answer is not None
        offers.add(answer[1].yiaddr)
    assert offers == {OWN}


def test_the_wish_among_its_own_addresses_is_granted():
    answer = Case(SECOND, BOTH).ask(request(Type.DISCOVER, options={ASKED: word(ip("10.1.0.7"))}))
    assert answer is not None
    datagram, message = answer
    assert (message.yiaddr, datagram.src) == (ip("10.1.0.7"), ip("10.1.0.1"))
    assert message.number(CHOSEN) == ip("10.1.0.1")


EVERYBODY = (wire.BROADCAST_MAC, wire.BROADCAST_IP)


@pytest.mark.parametrize(("what", "frame", "target", "addresses"), [
    ("offer", request(Type.DISCOVER), (MAC, OWN), (0, OWN)),
    ("offer to everybody", request(Type.DISCOVER, broadcast=True), EVERYBODY, (0, OWN)),
    ("ack", asking("10.0.0.7", "10.0.0.1"), (MAC, OWN), (0, OWN)),
    ("ack to everybody", asking("10.0.0.7", broadcast=True), EVERYBODY, (0, OWN)),
    ("renewed", keeping("10.0.0.7"), (MAC, OWN), (OWN, OWN)),
    ("rebound", keeping("10.0.0.7", wire.BROADCAST_IP), (MAC, OWN), (OWN, OWN)),
    ("informed", request(Type.INFORM, ciaddr=OWN + 2, broadcast=True), (MAC, OWN + 2), (OWN + 2, 0)),
    ("claims an address", asking("10.0.0.7", "10.0.0.1", ciaddr=ip("8.8.8.8")), (MAC, OWN), (0, OWN)),
    ("nak", asking("10.0.0.8"), EVERYBODY, (0, 0)),
    ("nak of a renewal", keeping("10.0.0.8"), EVERYBODY, (0, 0)),
])
def test_where_answers_go(what, frame, target, addresses):
    answer = Case().ask(frame)
    assert answer is not None
    datagram, message = answer
    assert (datagram.eth_dst, datagram.dst) == target, what
    assert (datagram.eth_src, datagram.src) == (GATEWAY_MAC, SERVER)
    assert (datagram.src_port, datagram.dst_port) == (67, 68)
    assert (message.ciaddr, message.yiaddr) == addresses
    assert (message.op, message.xid, message.mac) == (Op.REPLY, 0xDECAFBAD, MAC)
    assert message.number(CHOSEN) == SERVER
    assert len(datagram.payload) >= 300


def test_a_nak_says_nothing_but_who_refused():
    answer = Case().ask(asking("10.0.0.8"))
    assert answer is not None
    assert answer[1].options == {CHOSEN: word(SERVER)}


def test_an_inform_gets_no_lease():
    answer = Case().ask(request(Type.INFORM, ciaddr=OWN))
    assert answer is not None
    assert not {Option.LEASE_TIME, Option.RENEWAL_TIME, Option.REBINDING_TIME} & set(answer[1].options)
    assert Option.SUBNET_MASK in answer[1].options


def test_the_service_port_answers_where_there_is_no_gateway():
    service = Port("svc", "net", 22, 0x020000000022, (Address("sub", IPv4Address("10.0.0.2")),),
                   owner=DHCP_SERVICE)
    case = Case(replace(SUBNET, gateway=None), service)
    answer = case.ask(request(Type.DISCOVER))
    assert answer is not None
    datagram, message = answer
    assert (datagram.eth_src, datagram.src) == (service.mac, ip("10.0.0.2"))
    assert message.number(CHOSEN) == ip("10.0.0.2")
    assert Option.ROUTERS not in message.options
    assert case.verdict(keeping("10.0.0.7", ip("10.0.0.2"))) == "ACK"
    assert case.verdict(keeping("10.0.0.7", ip("10.0.0.1"))) == "silence"


def test_declines_are_told_ever_more_rarely_and_counted_all(caplog):
    case = Case()
    decline = request(Type.DECLINE, options={ASKED: word(OWN)})
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            case.frames(decline)
    assert case.app.counts == {"decline": 100}
    assert len(caplog.records) == 7
    assert "10.0.0.7" in caplog.text and "port" in caplog.text
    assert case.verdict(request(Type.DISCOVER)) == "OFFER"


def test_a_release_or_decline_of_anothers_address_changes_nothing():
    neighbour = replace(PORT, id="other", mac=MAC + 1, addresses=(Address("sub", IPv4Address("10.0.0.8")),))
    case = Case(neighbour)
    assert case.verdict(request(Type.RELEASE, ciaddr=OWN + 1)) == "silence"
    assert case.verdict(request(Type.DECLINE, options={ASKED: word(OWN + 1)})) == "silence"
    assert case.verdict(asking("10.0.0.7")) == "ACK"


def test_other_punts_and_unknown_ports_are_not_answered():
    frame = request(Type.DISCOVER)
    assert Case().frames(frame, Reason.TTL_EXCEEDED) == []
    for kind, identifier in (("port", "port"), ("network", "net")):
        case, facts = Case(), store()
        facts.put(Key(kind, identifier), None)
        case.view = View(facts)
        assert case.frames(frame) == []


def mutated(rng: random.Random, frame: bytes) -> bytes:
    """`frame` with bytes changed, cut out, doubled or appended, sums put right half of the time."""
    data = bytearray(frame)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                del data[at:at + rng.randint(1, 8)]
            case 2:
                data[at:at] = data[at:at + rng.randint(1, 8)]
            case 3:
                data += rng.randbytes(rng.randint(1, 16))
    if rng.random() < 0.5 and len(data) > 42:
        data[16:18] = (len(data) - 14).to_bytes(2)
        data[38:42] = (len(data) - 34).to_bytes(2) + b"\0\0"
        data[24:26] = bytes(2)
        data[24:26] = wire.checksum(bytes(data[14:34])).to_bytes(2)
    return bytes(data)


def test_mutated_frames_raise_nothing_and_no_malformed_one_is_answered():
    rng = random.Random(2131)
    case = Case(SECOND, BOTH)
    seeds = [request(Type.DISCOVER), asking("10.0.0.7", "10.0.0.1"), asking("10.1.0.8"), keeping("10.0.0.7"),
             request(Type.INFORM, ciaddr=OWN), request(Type.DISCOVER, options={55: b"\1\3\6", 61: b"\1abc"})]
    answered = 0
    for _ in range(6000):
        frame = mutated(rng, rng.choice(seeds))
        for answer in case.frames(frame):
            answered += 1
            asked = wire.parse_udp(frame)
            assert asked is not None
            message = parse(asked.payload)
            assert message is not None and message.mac == MAC and message.giaddr == 0
            datagram = wire.parse_udp(answer)
            assert datagram is not None
            reply = parse(datagram.payload)
            assert reply is not None and reply.xid == message.xid
            assert reply.yiaddr in (0, OWN, ip("10.1.0.7"))
    assert 100 < answered < 5900


def flows(*facts) -> list[str]:
    case = Case(*facts)
    program = case.app.compile(case.view, Scope("network", "net"))
    assert not program.meters
    assert {flow.table for flow in program.flows} <= {Table.SERVICES}
    return sorted(map(str, program.flows))


def punt(address: str) -> str:
    return (f"table=20,priority=100,metadata=0x4d,eth_type=0x0800,ip_dst={address},nw_proto=17,"
            "udp_src=68,udp_dst=67 actions=set_field:0x20->reg6,goto_table:95")


def test_a_network_has_one_scope_whatever_its_subnets_and_ports():
    def scopes(fact: Network | Subnet | Port) -> list[tuple[Group, Scope]]:
        return list(DhcpResponder(Terms(60)).place(Key(type(fact).__name__.lower(), fact.id), fact))

    assert scopes(NETWORK) == [(Group("network", "net"), Scope("network", "net"))]
    assert scopes(SUBNET) == scopes(PORT) == []


def test_requests_to_everybody_and_to_the_servers_are_punted():
    assert flows() == [punt("10.0.0.1"), punt("255.255.255.255")]
    assert flows(SECOND, STATIC) == [punt("10.0.0.1"), punt("10.1.0.1"), punt("255.255.255.255")]


def test_nothing_is_punted_where_nobody_would_answer():
    assert flows(replace(SUBNET, dhcp=False)) == []
    assert flows(replace(SUBNET, gateway=None)) == []
    case = Case()
    assert case.app.compile(case.view, Scope("network", "gone")).flows == ()


def test_flows_do_not_depend_on_the_networks_name_or_mtu_or_on_its_machines():
    case = Case()
    case.app.compile(case.view, Scope("network", "net"))
    assert Key("ports of network", "net") not in case.view.reads
    assert flows() == flows(replace(NETWORK, mtu=9000))
