"""Subnets that serve ports of certain device owners: who says so, and where ports get their addresses."""
from __future__ import annotations

from typing import Any

import pytest

from naas_sdn.db import journal
from tests.api.wire import Wire


def subnet(wire: Wire, network: str, number: int, *types: str) -> str:
    return str(wire.make("subnets", "admin", network_id=network, ip_version=4, cidr=f"10.{number}.0.0/24",
                         service_types=list(types), project_id="alice")["id"])


def served(wire: Wire, network: str, owner: str, who: str = "service", **attributes: Any) -> list[str]:
    """The subnets of a new port's addresses."""
    port = wire.make("ports", who, network_id=network, device_owner=owner, **attributes)
    return [item["subnet_id"] for item in port["fixed_ips"]]


def test_ports_are_served_by_the_subnets_for_them(wire: Wire) -> None:
    network = wire.make("networks")["id"]
    plain, nova, inner, local = (
        subnet(wire, network, 1), subnet(wire, network, 2, "compute:nova", "baremetal:none"),
        subnet(wire, network, 3, "trunk:"), subnet(wire, network, 4, "network:local"))
    for owner, expected in (("", plain), ("compute:nova", nova), ("compute:other", plain), ("trunk:subport", inner),
                            ("trunks", plain), ("baremetal:none", nova), ("manila:share", plain),
                            ("network:local", local)):
        assert served(wire, network, owner) == [expected], owner


def test_a_full_subnet_gives_way_only_to_others_that_serve(wire: Wire) -> None:
    network = wire.make("networks")["id"]
    wire.make("subnets", network_id=network, ip_version=4, cidr="10.9.0.0/24")
    for number in (1, 2):
        wire.make("subnets", "admin", network_id=network, ip_version=4, cidr=f"10.{number}.0.0/30",
                  service_types=["compute:nova"])
    found = [served(wire, network, "compute:nova") for _ in range(2)]
    assert found[0] != found[1]
    answer = wire.ask("POST", "ports", {"port": {"network_id": network, "device_owner": "compute:nova"}})
    assert (answer.status, answer.error) == (409, "IpAddressGenerationFailure")


def test_a_port_that_no_subnet_serves(wire: Wire) -> None:
    network = wire.make("networks")["id"]
    only = subnet(wire, network, 1, "compute:nova")
    before = wire.dump()
    answer = wire.ask("POST", "ports", {"port": {"network_id": network}})
    assert (answer.status, answer.error) == (409, "IpAddressGenerationFailureNoMatchingSubnet")
    for wanted in ({"subnet_id": only}, {"ip_address": "10.1.0.9"}):
        answer = wire.ask("POST", "ports", {"port": {"network_id": network, "fixed_ips": [wanted]}})
        assert (answer.status, answer.error) == (400, "InvalidInput")
    assert wire.dump() == before
    assert served(wire, network, "", fixed_ips=[]) == []
    assert served(wire, network, "compute:nova", fixed_ips=[{"subnet_id": only}]) == [only]


def test_addresses_stay_and_the_cloud_s_own_ports_are_where_they_must_be(wire: Wire) -> None:
    network = wire.make("networks")["id"]
    first = subnet(wire, network, 1)
    port = wire.make("ports", network_id=network)
    wire.ask("PUT", f"subnets/{first}", {"subnet": {"service_types": ["compute:nova"], "gateway_ip": None}},
             who="admin")
    changed = wire.ask("PUT", f"ports/{port['id']}", {"port": {"fixed_ips": port["fixed_ips"], "name": "x"}})
    assert (changed.status, changed.body["port"]["fixed_ips"]) == (200, port["fixed_ips"])
    more = wire.ask("PUT", f"ports/{port['id']}", {"port": {"fixed_ips": [*port["fixed_ips"], {"subnet_id": first}]}})
    assert (more.status, more.error) == (400, "InvalidInput")
    owners = [item["device_owner"] for item in wire.ask("GET", f"ports?network_id={network}").body["ports"]]
    assert sorted(owners) == ["", "network:dhcp"]
    routed = subnet(wire, network, 2, "compute:nova")
    router = wire.make("routers")
    assert wire.ask("PUT", f"routers/{router['id']}/add_router_interface", {"subnet_id": routed}).status == 200


def test_operators_say_what_a_subnet_serves(wire: Wire) -> None:
    network = wire.make("networks")["id"]
    own = wire.make("subnets", network_id=network, ip_version=4, cidr="10.1.0.0/24", service_types=[])
    before = wire.dump()
    for method, path, body in (
            ("POST", "subnets", {"network_id": network, "ip_version": 4, "cidr": "10.2.0.0/24"}),
            ("PUT", f"subnets/{own['id']}", {})):
        answer = wire.ask(method, path, {"subnet": {**body, "service_types": ["compute:nova"]}})
        assert (answer.status, answer.error) == (403, "PolicyNotAuthorized")
    assert wire.dump() == before
    with wire.database.read() as session:
        last = journal.last(session)
    for types in (["compute:nova"], [], None):
        answer = wire.ask("PUT", f"subnets/{own['id']}", {"subnet": {"service_types": types}}, who="admin")
        assert (answer.status, answer.body["subnet"]["service_types"]) == (200, types or [])
    with wire.database.read() as session:
        assert journal.read(session, last) == [], "no flow depends on it"


@pytest.mark.parametrize(("wrong", "error"), [
    (["nova"], "InvalidSubnetServiceType"), ([""], "HTTPBadRequest"), ([5], "HTTPBadRequest"),
    ("compute:nova", "HTTPBadRequest"), (["compute:a", "compute:a"], "HTTPBadRequest"),
    (["compute:" + "x" * 250], "HTTPBadRequest")])
def test_what_is_no_service_type(wire: Wire, wrong: Any, error: str) -> None:
    network = wire.network()
    before = wire.dump()
    answer = wire.ask("PUT", f"subnets/{network['subnets'][0]}", {"subnet": {"service_types": wrong}}, who="admin")
    assert (answer.status, answer.error) == (400, error)
    assert wire.dump() == before
