"""Which address answers for a subnet."""
from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from dhcp_case import GATEWAY_MAC, SUBNET, store

from naas_sdn.apps.servers import server_address
from naas_sdn.model.store import View
from naas_sdn.model.values import DHCP_SERVICE, ROUTER_INTERFACE, Address, Port

GATEWAY = IPv4Address("10.0.0.1")
SERVICE = IPv4Address("10.0.0.2")

machine = Port("vm", "net", 20, 0x020000000020, (Address("sub", GATEWAY),))
router = Port("leg", "net", 21, 0x020000000021, (Address("sub", GATEWAY),), owner=ROUTER_INTERFACE)
service = Port("svc", "net", 22, 0x020000000022, (Address("sub", SERVICE),), owner=DHCP_SERVICE)
bare = replace(SUBNET, gateway=None)


def test_the_gateway_answers_with_the_subnets_mac_when_nobody_holds_it():
    assert server_address(View(store(service)), SUBNET) == (GATEWAY, GATEWAY_MAC)


def test_the_gateway_answers_with_the_mac_of_the_router_that_holds_it():
    assert server_address(View(store(router, service)), SUBNET) == (GATEWAY, router.mac)


def test_the_service_port_answers_where_a_machine_is_the_gateway():
    assert server_address(View(store(machine, service)), SUBNET) == (SERVICE, service.mac)


def test_a_gateway_that_a_machine_holds_too_is_not_ours():
    assert server_address(View(store(machine, router, service)), SUBNET) == (SERVICE, service.mac)


def test_the_service_port_answers_where_there_is_no_gateway():
    assert server_address(View(store(service)), bare) == (SERVICE, service.mac)


def test_a_service_port_answers_with_its_address_of_this_subnet():
    both = replace(service, addresses=(Address("other", IPv4Address("192.0.2.2")), *service.addresses))
    assert server_address(View(store(both)), bare) == (SERVICE, service.mac)


def test_a_subnet_with_neither_has_no_server():
    assert server_address(View(store()), bare) is None
    assert server_address(View(store(machine)), SUBNET) is None


def test_who_could_take_the_gateway_is_remembered_as_read():
    view = View(store())
    server_address(view, SUBNET)
    assert ("holders of address", ("sub", GATEWAY)) in view.reads
