"""What an answer tells, in which order, and what it leaves out when it must be small."""
from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from dhcp_case import NETWORK, PORT, ROUTE, SUBNET, Case, Option, request

from naas_sdn.apps.dhcp_options import Terms, classless_routes
from naas_sdn.apps.dhcp_wire import Message, Type
from naas_sdn.errors import ConfigurationError

GATEWAY = bytes((10, 0, 0, 1))


def offer(*facts, terms: Terms | None = None, **options: bytes) -> Message:
    asked = {int(Option[name]): value for name, value in options.items()}
    answer = Case(*facts, terms=terms).ask(request(Type.DISCOVER, options=asked))
    assert answer is not None
    return answer[1]


def test_all_that_a_machine_needs():
    assert offer().options == {
        Option.SERVER_IDENTIFIER: GATEWAY,
        Option.LEASE_TIME: (3600).to_bytes(4),
        Option.RENEWAL_TIME: (1800).to_bytes(4),
        Option.REBINDING_TIME: (3150).to_bytes(4),
        Option.SUBNET_MASK: bytes((255, 255, 255, 0)),
        Option.ROUTERS: GATEWAY,
        Option.NAME_SERVERS: bytes((9, 9, 9, 9, 1, 1, 1, 1)),
        Option.HOST_NAME: b"vm-7",
        Option.DOMAIN_NAME: b"cloud.internal",
        Option.MTU: (1450).to_bytes(2),
        Option.CLASSLESS_ROUTES: bytes((22, 172, 16, 4, 10, 0, 0, 9)) + b"\0" + GATEWAY,
    }


@pytest.mark.parametrize(("net", "hop", "value"), [
    ("0.0.0.0/0", "10.0.0.1", "00 0a000001"),
    ("10.0.0.0/8", "10.0.0.1", "08 0a 0a000001"),
    ("10.17.0.0/16", "10.0.0.1", "10 0a11 0a000001"),
    ("10.27.129.0/24", "10.0.0.1", "18 0a1b81 0a000001"),
    ("10.229.0.128/25", "10.0.0.1", "19 0ae50080 0a000001"),
    ("10.198.122.47/32", "0.0.0.0", "20 0ac67a2f 00000000"),
])
def test_routes_are_written_as_rfc_3442_shows(net, hop, value):
    assert classless_routes(((IPv4Network(net), IPv4Address(hop)),)) == bytes.fromhex(value)


def test_without_host_routes_the_router_is_enough():
    options = offer(replace(SUBNET, host_routes=())).options
    assert options[Option.ROUTERS] == GATEWAY
    assert Option.CLASSLESS_ROUTES not in options


def test_a_default_among_the_host_routes_is_the_only_default():
    default = (IPv4Network("0.0.0.0/0"), IPv4Address("10.0.0.9"))
    options = offer(replace(SUBNET, host_routes=(default,))).options
    assert options[Option.CLASSLESS_ROUTES] == bytes((0, 10, 0, 0, 9))


def test_the_requested_come_first_in_the_clients_order_but_the_mask_before_all():
    wanted = bytes((Option.MTU, Option.ROUTERS, 42, Option.MTU, Option.SUBNET_MASK, Option.LEASE_TIME))
    told = [code for code in offer(PARAMETERS=wanted).options
            if code not in (Option.SERVER_IDENTIFIER, Option.LEASE_TIME, 58, 59)]
    assert told == [Option.SUBNET_MASK, Option.MTU, Option.ROUTERS, Option.NAME_SERVERS,
                    Option.CLASSLESS_ROUTES]


def test_names_are_told_to_those_who_ask_and_those_who_do_not_say():
    assert {Option.HOST_NAME, Option.DOMAIN_NAME} <= set(offer().options)
    asked = offer(PARAMETERS=bytes((Option.HOST_NAME,))).options
    assert Option.HOST_NAME in asked
    assert Option.DOMAIN_NAME not in asked


@pytest.mark.parametrize("name", ["", "vm;reboot", "vm\nnameserver", 'vm"', "-vm", "vm-", "vm..x", "ümlaut",
                                  "a" * 64, ".".join(["abcdefg"] * 40), "$(id)", "vm\n", "x\0"])
def test_no_text_but_a_host_name_is_sent_as_one(name):
    large = (1400).to_bytes(2)
    assert Option.HOST_NAME not in offer(replace(PORT, hostname=name), MAX_SIZE=large).options


@pytest.mark.parametrize("name", ["a", "host-10-0-0-7", "vm7.example.org", "a" * 63, "7"])
def test_host_names_are_sent(name):
    assert offer(replace(PORT, hostname=name)).options[Option.HOST_NAME] == name.encode()


def test_the_clients_identifier_is_returned_in_offer_ack_and_nak():
    case = Case()
    for kind, address in ((Type.DISCOVER, "10.0.0.7"), (Type.REQUEST, "10.0.0.7"),
                          (Type.REQUEST, "10.0.0.8")):
        asked = {50: IPv4Address(address).packed, 61: b"\xff\0\x80\n\""}
        answer = case.ask(request(kind, options=asked))
        assert answer is not None
        assert answer[1].options[Option.CLIENT_IDENTIFIER] == b"\xff\0\x80\n\""
    assert Option.CLIENT_IDENTIFIER not in offer().options


MANY = replace(SUBNET, host_routes=tuple(
    (IPv4Network((0xC0000000 + 256 * number, 24)), ROUTE[1]) for number in range(60)))


@pytest.mark.parametrize(("claim", "most"), [(None, 576), (0, 576), (575, 576), (576, 576), (800, 800),
                                             (1450, 1450), (65535, 1450)])
def test_an_answer_is_no_larger_than_the_client_and_the_network_take(claim, most):
    options = {} if claim is None else {57: claim.to_bytes(2)}
    many = replace(MANY, host_routes=MANY.host_routes * 4)
    for routes in range(0, 240, 3):
        subnet = replace(many, host_routes=many.host_routes[:routes])
        (frame,) = Case(subnet).frames(request(Type.DISCOVER, options=options))
        assert len(frame) - 14 <= most


@pytest.mark.parametrize(("routes", "told"), [
    (31, {Option.SUBNET_MASK, Option.CLASSLESS_ROUTES, Option.ROUTERS, Option.MTU, Option.HOST_NAME}),
    (32, {Option.SUBNET_MASK, Option.CLASSLESS_ROUTES, Option.ROUTERS}),
    (33, {Option.SUBNET_MASK, Option.CLASSLESS_ROUTES}),
])
def test_a_small_answer_keeps_what_weighs_most(routes, told):
    options = offer(replace(MANY, host_routes=MANY.host_routes[:routes])).options
    assert set(options) - {Option.SERVER_IDENTIFIER, Option.LEASE_TIME, 58, 59} == told
    assert len(options[Option.CLASSLESS_ROUTES]) == 8 * routes + 5


def test_what_cannot_fit_is_left_out_and_the_mask_is_not():
    options = offer(MANY).options
    assert Option.CLASSLESS_ROUTES not in options
    assert {Option.SUBNET_MASK, Option.ROUTERS, Option.MTU} <= set(options)
    large = offer(MANY, MAX_SIZE=(1400).to_bytes(2)).options
    assert len(large[Option.CLASSLESS_ROUTES]) == 60 * 8 + 5


def test_an_mtu_that_the_option_cannot_tell_is_not_told():
    assert Option.MTU not in offer(replace(NETWORK, mtu=70000)).options


@pytest.mark.parametrize(("lease", "domain"), [(59, ""), (1 << 32, ""), (3600, "a b"), (3600, "x\n"),
                                             (60, ".")])
def test_terms_that_no_client_can_use_are_refused(lease, domain):
    with pytest.raises(ConfigurationError):
        Terms(lease, domain)
