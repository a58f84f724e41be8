"""Floating addresses: of external networks, for machines behind routers that lead there."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from naas_sdn.db.status import acknowledge, set_alive
from naas_sdn.service import hypervisors, uplinks
from tests.api.wire import GONE, Answer, Wire
from tests.support.statements import statements

UNREACHABLE = (404, "ExternalGatewayForFloatingIPNotFound")


@dataclass(frozen=True, slots=True)
class Place:
    """Alice's network behind her router, which has its gateway on the operator's external network."""

    wire: Wire
    outside: dict[str, Any]
    inside: dict[str, Any]
    router: str

    def port(self, **attributes: Any) -> dict[str, Any]:
        return self.wire.make("ports", network_id=self.inside["id"], **attributes)

    def floating(self, who: str = "alice", **attributes: Any) -> dict[str, Any]:
        return self.wire.make("floatingips", who, floating_network_id=self.outside["id"], **attributes)

    def asked(self, who: str = "alice", **attributes: Any) -> Answer:
        return self.wire.ask("POST", "floatingips", {"floatingip": {
            "floating_network_id": self.outside["id"], **attributes}}, who=who)

    def change(self, identifier: str, who: str = "alice", **attributes: Any) -> Answer:
        return self.wire.ask("PUT", f"floatingips/{identifier}", {"floatingip": attributes}, who=who)

    def get(self, identifier: str) -> dict[str, Any]:
        found: dict[str, Any] = self.wire.ask("GET", f"floatingips/{identifier}").body["floatingip"]
        return found


@pytest.fixture
def place(wire: Wire) -> Place:
    outside, inside = wire.network("192.0.2.0/24", "admin", router__external=True), wire.network("10.0.0.0/24")
    router = wire.make("routers", external_gateway_info={"network_id": outside["id"]})["id"]
    added = wire.ask("PUT", f"routers/{router}/add_router_interface", {"subnet_id": inside["subnets"][0]})
    assert added.status == 200
    return Place(wire, outside, inside, router)


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.error


def holders(wire: Wire, identifier: str, who: str = "admin") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = wire.ask("GET", f"ports?device_id={identifier}", who=who).body["ports"]
    return found


def test_one_stands_for_nothing_until_it_is_told(place: Place) -> None:
    made = place.floating(description="d")
    assert {name: value for name, value in made.items() if name not in ("id", "created_at", "updated_at")} == {
        "project_id": "alice", "tenant_id": "alice", "description": "d", "floating_network_id": place.outside["id"],
        "floating_ip_address": "192.0.2.3", "port_id": None, "fixed_ip_address": None, "router_id": None,
        "port_details": None, "status": "DOWN", "revision_number": 1, "tags": []}
    assert place.get(made["id"]) == made
    assert place.wire.ask("GET", "floatingips").body["floatingips"] == [made]
    [holder] = holders(place.wire, made["id"])
    assert (holder["device_owner"], holder["project_id"], holder["status"]) == ("network:floatingip", "", "DOWN")
    assert [fixed["ip_address"] for fixed in holder["fixed_ips"]] == ["192.0.2.3"]
    assert holders(place.wire, made["id"], "alice") == []
    port = place.port()
    told = place.change(made["id"], port_id=port["id"]).body["floatingip"]
    inner = port["fixed_ips"][0]["ip_address"]
    assert (told["port_id"], told["fixed_ip_address"], told["router_id"]) == (port["id"], inner, place.router)
    # Its machine is nowhere.
    assert (told["status"], told["revision_number"]) == ("DOWN", 2)
    assert place.change(made["id"], description="e").body["floatingip"]["port_id"] == port["id"]
    back = place.change(made["id"], port_id=None).body["floatingip"]
    assert (back["port_id"], back["fixed_ip_address"], back["router_id"]) == (None, None, None)
    assert place.wire.ask("DELETE", f"floatingips/{made['id']}").status == 204
    assert holders(place.wire, made["id"]) == []
    assert refused(place.wire.ask("GET", f"floatingips/{made['id']}")) == (404, "FloatingIPNotFound")


def test_at_once_for_a_port(place: Place) -> None:
    port = place.port()
    made = place.floating(port_id=port["id"])
    assert (made["port_id"], made["router_id"]) == (port["id"], place.router)
    assert made["port_details"] == {name: port[name] for name in (
        "name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")}
    found = place.wire.ask("GET", f"floatingips?port_id={port['id']}&fixed_ip_address={made['fixed_ip_address']}"
                           f"&router_id={place.router}&status=DOWN&fields=id").body["floatingips"]
    assert found == [{"id": made["id"]}]
    for query in (f"port_id={GONE}", "status=ACTIVE", "floating_ip_address=192.0.2.99",
                  f"floating_network_id={place.inside['id']}"):
        assert place.wire.ask("GET", f"floatingips?{query}").body["floatingips"] == [], query


def test_which_address(place: Place) -> None:
    """Any of the pools, of a subnet's, or the one that managers and operators ask for."""
    second = place.wire.make("subnets", "admin", network_id=place.outside["id"], ip_version=4, cidr="198.51.100.0/24")
    assert place.floating(subnet_id=second["id"])["floating_ip_address"] == "198.51.100.2"
    assert refused(place.asked(floating_ip_address="192.0.2.77")) == (403, "PolicyNotAuthorized")
    for who, address in (("manager", "192.0.2.77"), ("admin", "198.51.100.77")):
        assert place.floating(who, floating_ip_address=address)["floating_ip_address"] == address
    before = place.wire.dump()
    for attributes, expected in (
            ({"floating_ip_address": "192.0.2.77"}, (409, "IpAddressAlreadyAllocated")),
            ({"floating_ip_address": "203.0.113.7"}, (400, "InvalidIpForNetwork")),
            ({"floating_ip_address": "192.0.2.255"}, (400, "InvalidIpForNetwork")),
            ({"floating_ip_address": "2001:db8::7"}, (400, "BadRequest")),
            ({"floating_ip_address": "192.0.2.9", "subnet_id": second["id"]}, (400, "InvalidIpForSubnet")),
            ({"subnet_id": place.inside["subnets"][0]}, (400, "InvalidInput")),
            ({"fixed_ip_address": "10.0.0.9"}, (400, "BadRequest")),
            ({"port_id": "x"}, (400, "HTTPBadRequest")), ({"router_id": place.router}, (400, "HTTPBadRequest")),
            ({"status": "ACTIVE"}, (400, "HTTPBadRequest"))):
        assert refused(place.asked("admin", **attributes)) == expected, attributes
    assert place.wire.dump() == before


def test_of_external_networks_only(place: Place) -> None:
    bare = place.wire.make("networks", "admin", router__external=True)
    foreign = place.wire.network("10.9.0.0/24", "bob")
    for network, expected in ((place.inside["id"], (400, "BadRequest")), (bare["id"], (400, "BadRequest")),
                              (foreign["id"], (404, "NetworkNotFound")), (GONE, (404, "NetworkNotFound"))):
        assert refused(place.asked(floating_network_id=network)) == expected


def test_a_full_network_has_none(place: Place) -> None:
    outside = place.wire.network("203.0.113.0/30", "admin", router__external=True)
    place.wire.make("floatingips", floating_network_id=outside["id"])
    before = place.wire.dump()
    assert refused(place.asked(floating_network_id=outside["id"])) == (409, "IpAddressGenerationFailure")
    assert place.wire.dump() == before


def test_a_router_must_lead_there(place: Place) -> None:
    wire = place.wire
    made = place.floating()["id"]
    lone = wire.network("10.1.0.0/24")
    port = wire.make("ports", network_id=lone["id"])
    assert refused(place.change(made, port_id=port["id"])) == UNREACHABLE
    assert refused(place.asked(port_id=port["id"])) == UNREACHABLE
    router = wire.make("routers")["id"]
    wire.ask("PUT", f"routers/{router}/add_router_interface", {"subnet_id": lone["subnets"][0]})
    assert refused(place.change(made, port_id=port["id"])) == UNREACHABLE
    other = wire.network("198.51.100.0/24", "admin", router__external=True)
    gateway = f"routers/{router}"
    wire.ask("PUT", gateway, {"router": {"external_gateway_info": {"network_id": other["id"]}}})
    assert refused(place.change(made, port_id=port["id"])) == UNREACHABLE
    wire.ask("PUT", gateway, {"router": {"external_gateway_info": {"network_id": place.outside["id"]}}})
    assert place.change(made, port_id=port["id"]).body["floatingip"]["router_id"] == router


def test_the_subnet_s_own_gateway_is_the_router_before_others(place: Place) -> None:
    wire = place.wire
    for _ in range(4):
        router = wire.make("routers", external_gateway_info={"network_id": place.outside["id"]})["id"]
        leg = place.port()["id"]
        assert wire.ask("PUT", f"routers/{router}/add_router_interface", {"port_id": leg}).status == 200
    for _ in range(3):
        assert place.floating(port_id=place.port()["id"])["router_id"] == place.router


def test_which_fixed_address(place: Place) -> None:
    wire, subnet = place.wire, place.inside["subnets"][0]
    two = place.port(fixed_ips=[{"subnet_id": subnet, "ip_address": "10.0.0.50"},
                                {"subnet_id": subnet, "ip_address": "10.0.0.51"}])["id"]
    bare = place.port(fixed_ips=[])["id"]
    first = place.floating()["id"]
    for attributes in ({"port_id": two}, {"port_id": bare}, {"port_id": two, "fixed_ip_address": "10.0.0.52"},
                       {"fixed_ip_address": "10.0.0.50"}):
        assert refused(place.change(first, **attributes)) == (400, "BadRequest"), attributes
    told = place.change(first, port_id=two, fixed_ip_address="10.0.0.50").body["floatingip"]
    assert told["fixed_ip_address"] == "10.0.0.50"
    # One floating address of a network for each fixed one.
    second = place.floating()["id"]
    expected = (409, "FloatingIPPortAlreadyAssociated")
    assert refused(place.change(second, port_id=two, fixed_ip_address="10.0.0.50")) == expected
    assert refused(place.asked(port_id=two, fixed_ip_address="10.0.0.50")) == expected
    assert place.change(second, port_id=two, fixed_ip_address="10.0.0.51").status == 200
    assert refused(place.change(second, fixed_ip_address="10.0.0.50")) == expected
    assert place.change(first, port_id=two, fixed_ip_address="10.0.0.50").status == 200
    for lost in ([], [{"ip_address": "10.0.0.51"}]):
        answer = wire.ask("PUT", f"ports/{two}", {"port": {"fixed_ips": lost}})
        assert refused(answer) == (400, "BadRequest")
    assert wire.ask("PUT", f"ports/{two}", {"port": {"fixed_ips": [
        {"ip_address": "10.0.0.51"}, {"ip_address": "10.0.0.50"}, {"subnet_id": subnet}]}}).status == 200


def test_whose_port(place: Place) -> None:
    wire = place.wire
    network = wire.network("10.7.0.0/24", "bob")
    theirs = wire.make("ports", "bob", network_id=network["id"])["id"]
    made = place.floating()["id"]
    assert refused(place.change(made, port_id=theirs)) == refused(place.change(made, port_id=GONE)) == (
        404, "PortNotFound")
    wire.ask("POST", "rbac-policies", {"rbac_policy": {
        "object_type": "network", "object_id": place.inside["id"], "action": "access_as_shared",
        "target_tenant": "bob"}})
    guest = wire.make("ports", "bob", network_id=place.inside["id"])["id"]
    assert refused(place.change(made, port_id=guest)) == (400, "BadRequest")
    # One of his own may stand for it, through the network owner's router.
    assert place.floating("bob", port_id=guest)["router_id"] == place.router
    [leg] = wire.ask("GET", f"ports?device_id={place.router}").body["ports"]
    assert refused(place.change(made, port_id=leg["id"])) == (400, "BadRequest")


def test_ports_and_routers_and_networks_that_are_stood_on(place: Place) -> None:
    wire = place.wire
    port = place.port()["id"]
    made = place.floating(port_id=port)
    unused = place.floating()["id"]
    other = wire.network("198.51.100.0/24", "admin", router__external=True)
    interface = {"subnet_id": place.inside["subnets"][0]}
    before = wire.dump()
    for info in (None, {"network_id": other["id"]}):
        answer = wire.ask("PUT", f"routers/{place.router}", {"router": {"external_gateway_info": info}})
        assert refused(answer) == (409, "RouterExternalGatewayInUseByFloatingIp")
    answer = wire.ask("PUT", f"routers/{place.router}/remove_router_interface", interface)
    assert refused(answer) == (409, "RouterInterfaceInUseByFloatingIP")
    answer = wire.ask("PUT", f"networks/{place.outside['id']}", {"network": {"router:external": False}}, who="admin")
    assert refused(answer) == (409, "ExternalNetworkInUse")
    assert refused(wire.ask("DELETE", f"networks/{place.outside['id']}", who="admin")) == (409, "NetworkInUse")
    assert wire.dump() == before
    assert wire.ask("DELETE", f"ports/{port}").status == 204
    left = place.get(made["id"])
    assert (left["port_id"], left["fixed_ip_address"], left["router_id"]) == (None, None, None)
    assert left["revision_number"] == made["revision_number"] + 1
    assert wire.ask("PUT", f"routers/{place.router}/remove_router_interface", interface).status == 200
    assert wire.ask("DELETE", f"routers/{place.router}").status == 204
    assert wire.ask("DELETE", f"networks/{place.outside['id']}").status == 403
    assert place.get(unused)["id"] == unused
    # What stands for nothing ends with its network.
    assert wire.ask("DELETE", f"networks/{place.outside['id']}", who="admin").status == 204
    assert wire.ask("GET", "floatingips").body["floatingips"] == []


def test_a_policy_that_somebody_s_floating_address_stands_on(wire: Wire) -> None:
    network = wire.network("192.0.2.0/24", "admin")
    body = {"object_type": "network", "object_id": network["id"], "action": "access_as_external",
            "target_tenant": "bob"}
    policy = wire.ask("POST", "rbac-policies", {"rbac_policy": body}, who="admin").body["rbac_policy"]["id"]
    new = {"floatingip": {"floating_network_id": network["id"]}}
    assert refused(wire.ask("POST", "floatingips", new)) == (404, "NetworkNotFound")
    made = wire.ask("POST", "floatingips", new, who="bob").body["floatingip"]["id"]
    assert refused(wire.ask("DELETE", f"rbac-policies/{policy}", who="admin")) == (409, "RbacPolicyInUse")
    assert wire.ask("DELETE", f"floatingips/{made}", who="bob").status == 204
    assert wire.ask("DELETE", f"rbac-policies/{policy}", who="admin").status == 204


def test_its_port_is_the_cloud_s_and_it_is_its_project_s(place: Place) -> None:
    wire = place.wire
    made = place.floating()["id"]
    [holder] = holders(wire, made)
    before = wire.dump()
    for method, body, kind in (("DELETE", None, "ServicePortInUse"), ("PUT", {"port": {"device_owner": ""}},
                                                                      "BadRequest"),
                               ("PUT", {"port": {"fixed_ips": []}}, "ServicePortInUse")):
        assert wire.ask(method, f"ports/{holder['id']}", body, who="admin").error == kind
    assert wire.ask("GET", "floatingips", who="bob").body == {"floatingips": []}
    for method, change in (("GET", None), ("PUT", {"floatingip": {"description": "x"}}), ("DELETE", None)):
        assert refused(wire.ask(method, f"floatingips/{made}", change, who="bob")) == (404, "FloatingIPNotFound")
        if method != "GET":
            assert wire.ask(method, f"floatingips/{made}", change, who="reader").status == 403
            assert wire.ask(method, f"floatingips/{made}", change, who="service").status == 403
    assert place.asked("reader").status == 403
    for name, value in (("floating_network_id", place.outside["id"]), ("floating_ip_address", "192.0.2.9"),
                        ("status", "ACTIVE"), ("router_id", place.router), ("name", "x")):
        assert place.change(made, **{name: value}).status == 400, name
    assert wire.dump() == before


def test_several_at_once_all_or_none_and_how_many(place: Place) -> None:
    wire = place.wire
    wire.ask("PUT", "quotas/alice", {"quota": {"floatingip": 3}}, who="admin")
    new = {"floating_network_id": place.outside["id"]}
    made = wire.ask("POST", "floatingips", {"floatingips": [new, new]}).body["floatingips"]
    assert len({item["floating_ip_address"] for item in made}) == 2
    before = wire.dump()
    assert refused(wire.ask("POST", "floatingips", {"floatingips": [new, new]})) == (409, "OverQuota")
    assert wire.dump() == before
    assert wire.ask("GET", "quotas/alice/details").body["quota"]["floatingip"]["used"] == 2
    listed = wire.ask("GET", "floatingips?sort_key=floating_ip_address&sort_dir=desc&limit=1").body
    assert [item["floating_ip_address"] for item in listed["floatingips"]] == ["192.0.2.4"]


def test_lists_cost_the_same_statements_however_long(place: Place) -> None:
    def cost() -> int:
        with statements() as heard:
            place.wire.ask("GET", "floatingips")
        return len(heard)

    place.floating(port_id=place.port()["id"])
    few = cost()
    for _ in range(3):
        place.floating(port_id=place.port()["id"])
    assert cost() == few


def test_active_is_one_whose_machine_is_where_packets_can_leave(url: str) -> None:
    with Wire(url, options="[network]\nflat_networks = public\n") as wire:
        outside = wire.make("networks", "admin", router__external=True, provider__network_type="flat",
                            provider__physical_network="public")
        wire.make("subnets", "admin", network_id=outside["id"], ip_version=4, cidr="192.0.2.0/24")
        inside = wire.network("10.0.0.0/24")
        router = wire.make("routers", external_gateway_info={"network_id": outside["id"]})["id"]
        wire.ask("PUT", f"routers/{router}/add_router_interface", {"subnet_id": inside["subnets"][0]})
        place = Place(wire, outside, inside, router)
        port = place.port()
        made = place.floating(port_id=port["id"])["id"]
        wire.ask("POST", "vifs", {"vif": {"port_id": port["id"], "host": "hv1", "interface": "tap1"}}, who="admin")

        def status() -> str:
            found: str = place.get(made)["status"]
            both = [wire.ask("GET", f"floatingips?status={name}&limit=1").body["floatingips"] for name in (
                "ACTIVE", "DOWN")]
            assert [len(rows) for rows in both] == ([1, 0] if found == "ACTIVE" else [0, 1])
            return found

        with wire.database.write() as session:
            set_alive(session, "hv1", True)
            acknowledge(session, {port["id"]: 1})
        assert wire.ask("GET", f"ports/{port['id']}").body["port"]["status"] == "ACTIVE"
        assert status() == "DOWN", "no hypervisor has the uplink"
        with wire.database.write() as session:
            uplinks.connect(session, hypervisors.by_name(session, "hv2"), {"public": "eth1"})
        assert status() == "DOWN", "the one that has is not there"
        with wire.database.write() as session:
            set_alive(session, "hv2", True)
        assert status() == "ACTIVE"
        place.change(made, port_id=None)
        assert status() == "DOWN"


def test_a_provider_can_leave_nat_out(url: str) -> None:
    with Wire(url, openflow={"nat": False}) as wire:
        outside, inside = wire.network("192.0.2.0/24", "admin", router__external=True), wire.network("10.0.0.0/24")
        router = wire.make("routers", external_gateway_info={"network_id": outside["id"]})["id"]
        wire.ask("PUT", f"routers/{router}/add_router_interface", {"subnet_id": inside["subnets"][0]})
        place = Place(wire, outside, inside, router)
        assert refused(place.asked()) == (501, "NotImplementedError")
        assert wire.ask("GET", "floatingips").body == {"floatingips": []}
