"""Gateways of routers: on external networks only, with ports that are the cloud's own."""
from __future__ import annotations

from typing import Any

import pytest

from tests.api.wire import GONE, Answer, Wire
from tests.support.statements import statements


def external(wire: Wire, cidr: str = "192.0.2.0/24") -> dict[str, Any]:
    return wire.network(cidr, "admin", router__external=True)


def gateway(wire: Wire, router: str, info: dict[str, Any] | None, who: str = "alice") -> Answer:
    return wire.ask("PUT", f"routers/{router}", {"router": {"external_gateway_info": info}}, who=who)


def ports(wire: Wire, router: str, who: str = "admin") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = wire.ask("GET", f"ports?device_id={router}", who=who).body["ports"]
    return found


@pytest.mark.parametrize("at_once", [True, False])
def test_a_gateway_is_a_port_that_tenants_do_not_see(wire: Wire, at_once: bool) -> None:
    network = external(wire)
    info = {"network_id": network["id"]}
    if at_once:
        router = wire.make("routers", external_gateway_info=info)
    else:
        made = wire.make("routers")
        assert made["external_gateway_info"] is None
        router = gateway(wire, made["id"], info).body["router"]
        assert router["revision_number"] > made["revision_number"]
    assert router["external_gateway_info"] == {
        "network_id": network["id"], "enable_snat": True,
        "external_fixed_ips": [{"subnet_id": network["subnets"][0], "ip_address": "192.0.2.2"}]}
    assert wire.ask("GET", f"routers/{router['id']}").body["router"] == router
    assert wire.ask("GET", "routers").body["routers"] == [router]
    [port] = ports(wire, router["id"])
    assert (port["device_owner"], port["project_id"], port["network_id"], port["status"]) == (
        "network:router_gateway", "", network["id"], "DOWN")
    assert port["fixed_ips"] == router["external_gateway_info"]["external_fixed_ips"]
    assert (port["port_security_enabled"], port["security_groups"]) == (False, [])
    assert ports(wire, router["id"], "alice") == []
    assert wire.ask("GET", f"ports/{port['id']}").status == 404


@pytest.mark.parametrize("nothing", [None, {}])
def test_without_a_gateway_its_port_is_gone(wire: Wire, nothing: Any) -> None:
    network = external(wire)
    router = wire.make("routers", external_gateway_info={"network_id": network["id"]})["id"]
    assert gateway(wire, router, nothing).body["router"]["external_gateway_info"] is None
    assert ports(wire, router) == []
    revision = wire.ask("GET", f"routers/{router}").body["router"]["revision_number"]
    assert gateway(wire, router, nothing).body["router"]["revision_number"] == revision


def test_a_router_goes_with_its_gateway_and_another_network_takes_another_port(wire: Wire) -> None:
    first, second = external(wire), external(wire, "198.51.100.0/24")
    router = wire.make("routers", external_gateway_info={"network_id": first["id"]})["id"]
    [old] = ports(wire, router)
    moved = gateway(wire, router, {"network_id": second["id"]}).body["router"]["external_gateway_info"]
    [new] = ports(wire, router)
    assert (moved["network_id"], new["network_id"], new["id"] != old["id"]) == (second["id"], second["id"], True)
    # The same again changes nothing.
    same = gateway(wire, router, moved).body["router"]
    assert gateway(wire, router, {"network_id": second["id"]}).body["router"] == same
    assert [port["id"] for port in ports(wire, router)] == [new["id"]]
    assert wire.ask("DELETE", f"routers/{router}").status == 204
    assert ports(wire, router) == []
    assert wire.ask("DELETE", f"networks/{second['id']}", who="admin").status == 204


def test_what_is_no_external_network_is_refused(wire: Wire) -> None:
    own, foreign, shared = wire.network(), wire.network("10.9.0.0/24", "bob"), wire.network("10.8.0.0/24", "admin",
                                                                                             shared=True)
    router = wire.make("routers")["id"]
    before = wire.dump()
    for info, status, kind in (
            ({"network_id": own["id"]}, 400, "BadRequest"), ({"network_id": shared["id"]}, 400, "BadRequest"),
            ({"network_id": foreign["id"]}, 404, "NetworkNotFound"), ({"network_id": GONE}, 404, "NetworkNotFound"),
            ({"network_id": "x"}, 400, "HTTPBadRequest"), ({"network_id": None}, 400, "BadRequest"),
            ({"enable_snat": True}, 400, "BadRequest"), ({"network_id": own["id"], "x": 1}, 400, "HTTPBadRequest")):
        for answer in (gateway(wire, router, info),
                       wire.ask("POST", "routers", {"router": {"external_gateway_info": info}})):
            assert (answer.status, answer.error) == (status, kind), info
    assert wire.dump() == before


def test_an_external_network_is_for_those_whom_policies_name(wire: Wire) -> None:
    network = wire.network("192.0.2.0/24", "admin")
    policies = {(action, target): wire.ask("POST", "rbac-policies", {"rbac_policy": {
        "object_type": "network", "object_id": network["id"], "action": action, "target_tenant": target}},
        who="admin").body["rbac_policy"]["id"]
        for action, target in (("access_as_external", "bob"), ("access_as_shared", "alice"))}
    router, other = wire.make("routers")["id"], wire.make("routers", "bob")["id"]
    answer = gateway(wire, router, {"network_id": network["id"]})
    assert (answer.status, answer.error) == (403, "PolicyNotAuthorized")
    assert gateway(wire, other, {"network_id": network["id"]}, "bob").status == 200
    policy = f"rbac-policies/{policies['access_as_external', 'bob']}"
    answer = wire.ask("DELETE", policy, who="admin")
    assert (answer.status, answer.error) == (409, "RbacPolicyInUse")
    answer = wire.ask("PUT", f"networks/{network['id']}", {"network": {"router:external": False}}, who="admin")
    assert (answer.status, answer.error) == (409, "ExternalNetworkInUse")
    assert wire.ask("DELETE", f"networks/{network['id']}", who="admin").error == "NetworkInUse"
    assert wire.ask("DELETE", f"subnets/{network['subnets'][0]}", who="admin").error == "SubnetInUse"
    assert gateway(wire, other, None, "bob").status == 200
    assert wire.ask("DELETE", policy, who="admin").status == 204


def test_operators_choose_addresses_and_whether_sources_are_rewritten(wire: Wire) -> None:
    network = external(wire)
    wanted = {"network_id": network["id"], "enable_snat": False,
              "external_fixed_ips": [{"subnet_id": network["subnets"][0], "ip_address": "192.0.2.77"}]}
    router = wire.make("routers")["id"]
    before = wire.dump()
    for name in ("enable_snat", "external_fixed_ips"):
        answer = gateway(wire, router, {"network_id": network["id"], name: wanted[name]})
        assert (answer.status, answer.error) == (403, "PolicyNotAuthorized"), name
    assert wire.dump() == before
    assert gateway(wire, router, wanted, "admin").body["router"]["external_gateway_info"] == wanted
    # Who reads it may say it back, and what he does not say stays.
    for info in (wanted, {"network_id": network["id"]}):
        assert gateway(wire, router, info).body["router"]["external_gateway_info"] == wanted
    assert gateway(wire, router, {**wanted, "enable_snat": True}).status == 403
    moved = {**wanted, "external_fixed_ips": [{"ip_address": "192.0.2.78"}]}
    fixed = gateway(wire, router, moved, "admin").body["router"]["external_gateway_info"]["external_fixed_ips"]
    assert fixed == [{"subnet_id": network["subnets"][0], "ip_address": "192.0.2.78"}]
    [port] = ports(wire, router)
    assert port["fixed_ips"] == fixed
    for address, status, kind in (("192.0.3.7", 400, "InvalidIpForNetwork"), ("192.0.2.0", 400, "InvalidIpForNetwork"),
                                  ("2001:db8::7", 400, "InvalidIpForNetwork")):
        answer = gateway(wire, router, {**wanted, "external_fixed_ips": [{"ip_address": address}]}, "admin")
        assert (answer.status, answer.error) == (status, kind), address
    wire.make("ports", "admin", network_id=network["id"], fixed_ips=[{"ip_address": "192.0.2.90"}])
    answer = gateway(wire, router, {**wanted, "external_fixed_ips": [{"ip_address": "192.0.2.90"}]}, "admin")
    assert (answer.status, answer.error) == (409, "IpAddressAlreadyAllocated")


def test_a_gateway_s_port_is_the_cloud_s(wire: Wire) -> None:
    network = external(wire)
    router = wire.make("routers", external_gateway_info={"network_id": network["id"]})["id"]
    [port] = ports(wire, router)
    own = wire.make("ports", "admin", network_id=network["id"])
    before = wire.dump()
    for method, body, kind in (("DELETE", None, "ServicePortInUse"),
                               ("PUT", {"port": {"device_owner": ""}}, "BadRequest"),
                               ("PUT", {"port": {"device_id": "x"}}, "ServicePortInUse"),
                               ("PUT", {"port": {"fixed_ips": []}}, "ServicePortInUse")):
        answer = wire.ask(method, f"ports/{port['id']}", body, who="admin")
        assert answer.error == kind, body
    assert wire.ask("PUT", f"ports/{own['id']}", {"port": {"device_owner": "network:router_gateway"}},
                    who="admin").error == "BadRequest"
    assert wire.dump() == before


def test_inside_and_outside_do_not_overlap(wire: Wire) -> None:
    network, inner = external(wire, "10.0.0.0/16"), wire.network("10.0.1.0/24")
    router = wire.make("routers")["id"]
    interface = {"subnet_id": inner["subnets"][0]}
    assert wire.ask("PUT", f"routers/{router}/add_router_interface", interface).status == 200
    answer = gateway(wire, router, {"network_id": network["id"]})
    assert (answer.status, answer.error) == (400, "BadRequest")
    assert wire.ask("PUT", f"routers/{router}/remove_router_interface", interface).status == 200
    assert gateway(wire, router, {"network_id": network["id"]}).status == 200
    answer = wire.ask("PUT", f"routers/{router}/add_router_interface", interface)
    assert (answer.status, answer.error) == (400, "BadRequest")


def test_an_external_network_without_subnets_gives_no_address_and_a_full_one_none(wire: Wire) -> None:
    bare = wire.make("networks", "admin", router__external=True)
    router = wire.make("routers", external_gateway_info={"network_id": bare["id"]})
    assert router["external_gateway_info"]["external_fixed_ips"] == []
    full = external(wire, "198.51.100.0/30")
    assert gateway(wire, router["id"], {"network_id": full["id"]}).status == 200
    before = wire.dump()
    answer = wire.ask("POST", "routers", {"router": {"external_gateway_info": {"network_id": full["id"]}}})
    assert (answer.status, answer.error) == (409, "IpAddressGenerationFailure")
    assert wire.dump() == before


def test_lists_cost_the_same_statements_however_many_gateways(wire: Wire) -> None:
    network = external(wire)

    def cost() -> int:
        with statements() as heard:
            wire.ask("GET", "routers")
        return len(heard)

    wire.make("routers", external_gateway_info={"network_id": network["id"]})
    few = cost()
    for _ in range(3):
        wire.make("routers", external_gateway_info={"network_id": network["id"]})
    assert cost() == few
