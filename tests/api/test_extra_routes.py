"""Routers' own routes: kept, replaced, added and removed one by one, and what they stand on."""
from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from naas_sdn import runtime
from naas_sdn.db.load import load
from naas_sdn.model.store import Key
from naas_sdn.model.values import Router
from tests.api.wire import GONE, Answer, Wire

ROUTE = {"destination": "10.50.0.0/16", "nexthop": "10.0.0.9"}
OTHER = {"destination": "10.60.0.0/16", "nexthop": "10.0.0.10"}


def connected(wire: Wire, who: str = "alice", cidr: str = "10.0.0.0/24") -> tuple[str, str]:
    """(router, subnet) with an interface at the subnet's gateway."""
    router, subnet = wire.make("routers", who)["id"], wire.network(cidr, who)["subnets"][0]
    assert wire.ask("PUT", f"routers/{router}/add_router_interface", {"subnet_id": subnet}, who=who).status == 200
    return router, subnet


def routed(wire: Wire, router: str, routes: Any, who: str = "alice") -> Answer:
    return wire.ask("PUT", f"routers/{router}", {"router": {"routes": routes}}, who=who)


def act(wire: Wire, router: str, verb: str, *routes: Any, who: str = "alice") -> Answer:
    return wire.ask("PUT", f"routers/{router}/{verb}_extraroutes", {"router": {"routes": list(routes)}}, who=who)


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.error


def test_put_replaces_and_the_data_plane_knows(wire: Wire) -> None:
    router, _ = connected(wire)
    assert wire.ask("GET", f"routers/{router}").body["router"]["routes"] == []
    made = routed(wire, router, [{"destination": "10.50.7.7/16", "nexthop": "10.0.0.9"}]).body["router"]
    assert made["routes"] == [ROUTE]
    assert wire.ask("GET", f"routers/{router}").body["router"] == made
    with wire.database.read() as session:
        fact = load(session, [Key("router", router)])[Key("router", router)]
    assert isinstance(fact, Router)
    assert fact.routes == ((IPv4Network("10.50.0.0/16"), IPv4Address("10.0.0.9")),)
    assert routed(wire, router, [OTHER]).body["router"]["routes"] == [OTHER]
    assert wire.ask("PUT", f"routers/{router}", {"router": {"name": "x"}}).body["router"]["routes"] == [OTHER]
    for nothing in ([], None):
        assert routed(wire, router, nothing).body["router"]["routes"] == []
    posted = wire.ask("POST", "routers", {"router": {"routes": [ROUTE]}})
    assert refused(posted) == (400, "HTTPBadRequest")


def test_single_routes_come_and_go(wire: Wire) -> None:
    router, _ = connected(wire)
    wire.ask("PUT", f"routers/{router}/tags/x")
    added = act(wire, router, "add", ROUTE).body["router"]
    assert (added["routes"], added["tags"]) == ([ROUTE], ["x"])
    assert act(wire, router, "add", ROUTE, OTHER).body["router"]["routes"] == [ROUTE, OTHER]
    before = wire.ask("GET", f"routers/{router}").body["router"]["revision_number"]
    same = act(wire, router, "add", OTHER).body["router"]
    assert (same["routes"], same["revision_number"]) == ([ROUTE, OTHER], before)
    assert act(wire, router, "remove", {**ROUTE, "nexthop": "10.0.0.99"}).body["router"]["routes"] == [ROUTE, OTHER]
    assert act(wire, router, "remove", ROUTE).body["router"]["routes"] == [OTHER]
    assert act(wire, router, "remove", ROUTE).status == 200


@pytest.mark.parametrize(("routes", "error"), [
    ([{"destination": "10.50.0.0/16", "nexthop": "10.1.0.9"}], "InvalidRoutes"),
    ([{"destination": "10.50.0.0/16", "nexthop": "10.0.0.1"}], "InvalidRoutes"),
    ([{"destination": "2001:db8::/32", "nexthop": "10.0.0.9"}], "InvalidRoutes"),
    ([{"destination": "10.50.0.0/16", "nexthop": "2001:db8::1"}], "InvalidRoutes"),
    ([{"destination": "224.0.0.0/8", "nexthop": "10.0.0.9"}], "InvalidRoutes"),
    ([ROUTE, {**ROUTE, "nexthop": "10.0.0.10"}], "InvalidRoutes"),
    ([{"destination": f"10.50.{number}.0/24", "nexthop": "10.0.0.9"} for number in range(31)], "RoutesExhausted"),
    ([{"destination": "10.50.0.0", "nexthop": "10.0.0.9"}], "HTTPBadRequest"),
    ([{"destination": "10.50.0.0/16"}], "HTTPBadRequest"), ([{**ROUTE, "metric": 1}], "HTTPBadRequest"),
    ([7], "HTTPBadRequest"), ("x", "HTTPBadRequest"),
])
def test_routes_that_are_none(wire: Wire, routes: Any, error: str) -> None:
    router, _ = connected(wire)
    before = wire.dump()
    assert refused(routed(wire, router, routes)) == (400, error)
    whole = {"router": {"routes": routes}}
    assert refused(wire.ask("PUT", f"routers/{router}/add_extraroutes", whole)) == (400, error)
    for body in ({}, {"routes": []}, {"router": {}}, {"router": {"routes": [], "name": "x"}}):
        assert refused(wire.ask("PUT", f"routers/{router}/add_extraroutes", body)) == (400, "HTTPBadRequest")
    assert wire.dump() == before


def test_an_interface_stays_while_a_route_leaves_by_it(wire: Wire) -> None:
    router, subnet = connected(wire)
    second = wire.network("10.1.0.0/24")["subnets"][0]
    wire.ask("PUT", f"routers/{router}/add_router_interface", {"subnet_id": second})
    routed(wire, router, [ROUTE])
    before = wire.dump()
    answer = wire.ask("PUT", f"routers/{router}/remove_router_interface", {"subnet_id": subnet})
    assert refused(answer) == (409, "RouterInterfaceInUseByRoute")
    assert wire.dump() == before
    assert wire.ask("PUT", f"routers/{router}/remove_router_interface", {"subnet_id": second}).status == 200
    act(wire, router, "remove", ROUTE)
    assert wire.ask("PUT", f"routers/{router}/remove_router_interface", {"subnet_id": subnet}).status == 200


def test_another_s_router_is_not_there(wire: Wire) -> None:
    router, _ = connected(wire)
    before = wire.dump()
    for verb in ("add", "remove"):
        answer, nothing = (act(wire, identifier, verb, ROUTE, who="bob") for identifier in (router, GONE))
        assert refused(answer) == refused(nothing) == (404, "RouterNotFound")
        assert act(wire, router, verb, ROUTE, who="reader").status == 403
    assert routed(wire, router, [ROUTE], "bob").status == 404
    assert wire.dump() == before


def test_of_two_who_add_at_once_none_undoes_the_other_s(wire: Wire) -> None:
    router, _ = connected(wire)
    answers: list[int] = []

    def add(number: int) -> None:
        route = {"destination": f"10.{number}.0.0/16", "nexthop": "10.0.0.9"}
        answers.append(act(wire, router, "add", route).status)

    threads = [runtime.spawn(add, number) for number in range(50, 58)]
    for thread in threads:
        thread.wait()
    assert answers == [200] * 8
    assert len(wire.ask("GET", f"routers/{router}").body["router"]["routes"]) == 8


def test_without_layer_3_there_are_none(bare: Wire) -> None:
    assert act(bare, GONE, "add", ROUTE).status == 501
    listed = {extension["alias"] for extension in bare.ask("GET", "extensions").body["extensions"]}
    assert not listed & {"extraroute", "extraroute-atomic"}
