"""Get me a network: what a project gets when it asks for any, made once; and which external network is the default."""
from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from naas_sdn import runtime
from tests.api.wire import Answer, Wire

PATH = "auto-allocated-topology"


@pytest.fixture
def other(url: str, wire: Wire) -> Iterator[Wire]:
    """Another process on the same database."""
    with Wire(url, registered=True) as made:
        yield made


def ready(wire: Wire) -> dict[str, Any]:
    """What topologies are made of; the external network."""
    outside = wire.network("192.0.2.0/24", "admin", router__external=True, is_default=True)
    assert outside["is_default"] is True
    wire.make("subnetpools", "admin", name="p", prefixes=["10.0.0.0/16"], default_prefixlen=26, is_default=True,
              shared=True)
    return outside


def asked(wire: Wire, project: str = "alice", who: str = "alice", query: str = "") -> Answer:
    return wire.ask("GET", f"{PATH}/{project}{query}", who=who)


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.error


def count(wire: Wire, who: str = "alice") -> list[int]:
    return [len(wire.ask("GET", f"{path}?project_id=alice", who=who).body[path])
            for path in ("networks", "subnets", "routers", "ports")]


def test_a_topology_is_made_once(wire: Wire) -> None:
    outside = ready(wire)
    assert asked(wire, query="?fields=dry-run").body["auto_allocated_topology"] == {
        "id": "dry-run=pass", "project_id": "alice", "tenant_id": "alice"}
    assert count(wire) == [0, 0, 0, 0]
    made = asked(wire).body["auto_allocated_topology"]
    assert (made["project_id"], made["tenant_id"]) == ("alice", "alice")
    network = wire.ask("GET", f"networks/{made['id']}").body["network"]
    assert (network["project_id"], network["name"], network["admin_state_up"]) == (
        "alice", "auto_allocated_network", True)
    [subnet] = wire.ask("GET", f"subnets?network_id={made['id']}").body["subnets"]
    assert (subnet["cidr"], subnet["name"]) == ("10.0.0.0/26", "auto_allocated_subnet_v4")
    [router] = wire.ask("GET", "routers").body["routers"]
    assert (router["name"], router["external_gateway_info"]["network_id"]) == ("auto_allocated_router", outside["id"])
    [leg] = wire.ask("GET", f"ports?device_id={router['id']}").body["ports"]
    assert leg["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}]
    before = wire.dump()
    for project, who in (("alice", "alice"), ("null", "alice"), ("None", "alice"), ("alice", "reader"),
                         ("alice", "admin")):
        assert asked(wire, project, who).body["auto_allocated_topology"] == made
    assert asked(wire, query="?fields=id").body["auto_allocated_topology"] == {"id": made["id"]}
    assert wire.ask("GET", PATH).body["auto_allocated_topologies"] == [made]
    assert wire.ask("GET", PATH, who="bob").body["auto_allocated_topologies"] == []
    assert wire.dump() == before
    # A machine there can have a floating address.
    port = wire.make("ports", network_id=made["id"])["id"]
    assert wire.make("floatingips", floating_network_id=outside["id"], port_id=port)["router_id"] == router["id"]


def test_nothing_is_made_of_what_is_not_there(wire: Wire) -> None:
    expected = (409, "AutoAllocationFailure")

    def fails(why: str) -> None:
        before = wire.dump()
        for query in ("", "?fields=dry-run"):
            answer = asked(wire, query=query)
            assert refused(answer) == expected
            assert why in answer.message
        assert wire.dump() == before

    fails("No default router:external network")
    outside = wire.network("192.0.2.0/24", "admin", router__external=True)["id"]
    fails("No default router:external network")
    assert wire.ask("PUT", f"networks/{outside}", {"network": {"is_default": True}}, who="admin").status == 200
    fails("No default pools available")
    pool = wire.make("subnetpools", "admin", name="p", prefixes=["10.0.0.0/30"], default_prefixlen=30,
                     min_prefixlen=30, is_default=True)["id"]
    fails("not shared with this project")
    wire.ask("POST", "rbac-policies", {"rbac_policy": {
        "object_type": "subnetpool", "object_id": pool, "action": "access_as_shared", "target_tenant": "alice"}},
        who="admin")
    assert asked(wire).status == 200
    assert wire.ask("DELETE", f"{PATH}/alice").status == 204
    taken = wire.make("networks", "admin")["id"]
    wire.make("subnets", "admin", network_id=taken, ip_version=4, subnetpool_id=pool)
    before = wire.dump()
    assert refused(asked(wire)) == (409, "SubnetAllocationError")
    assert wire.dump() == before


def test_whose_it_is(wire: Wire) -> None:
    ready(wire)
    before = wire.dump()
    for project, who in (("alice", "bob"), ("alice", "reader"), ("bob", "reader")):
        assert refused(asked(wire, project, who)) == (403, "PolicyNotAuthorized"), who
    assert refused(wire.ask("DELETE", f"{PATH}/alice", who="bob")) == (403, "PolicyNotAuthorized")
    assert wire.ask("PUT", f"{PATH}/alice", {"auto_allocated_topology": {}}).status == 405
    assert wire.dump() == before
    made = asked(wire, "alice", "admin").body["auto_allocated_topology"]
    assert asked(wire).body["auto_allocated_topology"] == made
    assert wire.ask("GET", f"networks/{made['id']}").body["network"]["project_id"] == "alice"


def test_it_goes_as_a_whole_unless_it_is_used(wire: Wire) -> None:
    ready(wire)
    assert wire.ask("DELETE", f"{PATH}/alice").status == 204
    made = asked(wire).body["auto_allocated_topology"]["id"]
    port = wire.make("ports", network_id=made)["id"]
    before = wire.dump()
    assert refused(wire.ask("DELETE", f"{PATH}/alice")) == (409, "NetworkInUse")
    assert wire.dump() == before
    assert wire.ask("DELETE", f"ports/{port}").status == 204
    assert wire.ask("DELETE", f"{PATH}/null").status == 204
    assert count(wire) == [0, 0, 0, 0]
    assert wire.ask("GET", "ports?device_owner=network:router_gateway", who="admin").body["ports"] == []
    assert asked(wire).body["auto_allocated_topology"]["id"] != made


def test_what_a_project_took_away_itself_is_made_again(wire: Wire) -> None:
    ready(wire)
    first = asked(wire).body["auto_allocated_topology"]["id"]
    [router] = wire.ask("GET", "routers").body["routers"]
    [subnet] = wire.ask("GET", f"subnets?network_id={first}").body["subnets"]
    wire.ask("PUT", f"routers/{router['id']}/remove_router_interface", {"subnet_id": subnet["id"]})
    assert wire.ask("DELETE", f"routers/{router['id']}").status == 204
    assert asked(wire).body["auto_allocated_topology"]["id"] == first
    assert wire.ask("DELETE", f"networks/{first}").status == 204
    second = asked(wire).body["auto_allocated_topology"]["id"]
    assert second != first
    assert count(wire) == [1, 1, 1, 1]


def test_who_asks_at_once_gets_the_same(wire: Wire, other: Wire) -> None:
    ready(wire)
    for each in (wire, other):
        each.token("alice")
    threads = [runtime.spawn(partial(asked, each)) for each in (wire, other) * 4]
    answers = [thread.wait() for thread in threads]
    assert [answer.status for answer in answers] == [200] * 8
    assert len({answer.body["auto_allocated_topology"]["id"] for answer in answers}) == 1
    assert count(wire) == [1, 1, 1, 1]


def test_one_external_network_is_the_default(wire: Wire) -> None:
    outside = ready(wire)
    plain, second = wire.make("networks", "admin"), wire.make("networks", "admin", router__external=True)
    assert (plain["is_default"], second["is_default"]) == (False, False)
    before = wire.dump()
    for network, expected in ((plain, (400, "InvalidInput")), (second, (409, "DefaultExternalNetworkExists"))):
        answer = wire.ask("PUT", f"networks/{network['id']}", {"network": {"is_default": True}}, who="admin")
        assert refused(answer) == expected
    for body, expected in (({"is_default": True}, (400, "InvalidInput")),
                           ({"is_default": True, "router:external": True}, (409, "DefaultExternalNetworkExists"))):
        assert refused(wire.ask("POST", "networks", {"network": body}, who="admin")) == expected
        assert refused(wire.ask("POST", "networks", {"network": body})) == (403, "PolicyNotAuthorized")
    assert wire.dump() == before
    listed = wire.ask("GET", "networks?is_default=True").body["networks"]
    assert [item["id"] for item in listed] == [outside["id"]]
    path = f"networks/{outside['id']}"
    assert wire.ask("PUT", path, {"network": {"is_default": True, "name": "x"}}, who="admin").status == 200
    closed = wire.ask("PUT", path, {"network": {"router:external": False}}, who="admin").body["network"]
    assert (closed["router:external"], closed["is_default"]) == (False, False)
    told = wire.ask("PUT", f"networks/{second['id']}", {"network": {"is_default": True}}, who="admin")
    assert told.body["network"]["is_default"] is True


def test_who_serves_routers(wire: Wire) -> None:
    expected = [{"service_type": "L3_ROUTER_NAT", "name": "openflow", "default": True}]
    for query, found in (("", expected), ("?service_type=L3_ROUTER_NAT", expected), ("?default=False", []),
                         ("?name=x", [])):
        assert wire.ask("GET", f"service-providers{query}").body["service_providers"] == found
    assert refused(wire.ask("GET", "service-providers/openflow")) == (404, "ServiceProviderNotFound")
    assert wire.ask("POST", "service-providers", {"service_provider": {}}).status == 405
