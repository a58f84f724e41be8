"""External networks: operators say which, those that they are for see them, and only routers use them."""
from __future__ import annotations

from typing import Any

import pytest

from tests.api.wire import Answer, Wire
from tests.support.statements import statements


def grant(wire: Wire, network: str, target: str, who: str = "admin", action: str = "access_as_external") -> Answer:
    return wire.ask("POST", "rbac-policies", {"rbac_policy": {
        "object_type": "network", "object_id": network, "action": action, "target_tenant": target}}, who=who)


def change(wire: Wire, network: str, who: str = "admin", **attributes: Any) -> Answer:
    named = {name.replace("__", ":"): value for name, value in attributes.items()}
    return wire.ask("PUT", f"networks/{network}", {"network": named}, who=who)


def listed(wire: Wire, path: str, who: str) -> list[str]:
    return [item["id"] for item in next(iter(wire.ask("GET", path, who=who).body.values()))]


def test_an_external_network_is_seen_by_all_with_its_subnets_and_not_shared(wire: Wire) -> None:
    network = wire.network("192.0.2.0/24", "admin", router__external=True)
    own = wire.make("networks")
    assert (network["router:external"], network["shared"], own["router:external"]) == (True, False, False)
    for who in ("alice", "bob", "admin", "service"):
        shown = wire.ask("GET", f"networks/{network['id']}", who=who).body["network"]
        assert (shown["router:external"], shown["shared"]) == (True, False), who
        assert shown["subnets"] == listed(wire, "subnets", who) == network["subnets"]
        assert listed(wire, "networks?router:external=True", who) == [network["id"]]
    assert listed(wire, "networks?router:external=False", "alice") == [own["id"]]
    assert set(listed(wire, "networks?router:external=False&router:external=True", "alice")) == {
        network["id"], own["id"]}
    assert listed(wire, "networks?shared=True", "alice") == []
    [policy] = wire.ask("GET", "rbac-policies", who="admin").body["rbac_policies"]
    assert (policy["object_id"], policy["action"], policy["target_tenant"], policy["project_id"]) == (
        network["id"], "access_as_external", "*", "admin")


def test_only_an_operator_says_what_is_external(wire: Wire) -> None:
    network, external = wire.make("networks"), wire.make("networks", "admin", router__external=True)
    before = wire.dump()
    for who in ("alice", "manager"):
        answer = wire.ask("POST", "networks", {"network": {"router:external": True}}, who=who)
        assert (answer.status, answer.error) == (403, "PolicyNotAuthorized")
        assert change(wire, network["id"], who, router__external=True).status == 403
        assert change(wire, external["id"], who, router__external=False).status == 403
        assert grant(wire, network["id"], "*", who).status == 403
    assert wire.dump() == before
    assert change(wire, network["id"], "alice", router__external=False, name="x").body["network"]["name"] == "x"
    opened = change(wire, network["id"], router__external=True).body["network"]
    assert (opened["router:external"], opened["project_id"]) == (True, "alice")
    assert opened["revision_number"] > network["revision_number"]
    assert change(wire, network["id"], "alice", router__external=True).status == 200
    assert len(wire.ask("GET", "rbac-policies").body["rbac_policies"]) == 1


def test_closed_it_is_seen_no_more(wire: Wire) -> None:
    network = wire.make("networks", "admin", router__external=True)["id"]
    assert grant(wire, network, "bob").status == 201
    closed = change(wire, network, router__external=False).body["network"]
    assert closed["router:external"] is False
    assert wire.ask("GET", f"networks/{network}", who="bob").status == 404
    assert wire.ask("GET", "rbac-policies", who="admin").body == {"rbac_policies": []}


@pytest.mark.parametrize("target", ["bob", "*"])
def test_a_policy_makes_a_network_external_to_its_target(wire: Wire, target: str) -> None:
    network = wire.network("192.0.2.0/24", "admin")
    made = grant(wire, network["id"], target)
    assert made.status == 201
    assert grant(wire, network["id"], target).error == "DuplicateRbacPolicy"
    shown = wire.ask("GET", f"networks/{network['id']}", who="bob").body["network"]
    assert (shown["router:external"], shown["shared"]) == (True, False)
    assert listed(wire, "subnets", "bob") == network["subnets"]
    assert wire.ask("GET", f"networks/{network['id']}", who="carol").status == (200 if target == "*" else 404)
    assert listed(wire, "networks?router:external=True", "admin") == [network["id"]]
    policy = made.body["rbac_policy"]["id"]
    assert wire.ask("DELETE", f"rbac-policies/{policy}", who="admin").status == 204
    assert wire.ask("GET", f"networks/{network['id']}", who="bob").status == 404
    shown = wire.ask("GET", f"networks/{network['id']}", who="admin").body["network"]
    assert shown["router:external"] is False


def test_machines_have_no_ports_there_unless_it_is_shared_too(wire: Wire) -> None:
    network = wire.network("192.0.2.0/24", "admin", router__external=True)
    router = wire.make("routers")
    before = wire.dump()
    refusals: list[tuple[str, str, Any]] = [
        ("POST", "ports", {"port": {"network_id": network["id"]}}),
        ("POST", "ports", {"port": {"network_id": network["id"], "device_owner": "network:router_gateway"}}),
        ("PUT", f"networks/{network['id']}", {"network": {"name": "mine"}}),
        ("DELETE", f"networks/{network['id']}", None),
        ("POST", "subnets", {"subnet": {"network_id": network["id"], "ip_version": 4, "cidr": "10.8.0.0/24"}}),
        ("DELETE", f"subnets/{network['subnets'][0]}", None),
        ("PUT", f"routers/{router['id']}/add_router_interface", {"subnet_id": network["subnets"][0]}),
        ("GET", f"networks/{network['id']}/statistics", None),
    ]
    for method, path, body in refusals:
        answer = wire.ask(method, path, body)
        assert (answer.status, answer.error) == (403, "PolicyNotAuthorized"), (method, path, body)
    assert wire.dump() == before
    assert wire.ask("POST", "ports", {"port": {"network_id": network["id"]}}, who="service").status == 201
    assert grant(wire, network["id"], "alice", action="access_as_shared").status == 201
    wire.make("ports", network_id=network["id"])
    assert change(wire, network["id"], router__external=False).status == 200
    assert listed(wire, "networks", "alice") == [network["id"]]


def test_lists_cost_the_same_statements_however_many_are_external(wire: Wire) -> None:
    wire.token("bob")

    def cost() -> int:
        with statements() as heard:
            wire.ask("GET", "networks?router:external=True", who="bob")
        return len(heard)

    wire.make("networks", "admin", router__external=True)
    few = cost()
    for _ in range(3):
        wire.make("networks", "admin", router__external=True)
    assert cost() == few
